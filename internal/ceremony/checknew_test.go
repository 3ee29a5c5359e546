package ceremony_test

import (
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// check sends the first entry of a new PIN, as the pad does.
func (x *phoned) check(p ceremony.Page, h ceremony.Hand, secret string) (ceremony.Checked, error) {
	x.T.Helper()
	return x.Authority().CheckNew(x.T.Context(), p.ID, h, p.Try, *x.SealPage(p, liuma.RoleCheck, secret))
}

// choosingPad is the pad of an act that sets a PIN.
func (x *phoned) choosingPad(a liuma.Action) (ceremony.Page, ceremony.Hand) {
	x.T.Helper()
	switch a {
	case liuma.ActionEnroll:
		who := x.People[3]
		p, h := x.OpenPage(x.ch, x.PushFor(x.ch, a, testkit.Subject(who), &who))
		p, err := x.Authority().Agree(x.T.Context(), p.ID, h)
		if err != nil {
			x.T.Fatal(err)
		}
		return x.Code(p, h, who.Phone), h
	case liuma.ActionReset:
		q := x.push(a)
		p, h := x.agreed(q)
		p = x.Code(p, h, x.who.Phone)
		return x.WithEvidence(x.ch, q, x.who, p, h, h)
	}
	return x.OpenPage(x.ch, x.push(a))
}

func birthday(id string) string { return id[8:14] }

// TestNewPINIsJudgedWhenTypedFirst: the personal rules, at each pad that sets a
// PIN, before the PIN is typed again; nothing is set by it.
func TestNewPINIsJudgedWhenTypedFirst(t *testing.T) {
	for _, a := range []liuma.Action{liuma.ActionEnroll, liuma.ActionChange, liuma.ActionReset} {
		x := newPhoned(t, testkit.Options{})
		who := x.who
		if a == liuma.ActionEnroll {
			who = x.People[3]
		}
		p, h := x.choosingPad(a)
		for secret, want := range map[string]bool{birthday(who.IDNumber): false, who.Phone[5:]: false, "730146": true, goodPIN: true} {
			got, err := x.check(p, h, secret)
			if err != nil || (got.Reason == "") != want || want != (got.Sentence.ZH == "") {
				t.Errorf("%s, %s: %+v, %v", a, secret, got, err)
			}
		}
		if row := x.row(p.ID); row.Step != string(ceremony.StepPIN) || row.Tries != 0 {
			t.Errorf("%s: a check moved the ceremony: %+v", a, row)
		}
		if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
			t.Errorf("%s: %+v", a, v)
		}
	}
}

// TestAChecksEnvelopeSetsNothing: what was sealed to be judged is not set, and
// what was sealed to be set is not judged.
func TestAChecksEnvelopeSetsNothing(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.choosingPad(liuma.ActionReset)
	got, err := x.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: p.Try, New: x.SealPage(p, liuma.RoleCheck, "730146")})
	if err != nil {
		t.Fatal(err)
	}
	x.want(got, ceremony.StepPIN, liuma.CodeEnvelopeInvalid)
	_, err = x.Authority().CheckNew(t.Context(), p.ID, h, got.Try, *x.SealPage(got, liuma.RoleNew, "730146"))
	if liuma.CodeOf(err) != liuma.CodeEnvelopeInvalid {
		t.Errorf("what was to be set: %v", err)
	}
	// Kept from the try before.
	_, err = x.Authority().CheckNew(t.Context(), p.ID, h, got.Try, *x.SealPage(p, liuma.RoleCheck, "730146"))
	if liuma.CodeOf(err) != liuma.CodeEnvelopeInvalid {
		t.Errorf("that of another try: %v", err)
	}
	if _, err = x.check(p, h, "730146"); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("a page of another try: %v", err)
	}
	if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
		t.Errorf("%+v", v)
	}
}

// TestOnlyWhoMaySetMayCheck: another browser, another step, another act and
// missing proofs learn nothing about the holder.
func TestOnlyWhoMaySetMayCheck(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	secret := birthday(x.who.IDNumber)
	p, h := x.choosingPad(liuma.ActionReset)
	refused := func(name string, p ceremony.Page, h ceremony.Hand, want liuma.Code) {
		t.Helper()
		if got, err := x.check(p, h, secret); liuma.CodeOf(err) != want || got.Reason != "" {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, want)
		}
	}
	refused("another browser", p, ceremony.Hand{Secret: strings.Repeat("x", 43)}, liuma.CodeCeremonyElsewhere)

	pad := p
	start, hand := x.agreed(x.push(liuma.ActionReset))
	pad.ID = start.ID
	refused("before the code", pad, hand, liuma.CodeCeremonyMoved)

	pushed, err := x.Authority().Push(t.Context(), x.ch, x.push(liuma.ActionChange))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := x.Authority().LookAt(t.Context(), x.ch.Client.ID, pushed.RequestURI, ceremony.Hand{})
	if err != nil {
		t.Fatal(err)
	}
	refused("the address alone", fresh, ceremony.Hand{RequestURI: pushed.RequestURI}, liuma.CodeCeremonyMoved)

	verify, hand := x.OpenPage(x.ch, x.push(liuma.ActionVerify))
	pad = p
	pad.ID = verify.ID
	refused("an act that sets none", pad, hand, liuma.CodeCeremonyMoved)

	x.Clock.Advance(31 * time.Minute)
	if _, err := x.Authority().Extend(t.Context(), p.ID, h); liuma.CodeOf(err) != liuma.CodeCeremonyExpired {
		t.Fatal(err)
	}
	refused("too late", p, h, liuma.CodeCeremonyExpired)

	change, hand := x.OpenPage(x.ch, x.push(liuma.ActionChange))
	x.freeze()
	refused("frozen", change, hand, liuma.CodeFrozen)
}

func (x *phoned) freeze() {
	x.T.Helper()
	q := authority.Request{BusinessNo: x.BusinessNo(), Subject: envelope.Subject{Card: string(x.card)}}
	if _, err := x.Authority().Freeze(x.T.Context(), x.ch, q); err != nil {
		x.T.Fatal(err)
	}
}

// TestChecksAreRationed: ten a ceremony and thirty a card and day, over all
// ceremonies, and an envelope that does not open counts.
func TestChecksAreRationed(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	many := func() (n int) {
		p, h := x.OpenPage(x.ch, x.push(liuma.ActionChange))
		bad := *x.SealPage(p, liuma.RoleNew, "730146")
		for range 12 {
			_, err := x.Authority().CheckNew(t.Context(), p.ID, h, p.Try, bad)
			if liuma.CodeOf(err) == liuma.CodeTooManyRequests {
				return n
			}
			n++
		}
		return n
	}
	for i, want := range []int{10, 10, 10, 0} {
		if got := many(); got != want {
			t.Errorf("ceremony %d: %d checks, want %d", i+1, got, want)
		}
	}
	x.Clock.Advance(24*time.Hour + time.Second)
	if got := many(); got != 10 {
		t.Errorf("a day later: %d", got)
	}
}

// TestACheckWritesNothingOfThePIN: rows and record are the same whatever was
// typed, but for counts and times (I-6).
func TestACheckWritesNothingOfThePIN(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	p, h := x.OpenPage(x.ch, x.push(liuma.ActionChange))
	var seen []string
	for _, secret := range []string{birthday(x.who.IDNumber), "730146"} {
		before := len(events(t, x.Env))
		if _, err := x.check(p, h, secret); err != nil {
			t.Fatal(err)
		}
		all := events(t, x.Env)[before:]
		if len(all) != 1 {
			t.Fatalf("%d entries", len(all))
		}
		seen = append(seen, string(all[0].Event)+" "+all[0].Outcome+" "+all[0].Note)
	}
	if seen[0] != seen[1] {
		t.Errorf("the record tells them apart: %q", seen)
	}
	err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		c, err := r.Ceremony(p.ID)
		if c.Step != string(ceremony.StepPIN) || c.Tries != 0 {
			t.Errorf("%+v", c)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
