package miniapp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// outcome is the result of a flow, in words for the person.
type outcome struct {
	OK       bool
	Open     bool   // not over: the person may go on
	Code     string // the authority's error code, or one of this app
	Title    text
	Next     text
	Ways     []way // next steps, the most likely first
	Tries    *int
	Until    time.Time
	UntilIs  text          // the meaning of Until
	Proof    *client.Proof // of a right verdict that came back; nil: none did
	Received string        // for developers: the answer
}

// codeOf finds the error code of the authority, at any of its doors, or of the
// provider.
func codeOf(err error) string {
	if code := client.CodeOf(err); code != "" {
		return code
	}
	if no, ok := errors.AsType[*refusal](err); ok {
		return no.Kind
	}
	return "unreachable"
}

// problem turns an error of a push into words. Its text goes to the log, never
// to the page.
func (a *App) problem(f flow, err error) outcome {
	a.c.Logger.Warn("request failed", "business_no", f.BusinessNo, "action", f.Action, "err", err)
	o := a.words.of(codeOf(err), f.Action)
	no, ok := errors.AsType[*client.Problem](err)
	if ok && no.Until != nil {
		o.Until = *no.Until
	}
	if ok && o.Code == failed && no.TitleZH != "" {
		o.Title, o.Next = text{ZH: no.TitleZH, EN: no.TitleEN}, text{ZH: no.NextStepZH, EN: no.NextStepEN}
	}
	return o
}

// wantsEvidence says that an identity check leads on.
func (o *outcome) wantsEvidence() bool {
	return o.Open && len(o.Ways) > 0 && o.Ways[0].Do == doEvidence
}

// received shows a developer the answer, without the token itself.
func received(v any) string {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(raw)
}

// States of a request whose code was not redeemed yet: the verdict of a verify or
// a link comes with that code alone; any other act is carried out.
const (
	stateReturning = "returning"
	stateDone      = "done"
)

// ask fetches the result of a flow whose callback was lost or came with an
// error. Only the authority knows it, by business number, and tells no right
// verdict so: that comes only with a code, by the browser that gave the PIN. The
// card's handle is empty unless the act succeeded and its code was redeemed.
func (a *App) ask(ctx context.Context, f flow) (o outcome, card string) {
	v, err := a.door.Verification(ctx, f.BusinessNo)
	if client.CodeOf(err) == "not_found" {
		return a.words.of("not_found", f.Action), ""
	}
	if err != nil {
		a.c.Logger.WarnContext(ctx, "no answer", "business_no", f.BusinessNo, "err", err)
		return a.words.of("unreachable", f.Action), ""
	}
	switch {
	case v.Right() && v.Action == actFor(f.Action) && (f.Card == "" || v.Card == f.Card):
		o, card = a.redeemed(f, v)
	case v.State == stateDone && v.Action == actFor(f.Action):
		o = a.done(f.Action)
	case froze(f, v):
		o = a.words.done(f.Action)
	case f.Action == actionMedical && v.ByEvidence():
		o = a.words.of(halfProved, f.Action)
	case v.State != "decided":
		o = a.words.of(v.State, f.Action)
	default:
		o = a.refused(v, f.Action)
	}
	o.Received = received(v)
	return o, card
}

// froze says that a freeze went through: it has no PIN and so no verdict.
func froze(f flow, v *client.Verification) bool {
	return f.Action == actionFreeze && v.Action == f.Action && v.State == "decided" && v.Code == ""
}

// refused puts a verdict that is not right into words: the app's if it has
// some, else the authority's.
func (a *App) refused(v *client.Verification, action string) outcome {
	code := v.Code
	if v.Verdict == "wrong" && v.TriesLeft != nil && *v.TriesLeft == 0 {
		code = "locked" // the guess that locked it was itself counted as wrong
	}
	o := a.words.of(code, action)
	if o.Code == failed && v.TitleZH != "" {
		o.Title, o.Next = text{ZH: v.TitleZH, EN: v.TitleEN}, text{ZH: v.NextStepZH, EN: v.NextStepEN}
	}
	o.Tries = v.TriesLeft
	if v.Until != nil {
		o.Until = *v.Until
	}
	return o
}

// redeemed is a right verdict whose code this app redeemed, but whose ID token it
// did not get or not take. What was set is set, and what was linked is linked; an
// identity is not proved by it.
func (a *App) redeemed(f flow, v *client.Verification) (outcome, string) {
	if actFor(f.Action) == actionVerify {
		return a.words.of("late", f.Action), v.Card
	}
	return a.words.done(f.Action), v.Card
}

// done is an act that was carried out although its code never came back. An
// enrolment without its code made a card, but no link in this app; and a service is
// never open without one.
func (a *App) done(action string) outcome {
	switch actFor(action) {
	case actionEnroll:
		return a.words.of("enrolled", action)
	case actionVerify:
		return a.words.of("late", action)
	}
	return a.words.done(action)
}
