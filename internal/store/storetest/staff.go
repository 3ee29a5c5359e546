package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// member is a value with every member set.
func member(i int) store.Member {
	return store.Member{ID: liuma.StaffID(fmt.Sprintf("member%02d", i)), Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator, liuma.RoleClerk},
		Agency: "huzhou", Region: "3305", State: store.MemberActive, At: at(i), Invitation: hash("invitation", i), InvitedUntil: at(i + 3),
		InvitedFrom: at(i + 2), Handle: hash("handle", i), Accounts: []uint32{0, 1000}, SessionsFrom: at(i + 1),
		Passkeys: []store.Passkey{{ID: []byte{1}, Key: []byte{2}, AAGUID: []byte{3}, SignCount: 4, Eligible: true, BackedUp: true,
			At: at(i), UsedAt: at(i + 1), Software: true}}, Document: index("document", i)}
}

func staffSession(i int) store.StaffSession {
	return store.StaffSession{Hash: hash("session", i), Member: member(1).ID, Code: true, At: at(i), Seen: at(i + 1), Until: at(i + 2)}
}

func proposal(i int) store.Proposal {
	return store.Proposal{ID: fmt.Sprintf("proposal%02d", i), Kind: "policy.load", Body: []byte("body"), Hash: hash("body", i), By: member(1).ID,
		At: at(i), Until: at(i + 3), State: store.ProposalWithdrawn, Approver: member(2).ID, Ended: at(i + 1)}
}

// members are listed whole, and inserted once.
func members(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := member(1), member(2)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertMember(two); err != nil {
			return err
		}
		return tx.InsertMember(one)
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertMember(one) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateMember(member(3)) }), store.ErrNotFound)
	one.State, one.Accounts = store.MemberSuspended, nil
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateMember(one) })
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) ([]store.Member, error) { return r.Members() }), []store.Member{one, two})
	same(t, mustGet(t, s, func(r store.Reader) (store.Member, error) { return r.Member(one.ID) }), one)
	_, err := get(t, s, func(r store.Reader) (store.Member, error) { return r.Member("nobody") })
	wantErr(t, err, store.ErrNotFound)
}

// staffSessions go one by one, with their member's, or with their time.
func staffSessions(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two, other := staffSession(1), staffSession(2), staffSession(3)
	other.Member = member(2).ID
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, row := range []store.StaffSession{one, two, other} {
			if err := tx.PutStaffSession(row); err != nil {
				return err
			}
		}
		return nil
	})
	one.Seen = at(9)
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { // without an entry
		return audit.Entry{}, errors.Join(tx.SeeStaffSession(one.Hash, one.Seen), tx.SeeStaffSession(one.Hash, at(8)))
	}))
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.SeeStaffSession(hash("session", 9), at(9)) }), store.ErrNotFound)
	s = reopen()
	read := func(row store.StaffSession) (store.StaffSession, error) {
		return get(t, s, func(r store.Reader) (store.StaffSession, error) { return r.StaffSession(row.Hash) })
	}
	got, err := read(one)
	must(t, err)
	same(t, got, one)
	ofOther := func(r store.Reader) ([]store.StaffSession, error) { return r.StaffSessionsOf(other.Member) }
	same(t, mustGet(t, s, ofOther), []store.StaffSession{other})
	mustUpdate(t, s, func(tx store.Tx) error {
		if n, err := tx.PruneStaffSessions(two.Until); err != nil || n != 1 {
			t.Errorf("%d were pruned, %v; want the first alone", n, err)
		}
		return tx.DeleteStaffSession(other.Hash)
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteStaffSession(other.Hash) }), store.ErrNotFound)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteStaffSessionsOf(two.Member) })
	for _, row := range []store.StaffSession{one, two, other} {
		_, err := read(row)
		wantErr(t, err, store.ErrNotFound)
	}
}

// proposals are listed by their age.
func proposals(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := proposal(1), proposal(2)
	one.At, two.At = two.At, one.At
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertProposal(one); err != nil {
			return err
		}
		return tx.InsertProposal(two)
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertProposal(one) }), store.ErrExists)
	one.State = store.ProposalApproved
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateProposal(one) })
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) ([]store.Proposal, error) { return r.Proposals() }), []store.Proposal{two, one})
	same(t, mustGet(t, s, func(r store.Reader) (store.Proposal, error) { return r.Proposal(one.ID) }), one)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteProposal(one.ID) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteProposal(one.ID) }), store.ErrNotFound)
}

func staffSamples() map[string]sample {
	return map[string]sample{
		"staff": {func(tx store.Tx, i int) error { return tx.InsertMember(member(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Member(member(i).ID); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.Members(); return err }}},
		"staff_sessions": {func(tx store.Tx, i int) error { return tx.PutStaffSession(staffSession(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.StaffSession(staffSession(i).Hash); return err }), nil},
		"proposals": {func(tx store.Tx, i int) error { return tx.InsertProposal(proposal(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Proposal(proposal(i).ID); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.Proposals(); return err }}},
		"agencies": {func(tx store.Tx, i int) error { return tx.PutAgency(agency(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Agency(agency(i).Code); return err }), nil},
		"editions": {func(tx store.Tx, i int) error { return tx.InsertEdition(edition(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Edition(uint64(i)); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.LastEdition(); return err }}},
	}
}
