package audit

import (
	"errors"
	"fmt"
	"iter"

	"github.com/liuma-pin/liuma"
)

// Fault says what is wrong with an entry.
type Fault string

// An entry is missing if its number is absent although the stream goes on. It
// is altered if the next entry or the head has another hash for it. It is added
// if no entry belongs in its place.
const (
	Missing Fault = "missing"
	Altered Fault = "altered"
	Added   Fault = "added"
)

// Break is the first place where a stream differs from what was recorded.
type Break struct {
	Place
	Fault Fault
}

func (b *Break) Error() string {
	return fmt.Sprintf("audit: stream %s: entry %d was %s", b.Stream, b.Number, b.Fault)
}

// Verify checks that entries, in the order of their numbers, are all the
// entries between two heads of one stream; a zero from is the stream's
// beginning. It returns a *Break that names the first entry that is missing,
// altered or added.
//
// Verify is only as good as the heads: anyone who can write to the database can
// compute a new chain and a new head. A head that was stored elsewhere exposes
// that.
//
// The first entry of a process start names an entry of another stream (After),
// which Verify cannot see: Follows compares the two.
func Verify(from, to Head, entries iter.Seq[Recorded]) error {
	w := walk{stream: to.Stream, from: from, to: to, last: from}
	switch {
	case !from.IsZero() && from.Stream != to.Stream:
		return errors.New("audit: heads of two streams")
	case from.Number > to.Number:
		return w.at(to.Number+1, Missing)
	}
	for e := range entries {
		if b := w.step(e); b != nil {
			return b
		}
	}
	if b := w.end(); b != nil {
		return b
	}
	return nil
}

// Follows reports whether r names before as the previous entry: in its own
// stream or, for a first entry, in the stream of the earlier start.
func (r Recorded) Follows(before Recorded) bool {
	place := Place{r.Stream, r.Number - 1}
	if r.Number == 1 {
		place = r.After
	}
	return before.Place == place && before.Hash() == r.Previous
}

// walk is the state of Verify between two entries.
type walk struct {
	stream   Stream
	from, to Head
	last     Head // computed from the entry that was read last
	// doubt means that the last entry has another hash for the entry before it.
	// The next entry shows which of the two was altered: if it has the hash of
	// the last entry, the one before that was altered.
	doubt bool
}

func (w *walk) at(number uint64, f Fault) *Break { return &Break{Place{w.stream, number}, f} }

func (w *walk) step(e Recorded) *Break {
	next := w.last.Number + 1
	switch {
	case e.Stream != w.stream, e.Number < next, e.Number > w.to.Number:
		return w.settle(Hash{}, w.at(e.Number, Added))
	case e.Number > next:
		return w.settle(Hash{}, w.at(next, Missing))
	}
	if b := w.settle(e.Previous, nil); b != nil {
		return b
	}
	if !e.placed() {
		return w.at(next, Altered)
	}
	first := e.Number == 1 // a first entry has no previous hash of its own stream
	if !first && e.Previous != w.last.Hash {
		if w.last.Number == w.from.Number {
			return w.at(next, Altered) // from is trusted, so next was altered
		}
		w.doubt = true
	}
	w.last = e.Head()
	return nil
}

func (w *walk) end() *Break {
	if w.last.Number < w.to.Number {
		return w.settle(Hash{}, w.at(w.last.Number+1, Missing))
	}
	if b := w.settle(w.to.Hash, nil); b != nil {
		return b
	}
	if w.last.Hash != w.to.Hash {
		return w.at(w.last.Number, Altered)
	}
	return nil
}

// settle names the altered entry if there is a doubt; without one it returns
// otherwise. vouched is the hash that the next entry has for the last entry.
func (w *walk) settle(vouched Hash, otherwise *Break) *Break {
	switch {
	case !w.doubt:
		return otherwise
	case w.last.Hash == vouched:
		return w.at(w.last.Number-1, Altered)
	}
	return w.at(w.last.Number, Altered)
}

// placed reports whether the members that determine an entry's place agree with
// one another.
func (r Recorded) placed() bool {
	card := liuma.CardID{}
	if r.Stream.Kind == OfCard {
		card = r.Stream.ID
	}
	starts := r.Number == 1 && r.Stream.Kind == OfProcess
	return r.Card == card &&
		(r.After.IsZero() || starts && r.After.Stream.Kind == OfProcess) &&
		(r.Number > 1 || r.After.IsZero() == (r.Previous == Hash{}))
}
