package proposal_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

type house struct {
	*proposal.Proposals
	t     *testing.T
	store store.Store
	now   time.Time
}

// newHouse has members: two operators, two officers, a clerk, and an officer who is
// suspended.
func newHouse(t *testing.T) *house {
	t.Helper()
	st, _ := testkit.OpenStore(t)
	h := &house{t: t, store: st, now: time.Date(2026, 4, 1, 9, 30, 0, 0, time.UTC)}
	var err error
	h.Proposals, err = proposal.New(proposal.Config{Store: st, Now: func() time.Time { return h.now }})
	must(t, err)
	for id, role := range map[liuma.StaffID]liuma.StaffRole{"op1": liuma.RoleOperator, "op2": liuma.RoleOperator,
		"off1": liuma.RoleOfficer, "off2": liuma.RoleOfficer, "clerk": liuma.RoleClerk} {
		h.put(id, role, store.MemberActive)
	}
	h.put("gone", liuma.RoleOfficer, store.MemberSuspended)
	return h
}

func (h *house) put(id liuma.StaffID, role liuma.StaffRole, state store.MemberState) {
	h.t.Helper()
	must(h.t, h.store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		row := store.Member{ID: id, Name: string(id), Roles: []liuma.StaffRole{role}, State: state}
		err := tx.InsertMember(row)
		if errors.Is(err, store.ErrExists) {
			err = tx.UpdateMember(row)
		}
		return audit.Entry{At: h.now, Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, err error) {
	t.Helper()
	if !errors.Is(got, err) {
		t.Errorf("%v, want %v", got, err)
	}
}

func (h *house) propose(by liuma.StaffID) proposal.ID {
	h.t.Helper()
	id, err := h.Propose(h.t.Context(), "policy.load", []byte("rules"), by)
	must(h.t, err)
	return id
}

func (h *house) notes(event audit.Event) (notes []string) {
	h.t.Helper()
	must(h.t, h.store.View(h.t.Context(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{}, 9)
		notes = nil
		for _, s := range heads {
			all, err := r.Entries(s.Stream, 0, 999)
			if err != nil {
				return err
			}
			for _, e := range all {
				if e.Event == event {
					notes = append(notes, e.Actor+" "+e.Note)
				}
			}
		}
		return err
	}))
	return notes
}

// TestWhoApproves walks every pair of members.
func TestWhoApproves(t *testing.T) {
	h := newHouse(t)
	all := []liuma.StaffID{"op1", "op2", "off1", "off2", "clerk", "gone", "nobody"}
	decides := []liuma.StaffID{"op1", "op2", "off1", "off2"}
	for _, by := range all {
		id, err := h.Propose(t.Context(), "policy.load", []byte("rules"), by)
		if !slices.Contains(decides, by) {
			want(t, err, proposal.ErrRole)
			continue
		}
		must(t, err)
		for _, approver := range all {
			_, err := h.Approve(t.Context(), id, approver)
			switch {
			case !slices.Contains(decides, approver):
				want(t, err, proposal.ErrRole)
			case approver == by:
				want(t, err, proposal.ErrSame)
			case approver[:2] == by[:2]:
				want(t, err, proposal.ErrPair)
			case approver == "op1" || approver == "off1":
				must(t, err)
				if last := h.notes(audit.ProposalApproved); !strings.HasPrefix(last[len(last)-1], "staff:"+string(approver)+" proposal="+string(id)) {
					t.Error(last)
				}
			default:
				want(t, err, proposal.ErrEnded)
			}
			if err == nil {
				break
			}
		}
	}
}

func TestWhatIsProposed(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		kind string
		body []byte
	}{{"policy.load", nil}, {"policy.load", make([]byte, proposal.MaxBody+1)}, {"", []byte("x")}, {"policy", []byte("x")}, {"policy.load x", []byte("x")}} {
		_, err := h.Propose(t.Context(), c.kind, c.body, "op1")
		want(t, err, proposal.ErrBody)
	}
	id := h.propose("op1")
	other := h.propose("off1")
	open, err := h.List(t.Context())
	must(t, err)
	if len(open) != 2 || string(open[0].Body) != "rules" || open[0].By != "op1" && open[1].By != "op1" {
		t.Errorf("%+v", open)
	}
	body, err := h.Approve(t.Context(), id, "off2")
	must(t, err)
	if string(body) != "rules" {
		t.Errorf("%q", body)
	}
	// Who approved may have died before the act was done.
	again, err := h.Approve(t.Context(), id, "off2")
	must(t, err)
	if string(again) != "rules" || len(h.notes(audit.ProposalApproved)) != 1 {
		t.Errorf("%q %v", again, h.notes(audit.ProposalApproved))
	}
	_, err = h.Approve(t.Context(), id, "off1")
	want(t, err, proposal.ErrEnded)
	want(t, h.Withdraw(t.Context(), id, "off1"), proposal.ErrEnded)
	want(t, h.Withdraw(t.Context(), other, "clerk"), proposal.ErrRole)
	must(t, h.Withdraw(t.Context(), other, "op2"))
	_, err = h.Approve(t.Context(), other, "op2")
	want(t, err, proposal.ErrEnded)
	want(t, h.Withdraw(t.Context(), "none", "op2"), proposal.ErrUnknown)
	_, err = h.Approve(t.Context(), "none", "op2")
	want(t, err, proposal.ErrUnknown)
	if open, err := h.List(t.Context()); err != nil || len(open) > 0 {
		t.Errorf("%+v %v", open, err)
	}
	if made := h.notes(audit.ProposalMade); len(made) != 2 || !strings.HasPrefix(made[0], "staff:op1 proposal="+string(id)+" kind=policy.load hash=") {
		t.Error(made)
	}
}

func TestAProposalEnds(t *testing.T) {
	h := newHouse(t)
	id := h.propose("op1")
	h.now = h.now.Add(proposal.Lifetime - time.Millisecond)
	late := h.propose("op1")
	_, err := h.Approve(t.Context(), id, "off1")
	must(t, err)
	h.now = h.now.Add(time.Millisecond)
	_, err = h.Approve(t.Context(), id, "off1") // not again without end
	want(t, err, proposal.ErrEnded)
	h.now = h.now.Add(proposal.Lifetime)
	_, err = h.Approve(t.Context(), late, "off1")
	want(t, err, proposal.ErrLate)
	h.now = h.now.Add(31 * 24 * time.Hour)
	h.propose("op1")
	_, err = h.Of(t.Context(), id)
	want(t, err, proposal.ErrUnknown) // the record keeps it
}

func TestAloneNothingIsProposed(t *testing.T) {
	h := newHouse(t)
	h.put("off1", liuma.RoleOfficer, store.MemberSuspended)
	id := h.propose("op1") // there is another officer
	h.put("off2", liuma.RoleOfficer, store.MemberInvited)
	_, err := h.Propose(t.Context(), "policy.load", []byte("rules"), "op1")
	want(t, err, proposal.ErrAlone)
	_, err = h.Approve(t.Context(), id, "off2")
	want(t, err, proposal.ErrRole)
	// Who proposed and is suspended since has proposed nothing.
	h.put("off2", liuma.RoleOfficer, store.MemberActive)
	h.put("op1", liuma.RoleOperator, store.MemberSuspended)
	_, err = h.Approve(t.Context(), id, "off2")
	want(t, err, proposal.ErrPair)
}

func TestNotTooManyAreOpen(t *testing.T) {
	h := newHouse(t)
	var id proposal.ID
	for range proposal.MaxOpen {
		id = h.propose("op1")
	}
	_, err := h.Propose(t.Context(), "policy.load", []byte("rules"), "op1")
	want(t, err, proposal.ErrTooMany)
	must(t, h.Withdraw(t.Context(), id, "op1"))
	h.propose("op1")
}

// TestTogether: act and approval are one, however many approve at once.
func TestTogether(t *testing.T) {
	h := newHouse(t)
	id := h.propose("op1")
	boom := errors.New("boom")
	want(t, h.Together(t.Context(), id, "policy.load", "off1", func(store.Tx, store.Proposal) (string, error) { return "", boom }), boom)
	want(t, h.Together(t.Context(), id, "staff.invite", "off1", nil), proposal.ErrKind)
	want(t, h.Together(t.Context(), id, "policy.load", "op1", nil), proposal.ErrSame)
	if n := len(h.notes(audit.ProposalApproved)); n > 0 {
		t.Errorf("%d approvals of what was not done", n)
	}
	var done atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := h.Together(t.Context(), id, "policy.load", "off1", func(tx store.Tx, p store.Proposal) (string, error) {
				m, err := tx.Member("clerk")
				m.Name += "+"
				return "clerk=changed", errors.Join(err, tx.UpdateMember(m))
			})
			if err == nil {
				done.Add(1)
			} else if !errors.Is(err, proposal.ErrEnded) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	must(t, h.store.View(t.Context(), func(r store.Reader) error {
		m, err := r.Member("clerk")
		if m.Name != "clerk+" || done.Load() != 1 {
			t.Errorf("%s after %d", m.Name, done.Load())
		}
		return err
	}))
	if notes := h.notes(audit.ProposalApproved); len(notes) != 1 || !strings.HasSuffix(notes[0], "proposed_by=op1 clerk=changed") {
		t.Error(notes)
	}
}
