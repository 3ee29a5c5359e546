package pin

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

type row struct {
	pin   string
	count int
}

// readCounts reads the list that the lists are made from. It shares no code
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

// TestListsAreUpToDate builds both lists from the counts once more, by other code than the
// generator's, and compares them over all PINs.
func TestListsAreUpToDate(t *testing.T) {
	basic, strong := make(map[string]bool), make(map[string]bool)
	rows := readCounts(t)
	for i, r := range rows {
		basic[r.pin] = i < 2900
		strong[r.pin] = i < 2900 || !isDay(r.pin[4:]+r.pin[:4]) && !isDay(r.pin[4:]+r.pin[2:4]+r.pin[:2])
	}
	for n := range 1_000_000 {
		s := sixes(n)
		up, down := s[0] == s[1], s[0] == s[1]
		for i := 1; i < Digits; i++ {
			up = (i == 1 || up) && (s[i]-s[i-1]+10)%10 == 1
			down = (i == 1 || down) && (s[i-1]-s[i]+10)%10 == 1
		}
		if up || down || s[:2] == s[2:4] && s[2:4] == s[4:] || s[:3] == strings.Repeat(s[:1], 3) && s[3:] == strings.Repeat(s[3:4], 3) {
			basic[s], strong[s] = true, true
		}
	}
	for list, want := range map[List]map[string]bool{ListBasic: basic, ListStrong: strong} {
		set, err := loadList(list)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 1_000_000 {
			s := sixes(n)
			if set.has((*[Digits]byte)([]byte(s))) != want[s] {
				t.Fatalf("%s in the %s list: %v; run go generate ./internal/pin", s, list, !want[s])
			}
		}
	}
	if len(rows) != 11_538 {
		t.Errorf("the counts have %d PINs; docs and data/README.md say 11,538", len(rows))
	}
}

// isDay reports whether the standard library takes YYMMDD for a day of 1930 to 2029.
func isDay(s string) bool {
	century := "20"
	if s[0] >= '3' {
		century = "19"
	}
	_, err := time.Parse("20060102", century+s)
	return err == nil
}

// TestDates: the rule refuses every date of 1930 to 2029 in the Chinese order, and nothing
// else.
func TestDates(t *testing.T) {
	for n := range 1_000_000 {
		s := sixes(n)
		d := (*[Digits]byte)([]byte(s))
		if date(d) != isDay(s) {
			t.Fatalf("%s: %v", s, date(d))
		}
		if want := s[:4] >= "1950" && s[:4] <= "2029"; year(d) != want {
			t.Fatalf("%s: a year: %v", s, !want)
		}
		want := false
		for _, word := range []string{"520", "521", "1314"} {
			want = want || strings.HasPrefix(s, word) || strings.HasSuffix(s, word)
		}
		if love(d) != want {
			t.Fatalf("%s: love: %v", s, !want)
		}
	}
}

func TestNoticeStaysWithTheData(t *testing.T) {
	raw, err := os.ReadFile("data/LICENSE-Pwdb-Public.txt")
	if err != nil || !strings.Contains(string(raw), "MIT License") || !strings.Contains(string(raw), "2020 Ata Hak") {
		t.Errorf("the notice is gone: %v", err)
	}
}
