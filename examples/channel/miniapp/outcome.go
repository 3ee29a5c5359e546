package miniapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// outcome is what a flow came to, in words for the person.
type outcome struct {
	OK       bool
	Open     bool   // not over: the person may go on
	Code     string // the authority's, or one of ours
	Title    string
	TitleEN  string
	Next     string
	NextEN   string
	Tries    *int
	Until    time.Time
	Received string // for developers: what came back
}

// words of ours, for what the authority is not asked about, or says in one
// code without sentences.
func words(code string) outcome {
	o := outcome{Code: code}
	switch code {
	case "left_by_holder":
		o.Title, o.TitleEN = "您取消了办理", "You called it off"
		o.Next, o.NextEN = "没有任何改变，随时可以重新办理。", "Nothing has changed. You can start again at any time."
	case "ceremony_expired":
		o.Title, o.TitleEN = "页面放置太久，已经失效", "The page was open for too long"
		o.Next, o.NextEN = "请重新办理，您的密码没有改变。", "Start again. Your PIN has not changed."
	case "evidence_required":
		o.Title, o.TitleEN = "还需要实人认证", "An identity check is needed as well"
		o.Next, o.NextEN = "您的实体社保卡已挂失，这段时间要密码和实人认证一起才能办理。", "Your physical card is reported lost: until it is found, PIN and identity check go together."
		o.Open = true
	case "pending":
		o.Title, o.TitleEN = "这笔业务还没有办完", "This is not finished yet"
		o.Next, o.NextEN = "可以继续办理，也可以稍后再查结果。", "Go on with it, or ask for the result later."
		o.Open = true
	case "unreachable":
		o.Title, o.TitleEN = "暂时连不上密码服务", "The PIN service cannot be reached"
		o.Next, o.NextEN = "请稍等一会儿，再点“查询结果”。如果您已经输过密码，不用再输一次。", "Wait a little, then ask for the result. If you have entered your PIN, there is no need to enter it again."
		o.Open = true
	case "not_found", "undecided":
		o.Title, o.TitleEN = "这笔业务没有办成", "This did not go through"
		o.Next, o.NextEN = "请重新办理。", "Please start again."
	case "locked":
		o.Title, o.TitleEN = "密码已锁定", "The PIN is locked"
		o.Next, o.NextEN = "输错次数过多。到时会自动恢复，在所有渠道都一样；实体社保卡不受影响。", "Too many wrong PINs. It ends by itself at the time shown, and holds in every channel. The physical card is not affected."
	case "refused":
		o.Title, o.TitleEN = "没有关联成功", "The card was not linked"
		o.Next, o.NextEN = "请核对信息和密码；忘记密码可以在原来的应用里处理，或拨打 12333。", "Check the details and the PIN; for a forgotten PIN, use the app where you have the card, or call 12333."
	case "late":
		o.Title, o.TitleEN = "密码正确，但结果来得太晚", "The PIN was right, but the answer came too late"
		o.Next, o.NextEN = "核验结果只能用一次，一分钟内有效。请再核验一次。", "A verdict is good once, for one minute. Please verify once more."
	case "state":
		o.Title, o.TitleEN = "这个链接不是从本页面打开的", "This link was not opened from here"
		o.Next, o.NextEN = "为了安全，本次结果没有采用。请在这里重新办理。", "To be safe, the answer was not used. Please start again here."
	case "already_enrolled":
		o.Title, o.TitleEN = "您已经有电子社保卡了", "You have an e-card already"
		o.Next, o.NextEN = "请用原来设的密码关联到这里。", "Link it here with the PIN that you have."
	case "not_in_registry":
		o.Title, o.TitleEN = "没有查到相符的社会保障卡", "No matching social-security card was found"
		o.Next, o.NextEN = "请核对姓名和身份证号码，或拨打 12333 咨询。", "Check name and ID number, or call 12333."
	case "evidence_invalid", "evidence_used", "challenge_expired":
		o.Title, o.TitleEN = "实人认证没有通过或已过期", "The identity check did not pass, or is too old"
		o.Next, o.NextEN = "请重新办理一次。", "Please start again."
	default:
		o.Code = "failed"
		o.Title, o.TitleEN = "办理没有成功", "That did not work"
		o.Next, o.NextEN = "请稍后再试；如果一直不行，请拨打 12333。", "Try again later; if it persists, call 12333."
	}
	return o
}

// codeOf finds the authority's code in an error of any of its doors.
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
	o := words(codeOf(err))
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

// success is what the person reads when it worked.
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
	default:
		o.Title, o.TitleEN = "核验通过", "Verified"
	}
	return o
}

// received shows a developer what came back, without the token itself.
func received(v any) string {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(raw)
}

// ask asks what became of a flow whose callback was lost, or came with an
// error: the authority knows it by business number, and only there. The card's
// handle is empty unless it worked.
func (a *App) ask(ctx context.Context, f flow) (o outcome, card string) {
	v, err := a.door.Verification(ctx, f.BusinessNo)
	if client.CodeOf(err) == "not_found" {
		return words("not_found"), ""
	}
	if err != nil {
		a.c.Logger.Warn("no answer", "business_no", f.BusinessNo, "err", err)
		return words("unreachable"), ""
	}
	shown := *v
	shown.Receipt = short(shown.Receipt)
	switch {
	case v.Right() && v.Action == f.Action && (f.Card == "" || v.Card == f.Card):
		o, card = a.asked(ctx, f, v)
	case v.State != "decided":
		o = words(v.State)
	default:
		o = refused(v)
	}
	o.Received = received(shown)
	return o, card
}

// refused puts a verdict that is not right into words: ours where we have
// some, and else the authority's.
func refused(v *client.Verification) outcome {
	code := v.Code
	if v.Verdict == "wrong" && v.TriesLeft != nil && *v.TriesLeft == 0 {
		code = "locked" // the guess that locked it was itself counted as wrong
	}
	o := words(code)
	if o.Code == "failed" && v.TitleZH != "" {
		o = outcome{Code: code, Title: v.TitleZH, TitleEN: v.TitleEN, Next: v.NextStepZH, NextEN: v.NextStepEN}
	}
	o.Tries = v.TriesLeft
	if v.Until != nil {
		o.Until = *v.Until
	}
	return o
}

// Again says whether starting again can help.
func (o outcome) Again() bool {
	switch o.Code {
	case "locked", "blocked", "frozen", "cancelled", "not_in_registry", "":
		return false
	}
	return !o.OK
}

// asked takes a right verdict that was asked for. What was set stays set; a
// proof of identity is only as good as its receipt, which is redeemed.
func (a *App) asked(ctx context.Context, f flow, v *client.Verification) (outcome, string) {
	if f.Action != actionVerify {
		return success(f.Action), v.Card
	}
	if v.Receipt == "" {
		return words("late"), v.Card
	}
	_, err := a.door.CheckReceipt(ctx, v.Receipt, client.Want{
		BusinessNo: f.BusinessNo, Card: f.Card, Purpose: f.Purpose, Action: client.Verify,
	})
	if err == nil {
		_, err = a.door.Redeem(ctx, v.Receipt)
	}
	if err != nil {
		a.c.Logger.Warn("receipt", "business_no", f.BusinessNo, "err", err)
		return words("late"), v.Card
	}
	return success(f.Action), v.Card
}

func short(s string) string {
	if len(s) <= 24 {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:16], len(s))
}
