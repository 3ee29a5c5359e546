package storetest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// note makes an entry about a card, or about none.
func note(i int, card liuma.CardID, text string) audit.Entry {
	return audit.Entry{At: at(i), Actor: "operator", Event: audit.KeeperAlarm, Card: card, BusinessNo: "B7",
		Outcome: "ok", Note: text}
}

// put records an entry without a change.
func put(t testing.TB, s store.Store, e audit.Entry) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return e, ensure(tx, e.Card) })
}

// ensure makes the card that an entry is about, if it is not there.
func ensure(tx store.Tx, id liuma.CardID) error {
	if id.IsZero() {
		return nil
	}
	_, err := tx.Card(id)
	if errors.Is(err, store.ErrNotFound) {
		c := store.Card{ID: id}
		copy(c.Holder[16:], id[:])
		return tx.InsertCard(c)
	}
	return err
}

func streamOf(t testing.TB, s store.Store, stream audit.Stream) []audit.Recorded {
	t.Helper()
	return mustGet(t, s, func(r store.Reader) ([]audit.Recorded, error) { return streamEntries(r, stream) })
}

// streamsGapless checks numbers across refused changes, entries without a
// change, Updates without either, and opening again.
func streamsGapless(t *testing.T, open Open) {
	s, reopen := open(t)
	var want []audit.Entry
	add := func(text string) {
		e := note(len(want), cardID(7), text)
		must(t, put(t, s, e))
		want = append(want, e)
	}
	add("first")
	must(t, s.Update(t.Context(), func(store.Tx) (audit.Entry, error) { return audit.Entry{}, nil }))
	add("after nothing")
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateCard(card(1)) }), store.ErrNotFound)
	boom := errors.New("boom")
	wantErr(t, update(t, s, func(tx store.Tx) error { return errors.Join(tx.InsertCard(card(1)), boom) }), boom)
	wantErr(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		half := note(9, cardID(7), "half an entry")
		half.Actor = ""
		return half, tx.InsertCard(card(1))
	}), store.ErrNoAudit)
	add("after errors")
	s = reopen()
	add("after opening again")
	log := entries(t, s)
	same(t, said(log), want)
	ids := map[audit.EntryID]bool{}
	for i, e := range log {
		if e.Stream != audit.CardStream(cardID(7)) || e.Number != uint64(i+1) {
			t.Errorf("entry %d stands at %d of %s", i, e.Number, e.Stream)
		}
		ids[e.ID] = true
	}
	if len(ids) != len(log) || ids[audit.EntryID{}] {
		t.Errorf("%d entries have %d names", len(log), len(ids))
	}
}

// streamPages lists streams and entries piece by piece.
func streamPages(t *testing.T, open Open) {
	s, _ := open(t)
	var wantStreams []audit.Stream
	for i := range 5 {
		must(t, put(t, s, note(i, cardID(1), "")))
		if i > 1 {
			must(t, put(t, s, note(i, cardID(i), "")))
			wantStreams = append(wantStreams, audit.CardStream(cardID(i)))
		}
	}
	must(t, put(t, s, note(9, liuma.CardID{}, "")))
	wantStreams = append([]audit.Stream{audit.CardStream(cardID(1))}, wantStreams...)
	heads := mustGet(t, s, streamHeads)
	if len(heads) != 5 || heads[4].Stream.Kind != audit.OfProcess || heads[0].Number != 5 {
		t.Fatalf("streams %v", heads)
	}
	wantStreams = append(wantStreams, heads[4].Stream)
	for _, c := range []struct {
		after audit.Stream
		limit int
		want  []audit.Stream
	}{
		{audit.Stream{}, 2, wantStreams[:2]},
		{wantStreams[1], 2, wantStreams[2:4]},
		{wantStreams[3], 9, wantStreams[4:]},
		{wantStreams[4], 9, nil},
		{audit.Stream{}, 0, nil},
		{audit.Stream{}, -3, nil},
	} {
		var got []audit.Stream
		for _, h := range mustGet(t, s, func(r store.Reader) ([]audit.Head, error) { return r.Streams(c.after, c.limit) }) {
			got = append(got, h.Stream)
		}
		same(t, got, c.want)
	}
	entryPages(t, s)
}

func entryPages(t *testing.T, s store.Store) {
	t.Helper()
	for _, c := range []struct {
		after uint64
		limit int
		want  []uint64
	}{
		{0, 2, []uint64{1, 2}},
		{2, 2, []uint64{3, 4}},
		{4, 9, []uint64{5}},
		{5, 9, nil},
		{math.MaxUint64, 9, nil},
		{0, 0, nil},
		{0, -3, nil},
	} {
		var got []uint64
		page := mustGet(t, s, func(r store.Reader) ([]audit.Recorded, error) {
			return r.Entries(audit.CardStream(cardID(1)), c.after, c.limit)
		})
		for _, e := range page {
			got = append(got, e.Number)
			if !e.At.Equal(at(int(e.Number-1))) || e.At.Location() != time.UTC {
				t.Errorf("entry %d of time %v", e.Number, e.At)
			}
		}
		same(t, got, c.want)
	}
	// A card's stream is not found as a process start's, nor the other way round.
	for _, none := range []audit.Stream{{Kind: audit.OfProcess, ID: cardID(1)}, audit.CardStream(cardID(99)), {}} {
		if got := streamOf(t, s, none); len(got) != 0 {
			t.Errorf("stream %s has %d entries", none, len(got))
		}
	}
}

// streamOfACard: a card's entries stay together beside other writers, each with
// all its members and the hash of the one before, and the head is the last.
func streamOfACard(t *testing.T, open Open) {
	s, reopen := open(t)
	var want []audit.Entry
	for i := range 6 {
		e := note(i, cardID(1), fmt.Sprint("n", i))
		e.At = e.At.Add(300 * time.Microsecond) // the fraction is not kept, nor hashed
		must(t, put(t, s, e))
		must(t, put(t, s, note(i, cardID(2), "another card")))
		must(t, put(t, s, note(i, liuma.CardID{}, "no card")))
		want = append(want, note(i, cardID(1), e.Note))
	}
	s = reopen()
	log := streamOf(t, s, audit.CardStream(cardID(1)))
	same(t, said(log), want)
	for i, e := range log {
		if i == 0 && (e.Previous != audit.Hash{} || !e.After.IsZero()) || i > 0 && !e.Follows(log[i-1]) {
			t.Errorf("entry %d does not follow the one before it", e.Number)
		}
	}
	heads := mustGet(t, s, func(r store.Reader) ([]audit.Head, error) { return r.Streams(audit.Stream{}, 1) })
	same(t, heads, []audit.Head{log[len(log)-1].Head()})
}

// streamsUnderLoad has many callers write about one card, about many, and about
// none, while others fail after they wrote: every stream is whole, and has no
// entry of a failed Update.
func streamsUnderLoad(t *testing.T, open Open) {
	const n = 240
	s, reopen := open(t)
	boom := errors.New("boom")
	about := func(i int) liuma.CardID {
		switch i % 4 {
		case 0, 1:
			return cardID(1)
		case 2:
			return cardID(100 + i)
		}
		return liuma.CardID{}
	}
	together(t, n, func(i int) error {
		fails := i%5 == 0
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			if err := errors.Join(tx.InsertCard(bareCard(1000+i)), ensure(tx, about(i))); err != nil {
				return audit.Entry{}, err
			}
			if fails {
				return note(i, about(i), "failed"), boom
			}
			return note(i, about(i), fmt.Sprint(i)), nil
		})
		if fails {
			return expect(err, boom)
		}
		return err
	})
	s = reopen()
	want := map[audit.Stream]int{}
	seen := map[string]bool{}
	for _, e := range entries(t, s) { // verified
		want[e.Stream]++
		seen[e.Note] = true
	}
	for i := range n {
		if seen[fmt.Sprint(i)] == (i%5 == 0) {
			t.Errorf("Update %d: entry is there: %v", i, seen[fmt.Sprint(i)])
		}
	}
	if got, all := want[audit.CardStream(cardID(1))], n/2*4/5; got != all || seen["failed"] {
		t.Errorf("%d entries of one card, want %d; a failed one is there: %v", got, all, seen["failed"])
	}
	if got, all := len(want), 1+n/4*4/5+1; got != all {
		t.Errorf("%d streams, want %d", got, all)
	}
	for _, h := range mustGet(t, s, streamHeads) {
		if int(h.Number) != want[h.Stream] {
			t.Errorf("%s has %d entries and ends at %d", h.Stream, want[h.Stream], h.Number)
		}
	}
}

// processStarts opens the store several times. Each start that records an entry
// without a card has a stream of its own, whose first entry names the end of
// the start before it; a start that records none leaves no stream. A card's
// stream goes on through all of them.
func processStarts(t *testing.T, open Open) {
	s, reopen := open(t)
	var before audit.Recorded
	streams := map[audit.Stream]bool{}
	for i := range 4 {
		must(t, put(t, s, note(3*i, cardID(1), "")))
		must(t, put(t, s, note(3*i, liuma.CardID{}, "first")))
		must(t, put(t, s, note(3*i+1, liuma.CardID{}, "last")))
		log := entries(t, s) // verified, with what each start follows
		first, end := log[len(log)-2], log[len(log)-1]
		if first.Number != 1 || end.Number != 2 || first.Stream != end.Stream || streams[first.Stream] {
			t.Fatalf("start %d wrote %+v and %+v", i, first.Place, end.Place)
		}
		if i == 0 && (!first.After.IsZero() || first.Previous != audit.Hash{}) || i > 0 && !first.Follows(before) {
			t.Errorf("start %d follows %+v, want %+v", i, first.After, before.Place)
		}
		streams[first.Stream], before = true, end
		s = reopen()
		if i == 1 {
			s = reopen() // a start that records nothing
		}
	}
	if got := mustGet(t, s, streamHeads); len(got) != 5 || got[0].Number != 4 {
		t.Errorf("streams %v, want one of a card with 4 entries and 4 of starts", got)
	}
}
