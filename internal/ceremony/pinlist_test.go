package ceremony_test

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// chosenByMany are of the strong list alone: by what each is refused.
var chosenByMany = map[string]pin.Rule{
	"640229": pin.RuleDate, "195047": pin.RuleYear, "867521": pin.RuleLove, "753214": pin.RuleCommon,
}

// sets gives a new PIN on the pad of an act, as far as that judges it.
func (x *phoned) sets(a liuma.Action, secret string) ceremony.Page {
	x.T.Helper()
	p, h := x.choosingPad(a)
	if a == liuma.ActionChange {
		return x.renew(p, h, goodPIN, secret)
	}
	return x.GivePIN(p, h, liuma.RoleNew, secret)
}

// TestTheStrongListJudgesEveryNewPIN: whatever sets a PIN, on a page and at the native
// door, refuses what the list of the policy has, with the reason and its sentence, both
// before it is typed again and when it is set.
func TestTheStrongListJudgesEveryNewPIN(t *testing.T) {
	for _, a := range []liuma.Action{liuma.ActionEnroll, liuma.ActionChange, liuma.ActionReset} {
		for secret, rule := range chosenByMany {
			x := newPhoned(t, testkit.Options{})
			p, h := x.choosingPad(a)
			if p.List != pin.ListStrong {
				t.Errorf("%s: the pad goes by %q", a, p.List)
			}
			if got, err := x.check(p, h, secret); err != nil || got.Reason != string(rule) {
				t.Errorf("%s, %s, first entry: %+v, %v", a, secret, got, err)
			}
			if a == liuma.ActionChange {
				p = x.renew(p, h, goodPIN, secret)
			} else {
				p = x.GivePIN(p, h, liuma.RoleNew, secret)
			}
			if p.Code != liuma.CodeWeakPIN || p.Reason != string(rule) || p.Sentence != pin.Sentence(rule, false) {
				t.Errorf("%s, %s: %s, %s", a, secret, p.Code, p.Reason)
			}
			if v := x.Verify(x.ch, x.card, goodPIN); v.Verdict != liuma.Right {
				t.Errorf("%s, %s: it was set: %+v", a, secret, v)
			}
		}
	}
	x := newPhoned(t, testkit.Options{})
	for secret, rule := range chosenByMany {
		_, err := x.Authority().Change(t.Context(), x.ch, x.ChangeRequest(x.ch, x.card, goodPIN, secret))
		if e, ok := errors.AsType[*liuma.Error](err); !ok || e.Code != liuma.CodeWeakPIN || e.Reason != string(rule) {
			t.Errorf("native change to %s: %v", secret, err)
		}
	}
}

// TestTheListFollowsTheCard: where the nation picks the basic list, a region that picks the
// strong one has it for its cards, whatever region a request names; and a PIN of before
// goes on.
func TestTheListFollowsTheCard(t *testing.T) {
	const nation, region = "layer: national\npin.list: basic\n", "layer: region 44\npin.list: strong\n"
	for secret := range chosenByMany {
		x := newPhoned(t, testkit.Options{Rules: ruled(t, nation, region)})
		p, _ := x.choosingPad(liuma.ActionReset)
		if p.List != pin.ListBasic {
			t.Fatalf("the pad goes by %q", p.List)
		}
		if p := x.sets(liuma.ActionChange, secret); p.Code != "" {
			t.Errorf("%s under basic: %s", secret, p.Reason)
		}
		if v := x.Verify(x.ch, x.card, secret); v.Verdict != liuma.Right {
			t.Errorf("%s: %+v", secret, v)
		}
		x.moveCard("4401")
		if v := x.Verify(x.ch, x.card, secret); v.Verdict != liuma.Right {
			t.Errorf("%s, chosen before: %+v", secret, v)
		}
		p, h := x.choosingPad(liuma.ActionReset)
		if p.List != pin.ListStrong {
			t.Errorf("the pad of a card of 44 goes by %q", p.List)
		}
		if p = x.GivePIN(p, h, liuma.RoleNew, secret); p.Code != liuma.CodeWeakPIN {
			t.Errorf("%s under strong: %q", secret, p.Code)
		}
	}
}
