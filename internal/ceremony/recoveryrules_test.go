package ceremony_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// lenientIn is a policy that takes the physical card's number in one region.
type lenientIn liuma.Region

func (l lenientIn) For(r liuma.Region, _ liuma.ChannelID) policy.Policy {
	p := policy.National()
	p.AllowStandInEvidence = true
	p.Recovery.CardNumber = r == liuma.Region(l)
	return p
}

// moveCard moves a card to another region.
func (x *phoned) moveCard(region liuma.Region) {
	x.T.Helper()
	x.edit(cardRow(x.T, x.Env, x.ch, x.card).ID, func(c *store.Card) { c.Region = region })
}

// edit changes a card's row.
func (x *phoned) edit(id liuma.CardID, change func(*store.Card)) {
	x.T.Helper()
	err := x.System.Store.Update(x.T.Context(), func(tx store.Tx) (audit.Entry, error) {
		card, err := tx.Card(id)
		if err != nil {
			return audit.Entry{}, err
		}
		change(&card)
		return audit.Entry{At: x.Clock.Now(), Actor: "operator", Event: audit.CardEnrolled, Outcome: "ok"}, tx.UpdateCard(card)
	})
	if err != nil {
		x.T.Fatal(err)
	}
}

// TestRecoveryFollowsTheCardsRegion: the region of a push is the channel's
// word. A channel that is registered for several regions does not get weaker
// rules by naming another.
func TestRecoveryFollowsTheCardsRegion(t *testing.T) {
	for _, tt := range []struct {
		cards, pushed liuma.Region
		want          bool
	}{{"330500", "440100", false}, {"440100", "330500", true}, {"440100", "440100", true}} {
		x := newPhoned(t, testkit.Options{Rules: lenientIn("440100")})
		x.moveCard(tt.cards)
		q := x.push(liuma.ActionReset)
		q.Region = tt.pushed
		p, h := x.agreed(q)
		p = x.Code(p, h, x.who.Phone)
		x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
		if p.CardNoAllowed != tt.want {
			t.Errorf("%+v: asked for: %t", tt, p.CardNoAllowed)
		}
		p, err := x.Authority().GiveCardNo(t.Context(), p.ID, h, x.who.CardNo)
		want := liuma.CodeOnlineOff
		if tt.want {
			want = liuma.CodeResetPlanned
		}
		if err != nil || p.Code != want {
			t.Errorf("%+v: %s, %v; want %s", tt, p.Code, err, want)
		}
	}
}

// TestTheCardsNumberIsAskedForWhereItCounts: the page does not offer it where
// it is always refused.
func TestTheCardsNumberIsAskedForWhereItCounts(t *testing.T) {
	asked := func(x *phoned) bool {
		p, h := x.agreed(x.push(liuma.ActionReset))
		p = x.Code(p, h, x.who.Phone)
		x.want(p, ceremony.StepEvidence, liuma.CodeEvidenceRequired)
		return p.CardNoAllowed
	}
	x := newLenient(t)
	if !asked(x) {
		t.Error("not asked for where it counts")
	}
	if _, err := physical(x.Env, x.RegistryClient("mohrss"), x.who, authority.PhysicalLost, ""); err != nil {
		t.Fatal(err)
	}
	x.Clock.Advance(time.Minute)
	if asked(x) {
		t.Error("asked for of a lost card")
	}
	x = newLenient(t)
	x.Clock.Advance(100 * day)
	if asked(x) {
		t.Error("asked for where the phone was not confirmed for 100 days")
	}
}
