package pin

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type row struct {
	pin   string
	count int
}

// readCounts reads the list that the bitmap is made from. It shares no code
// with the generator.
func readCounts(t testing.TB) []row {
	t.Helper()
	raw, err := os.ReadFile("data/pwdb-6digit-counts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		f := strings.Split(line, "\t")
		n, err := strconv.Atoi(f[1])
		if len(f) != 2 || len(f[0]) != Digits || err != nil {
			t.Fatalf("bad row %q", line)
		}
		rows = append(rows, row{f[0], n})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return b.count - a.count })
	return rows
}

func TestBitmapIsUpToDate(t *testing.T) {
	want := make(map[string]bool)
	for _, r := range readCounts(t) {
		want[r.pin] = true
	}
	set, err := loadCommonPINs()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1_000_000 {
		s := strconv.Itoa(1_000_000 + n)[1:]
		if set.has((*[Digits]byte)([]byte(s))) != want[s] {
			t.Fatalf("%s: bitmap says %v; run go generate ./internal/pin", s, !want[s])
		}
	}
	if len(want) != 11_538 {
		t.Errorf("the list has %d PINs; docs and data/README.md say 11,538", len(want))
	}
}

func TestNoticeStaysWithTheData(t *testing.T) {
	raw, err := os.ReadFile("data/LICENSE-Pwdb-Public.txt")
	if err != nil || !strings.Contains(string(raw), "MIT License") || !strings.Contains(string(raw), "2020 Ata Hak") {
		t.Errorf("the notice is gone: %v", err)
	}
}
