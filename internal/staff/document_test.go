package staff_test

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const own = "11010119900307049"

// ownNumber is a valid ID number of a member.
func ownNumber() string {
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += w * int(own[i]-'0')
	}
	return own + string("10X98765432"[sum%11])
}

// TestADocumentTakesTwo: by which document a member is known is proposed by one and
// approved by the other; the number itself is kept nowhere.
func TestADocumentTakesTwo(t *testing.T) {
	h, operator, officer := begun(t)
	h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 1001)
	change := staff.Change{Kind: staff.KindDocument, Member: staff.NewMember{ID: "zhao"}, Number: ownNumber()}
	p, err := h.Propose(t.Context(), operator, change)
	must(t, err)
	if h.member("zhao").Document != (vault.Index{}) {
		t.Error("it counts before it was approved")
	}
	_, err = h.Approve(t.Context(), operator, p.ID)
	want(t, err, proposal.ErrSame)
	row, err := h.Proposals().Of(t.Context(), p.ID)
	must(t, err)
	if shown := staff.ChangeOf(row); strings.Contains(string(row.Body), own) || shown.Shown == "" || strings.Contains(shown.Shown, own) || shown.Document != nil {
		t.Errorf("the proposal shows the number: %s", row.Body)
	}
	_, err = h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	if got := h.member("zhao").Document; got != h.vault.Index(vault.IndexIDNumber, ownNumber()) {
		t.Errorf("%x", got)
	}
	h.recorded("staff:li proposal.approved ok proposal=" + string(p.ID))
	h.recorded("member=zhao document=set")
	for _, l := range h.record() {
		if strings.Contains(l, own) {
			t.Errorf("the record has it: %s", l)
		}
	}
	all, err := h.List(t.Context(), officer)
	must(t, err)
	for _, m := range all {
		if m.Document != (m.ID == "zhao") {
			t.Errorf("%+v", m)
		}
	}
}

// TestADocumentWithTheInvitation: who invites may say it at once.
func TestADocumentWithTheInvitation(t *testing.T) {
	h, operator, officer := begun(t)
	p, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindInvite, Member: newMember("zhao", liuma.RoleClerk), Number: ownNumber()})
	must(t, err)
	_, err = h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	if h.member("zhao").Document == (vault.Index{}) {
		t.Error("it is not known")
	}
}

// TestDocumentsThatAreRefused: no number, another act, what nobody typed, and somebody who
// is suspended.
func TestDocumentsThatAreRefused(t *testing.T) {
	h, operator, officer := begun(t)
	h.join(operator, officer, newMember("zhao", liuma.RoleClerk), 1001)
	zhao := staff.NewMember{ID: "zhao"}
	index := h.vault.Index(vault.IndexIDNumber, ownNumber())
	for _, c := range []staff.Change{
		{Kind: staff.KindDocument, Member: zhao},
		{Kind: staff.KindDocument, Member: zhao, Number: "12345"},
		{Kind: staff.KindDocument, Member: zhao, Document: index[:]},
		{Kind: staff.KindPasskey, Member: zhao, Number: ownNumber()},
	} {
		_, err := h.Propose(t.Context(), operator, c)
		want(t, err, staff.ErrNumber)
		if err != nil && strings.Contains(err.Error(), own) {
			t.Error(err)
		}
	}
	// An index that somebody slips in beside another act is not kept.
	p, err := h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindPasskey, Member: zhao, Document: index[:]})
	must(t, err)
	_, err = h.Approve(t.Context(), officer, p.ID)
	must(t, err)
	if h.member("zhao").Document != (vault.Index{}) {
		t.Error("it is kept")
	}
	must(t, h.Suspend(t.Context(), officer, "zhao", "left"))
	_, err = h.Propose(t.Context(), operator, staff.Change{Kind: staff.KindDocument, Member: zhao, Number: ownNumber()})
	want(t, err, staff.ErrState)
	if h.member("zhao").State != store.MemberSuspended {
		t.Error("active again")
	}
}
