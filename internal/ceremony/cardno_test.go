package ceremony_test

import (
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func newLenient(t *testing.T) *phoned {
	t.Helper()
	p := policy.National()
	p.Recovery.CardNumber = true
	return newPhoned(t, testkit.Options{Policy: &p})
}

// cardNo plays a reset up to the physical card's number, and gives one.
func (x *phoned) cardNo(number string) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	p, h := x.agreed(x.push(liuma.ActionReset))
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	p, err := x.Authority().GiveCardNo(x.T.Context(), p.ID, h, number)
	if err != nil {
		x.T.Fatal(err)
	}
	return p, h
}

func TestResetByCardNumberWaitsADay(t *testing.T) {
	x := newLenient(t)
	p, _ := x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepRefused, liuma.CodeResetPlanned)
	if !p.Until.Equal(x.Clock.Now().Add(24 * time.Hour)) {
		t.Errorf("until %v", p.Until)
	}
	if got := x.Notices(x.who.Phone); !slices.Equal(got, []string{"pin_set", "reset_planned"}) {
		t.Errorf("notices %v", got)
	}
	x.Clock.Advance(12 * time.Hour)
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepRefused, liuma.CodeResetPlanned)
	x.Clock.Advance(12 * time.Hour)
	p, h := x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepPIN, "")
	p = x.GivePIN(p, h, liuma.RoleNew, otherPIN)
	x.want(p, ceremony.StepDone, "")
	if v := x.Verify(x.ch, x.card, otherPIN); v.Verdict != liuma.Right {
		t.Errorf("new PIN: %+v", v)
	}
	g, err := x.Authority().RedeemCode(t.Context(), x.ch, x.WayBack(p, h).Get("code"), testkit.RedirectURI, testkit.Verifier)
	if err != nil || g.ACR != "urn:liuma:acr:pin" {
		t.Errorf("it claims evidence that there was not: %+v, %v", g, err)
	}
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepRefused, liuma.CodeResetPlanned) // one plan, one reset
}

func TestFreezeTakesAPlannedResetAway(t *testing.T) {
	x := newLenient(t)
	p, _ := x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepRefused, liuma.CodeResetPlanned)
	x.Clock.Advance(24 * time.Hour)
	p, h := x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepPIN, "")
	if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
		t.Fatal(err)
	}
	x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepRefused, liuma.CodeFrozen)
	p, h = x.agreed(x.push(liuma.ActionUnfreeze))
	p = x.Code(p, h, x.who.Phone)
	x.want(x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepRefused, liuma.CodeResetPlanned)
}

func TestResetByCardNumberRefuses(t *testing.T) {
	x := newPhoned(t, testkit.Options{}) // the nation
	p, _ := x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeOnlineOff)
	if p.CardNoAllowed {
		t.Error("the page offers it")
	}

	x = newLenient(t)
	for range 3 {
		p, _ = x.cardNo("Z99999999")
		x.want(p, ceremony.StepEvidence, liuma.CodeCardNoWrong)
	}
	x.card = x.linkAgain(x.ch, goodPIN, false) // three texts a day through one link
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeCardNoSpent)

	x = newLenient(t)
	if _, err := physical(x.Env, x.RegistryClient("mohrss"), x.who, authority.PhysicalLost, ""); err != nil {
		t.Fatal(err)
	}
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodeOnlineOff)

	x = newLenient(t)
	x.Clock.Advance(90 * day)
	p, _ = x.cardNo(x.who.CardNo)
	x.want(p, ceremony.StepEvidence, liuma.CodePhoneStale)
}
