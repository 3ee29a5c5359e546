package policy

import (
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Layer names where a value comes from.
type Layer string

// LayerNational is the national layer. Region and channel layers come after it,
// and each may only tighten the layer above it.
const LayerNational Layer = "national"

// Origin is one value of a policy, and the layer that set it.
type Origin struct {
	Value string // name in snake case, dotted: "limits.attempts"
	Is    string // the value as text: "6", "24h0m0s", "true"
	Layer Layer  // the layer that set it
	Of    string // region or channel of that layer; empty for the nation
}

// Explanation has one Origin for every value of a Policy, in the order of its
// fields.
type Explanation []Origin

// Of returns the origin of a value by its name.
func (e Explanation) Of(value string) (Origin, bool) {
	for _, o := range e {
		if o.Value == value {
			return o, true
		}
	}
	return Origin{}, false
}

// Layers gives the policy for a region and a channel. It never changes after
// NewLayers, so any number of goroutines may use it.
type Layers struct{ national Policy }

// NewLayers makes layers of which the national one is the only one.
func NewLayers(national Policy) (*Layers, error) {
	if err := national.Validate(); err != nil {
		return nil, fmt.Errorf("national layer: %w", err)
	}
	return &Layers{national: national}, nil
}

// For returns the policy for a card of this region in this channel. Either may
// be empty. There is only the national layer, so the policy is the same for
// all.
func (l *Layers) For(_ liuma.Region, _ liuma.ChannelID) Policy { return l.national }

// Explain returns the origin of each value of For.
func (l *Layers) Explain(region liuma.Region, channel liuma.ChannelID) Explanation {
	return explain(l.For(region, channel), LayerNational, "")
}

func explain(p Policy, layer Layer, of string) Explanation {
	var e Explanation
	say := func(value string, is any) {
		e = append(e, Origin{Value: value, Is: fmt.Sprint(is), Layer: layer, Of: of})
	}
	say("limits.attempts", p.Limits.Attempts)
	say("limits.window", p.Limits.Window)
	say("limits.lock_for", p.Limits.LockFor)
	say("limits.failures", p.Limits.Failures)
	say("pin.birthday", p.PIN.Birthday)
	say("pin.id_number", p.PIN.IDNumber)
	say("pin.phone", p.PIN.Phone)
	say("pin.card_number", p.PIN.CardNumber)
	say("pin.current", p.PIN.Current)
	say("pin.repeat", p.PIN.Repeat)
	say("pin.steps", p.PIN.Steps)
	say("pin.pairs", p.PIN.Pairs)
	say("pin.triples", p.PIN.Triples)
	say("pin.mirror", p.PIN.Mirror)
	say("pin.keypad", p.PIN.Keypad)
	say("pin.common", p.PIN.Common)
	say("pin.run", p.PIN.Run)
	say("passphrase", p.Passphrase)
	say("challenge_ttl", p.ChallengeTTL)
	say("receipt_ttl", p.ReceiptTTL)
	say("evidence_max_age", p.EvidenceMaxAge)
	say("seal_key_life", p.SealKeyLife)
	say("remind_after", orNever(p.RemindAfter))
	say("force_after", orNever(p.ForceAfter))
	say("recovery.hold", p.Recovery.Hold)
	say("recovery.unconfirmed", p.Recovery.Unconfirmed)
	say("recovery.unconfirmed_evidence", p.Recovery.UnconfirmedEvidence)
	say("recovery.card_number", p.Recovery.CardNumber)
	say("hotline.hour", p.Hotline.Hour)
	say("hotline.day", p.Hotline.Day)
	p.Codes.explain(say)
	say("refusal_pace", p.RefusalPace)
	say("allow_stand_in_evidence", p.AllowStandInEvidence)
	return e
}

func orNever(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return d.String()
}
