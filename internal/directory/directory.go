// Package directory is the list of regions: the codes of GB/T 2260 with their names, codes
// that were abolished since 2002 with their successors if known, and codes that an
// operator added from later lists. It guarantees that a list is read whole or refused. It
// trusts the published lists, and the operator for additions.
//
// An abolished code is still a region: people and policies registered under it stay there,
// and nothing is moved to a successor by itself. Callers say that it is abolished and
// which region succeeds it.
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

// maxFile is the longest operator's list, in bytes; maxName and maxLatin the longest name
// in it, in characters.
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
	Abolished string       // when it was abolished, or empty
	Successor liuma.Region // of an abolished one, if known
	// Latin is the name for pages in languages other than Chinese: Huzhou, Wuxing
	// District. Empty for provinces, whose names are in the catalogue of sentences, and if
	// an operator's list has none.
	Latin string
	// Gathers says that the code groups others together, and that nobody lives in it.
	Gathers bool
}

// Regions is a list of regions. It never changes after it was made.
type Regions struct {
	lines   []string               // of the published list, by their codes of six digits; read when they are asked for
	entries map[liuma.Region]Entry // of an operator's list, before lines
}

// Published returns the list that the program was built with. Its lines are read only when
// they are asked for, because a program opens lists far more often than it reads one
// through; a test reads each line.
func Published() (*Regions, error) {
	return &Regions{lines: strings.Split(strings.TrimSuffix(published, "\n"), "\n"), entries: map[liuma.Region]Entry{}}, nil
}

// published finds a region in the published list.
func (r *Regions) published(code liuma.Region) (e Entry, ok bool) {
	if n := len(code); n != 2 && n != 4 && n != 6 {
		return e, false
	}
	at, ok := slices.BinarySearchFunc(r.lines, string(code)+"0000"[:6-len(code)], func(line, code string) int { return strings.Compare(line[:6], code) })
	if !ok {
		return e, false
	}
	is, e, err := parse(r.lines[at])
	return e, err == nil && is == code
}

// Open returns the published list with an operator's additions, if there is such a file.
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

// add reads lines of code and name; the last three fields may be left out: when the region
// was abolished, its successor, and the name in Latin letters, or a hyphen if the code
// groups others.
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
	var cells [5]string
	n := 0
	for more := true; more && n <= len(cells); n++ {
		var cell string
		if cell, line, more = strings.Cut(line, ","); n < len(cells) {
			cells[n] = strings.TrimSpace(cell)
		}
	}
	if n < 2 || n > len(cells) {
		return "", e, errors.New("want code,name or code,name,abolished,successor,latin")
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
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > most {
		return false
	}
	for _, c := range name {
		if !(c >= 0x4e00 && c <= 0x9fff) && !unicode.IsPrint(c) { // most are Chinese characters, which IsPrint looks for longest
			return false
		}
	}
	return true
}

// Find returns a region of the list. The nation, which has no code, is in every
// list.
func (r *Regions) Find(code liuma.Region) (Entry, bool) {
	if code == "" {
		return Entry{Name: locale.In(locale.Chinese).Notice.Nation()}, true
	}
	if e, ok := r.entries[code]; ok {
		return e, true
	}
	return r.published(code)
}

// Place names a region with those around it, as a language writes places: 浙江省湖州市吴兴区;
// Wuxing District, Huzhou, Zhejiang. A code that no list has is named by what lies around
// it; the nation has no name.
func (r *Regions) Place(w *locale.Words, code liuma.Region) string {
	chinese := strings.HasPrefix(string(w.Lang()), "zh")
	var names []string
	for at := code; at != ""; at = r.Above(at) {
		switch e, _ := r.Find(at); {
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
		if _, ok := r.Find(code); ok {
			return code
		}
	}
	return ""
}

// Len is the number of regions.
func (r *Regions) Len() int { return len(r.Codes()) }

// Codes lists the regions of the list in their order, abolished ones among them.
func (r *Regions) Codes() []liuma.Region {
	codes := make([]liuma.Region, 0, len(r.lines)+len(r.entries))
	for _, line := range r.lines {
		if code, _, err := parse(line); err == nil {
			codes = append(codes, code)
		}
	}
	for code := range r.entries {
		if _, ok := r.published(code); !ok {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}
