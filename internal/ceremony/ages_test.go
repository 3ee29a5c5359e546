package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// wantAges compares ages; a phone of -1 is none.
func wantAges(t *testing.T, where string, pin int, phone *int, wantPIN, wantPhone int) {
	t.Helper()
	got := -1
	if phone != nil {
		got = *phone
	}
	if pin != wantPIN || got != wantPhone {
		t.Errorf("%s: a PIN of %d days and a phone of %d, want %d and %d", where, pin, got, wantPIN, wantPhone)
	}
}

// TestReceiptsSayHowOldPINAndPhoneAre: whole days, at both doors, of whatever decided;
// and a redemption is judged as before.
func TestReceiptsSayHowOldPINAndPhoneAre(t *testing.T) {
	const tenDays = 10 * day
	x := newPhoned(t, testkit.Options{})
	native := func(where string, pin, phone int) {
		t.Helper()
		v := x.Verify(x.ch, x.card, goodPIN)
		rc, err := vault.ParseReceipt(v.Receipt, x.System.Vault.ReceiptKeys(), x.System.Config.Issuer, x.ch.Channel(), x.Clock.Now())
		if err != nil || v.PINAge == nil {
			t.Fatalf("%s: %+v, %v", where, v, err)
		}
		wantAges(t, where+", receipt", rc.PINAge, rc.PhoneAge, pin, phone)
		wantAges(t, where+", answer", *v.PINAge, v.PhoneAge, pin, phone)
		again, err := x.Authority().Verification(t.Context(), x.ch, v.BusinessNo)
		if err != nil || again.PINAge == nil {
			t.Fatal(err)
		}
		wantAges(t, where+", asked again", *again.PINAge, again.PhoneAge, pin, phone)
		done, err := x.Authority().Redeem(t.Context(), x.ch, v.Receipt)
		if err != nil || !done.Redeemed {
			t.Fatalf("%s: %+v, %v", where, done, err)
		}
		wantAges(t, where+", redeemed", *done.PINAge, done.PhoneAge, pin, phone)
	}
	native("three days and an hour old", 3, 3)
	x.Clock.Advance(22 * time.Hour)
	native("an hour before the fourth day is whole", 3, 3)
	x.Clock.Advance(tenDays)
	native("ten days later", 13, 13)

	x.rebindTo(newNumber)
	native("a new phone", 13, 0)
	x.Clock.Advance(tenDays)
	v := x.Change(x.ch, x.card, goodPIN, otherPIN)
	wantAges(t, "the change itself", *v.PINAge, v.PhoneAge, 0, 10)
	v = x.Change(x.ch, x.card, otherPIN, goodPIN)
	wantAges(t, "the change back", *v.PINAge, v.PhoneAge, 0, 10)
	x.Clock.Advance(24 * time.Hour)

	p, h := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	x.want(p, ceremony.StepDone, "")
	g := x.Return(x.ch, p, h)
	wantAges(t, "hosted", g.PINAge, g.PhoneAge, 1, 11)

	q := x.PushFor(x.ch, liuma.ActionRebind, x.push(liuma.ActionRebind).Subject, &x.who)
	p, h = x.agreed(q)
	p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	p, err := x.Authority().GivePhone(t.Context(), p.ID, h, "13700137000")
	if err != nil {
		t.Fatal(err)
	}
	p = x.Code(p, h, "13700137000")
	x.want(p, ceremony.StepDone, "")
	g = x.Return(x.ch, p, h)
	wantAges(t, "hosted, a new phone", g.PINAge, g.PhoneAge, 1, 0)

	who := x.People[2]
	q = x.PushFor(x.ch, liuma.ActionEnroll, testkit.Subject(who), &who)
	p, h = x.agreed(q)
	p = x.GivePIN(x.Code(p, h, who.Phone), h, liuma.RoleNew, goodPIN)
	x.want(p, ceremony.StepDone, "")
	g = x.Return(x.ch, p, h)
	wantAges(t, "hosted enrolment", g.PINAge, g.PhoneAge, 0, 0)

	x.card = x.Enroll(x.ch, x.People[3], goodPIN) // at the native door: no phone is bound
	x.Clock.Advance(tenDays)
	native("without a phone", 10, -1)
}
