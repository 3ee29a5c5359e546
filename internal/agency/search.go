package agency

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

const (
	// maxTyped is the longest search text, in characters, and maxTerms the most words in
	// it.
	maxTyped = 40
	maxTerms = 4
	// MaxFound is how many agencies a search returns at most: nobody reads more, and a
	// person who gets so many types one word more.
	MaxFound = 200
)

// maxRanked limits the ranking of names that begin with the typed text, once more
// agencies are found than are shown.
const maxRanked = 20_000

// Query asks for agencies.
type Query struct {
	// Region limits the search to a region and the regions in it. Empty: the nation.
	Region liuma.Region
	// Text is the typed text: parts of a name, an address or a service in either
	// language, pinyin or its initials, or the name of a region. All words between blanks
	// must be found. Empty: all agencies of the region.
	Text string
}

// Search lists the agencies that match a query, at most MaxFound; more says that there
// are others. Agencies whose name begins with the typed text come first, then order is by
// region.
func (l *Listing) Search(q Query) (found []store.Agency, more bool) {
	terms := Terms(q.Text)
	if len(terms) == 0 {
		all := l.within(q.Region)
		return all[:min(len(all), MaxFound)], len(all) > MaxFound
	}
	judged := make([]term, len(terms))
	for i, t := range terms {
		judged[i] = term{text: t, codes: l.named(t)}
	}
	from, to := l.span(q.Region)
	hit := l.candidates(judged[0])
	var first, rest []store.Agency
	for i := from; i < to; i++ {
		if len(first) > MaxFound || len(rest) > MaxFound && i-from > maxRanked {
			break // more are not returned
		}
		if hit[i/64]&(1<<(i%64)) == 0 || slices.ContainsFunc(judged, func(t term) bool { return !t.is(l.all[i].Region, l.hay[i]) }) {
			continue
		}
		into := &rest
		if a := &l.all[i]; strings.HasPrefix(l.hay[i], terms[0]) || strings.HasPrefix(a.Pinyin, terms[0]) || strings.HasPrefix(a.Initials, terms[0]) {
			into = &first
		}
		if len(*into) <= MaxFound {
			*into = append(*into, l.all[i])
		}
	}
	found = append(first, rest...)
	return found[:min(len(found), MaxFound)], len(found) > MaxFound
}

// Searched reports whether all that was typed is what Search looks for, so that a page on
// which something was found may repeat it: behind as many words as are looked for, and where
// letters are folded away, an address that was sent to somebody could bring a sentence along.
func Searched(typed string) bool {
	return utf8.RuneCountInString(typed) <= maxTyped && len(strings.Fields(typed)) == len(Terms(typed)) && !Hides(typed)
}

// Terms are the words of the typed text, folded like names.
func Terms(typed string) (terms []string) {
	line, _ := written.Line(string([]rune(typed)[:min(len([]rune(typed)), maxTyped)]), maxTyped)
	for word := range strings.FieldsSeq(line) {
		if key := written.Pinyin(written.NameKey(word)); key != "" && len(terms) < maxTerms {
			terms = append(terms, key)
		}
	}
	return terms
}

// term is one word, and the regions that it may mean.
type term struct {
	text  string
	codes []liuma.Region
}

func (t term) is(region liuma.Region, hay string) bool {
	return strings.Contains(hay, t.text) || slices.ContainsFunc(t.codes, func(r liuma.Region) bool { return r.Contains(region) })
}

// named are the regions that a word may mean: their name, pinyin or initials begin with
// it, or it is their code.
func (l *Listing) named(word string) (codes []liuma.Region) {
	if code, err := liuma.ParseRegion(word); err == nil && code != "" {
		if _, ok := l.regions.Find(code); ok {
			return []liuma.Region{code}
		}
	}
	if len(word) < 2 {
		return nil
	}
	for _, p := range l.places() {
		if strings.HasPrefix(p.name, word) || strings.HasPrefix(p.pinyin, word) || strings.HasPrefix(p.initials, word) {
			codes = append(codes, p.code)
		}
	}
	return codes
}

// candidates are agencies among which are all matches of a term, one bit each.
func (l *Listing) candidates(t term) []uint64 {
	hit := make([]uint64, len(l.all)/64+1)
	for _, i := range l.containing(t.text) {
		hit[i/64] |= 1 << (i % 64)
	}
	for _, code := range t.codes {
		from, to := l.span(code)
		for i := from; i < to; i++ {
			hit[i/64] |= 1 << (i % 64)
		}
	}
	return hit
}

// gram is a pair of adjacent characters of the searched text.
type gram [2]rune

// index adds an agency to the lists of its grams.
func (l *Listing) index(i int32) {
	before := rune(0)
	for _, c := range l.hay[i] {
		g := gram{before, c}
		if before = c; g[0] == 0 || g[0] == '\n' || c == '\n' {
			continue
		}
		if list := l.grams[g]; len(list) == 0 || list[len(list)-1] != i {
			l.grams[g] = append(list, i)
		}
	}
}

// containing are agencies among which are all that contain a word: the shortest list of
// its grams. For a single character it is all agencies.
func (l *Listing) containing(word string) []int32 {
	runes := []rune(word)
	if len(runes) < 2 {
		all := make([]int32, len(l.all))
		for i := range all {
			all[i] = int32(i)
		}
		return all
	}
	var best []int32
	for i := range runes[1:] {
		list := l.grams[gram{runes[i], runes[i+1]}]
		if len(list) == 0 {
			return nil
		}
		if best == nil || len(list) < len(best) {
			best = list
		}
	}
	return best
}
