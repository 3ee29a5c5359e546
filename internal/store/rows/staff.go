package rows

import (
	"cmp"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// ofStaff adds the tables of members of staff and of what two of them decide. Both
// are shared: a member's suspension, a used invitation or a withdrawn proposal is not
// undone by putting an earlier row back. Sessions are not: they are written too
// often, and end with the member's SessionsFrom.
func (t *tables) ofStaff() {
	t.staff = kind[store.Member]{Table{Name: "staff", Shared: true},
		func(m *store.Member) []byte { return []byte(m.ID) }, noLooks[store.Member]}
	t.proposals = kind[store.Proposal]{Table{Name: "proposals", Shared: true},
		func(p *store.Proposal) []byte { return []byte(p.ID) }, noLooks[store.Proposal]}
	t.sessions = kind[store.StaffSession]{Table{Name: "staff_sessions", Columns: []Column{{Name: "member"}, {Name: "until", Number: true}}},
		func(s *store.StaffSession) []byte { return s.Hash[:] },
		func(s *store.StaffSession) []Value { return []Value{[]byte(s.Member), s.Until.UnixMilli()} }}
}

func (r *Reader) Member(id liuma.StaffID) (store.Member, error) {
	m, _, err := get(r, &r.codec.staff, []byte(id))
	return m, err
}

func (r *Reader) Members() ([]store.Member, error) {
	return list(r, &r.codec.staff, Query{Limit: -1})
}

func (r *Reader) StaffSession(hash [32]byte) (store.StaffSession, error) {
	s, _, err := get(r, &r.codec.sessions, hash[:])
	return s, err
}

func (r *Reader) StaffSessionsOf(id liuma.StaffID) ([]store.StaffSession, error) {
	return list(r, &r.codec.sessions, is("member", []byte(id)))
}

func (r *Reader) Proposal(id string) (store.Proposal, error) {
	p, _, err := get(r, &r.codec.proposals, []byte(id))
	return p, err
}

func (r *Reader) Proposals() ([]store.Proposal, error) {
	all, err := list(r, &r.codec.proposals, Query{Limit: -1})
	slices.SortStableFunc(all, func(a, b store.Proposal) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// InsertMember is written with its entry: a crash before the commit leaves nobody
// invited (I-8).
func (t *Tx) InsertMember(m store.Member) error {
	return insert(t, &t.codec.staff, []byte(m.ID), &m, 1)
}

func (t *Tx) UpdateMember(m store.Member) error { return change(t, &t.codec.staff, &m) }

func (t *Tx) PutStaffSession(s store.StaffSession) error { return put(t, &t.codec.sessions, &s) }

// SeeStaffSession: a crash before the commit leaves the earlier time, so the session
// ends sooner.
func (t *Tx) SeeStaffSession(hash [32]byte, at time.Time) error {
	k := &t.codec.sessions
	s, rev, err := get(&t.Reader, k, hash[:])
	if err != nil || !s.Seen.Before(at) {
		return err
	}
	wrote := t.wrote
	s.Seen = at
	err = update(t, k, hash[:], &s, rev)
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

func (t *Tx) DeleteStaffSession(hash [32]byte) error {
	return t.deleteOne(&t.codec.sessions.Table, hash[:])
}

func (t *Tx) DeleteStaffSessionsOf(id liuma.StaffID) error {
	_, err := t.delete(&t.codec.sessions.Table, is("member", []byte(id)))
	return err
}

func (t *Tx) PruneStaffSessions(now time.Time) (int64, error) {
	return t.delete(&t.codec.sessions.Table, before("until", now))
}

// InsertProposal is written with its entry; see UpdateProposal.
func (t *Tx) InsertProposal(p store.Proposal) error {
	return insert(t, &t.codec.proposals, []byte(p.ID), &p, 1)
}

// UpdateProposal is written with what the approved act changes: a crash leaves the
// act done and the proposal ended, or neither (I-8).
func (t *Tx) UpdateProposal(p store.Proposal) error { return change(t, &t.codec.proposals, &p) }

func (t *Tx) DeleteProposal(id string) error {
	return t.deleteOne(&t.codec.proposals.Table, []byte(id))
}
