package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
)

// propose keeps an act of the operator's for the officer.
func (h *house) propose(operator *browser, q admin.Act) string {
	h.t.Helper()
	ctx := admin.From(h.t.Context(), admin.Origin{Session: staff.Token(operator.cookies["__Host-desk"].Value), Pages: true})
	p, err := h.admin.Guarded().ProposeAct(ctx, q)
	must(h.t, err)
	return string(p.ID)
}

// TestAnActThatWasCutShortIsCarriedOutAgain: who approved an act whose doing was cut short
// finds it and does it, after another touch; nobody else does.
func TestAnActThatWasCutShortIsCarriedOutAgain(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	id := h.propose(operator, admin.Act{Kind: admin.ActHead, ID: admintest.Card.String(), Reason: audit.Reason("restored")})
	at := "/proposals/" + id
	// What dies right after its approval leaves this.
	_, err := h.staff.Proposals().Approve(t.Context(), proposal.ID(id), "li")
	must(t, err)
	if acts := h.Server.Acts(); len(acts) != 0 {
		t.Fatal(acts)
	}
	if p := officer.get("/proposals"); !p.says("perhaps not carried out") || !strings.Contains(p.body, at) {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := officer.get(at); !p.says("Carry it out again") || p.says("Withdraw the proposal") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := operator.get(at); p.status != http.StatusNotFound {
		t.Errorf("shown to another: %d", p.status)
	}
	if p := officer.post(at + "/approve"); p.status != http.StatusForbidden {
		t.Errorf("without a touch: %d", p.status)
	}
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer")); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if acts := h.Server.Acts(); !slices.Equal(acts, []string{"staff:li raised: restored"}) {
		t.Error(acts)
	}
}

// TestARestoreIsAcceptedByCommand: the page says why it has no button, and what to run.
func TestARestoreIsAcceptedByCommand(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	at := "/proposals/" + h.propose(operator, admin.Act{Kind: admin.ActRestore, Reason: audit.Reason("disk lost")})
	p := officer.get(at)
	if p.status != http.StatusOK || !p.says("approved at a terminal", "liuma staff approve "+strings.TrimPrefix(at, "/proposals/")) || strings.Contains(p.body, at+"/approve") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer")); p.status != http.StatusConflict || !p.says("is not approved here") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestTheNavigationCountsWhatWaits for the member, and for nobody else.
func TestTheNavigationCountsWhatWaits(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	for range 2 {
		h.propose(operator, admin.Act{Kind: admin.ActRestore, Reason: audit.Reason("disk lost")})
	}
	if p := officer.get("/alarms"); !strings.Contains(p.body, `Proposals <span class="count">2</span>`) {
		t.Error(p.body)
	}
	if p := operator.get("/alarms"); strings.Contains(p.body, `class="count"`) {
		t.Error("the proposer's own are counted")
	}
}
