package agency

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// Listing is the directory at one moment, in memory. Immutable.
type Listing struct {
	regions *directory.Regions
	places  func() []place // the listed regions, by their codes; read when first searched
	all     []store.Agency // the open ones, by region, kind and code
	hay     []string       // the searched text of each
	grams   map[gram][]int32
	code    map[liuma.Agency]store.Agency // including closed ones
	dialled map[string]bool               // the numbers of the open ones, in digits
}

// place is a region as a person may type it.
type place struct {
	code                   liuma.Region
	name, pinyin, initials string
}

// NewListing makes a listing. The agencies may come in any order.
func NewListing(all []store.Agency, regions *directory.Regions) *Listing {
	l := &Listing{regions: regions, grams: map[gram][]int32{}, code: map[liuma.Agency]store.Agency{}, dialled: map[string]bool{}}
	l.places = sync.OnceValue(func() []place { return placesOf(regions) })
	for _, a := range all {
		if l.code[a.Code] = a; !a.Closed {
			l.all = append(l.all, a)
		}
	}
	slices.SortFunc(l.all, func(a, b store.Agency) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Code, b.Code))
	})
	l.hay = make([]string, len(l.all))
	for i := range l.all {
		l.hay[i] = hayOf(&l.all[i])
		if number, ok := written.Dialled(l.all[i].Telephone); ok && dials(&l.all[i]) {
			l.dialled[number] = true
		}
		l.index(int32(i))
	}
	return l
}

// placesOf reads the pinyin of all regions. It takes a tenth of a service's start-up time,
// and most processes never search, so it is done at the first search.
func placesOf(regions *directory.Regions) (places []place) {
	read := newReader()
	for _, code := range regions.Codes() {
		e, _ := regions.Find(code)
		p := place{code: code, name: written.NameKey(e.Name)}
		p.pinyin, p.initials = read.read(e.Name)
		places = append(places, p)
	}
	return places
}

// Offices reports whether the directory has an office, not only hotlines.
func (l *Listing) Offices() bool {
	return slices.ContainsFunc(l.all, func(a store.Agency) bool { return a.Kind == store.AgencyOffice })
}

// Len is how many agencies are open.
func (l *Listing) Len() int { return len(l.all) }

// Agency finds an open agency by its code.
func (l *Listing) Agency(code liuma.Agency) (store.Agency, bool) {
	a, ok := l.code[code]
	return a, ok && !a.Closed
}

// dials reports whether an agency's number is real: in a sample, the offices' numbers are
// made up, and the hotlines' are the nation's real ones.
func dials(a *store.Agency) bool { return !a.Sample || a.Kind == store.AgencyHotline }

// Has reports whether a telephone number, in digits alone (written.Dialled), belongs to an
// open office or hotline, and was not made up.
func (l *Listing) Has(number string) bool { return l.dialled[number] }

// Region is a listed region, or the nearest listed region above it. So a code that was
// made up, or is not yet in the list, leads to the agencies of the place around it.
func (l *Listing) Region(r liuma.Region) liuma.Region {
	if _, ok := l.regions.Find(r); ok {
		return r
	}
	return l.regions.Above(r)
}

// Place is a region with the regions around it, as the language writes places: 浙江省湖州市吴兴区,
// or Wuxing District, Huzhou, Zhejiang. Empty for the nation.
func (l *Listing) Place(w *locale.Words, r liuma.Region) string { return l.regions.Place(w, r) }

// Above is the region around another, up to the nation.
func (l *Listing) Above(r liuma.Region) liuma.Region { return l.regions.Above(r) }

// within are the open agencies of a region and of all regions in it.
func (l *Listing) within(r liuma.Region) []store.Agency {
	from, to := l.span(r)
	return l.all[from:to]
}

func (l *Listing) span(r liuma.Region) (from, to int) {
	from = sort.Search(len(l.all), func(i int) bool { return l.all[i].Region >= r })
	to = sort.Search(len(l.all), func(i int) bool { return l.all[i].Region >= r && !r.Contains(l.all[i].Region) })
	return from, to
}

// Near is where to ask in a region.
type Near struct {
	// Region is the region of the offices: the region that was asked about or, if it has
	// none, the next region above it that has. Empty if there are no offices.
	Region  liuma.Region
	Offices []store.Agency
	// Hotlines are the numbers that serve the region, its own before the nation's.
	Hotlines []store.Agency
}

// Nearest says where to ask in a region: its own offices, at most so many; else those of
// its city, its province and the nation, in this order. The offices of a neighbouring
// region serve other people, and are never included.
func (l *Listing) Nearest(r liuma.Region, most int) Near {
	var n Near
	for at := l.Region(r); ; at = l.regions.Above(at) {
		for _, a := range l.exactly(at) {
			switch {
			case a.Kind == store.AgencyHotline:
				n.Hotlines = append(n.Hotlines, a)
			case (len(n.Offices) == 0 || n.Region == at) && len(n.Offices) < most:
				n.Region, n.Offices = at, append(n.Offices, a)
			}
		}
		if at == "" {
			return n
		}
	}
}

// exactly are the agencies of a region itself.
func (l *Listing) exactly(r liuma.Region) []store.Agency {
	from, to := l.span(r)
	for i := from; i < to; i++ {
		if l.all[i].Region != r {
			return l.all[from:i]
		}
	}
	return l.all[from:to]
}

// Below lists the regions right below one in which there are agencies.
func (l *Listing) Below(r liuma.Region) (below []liuma.Region) {
	from, to := l.span(r)
	for i := from; i < to; {
		next := l.child(r, l.all[i].Region)
		if next == "" {
			i++
			continue
		}
		below = append(below, next)
		_, i = l.span(next)
	}
	return below
}

// child is the listed region directly below r in which another region lies; empty: there
// is none.
func (l *Listing) child(r, of liuma.Region) liuma.Region {
	for n := len(r) + 2; n <= len(of); n += 2 {
		if _, ok := l.regions.Find(of[:n]); ok {
			return of[:n]
		}
	}
	return ""
}

// hayOf is the searched text of an agency: names, address, services, telephone and code,
// folded by written.NameKey, and how its name is typed.
func hayOf(a *store.Agency) string {
	key := func(s string) string { return written.NameKey(s) }
	return strings.Join([]string{key(a.Name.ZH), key(a.Name.EN), key(a.Address.ZH), key(a.Address.EN), key(a.Services.ZH), a.Pinyin, a.Initials,
		key(a.Telephone), key(string(a.Code))}, "\n")
}
