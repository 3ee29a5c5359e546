package storetest

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

func keyOf(q store.Request) store.RequestKey {
	return store.RequestKey{Channel: q.Channel, BusinessNo: q.BusinessNo}
}

// retainRequests: a walk comes by every request, whatever its pages, and says
// which last changed before a time; one that was deleted frees its number.
func retainRequests(t *testing.T, open Open) {
	s, reopen := open(t)
	for i := range 7 {
		q := request(i)
		q.At, q.DecidedAt, q.RedeemedAt = at(10*i), time.Time{}, time.Time{}
		if i == 1 {
			q.Decided, q.DecidedAt = true, at(50)
		}
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertRequest(q) })
	}
	s = reopen()
	for _, page := range []int{1, 2, 3, 7, 100} {
		var all store.Walked
		var after []byte
		for steps := 0; ; steps++ {
			w := mustGet(t, s, func(r store.Reader) (store.Walked, error) { return r.WalkRequests(after, at(35), page) })
			all.Rows += w.Rows
			all.Old = append(all.Old, w.Old...)
			if all.Oldest.IsZero() || !w.Oldest.IsZero() && w.Oldest.Before(all.Oldest) {
				all.Oldest = w.Oldest
			}
			if after = w.Next; after == nil {
				break
			}
			if steps > 9 {
				t.Fatal("the walk does not end")
			}
		}
		same(t, all, store.Walked{Rows: 7, Old: []store.RequestKey{keyOf(request(0)), keyOf(request(2)), keyOf(request(3))}, Oldest: at(40)})
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteRequest(keyOf(request(2))) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteRequest(keyOf(request(2))) }), store.ErrNotFound)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertRequest(request(2)) })
}

// retainSweep: the place of the walk is kept, without an entry.
func retainSweep(t *testing.T, open Open) {
	s, reopen := open(t)
	same(t, mustGet(t, s, store.Reader.Sweep), store.Sweep{})
	for _, sw := range []store.Sweep{{After: []byte("a"), BegunAt: at(1), Oldest: at(2), Kept: 3}, {EndedAt: at(4), LastOldest: at(2), LastKept: 9}} {
		must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.SaveSweep(sw) }))
		s = reopen()
		same(t, mustGet(t, s, store.Reader.Sweep), sw)
	}
}

// archived makes a record of two cards with three digests, and archives what the
// second covers. It returns the heads at the second digest.
func archived(t *testing.T, s store.Store) (cuts []audit.Head) {
	t.Helper()
	one, two := audit.CardStream(cardID(1)), audit.CardStream(cardID(2))
	headOf := func(stream audit.Stream) audit.Head {
		return mustGet(t, s, func(r store.Reader) (audit.Head, error) { return r.Head(stream) })
	}
	digest := func(number uint64, changes ...audit.Head) {
		must(t, put(t, s, note(1, cardID(2), "before a digest")))
		mustUpdate(t, s, func(tx store.Tx) error {
			return tx.InsertDigest(store.Digest{Number: number, Token: "token"}, changes)
		})
	}
	for i := range 6 {
		must(t, put(t, s, note(i, cardID(1+i%2), "")))
	}
	digest(1, headOf(one), headOf(two))
	must(t, put(t, s, note(7, cardID(2), "")))
	cuts = []audit.Head{headOf(one), headOf(two)}
	digest(2, cuts[1])
	digest(3, headOf(two))
	insert := func(number, digest uint64) error {
		return update(t, s, func(tx store.Tx) error {
			return tx.InsertArchive(store.Archive{Number: number, Digest: digest, Token: "signed", At: at(9)})
		})
	}
	wantErr(t, insert(2, 2), store.ErrNotArchived)
	wantErr(t, insert(1, 4), store.ErrNotArchived)
	must(t, insert(1, 2))
	wantErr(t, insert(2, 2), store.ErrNotArchived)
	return cuts
}

// archives: nothing leaves the record before an archive holds it and it is to
// leave; then just that leaves, in small steps, and the streams go on.
func archives(t *testing.T, open Open) {
	s, reopen := open(t)
	cuts := archived(t, s)
	drop := func(limit int) (n int, done bool) {
		t.Helper()
		mustUpdate(t, s, func(tx store.Tx) (err error) {
			n, done, err = tx.DropArchived(limit)
			return err
		})
		return n, done
	}
	one, two := cuts[0].Stream, cuts[1].Stream
	if n, done := drop(99); n != 0 || !done {
		t.Errorf("%d rows left before they were to, %v", n, done)
	}
	a := mustGet(t, s, store.Reader.LastArchive)
	set := func(a store.Archive) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpdateArchive(a) })
	}
	wantErr(t, set(a), store.ErrNotArchived)
	a.LeavesAt = at(20)
	must(t, set(a))
	before := len(streamOf(t, s, two))
	for steps := 0; ; steps++ {
		n, done := drop(2)
		if n > 2 || steps > 20 {
			t.Fatalf("step %d took %d rows", steps, n)
		}
		s = reopen()
		if h := mustGet(t, s, func(r store.Reader) (audit.Head, error) { return r.DigestedHead(one, 2) }); h != cuts[0] {
			t.Fatalf("step %d: digested head %+v, want %+v", steps, h, cuts[0])
		}
		if done {
			break
		}
	}
	if n, done := drop(99); n != 0 || !done {
		t.Errorf("%d more rows left, %v", n, done)
	}
	same(t, mustGet(t, s, func(r store.Reader) ([]audit.Head, error) { return r.Cuts(audit.Stream{}, 9) }), cuts)
	same(t, mustGet(t, s, func(r store.Reader) ([]audit.Head, error) { return r.Cuts(one, 9) }), cuts[1:])
	if left := streamOf(t, s, one); len(left) != 0 {
		t.Errorf("%d entries of an archived stream are there", len(left))
	}
	if left := streamOf(t, s, two); uint64(len(left)) != uint64(before)-cuts[1].Number || left[0].Number != cuts[1].Number+1 || left[0].Previous != cuts[1].Hash {
		t.Errorf("left %+v after the cut %+v", left, cuts[1])
	}
	same(t, mustGet(t, s, func(r store.Reader) ([]store.Digest, error) { return r.Digests(0, 9) }), []store.Digest{{Number: 2, Token: "token"}, {Number: 3, Token: "token"}})
	same(t, mustGet(t, s, func(r store.Reader) ([]audit.Head, error) { return r.DigestChanges(2, audit.Stream{}, 9) }), nil)
	a.LeftAt = at(30)
	must(t, set(a))
	wantErr(t, set(a), store.ErrNotArchived)
	same(t, mustGet(t, s, func(r store.Reader) ([]store.Archive, error) { return r.Archives(0, 9) }), []store.Archive{a})
	must(t, put(t, s, note(8, cardID(1), "after the cut")))
	same(t, streamOf(t, s, one)[0].Previous, cuts[0].Hash)
}
