package agency

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
)

// listed is a listing of so many agencies, without a database.
func listed(t testing.TB, n int) *Listing {
	t.Helper()
	regions, err := directory.Published()
	must(t, err)
	in := sheet.NewLines(strings.NewReader(many(n)), maxLine)
	head, err := readHeader(in)
	must(t, err)
	p := &parser{layout: head, regions: regions, pinyin: newReader()}
	var all []store.Agency
	for {
		line, _, err := in.Next()
		if err != nil {
			return NewListing(all, regions)
		}
		r, reason := p.row(line)
		if reason != "" {
			t.Fatal(reason)
		}
		all = append(all, r.Agency)
	}
}

// typed is what the benchmark searches for: names, pinyin, initials, regions, nothing.
var typed = []string{"吴兴", "wuxing", "hzs", "湖州 3", "chongqing", "社会保险服务所", "330502", "长沙", "xyzzy", "0572-0001234"}

// BenchmarkSearch searches 100,000 agencies, and says how the slowest of a hundred
// searches stands to looking at every row.
func BenchmarkSearch(b *testing.B) {
	l := listed(b, 100_000)
	var took, plain []time.Duration
	for i := 0; b.Loop(); i++ {
		word := typed[i%len(typed)]
		at := time.Now()
		l.Search(Query{Text: word})
		took = append(took, time.Since(at))
		at = time.Now()
		scan(l, word)
		plain = append(plain, time.Since(at))
	}
	slices.Sort(took)
	slices.Sort(plain)
	p99 := took[len(took)*99/100]
	b.ReportMetric(float64(p99.Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(p99)/float64(plain[len(plain)*99/100]), "p99/scan-p99")
}

// scan is the same search without an index.
func scan(l *Listing, word string) (n int) {
	var terms []term
	for _, t := range Terms(word) {
		terms = append(terms, term{text: t, codes: l.named(t)})
	}
	for i := range l.all {
		if !slices.ContainsFunc(terms, func(t term) bool { return !t.is(l.all[i].Region, l.hay[i]) }) {
			n++
		}
	}
	return n
}

// TestSearchFindsWhatAScanFinds: the index leaves nothing out.
func TestSearchFindsWhatAScanFinds(t *testing.T) {
	l := listed(t, 3000)
	for _, word := range append(typed, "第", "a", "zhen", "SHBX", "北 1") {
		found, more := l.Search(Query{Text: word})
		if n := scan(l, word); len(found) != min(n, MaxFound) || more != (n > MaxFound) {
			t.Errorf("%q: found %d, more %v; a scan finds %d", word, len(found), more, n)
		}
	}
}

// BenchmarkImport imports 100,000 agencies.
func BenchmarkImport(b *testing.B) {
	file := many(100_000)
	for b.Loop() {
		h := newHouse(b)
		if _, err := h.Import(context.Background(), strings.NewReader(file), ImportConfig{Actor: "operator"}); err != nil {
			b.Fatal(err)
		}
	}
}
