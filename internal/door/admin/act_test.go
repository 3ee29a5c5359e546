package admin_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/registry"
)

// TestActsOfTwoByTheSocket: once there are members of staff, nobody raises heads,
// lets an untold correction go on or shortens its wait alone; with the other role's
// approval each is done once, as it was proposed, and recorded before.
func TestActsOfTwoByTheSocket(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	h := serve(t, w)
	before := h.dial(t)
	_, err := before.RaiseHead(t.Context(), admintest.Card, "a drill")
	must(t, err)
	sessions := w.Staffed(t)
	operator, officer := h.dial(t), h.dial(t)
	operator.As(sessions[liuma.RoleOperator])
	officer.As(sessions[liuma.RoleOfficer])
	for name, err := range map[string]error{
		"head":    last(operator.RaiseHead(t.Context(), admintest.Card, "alone")),
		"restore": last(operator.AcceptRestore(t.Context(), liuma.CardID{}, "alone")),
		"go on":   last(operator.GoOnUntold(t.Context(), "any", "alone")),
	} {
		if !errors.Is(err, admin.ErrTakesTwo) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
	for want, q := range map[error]admin.Act{
		admin.ErrAct:                  {Kind: "card.erase", Reason: "x"},
		audit.ErrReason:               {Kind: admin.ActRestore},
		admin.ErrNoCard:               {Kind: admin.ActHead, ID: "7", Reason: "x"},
		authority.ErrNotHastened:      {Kind: admin.ActHasten, ID: "untold", Reason: "x"},
		registry.ErrUnknownCorrection: {Kind: admin.ActHasten, ID: "none", Reason: "x"},
	} {
		if _, err := operator.ProposeAct(t.Context(), q); !errors.Is(err, want) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := operator.ProposeAct(t.Context(), admin.Act{Kind: admin.ActResume, ID: "none", Reason: "x"}); !errors.Is(err, registry.ErrUnknownCorrection) {
		t.Error(err)
	}
	propose := func(q admin.Act) admin.ActStep {
		t.Helper()
		p, err := operator.ProposeAct(t.Context(), q)
		must(t, err)
		if _, err := operator.ApproveAct(t.Context(), admin.ActStep{ID: p.ID}); !errors.Is(err, proposal.ErrSame) {
			t.Error(err)
		}
		if _, err := officer.ApproveStaff(t.Context(), string(p.ID)); !errors.Is(err, proposal.ErrKind) {
			t.Error(err)
		}
		return admin.ActStep{ID: p.ID}
	}
	done := len(w.Server.Acts())
	head := propose(admin.Act{Kind: admin.ActHead, ID: admintest.Card.String(), Reason: "restored"})
	hasten := propose(admin.Act{Kind: admin.ActHasten, ID: "told", Reason: "hospital", No: 99})
	restore := propose(admin.Act{Kind: admin.ActRestore, Reason: "disk lost"})
	if got := w.Server.Acts(); len(got) != done {
		t.Errorf("done by one: %v", got)
	}
	waiting, err := officer.Proposals(t.Context())
	must(t, err)
	if len(waiting) != 3 || !slices.ContainsFunc(waiting, func(p admin.ProposalView) bool { return p.About == "id=told reason=hospital" }) {
		t.Errorf("%+v", waiting)
	}
	out, err := officer.ApproveAct(t.Context(), head)
	if err != nil || out.Raised == nil || out.Raised.To != 9 {
		t.Errorf("%+v %v", out, err)
	}
	_, err = officer.ApproveAct(t.Context(), hasten)
	must(t, err)
	first, err := officer.ApproveAct(t.Context(), restore)
	must(t, err)
	restore.After = first.Accepted.Last.String()
	second, err := officer.ApproveAct(t.Context(), restore)
	if err != nil || !second.Accepted.Done || first.Accepted.Done {
		t.Errorf("%+v %v", second, err)
	}
	want := []string{"staff:officer raised: restored", "staff:officer hastened told no=7 until=2026-03-04T06:00:00Z: hospital",
		"staff:officer accepted: disk lost", "staff:officer accepted: disk lost"}
	if got := w.Server.Acts()[done:]; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if _, err := operator.ApproveAct(t.Context(), restore); !errors.Is(err, proposal.ErrEnded) {
		t.Error(err)
	}
	if _, err := officer.ApproveAct(t.Context(), admin.ActStep{ID: "none"}); !errors.Is(err, proposal.ErrUnknown) {
		t.Error(err)
	}
}

func last[T any](_ T, err error) error { return err }
