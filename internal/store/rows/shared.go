package rows

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// SharedHead keeps a number outside of the database that only rises: the rev of
// the shared row. A database whose shared row is below it is an old one that was
// put back. *vault.Heads keeps it in a file.
type SharedHead interface {
	Number() uint64
	// Raise sets the number to n, durably, unless it is as high already.
	Raise(n uint64) error
}

// sharedKey is the key of the one row of table shared.
var sharedKey = []byte("shared")

// shared is the body of the shared row. It lists the rows that decide about
// everybody (clients and seal keys) with their seals, so that none of them can
// be put back, added or taken away alone; and its rev is compared with the
// SharedHead, so that they cannot be put back together either.
type shared struct{ Rows []member }

type member struct {
	Table string
	Key   []byte
	Seal  vault.MAC
}

// sharedState is the shared row within one transaction. It is read once; writes
// of shared tables edit it, and Tx.Finish writes it once.
type sharedState struct {
	rev   uint64 // 0: there is no row yet
	seals map[sharedID]vault.MAC
	raise uint64 // a rev that the next must be above
	dirty bool   // edited by this transaction, which has seals for itself
}

type sharedID struct{ table, key string }

// sharedCache keeps the shared row that was read last, so that it is not decoded
// for every request.
type sharedCache struct{ last atomic.Pointer[sharedRead] }

type sharedRead struct {
	row   Row
	seals map[sharedID]vault.MAC // never changed
}

// readShared reads the shared row, whatever the SharedHead says.
func (r *Reader) readShared() (*sharedState, error) {
	if r.ended {
		return nil, errEnded
	}
	if r.shared != nil {
		return r.shared, nil
	}
	t := &r.codec.sharedRow.Table
	found, err := r.from.Get(t, nil, sharedKey)
	if errors.Is(err, store.ErrNotFound) {
		r.shared = &sharedState{}
		return r.shared, nil
	}
	if err != nil {
		return nil, err
	}
	last := r.codec.lastShared.last.Load()
	if last == nil || !same(last.row, found) {
		body, err := open[shared](r.codec, t, found)
		if err != nil {
			return nil, err
		}
		last = &sharedRead{row: found, seals: make(map[sharedID]vault.MAC, len(body.Rows))}
		for _, m := range body.Rows {
			last.seals[sharedID{m.Table, string(m.Key)}] = m.Seal
		}
		r.codec.lastShared.last.Store(last)
	}
	r.shared = &sharedState{rev: found.Rev, seals: last.seals}
	if !r.writes {
		r.codec.saw(found.Rev)
	}
	return r.shared, nil
}

func same(a, b Row) bool {
	return a.Rev == b.Rev && a.Seal == b.Seal && string(a.Key) == string(b.Key) && string(a.Body) == string(b.Body)
}

// sharedNow is the shared row, refused if it is older than the SharedHead says.
func (r *Reader) sharedNow() (*sharedState, error) {
	s, err := r.readShared()
	if err != nil {
		return nil, err
	}
	if s.rev < r.floor {
		err := liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: %d, and the head is %d", store.ErrOldDatabase, s.rev, r.floor))
		r.codec.alarm(r.codec.sharedRow.Name, err)
		return nil, err
	}
	return s, nil
}

// Shared is the rev of the shared row, zero before the first. It does not
// compare it with the SharedHead.
func (r *Reader) Shared() (uint64, error) {
	s, err := r.readShared()
	if err != nil {
		return 0, err
	}
	return s.rev, nil
}

// vouch refuses a row of a shared table that is not the one that was written
// last.
func (r *Reader) vouch(t *Table, row Row) error {
	if !t.Shared {
		return nil
	}
	s, err := r.sharedNow()
	if err != nil {
		return err
	}
	if seal, ok := s.seals[sharedID{t.Name, string(row.Key)}]; !ok || !seal.Equal(row.Seal.MAC) {
		return r.disowned(t, "a row is not the one that was written last")
	}
	return nil
}

// vouchAbsent refuses that a row of a shared table is not there, if it was never
// deleted.
func (r *Reader) vouchAbsent(t *Table, key []byte) error {
	if !t.Shared {
		return nil
	}
	s, err := r.sharedNow()
	if err != nil {
		return err
	}
	if _, ok := s.seals[sharedID{t.Name, string(key)}]; ok {
		return r.disowned(t, "a row is gone")
	}
	return nil
}

// vouchAll is vouchAbsent for a list of a whole table, of which each row was
// vouched for.
func (r *Reader) vouchAll(t *Table, n int) error {
	if !t.Shared {
		return nil
	}
	s, err := r.sharedNow()
	if err != nil {
		return err
	}
	for id := range s.seals {
		if id.table == t.Name {
			n--
		}
	}
	if n != 0 {
		return r.disowned(t, "a row is gone")
	}
	return nil
}

func (r *Reader) disowned(t *Table, why string) error {
	err := fault(t, errors.New(why))
	r.codec.alarm(t.Name, err)
	return err
}

// share notes a row of a shared table that was written (seal) or deleted (nil).
func (t *Tx) share(table *Table, key []byte, seal *vault.MAC) error {
	if !table.Shared {
		return nil
	}
	s, err := t.sharedNow()
	if err != nil {
		return err
	}
	s.edit()
	id := sharedID{table.Name, string(key)}
	if seal == nil {
		delete(s.seals, id)
	} else {
		s.seals[id] = *seal
	}
	return nil
}

func (s *sharedState) edit() {
	if s.dirty {
		return
	}
	s.seals, s.dirty = maps.Clone(s.seals), true
	if s.seals == nil {
		s.seals = make(map[sharedID]vault.MAC)
	}
}

// RaiseShared writes the shared row with a rev above the given one and above its
// own, whatever the SharedHead says: an operator takes a restored database for
// good. What was written to the database before it was restored stays refused.
func (t *Tx) RaiseShared(above uint64) error {
	s, err := t.readShared()
	if err != nil {
		return err
	}
	s.edit()
	s.raise = max(s.raise, above)
	t.wrote = true
	return nil
}

// finishShared writes the shared row, if this transaction wrote rows that it
// lists. A crash before the commit leaves it and them as they were; one after it
// leaves the SharedHead lower, which is raised at the next start.
func (t *Tx) finishShared() error {
	s := t.shared
	if s == nil || !s.dirty {
		return nil
	}
	var body shared
	for id, seal := range s.seals {
		body.Rows = append(body.Rows, member{Table: id.table, Key: []byte(id.key), Seal: seal})
	}
	slices.SortFunc(body.Rows, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(string(a.Key), string(b.Key)))
	})
	k := &t.codec.sharedRow
	next := max(s.rev, s.raise) + 1
	r, err := row(t.codec, k, nil, sharedKey, &body, next)
	if err != nil {
		return err
	}
	if s.rev == 0 {
		err = t.to.Insert(&k.Table, r)
	} else {
		err = t.to.Update(&k.Table, r, s.rev)
	}
	if err != nil {
		return err
	}
	s.rev, s.dirty, s.raise = next, false, 0
	t.raised = next
	return nil
}

// Raised is the rev of the shared row if this transaction wrote it, or zero.
func (t *Tx) Raised() uint64 { return t.raised }
