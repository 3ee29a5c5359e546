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
	Title    string
	TitleEN  string
	Next     string
	NextEN   string
	Ways     []way // next steps, the most likely first
	Tries    *int
	Until    time.Time
	UntilZH  string // the meaning of Until
	UntilEN  string
	Received string // for developers: the answer
}

// codeOf finds the authority's error code in an error of any of its doors.
func codeOf(err error) string {
	if code := client.CodeOf(err); code != "" {
		return code
	}
	if no, ok := errors.AsType[*refusal](err); ok {
		if no.Code != "" {
			return no.Code
		}
		return no.Kind
	}
	return "unreachable"
}

// problem turns an error of a push into words. Its text goes to the log, never
// to the page.
func (a *App) problem(f flow, err error) outcome {
	a.c.Logger.Warn("request failed", "business_no", f.BusinessNo, "action", f.Action, "err", err)
	o := words(codeOf(err), f.Action)
	if no, ok := errors.AsType[*refusal](err); ok && no.Until != nil {
		o.Until = *no.Until
	}
	if o.Code != "failed" {
		return o
	}
	if no, ok := errors.AsType[*refusal](err); ok && no.DescriptionZH != "" {
		o.Title, o.TitleEN, o.Next, o.NextEN = no.DescriptionZH, no.Description, no.NextStepZH, no.NextStepEN
	}
	if no, ok := errors.AsType[*client.Problem](err); ok {
		o.Title, o.TitleEN, o.Next, o.NextEN = no.TitleZH, no.TitleEN, no.NextStepZH, no.NextStepEN
	}
	return o
}

// wantsEvidence says that an identity check leads on.
func (o *outcome) wantsEvidence() bool {
	return o.Open && len(o.Ways) > 0 && o.Ways[0].Do == doEvidence
}

// success is the sentence after a success.
func success(action string) outcome {
	o := outcome{OK: true}
	switch action {
	case actionEnroll:
		o.Title, o.TitleEN = "申领成功", "You have your e-card"
		o.Next, o.NextEN = "密码已设好，本应用从没见过它。", "Your PIN is set. This app has never seen it."
	case actionLink:
		o.Title, o.TitleEN = "关联成功", "Your card is linked"
		o.Next, o.NextEN = "以后在这里也用同一个密码。", "The same PIN works here, too."
	case actionChange:
		o.Title, o.TitleEN = "密码已修改", "Your PIN is changed"
		o.Next, o.NextEN = "所有渠道马上生效。", "It holds in every channel at once."
	case actionReset:
		o.Title, o.TitleEN = "密码找回来了", "Your PIN is recovered"
		o.Next, o.NextEN = "新密码在所有渠道马上生效，锁定也解除了。旧密码不能再用。", "The new one holds in every channel at once, and ends every lock. The old one is gone."
	case actionRebind:
		o.Title, o.TitleEN = "手机已换绑", "Your phone is changed"
		o.Next, o.NextEN = "以后的通知和验证码都发到新手机。72 小时内不能在线找回密码，请记牢密码。", "Notices and codes go to the new number. For 72 hours the PIN cannot be recovered online: keep it in mind."
	case actionFreeze:
		o.Title, o.TitleEN = "已经冻结", "The card is frozen"
		o.Next, o.NextEN = "所有渠道马上停用，绑定手机会收到通知。要恢复，需要短信验证码和密码。", "It is stopped in every channel at once, and the bound phone is told. A code and the PIN bring it back."
	case actionUnfreeze:
		o.Title, o.TitleEN = "已解除冻结", "The card works again"
		o.Next, o.NextEN = "所有渠道马上恢复使用。", "In every channel, at once."
	default:
		o.Title, o.TitleEN = "核验通过", "Verified"
	}
	return o
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
		return words("not_found", f.Action), ""
	}
	if err != nil {
		a.c.Logger.Warn("no answer", "business_no", f.BusinessNo, "err", err)
		return words("unreachable", f.Action), ""
	}
	switch {
	case v.Right() && v.Action == f.Action && (f.Card == "" || v.Card == f.Card):
		o, card = redeemed(f, v)
	case v.State == stateDone && v.Action == f.Action:
		o = done(f.Action)
	case froze(f, v):
		o = success(f.Action)
	case v.State != "decided":
		o = words(v.State, f.Action)
	default:
		o = refused(v, f.Action)
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
func refused(v *client.Verification, action string) outcome {
	code := v.Code
	if v.Verdict == "wrong" && v.TriesLeft != nil && *v.TriesLeft == 0 {
		code = "locked" // the guess that locked it was itself counted as wrong
	}
	o := words(code, action)
	if o.Code == "failed" && v.TitleZH != "" {
		o.Title, o.TitleEN, o.Next, o.NextEN = v.TitleZH, v.TitleEN, v.NextStepZH, v.NextStepEN
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
func redeemed(f flow, v *client.Verification) (outcome, string) {
	if f.Action == actionVerify {
		return words("late", f.Action), v.Card
	}
	return success(f.Action), v.Card
}

// done is an act that was carried out although its code never came back. An
// enrolment without its code made a card, but no link in this app.
func done(action string) outcome {
	if action == actionEnroll {
		return words("enrolled", action)
	}
	return success(action)
}
