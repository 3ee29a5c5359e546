package storetest

import (
	"errors"
	"math"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// digests: every entry puts its stream on the list of those that grew, a digest
// takes it off unless it grew since, and the heads of each digest are kept.
func digests(t *testing.T, open Open) {
	s, reopen := open(t)
	for i := range 5 {
		must(t, put(t, s, note(i, cardID(1+i%2), "")))
	}
	one, two := audit.CardStream(cardID(1)), audit.CardStream(cardID(2))
	same(t, grown(t, s), []audit.Stream{one, two})
	headOf := func(stream audit.Stream) audit.Head {
		return mustGet(t, s, func(r store.Reader) (audit.Head, error) { return r.Head(stream) })
	}
	first := []audit.Head{headOf(one), headOf(two)}
	same(t, first[0], streamOf(t, s, one)[2].Head())
	must(t, put(t, s, note(6, cardID(2), "since then")))
	insert := func(number uint64, changes ...audit.Head) error {
		return update(t, s, func(tx store.Tx) error {
			return tx.InsertDigest(store.Digest{Number: number, Token: "token"}, changes)
		})
	}
	wantErr(t, insert(2), store.ErrDecided)
	must(t, insert(1, first...))
	wantErr(t, insert(1), store.ErrDecided)
	wantErr(t, insert(3), store.ErrDecided)
	s = reopen()
	process := grown(t, s)[1]
	same(t, grown(t, s), []audit.Stream{two, process}) // the entries about the digests
	must(t, insert(2, headOf(two)))
	for _, c := range []struct {
		stream audit.Stream
		upTo   uint64
		want   audit.Head
	}{{one, math.MaxUint64, first[0]}, {two, math.MaxUint64, headOf(two)}, {two, 1, first[1]}, {one, 2, first[0]}} {
		got := mustGet(t, s, func(r store.Reader) (audit.Head, error) { return r.DigestedHead(c.stream, c.upTo) })
		same(t, got, c.want)
	}
	digestLists(t, s, first)
}

func grown(t *testing.T, s store.Store) []audit.Stream {
	t.Helper()
	return mustGet(t, s, func(r store.Reader) ([]audit.Stream, error) { return r.Undigested(audit.Stream{}, 99) })
}

// digestLists reads the lists piece by piece, and what is not there.
func digestLists(t *testing.T, s store.Store, first []audit.Head) {
	t.Helper()
	must(t, s.View(t.Context(), func(r store.Reader) error {
		all, err1 := r.Digests(0, 9)
		second, err2 := r.Digests(1, 9)
		none, err3 := r.Digests(math.MaxUint64, 9)
		last, err4 := r.LastDigest()
		same(t, all, []store.Digest{{Number: 1, Token: "token"}, {Number: 2, Token: "token"}})
		same(t, second, all[1:])
		same(t, none, nil)
		same(t, last, all[1])
		changes, err5 := r.DigestChanges(1, audit.Stream{}, 9)
		page, err6 := r.DigestChanges(1, first[0].Stream, 9)
		nothing, err7 := r.DigestChanges(9, audit.Stream{}, 9)
		same(t, changes, first)
		same(t, page, first[1:])
		same(t, nothing, nil)
		streams, err8 := r.Undigested(first[1].Stream, 9)
		if len(streams) != 2 { // two process starts
			t.Errorf("%d streams after the cards', want 2", len(streams))
		}
		_, noHead := r.Head(audit.CardStream(liuma.CardID{9}))
		_, noDigest := r.DigestedHead(first[0].Stream, 0)
		wantErr(t, noHead, store.ErrNotFound)
		wantErr(t, noDigest, store.ErrNotFound)
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8)
	}))
}
