package authority

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// SpentUntil looks at ration marks (ticks, oldest first) and returns the time
// until which no more are allowed: when the oldest of the last most marks is a
// period old. It is zero if there are fewer than most, and may be in the past
// if the ticks reach further back than the period.
func SpentUntil(ticks []time.Time, most int, period time.Duration) time.Time {
	if n := len(ticks); n >= most {
		return ticks[n-most].Add(period)
	}
	return time.Time{}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Act names what a client has a ration of, in meters, in the audit record and
// in status.
type Act string

// The acts that have rations (policy.Rations).
const (
	ActVerification  Act = "verification"
	ActLink          Act = "link"
	ActPush          Act = "push"
	ActChallenge     Act = "challenge"
	ActRedemption    Act = "redemption" // of an authorization code, refused
	ActFreeze        Act = "freeze"
	ActUnlink        Act = "unlink"
	ActHotlineFreeze Act = "hotline_freeze"
	ActLoss          Act = "loss"
	ActReplacement   Act = "replacement"
	ActCancellation  Act = "cancellation"
	ActCorrection    Act = "correction"
	ActEvidence      Act = "evidence"
)

// rationedAct is the kind of client that does an act, and its ration.
type rationedAct struct {
	Act
	kind store.ClientKind
	of   func(policy.Rations) policy.Ration
}

// rationedActs lists all of them. An array is no garbage, and a verification asks.
func rationedActs() [13]rationedAct {
	type r = policy.Rations
	return [...]rationedAct{
		{ActVerification, store.ClientChannel, func(x r) policy.Ration { return x.Verifications }},
		{ActLink, store.ClientChannel, func(x r) policy.Ration { return x.Links }},
		{ActPush, store.ClientChannel, func(x r) policy.Ration { return x.Pushes }},
		{ActChallenge, store.ClientChannel, func(x r) policy.Ration { return x.Challenges }},
		{ActRedemption, store.ClientChannel, func(x r) policy.Ration { return x.Redemptions }},
		{ActFreeze, store.ClientChannel, func(x r) policy.Ration { return x.Freezes }},
		{ActUnlink, store.ClientChannel, func(x r) policy.Ration { return x.Unlinks }},
		{ActHotlineFreeze, store.ClientHotline, func(x r) policy.Ration { return x.HotlineFreezes }},
		{ActLoss, store.ClientRegistry, func(x r) policy.Ration { return x.Losses }},
		{ActReplacement, store.ClientRegistry, func(x r) policy.Ration { return x.Replacements }},
		{ActCancellation, store.ClientRegistry, func(x r) policy.Ration { return x.Cancellations }},
		{ActCorrection, store.ClientRegistry, func(x r) policy.Ration { return x.Corrections }},
		{ActEvidence, store.ClientProvider, func(x r) policy.Ration { return x.Evidence }},
	}
}

// rationOf is a client's ration of an act. An act that is not listed has an empty ration, and so is
// refused.
func (a *Authority) rationOf(c Caller, act Act) policy.Ration {
	for _, x := range rationedActs() {
		if x.Act == act {
			return x.of(a.PolicyFor(c, "").Rations)
		}
	}
	return policy.Ration{}
}

// meterOf is the kind and key under which a client's act is metered.
func (a *Authority) meterOf(client string, act Act) (kind string, key vault.Index) {
	return "ration:" + string(act), a.vault.Index(vault.IndexPhone, "client\x00"+client)
}

// Spend counts one act of a client in the transaction that does the act, so that a crash leaves
// both or neither. CodeRationSpent, or CodeHotlineLimit for a hotline: the ration is spent, and the
// transaction must not be kept. It is called after the request's number was taken, so that a
// repetition is answered and not counted. An act of a sub-channel counts to the channel above it
// too.
func (a *Authority) Spend(tx store.Tx, c Caller, act Act) error {
	all, err := payers(c, tx.Client)
	if err != nil {
		return err
	}
	now := a.Now()
	for _, c := range all {
		kind, key := a.meterOf(c.Client.ID, act)
		until, err := spentUntil(tx, kind, key, a.rationOf(c, act))
		if err != nil {
			return err
		}
		if until.After(now) {
			return a.rationSpent(c, act, until)
		}
		if err := tx.Meter(kind, key, now, 1); err != nil {
			return err
		}
	}
	return nil
}

// takeRationed takes a request's business number and counts it to a ration.
func (a *Authority) takeRationed(tx store.Tx, c Caller, row store.Request, act Act) error {
	if err := TakeNumber(tx, row); err != nil {
		return err
	}
	return a.Spend(tx, c, act)
}

// spentUntil is when a spent ration allows the next act; in the past or zero if the ration is not
// spent.
func spentUntil(r store.Reader, kind string, key vault.Index, most policy.Ration) (time.Time, error) {
	hourly, err := r.MeteredUntil(kind, key, uint64(most.Hour), time.Hour)
	if err != nil {
		return time.Time{}, err
	}
	daily, err := r.MeteredUntil(kind, key, uint64(most.Day), day)
	return later(hourly, daily), err
}

// rationSpent is the refusal of an act whose ration is spent. It raises the
// alarm.
func (a *Authority) rationSpent(c Caller, act Act, until time.Time) error {
	a.rations.raise(c, act, a.Now())
	e := &liuma.Error{Code: liuma.CodeRationSpent, Reason: string(act), Until: a.ToWall(until)}
	switch act {
	case ActHotlineFreeze:
		e.Code, e.Reason = liuma.CodeHotlineLimit, ""
	case ActCancellation:
		e.Sentence = locale.Both(func(w *locale.Words) string { return w.Ration.Cancellation() })
	case ActCorrection:
		e.Sentence = locale.Both(func(w *locale.Words) string { return w.Ration.Correction() })
	case ActEvidence:
		e.Sentence = locale.Both(func(w *locale.Words) string { return w.Ration.Evidence() })
	}
	return e
}
