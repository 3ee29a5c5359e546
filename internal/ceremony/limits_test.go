package ceremony_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// triesIn is a policy in which one region allows three wrong PINs.
type triesIn liuma.Region

func (s triesIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	if r == liuma.Region(s) {
		p.Limits.Attempts = 3
	}
	return p
}

// strictIn is a policy in which one region takes no passphrases, and evidence for a
// minute only.
type strictIn liuma.Region

func (s strictIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence, p.Passphrase = true, true
	if r == liuma.Region(s) {
		p.Passphrase, p.EvidenceMaxAge = false, time.Minute
	}
	return p
}

// TestEvidenceAndPassphrasesFollowTheCardsRegion, and the request's: the stricter of
// both counts, whichever region a channel names.
func TestEvidenceAndPassphrasesFollowTheCardsRegion(t *testing.T) {
	for _, tt := range []struct {
		name          string
		cards, pushed liuma.Region
		strict        bool
	}{
		{"the card's region is stricter", "330500", "440100", true},
		{"the service's region is stricter", "440100", "330500", true},
		{"neither is", "440100", "440200", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Rules: strictIn("330500")})
			x.moveCard(tt.cards)
			q := x.push(liuma.ActionVerify)
			q.Region = tt.pushed
			if p, _ := x.OpenPage(x.ch, q); !p.Words.Entered || p.Words.Chosen {
				t.Errorf("the pad takes passphrases: %+v", p.Words)
			}
			q = x.push(liuma.ActionChange)
			q.Region = tt.pushed
			if p, _ := x.OpenPage(x.ch, q); !p.Words.Entered || p.Words.Chosen == tt.strict {
				t.Errorf("the pad of a change takes passphrases: %+v", p.Words)
			}
			q = x.push(liuma.ActionReset)
			ch := x.Challenge(x.ch)
			q.Region, q.Challenge, q.Evidence = tt.pushed, ch.Value, x.Evidence(x.who, ch.Value)
			x.Clock.Advance(2 * time.Minute)
			_, err := x.Authority().Push(t.Context(), x.ch, q)
			if tt.strict != (err != nil) {
				t.Errorf("evidence of two minutes ago: %v", err)
			}
			f := x.who
			f.Region = tt.cards
			judged := x.System.Authority.JudgePIN(strictIn("330500").For(tt.pushed, ""), passphrase(t), authority.Known{Facts: f}, nil)
			if want := tt.cards == "330500"; want != (liuma.CodeOf(judged) == liuma.CodePINFormat) {
				t.Errorf("a new passphrase: %v", judged)
			}
		})
	}
}

// passphrase is a good one.
func passphrase(t *testing.T) pin.PIN {
	t.Helper()
	p, err := pin.Parse([]byte("correct horse battery"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Wipe)
	return p
}

// TestLimitsFollowTheCardsRegion: the region of a push is the channel's word. A
// thief does not get more tries by naming a region that allows them, and a channel
// of a stricter region does not get more than its own.
func TestLimitsFollowTheCardsRegion(t *testing.T) {
	for _, tt := range []struct {
		name          string
		cards, pushed liuma.Region
		want          int
	}{
		{"the card's region is stricter", "330500", "440100", 3},
		{"the service's region is stricter", "440100", "330500", 3},
		{"neither is", "440100", "440200", 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newPhoned(t, testkit.Options{Rules: triesIn("330500")})
			x.moveCard(tt.cards)
			q := x.push(liuma.ActionVerify)
			q.Region = tt.pushed
			p, h := x.OpenPage(x.ch, q)
			if p.TriesLeft == nil || *p.TriesLeft != tt.want {
				t.Fatalf("at the first look %v tries, want %d", p.TriesLeft, tt.want)
			}
			for left := tt.want - 1; left >= 0; left-- {
				if p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN); p.TriesLeft != nil && *p.TriesLeft != left {
					t.Fatalf("%d tries left, want %d", *p.TriesLeft, left)
				}
			}
			if p.Step != ceremony.StepRefused || p.Code != liuma.CodeLocked {
				t.Errorf("after %d wrong PINs %s %s, want locked", tt.want, p.Step, p.Code)
			}
		})
	}
}

// TestAPassphraseIsSetByBothRegions: a new PIN may be one where the region of the
// request and that of the card both take passphrases; elsewhere nothing is guessed at.
func TestAPassphraseIsSetByBothRegions(t *testing.T) {
	for _, tt := range []struct {
		cards, named liuma.Region
		opens        bool
	}{
		{"330500", "440100", false}, {"440100", "330500", false}, {"440100", "440200", true},
	} {
		x := newPhoned(t, testkit.Options{Rules: strictIn("330500")})
		x.moveCard(tt.cards)
		before := counted(t, x.Env, cardRow(t, x.Env, x.ch, x.card).ID)
		q := x.ChangeRequest(x.ch, x.card, wrongPIN, "correct horse battery")
		q.Region = tt.named
		v, err := x.Authority().Change(t.Context(), x.ch, q)
		if opened := err == nil && v.Verdict == liuma.Wrong; opened != tt.opens {
			t.Errorf("a card of %s, asked in %s: %+v, %v", tt.cards, tt.named, v, err)
		}
		if !tt.opens && liuma.CodeOf(err) != liuma.CodePINFormat {
			t.Errorf("refused by %v", err)
		}
		if after := counted(t, x.Env, cardRow(t, x.Env, x.ch, x.card).ID); (after[0] > before[0]) != tt.opens {
			t.Errorf("the keepers counted %v, before %v", after, before)
		}
	}
}

// TestTheHoldersNameIsNoPassphrase: it is refused by what the registry says, whatever the
// channel does.
func TestTheHoldersNameIsNoPassphrase(t *testing.T) {
	x := newPhoned(t, testkit.Options{Rules: strictIn("330500")})
	x.moveCard("440100")
	change := func(chosen string) error {
		q := x.ChangeRequest(x.ch, x.card, goodPIN, chosen)
		q.Region = "440200"
		_, err := x.Authority().Change(t.Context(), x.ch, q)
		return err
	}
	err := change(x.who.Name + " 2024 ??")
	if e, ok := errors.AsType[*liuma.Error](err); !ok || e.Code != liuma.CodeWeakPIN || e.Reason != string(pin.RuleName) {
		t.Errorf("the name: %v", err)
	}
	if err := change(x.who.Name + " 清风明月"); err != nil {
		t.Errorf("the name and other words: %v", err)
	}
}

// TestTheBoundPhoneIsNoPIN: six digits of the phone that is bound are refused as those of
// the phone that the registry has, when they are two: whoever knows the holder knows the
// one that the holder uses.
func TestTheBoundPhoneIsNoPIN(t *testing.T) {
	x := newPhoned(t, testkit.Options{})
	card := cardRow(t, x.Env, x.ch, x.card)
	tamper(t, x.Env, func(tx store.Tx) error {
		c, _, err := x.System.Authority.Contact(tx, card.ID)
		if err != nil {
			return err
		}
		return x.System.Authority.WriteContact(tx, c, "13962853947")
	})
	for chosen, want := range map[string]string{"962853": string(pin.RulePhone), "853947": string(pin.RulePhone), x.who.Phone[4:10]: string(pin.RulePhone)} {
		_, err := x.Authority().Change(t.Context(), x.ch, x.ChangeRequest(x.ch, x.card, goodPIN, chosen))
		e, _ := errors.AsType[*liuma.Error](err)
		if e == nil || e.Code != liuma.CodeWeakPIN || e.Reason != want {
			t.Errorf("changed to %s: %v, want %s", chosen, err, want)
		}
	}
}

// otherNumbersIn is a policy in which one region sends codes to other numbers than
// mobiles of mainland China.
type otherNumbersIn liuma.Region

func (l otherNumbersIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence, p.Codes.OtherNumbers = true, r == liuma.Region(l)
	return p
}

// TestOtherNumbersByBothRegions: texts go to a number at which they earn money only
// where the card's own region sends them there, whichever region a channel names.
func TestOtherNumbersByBothRegions(t *testing.T) {
	for _, tt := range []struct {
		cards, pushed liuma.Region
		want          liuma.Code
	}{
		{"440100", "330500", liuma.CodePhoneNone}, {"330500", "440100", liuma.CodePhoneNone}, {"330500", "330500", ""},
	} {
		x := newPhoned(t, testkit.Options{Rules: otherNumbersIn("330500")})
		x.moveCard(tt.cards)
		card := cardRow(t, x.Env, x.ch, x.card)
		tamper(t, x.Env, func(tx store.Tx) error {
			c, _, err := x.System.Authority.Contact(tx, card.ID)
			if err != nil {
				return err
			}
			return x.System.Authority.WriteContact(tx, c, "12345678901")
		})
		q := x.push(liuma.ActionReset)
		q.Region = tt.pushed
		p, h := x.agreed(q)
		if p.Step != ceremony.StepCode {
			if p.Code != tt.want {
				t.Errorf("a card of %s, pushed in %s: %s %s", tt.cards, tt.pushed, p.Step, p.Code)
			}
			continue
		}
		h.Form = p.Form
		if p, err := x.Authority().SendCode(t.Context(), p.ID, h, liuma.ByText); err != nil || p.Code != tt.want {
			t.Errorf("a card of %s, pushed in %s: %s %s, %v", tt.cards, tt.pushed, p.Step, p.Code, err)
		}
	}
}

// TestEvidenceOfAnApplicantIsFresh by the rules of the person's own region, whatever
// region the channel names.
func TestEvidenceOfAnApplicantIsFresh(t *testing.T) {
	for _, own := range []bool{true, false} {
		strict := strictIn("440100")
		env := testkit.New(t, testkit.Options{Rules: &strict})
		who, ch := env.People[1], env.Channel("zj-hrss")
		if own {
			strict = strictIn(who.Region)
		}
		q := env.PushFor(ch, liuma.ActionEnroll, identity(who), &who)
		q.Region = "440200"
		env.Clock.Advance(2 * time.Minute)
		if _, err := env.Authority().Push(t.Context(), ch, q); own != (err != nil) {
			t.Errorf("evidence of two minutes ago, the person's region is stricter: %v: %v", own, err)
		}
	}
}
