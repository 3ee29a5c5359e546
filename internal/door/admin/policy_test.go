package admin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	door "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
)

// TestThePolicyByTheSocket: a policy is proposed by one and approved by another, who is
// shown the same; every refusal keeps its code over the socket.
func TestThePolicyByTheSocket(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	sessions := w.Staffed(t)
	h := serve(t, w)
	operator, officer, auditor := h.dial(t), h.dial(t), h.dial(t)
	operator.As(sessions[liuma.RoleOperator])
	officer.As(sessions[liuma.RoleOfficer])
	auditor.As(sessions[liuma.RoleAuditor])
	draft := func(text string) edition.Draft {
		return edition.Draft{Files: []edition.Text{{Name: "33.yaml", Text: "layer: region 33\n" + text}}, Whole: true, Reason: "fewer tries"}
	}
	refused := func(err error, code door.Code, is error) {
		t.Helper()
		r, ok := errors.AsType[*door.Refusal](err)
		if !ok || r.Code != code || !errors.Is(err, is) {
			t.Errorf("%v, want %s", err, code)
		}
	}
	_, err := operator.ProposePolicy(t.Context(), draft("limits.attempts: 9\n"))
	refused(err, door.CodePolicySet, edition.ErrSet)
	if !strings.Contains(err.Error(), "33.yaml:2: limits.attempts: 9 is looser") {
		t.Error(err)
	}
	_, err = operator.ProposePolicy(t.Context(), edition.Draft{Whole: true, Reason: "nothing"})
	refused(err, door.CodePolicySame, edition.ErrSame)
	_, err = operator.ProposePolicy(t.Context(), edition.Draft{Whole: true, Files: draft("limits.attempts: 5\n").Files})
	refused(err, door.CodeReason, audit.ErrReason)
	// A whole policy is longer than what other requests may bring.
	long := "limits.attempts: 5\n" + strings.Repeat("# "+strings.Repeat("为什么", 30)+"\n", 700)
	p, err := operator.ProposePolicy(t.Context(), draft(long))
	must(t, err)
	if p.By != "operator" || p.State != "open" || p.Reason != "fewer tries" {
		t.Errorf("%+v", p)
	}
	stale, err := officer.ProposePolicy(t.Context(), draft("limits.attempts: 4\n"))
	must(t, err)
	seen, err := auditor.ProposedPolicy(t.Context(), string(p.ID))
	must(t, err)
	if seen.Digest != p.Digest || len(seen.Diff.Effects) != 1 || seen.Diff.Effects[0].Before != "6" || seen.Diff.Effects[0].Now != "5" || seen.Files[0].Text != "layer: region 33\n"+long {
		t.Errorf("%+v", seen.Diff)
	}
	waiting, err := officer.Proposals(t.Context())
	must(t, err)
	if len(waiting) != 2 || !strings.HasPrefix(waiting[0].About+waiting[1].About, "policy=") || !strings.Contains(waiting[0].About, " values=1") {
		t.Errorf("%+v", waiting)
	}
	_, err = officer.ApprovePolicy(t.Context(), edition.Approval{ID: p.ID, Digest: stale.Digest})
	refused(err, door.CodePolicyDigest, edition.ErrDigest)
	_, err = operator.ApprovePolicy(t.Context(), edition.Approval{ID: p.ID, Digest: p.Digest})
	refused(err, door.CodeSame, proposal.ErrSame)
	_, err = officer.ApproveStaff(t.Context(), string(p.ID))
	refused(err, door.CodeKind, proposal.ErrKind)
	done, err := officer.ApprovePolicy(t.Context(), edition.Approval{ID: p.ID, Digest: p.Digest})
	must(t, err)
	if done.Edition != 2 || !done.Runs {
		t.Errorf("%+v", done)
	}
	_, err = operator.ApprovePolicy(t.Context(), edition.Approval{ID: stale.ID, Digest: stale.Digest})
	refused(err, door.CodePolicyMoved, edition.ErrMoved)
	must(t, operator.WithdrawProposal(t.Context(), string(stale.ID)))
	_, err = operator.ApprovePolicy(t.Context(), edition.Approval{ID: stale.ID, Digest: stale.Digest})
	refused(err, door.CodeEnded, proposal.ErrEnded)
	_, err = operator.ProposedPolicy(t.Context(), "none")
	refused(err, door.CodeProposal, proposal.ErrUnknown)
	_, err = operator.PolicyEdition(t.Context(), 9)
	refused(err, door.CodePolicyEdition, edition.ErrUnknown)
	answer, err := h.dial(t).ExplainPolicy(t.Context(), edition.Question{Region: "330500"}) // everybody
	must(t, err)
	if v := answer.Values[0]; v.Value != "limits.attempts" || v.Is != "5" || v.By != "operator" || v.Approver != "officer" || v.Edition != 2 {
		t.Errorf("%+v", v)
	}
	past, err := auditor.PolicyHistory(t.Context(), 0)
	must(t, err)
	if len(past) != 2 || past[0].Reason != "fewer tries" || past[0].Proposal != string(p.ID) {
		t.Errorf("%+v", past)
	}
	status, err := auditor.Status(t.Context())
	must(t, err)
	if status.Policy.Edition != 2 || status.Policy.Approver != "officer" || status.Policy.Sum != done.Sum {
		t.Errorf("%+v", status.Policy)
	}
	note := "proposal=" + string(p.ID) + " kind=policy.change hash=" + p.Digest[:16] + " proposed_by=operator edition=2 policy=" + done.Sum + " was= reason=fewer tries"
	if got := w.ActorOf(t, note); got != "staff:officer" {
		t.Errorf("the record does not say who approved it: %q", got)
	}
}

// TestAloneNoPolicyIsProposed: with one member of staff, and with none, it is refused
// with that sentence.
func TestAloneNoPolicyIsProposed(t *testing.T) {
	w := admintest.New(t, admintest.Options{})
	h := serve(t, w)
	draft := edition.Draft{Files: []edition.Text{{Name: "33.yaml", Text: "layer: region 33\nlimits.attempts: 5\n"}}, Reason: "alone"}
	if _, err := h.dial(t).ProposePolicy(t.Context(), draft); !errors.Is(err, proposal.ErrAlone) {
		t.Error("without any member:", err)
	}
	sessions := w.Staffed(t)
	operator := h.dial(t)
	operator.As(sessions[liuma.RoleOperator])
	must(t, operator.SuspendStaff(t.Context(), "officer", "left"))
	if _, err := operator.ProposePolicy(t.Context(), draft); !errors.Is(err, proposal.ErrAlone) {
		t.Error(err)
	}
}
