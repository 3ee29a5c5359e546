// Package directory is the list of regions: the codes of GB/T 2260 with their
// names, those that were abolished since 2002 with their successors where one is
// known, and codes that an operator added from later lists. It guarantees that a
// list is read whole or refused. It trusts the published lists, and the operator
// for what was added.
//
// An abolished code is a region still: people and policies that were registered
// under it stay there, and nothing is moved to a successor by itself. Callers say
// that it is abolished and what came after it.
//
// Start here: Regions, then Find.
package directory

import (
	"bufio"
	"cmp"
	_ "embed" // regions.txt
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

//go:generate go run ./genregions package/lib

// published lists every code of the revisions of GB/T 2260 from December 2002 to
// July 2016, of Hong Kong and of Macao. LICENSE-gb2260 is the licence of the
// package that it is made from.
//
//go:embed regions.txt
var published string

// File is the name of the operator's list in the data directory.
const File = "regions.csv"

// maxFile bounds an operator's list, in bytes; maxName and maxLatin a name in it, in
// characters.
const (
	maxFile  = 4 << 20
	maxName  = 40
	maxLatin = 120
)

// ErrList says that a list of regions cannot be read.
var ErrList = errors.New("list of regions")

// Entry is one region. The zero Entry is none.
type Entry struct {
	Name      string
	Abolished string       // since when it is no longer in use, or empty
	Successor liuma.Region // of an abolished one, where it is known
	// Latin is the name for pages in other languages than Chinese: Huzhou, Wuxing
	// District. Empty for provinces, whose names are in the catalogue of sentences, and
	// where an operator's list says none.
	Latin string
	// Gathers says that the code holds others together, and is no place that anybody
	// lives in.
	Gathers bool
}

// Regions is a list of regions. It is not changed after it was made.
type Regions struct{ entries map[liuma.Region]Entry }

// Published returns the list that the program was built with.
func Published() (*Regions, error) {
	r := &Regions{entries: make(map[liuma.Region]Entry, 4500)}
	if err := r.add(strings.NewReader(published)); err != nil {
		return nil, err
	}
	return r, nil
}

// Open returns the published list with an operator's over it. There need be no
// such file.
func Open(path string) (*Regions, error) {
	r, err := Published()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrList, err)
	}
	defer f.Close() // read only: nothing to lose
	return r, r.add(f)
}

// Check reads an operator's list as Open does, and returns how many regions it
// has.
func Check(list io.Reader) (int, error) {
	r := &Regions{entries: map[liuma.Region]Entry{}}
	err := r.add(list)
	if err == nil && len(r.entries) == 0 {
		err = fmt.Errorf("%w: it is empty", ErrList)
	}
	return len(r.entries), err
}

// add reads lines of code, name, of an abolished region since when and its successor, and
// the name in Latin letters, or a hyphen where the code gathers others; the last three may
// be left out. A header line that begins
// with "code" and empty lines are passed over.
func (r *Regions) add(list io.Reader) error {
	lines := bufio.NewScanner(io.LimitReader(list, maxFile))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || n == 1 && strings.HasPrefix(line, "code") {
			continue
		}
		code, e, err := parse(line)
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrList, n, err)
		}
		r.entries[code] = e
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrList, err)
	}
	return nil
}

func parse(line string) (code liuma.Region, e Entry, err error) {
	cells := strings.Split(line, ",")
	if len(cells) < 2 || len(cells) > 5 {
		return "", e, errors.New("want code,name or code,name,abolished,successor,latin")
	}
	cells = append(cells, "", "", "")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if code, err = liuma.ParseRegion(cells[0]); err != nil || code == "" {
		return "", e, fmt.Errorf("code %q: want 2, 4 or 6 digits", cells[0])
	}
	if cells[1] == "" || !printed(cells[1], maxName) {
		return "", e, fmt.Errorf("code %s: want a name of 1 to %d characters", code, maxName)
	}
	if !printed(cells[4], maxLatin) {
		return "", e, fmt.Errorf("code %s: want a name in Latin letters of at most %d characters", code, maxLatin)
	}
	e = Entry{Name: cells[1], Abolished: cells[2], Latin: cells[4]}
	if e.Gathers = e.Latin == "-"; e.Gathers {
		e.Latin = ""
	}
	if e.Successor, err = liuma.ParseRegion(cells[3]); err != nil {
		return "", e, fmt.Errorf("code %s: successor %q: want 2, 4 or 6 digits", code, cells[3])
	}
	if e.Successor != "" && e.Abolished == "" {
		return "", e, fmt.Errorf("code %s: a successor, and not abolished", code)
	}
	return code, e, nil
}

// printed reports whether a name has at most so many characters, all of which can be seen.
func printed(name string, most int) bool {
	return utf8.RuneCountInString(name) <= most && utf8.ValidString(name) && !strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) })
}

// Find returns a region of the list. The nation, which has no code, is in every
// list.
func (r *Regions) Find(code liuma.Region) (Entry, bool) {
	if code == "" {
		return Entry{Name: locale.In(locale.Chinese).Notice.Nation()}, true
	}
	e, ok := r.entries[code]
	return e, ok
}

// Place names a region with those around it, as a language writes places: 浙江省湖州市吴兴区;
// Wuxing District, Huzhou, Zhejiang. A code that no list has is named by what lies around
// it; the nation has no name.
func (r *Regions) Place(w *locale.Words, code liuma.Region) string {
	chinese := strings.HasPrefix(string(w.Lang()), "zh")
	var names []string
	for at := code; at != ""; at = r.Above(at) {
		switch e := r.entries[at]; {
		case e.Name == "" || e.Gathers:
		case chinese:
			names = append(names, e.Name)
		case len(at) == 2 && w.Region(at) != "":
			names = append(names, w.Region(at))
		default:
			names = append(names, cmp.Or(e.Latin, e.Name))
		}
	}
	if !chinese {
		return strings.Join(names, ", ")
	}
	slices.Reverse(names)
	return strings.Join(names, "")
}

// Above is the nearest region of the list that a code lies in, or the nation.
func (r *Regions) Above(code liuma.Region) liuma.Region {
	for len(code) > 2 {
		code = code[:len(code)-2]
		if _, ok := r.entries[code]; ok {
			return code
		}
	}
	return ""
}

// Len is the number of regions.
func (r *Regions) Len() int { return len(r.entries) }

// Codes lists the regions of the list in their order, abolished ones among them.
func (r *Regions) Codes() []liuma.Region { return slices.Sorted(maps.Keys(r.entries)) }
