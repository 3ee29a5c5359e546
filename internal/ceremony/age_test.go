package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestPushingAgainGivesNoMoreTime: a ceremony has an hour from its first push,
// in every browser and under every further push; once the hour is over, a push
// brings no more time.
func TestPushingAgainGivesNoMoreTime(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	q := x.push(liuma.ActionVerify)
	begun := x.Clock.Now()
	p, h := x.OpenPage(x.ch, q)
	for range 4 {
		x.Clock.Advance(14 * time.Minute)
		p, h = x.OpenPageIn(x.ch, q, h)
	}
	if !p.Expires.Equal(begun.Add(time.Hour)) {
		t.Errorf("at %v it has until %v", x.Clock.Now().Sub(begun), p.Expires.Sub(begun))
	}
	x.Clock.Advance(4 * time.Minute)
	if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeCeremonyExpired {
		t.Errorf("pushed after an hour: %v", err)
	}
	if p, err := x.Authority().Look(t.Context(), p.ID, h); err != nil || p.Step != ceremony.StepExpired {
		t.Errorf("the page after an hour: %+v, %v", p, err)
	}
	q = x.push(liuma.ActionVerify)
	x.OpenPage(x.ch, q)
	x.Clock.Advance(15 * time.Minute)
	if _, err := x.Authority().Push(t.Context(), x.ch, q); liuma.CodeOf(err) != liuma.CodeCeremonyExpired {
		t.Errorf("pushed before the sweep: %v", err)
	}
}

// aged waits half an hour on a page that is kept open.
func (x *phoned) aged(p ceremony.Page, h ceremony.Hand) {
	x.T.Helper()
	for range 4 {
		x.Clock.Advance(450 * time.Second)
		if _, err := x.Authority().Extend(x.T.Context(), p.ID, h); err != nil {
			x.T.Fatal(err)
		}
	}
}

// TestACodeGrowsOld: a one-time code shows who has the phone only for a short
// time. A code of half an hour ago sets no PIN and allows no guess; a new one
// does.
func TestACodeGrowsOld(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	t.Run("reset", func(t *testing.T) {
		p, h := x.readyToReset()
		x.aged(p, h)
		x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepCode, liuma.CodePhoneCodeExpired)
		p = x.Code(p, h, x.who.Phone)
		x.want(p, ceremony.StepPIN, "")
		x.want(x.GivePIN(p, h, liuma.RoleNew, otherPIN), ceremony.StepDone, "")
	})
	t.Run("unfreeze", func(t *testing.T) {
		x.Clock.Advance(24 * time.Hour) // three texts a day through one link
		if _, err := x.Authority().FreezeByCode(t.Context(), "a", x.LastFreezeCode(x.who.Phone)); err != nil {
			t.Fatal(err)
		}
		x.Clock.Advance(time.Minute)
		p, h := x.agreed(x.push(liuma.ActionUnfreeze))
		p = x.Code(p, h, x.who.Phone)
		x.aged(p, h)
		spent := cardRow(t, x.Env, x.ch, x.card).Tally
		x.want(x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN), ceremony.StepCode, liuma.CodePhoneCodeExpired)
		if cardRow(t, x.Env, x.ch, x.card).Tally != spent {
			t.Error("a guess was made")
		}
		p = x.Code(p, h, x.who.Phone)
		x.want(x.GivePIN(p, h, liuma.RoleCurrent, otherPIN), ceremony.StepDone, "")
	})
	t.Run("enroll", func(t *testing.T) {
		who := x.People[1]
		p, h := x.agreed(x.PushFor(x.ch, liuma.ActionEnroll, testkit.Subject(who), &who))
		p = x.Code(p, h, who.Phone)
		x.aged(p, h)
		x.want(x.GivePIN(p, h, liuma.RoleNew, goodPIN), ceremony.StepCode, liuma.CodePhoneCodeExpired)
		p = x.Code(p, h, who.Phone)
		x.want(x.GivePIN(p, h, liuma.RoleNew, goodPIN), ceremony.StepDone, "")
	})
}

// TestACodeGrowsOldBesideTheCardsNumber is TestACodeGrowsOld where a region
// takes the physical card's number in place of evidence.
func TestACodeGrowsOldBesideTheCardsNumber(t *testing.T) {
	x := newLenient(t)
	p, h := x.agreed(x.push(liuma.ActionReset))
	p = x.Code(p, h, x.who.Phone)
	x.aged(p, h)
	number := func(f registry.Facts) ceremony.Page {
		p, err := x.Authority().GiveCardNo(t.Context(), p.ID, h, f.CardNo)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	x.want(number(x.who), ceremony.StepCode, liuma.CodePhoneCodeExpired)
	p = x.Code(p, h, x.who.Phone)
	x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
	x.want(number(x.who), ceremony.StepRefused, liuma.CodeResetPlanned)
}
