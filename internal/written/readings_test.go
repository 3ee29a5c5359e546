package written_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"github.com/liuma-pin/liuma/internal/written"
)

var update = flag.Bool("update", false, "write readings.txt from the library")

// TestReadingsAreTheLibrarys: the table has what the library says of each character, and
// nothing else. After a new version of the library: go test ./internal/written -run Readings -update.
func TestReadingsAreTheLibrarys(t *testing.T) {
	args := pinyin.NewArgs()
	args.Heteronym = true
	var table strings.Builder
	for c := rune(0); c <= unicode.MaxRune; c++ {
		want := pinyin.SinglePinyin(c, args)
		if len(want) > 0 {
			table.WriteString(string(c) + strings.Join(want, ",") + "\n")
		}
		if got := written.Readings(c); !*update && !slices.Equal(got, want) {
			t.Fatalf("%c (%U) is read %q, and by the library %q", c, c, got, want)
		}
	}
	if *update {
		if err := os.WriteFile("readings.txt", []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
