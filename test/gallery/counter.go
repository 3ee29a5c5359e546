package gallery

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/counter"
)

// Counter is the stand-in counter of the door: a desk pad that nobody paired.
type Counter struct{}

// PadState knows no pad.
func (Counter) PadState(context.Context, string) (counter.PadState, error) {
	return counter.PadState{Why: counter.PadUnknown}, nil
}

// OfferPad offers every pad under one number.
func (Counter) OfferPad(context.Context, string, []byte) (counter.Offer, error) {
	return counter.Offer{Number: "7KQM3XWA", Until: Now().Add(10 * time.Minute)}, nil
}

// Challenges makes one challenge, and takes it.
type Challenges struct{}

// NewChallenge makes it.
func (Challenges) NewChallenge(liuma.ChannelID, time.Time, time.Duration) (string, error) {
	return "challenge", nil
}

// CheckChallenge takes it.
func (Challenges) CheckChallenge(liuma.ChannelID, string, time.Time) error { return nil }

// AtCounter is the page of a ticket at a step, with everything on it that may be shown.
func AtCounter(k liuma.TicketKind, s ceremony.Step) ceremony.Page {
	p := Ceremony(liuma.ActionCounter, s)
	p.Channel, p.ChannelName, p.Purpose = "counter", text("社保经办柜台", "Counter of social security"), ""
	p.Counter = &ceremony.AtCounter{Kind: k, Clerk: "李娜", Agency: "湖州市社保中心（虚构）"}
	if s == ceremony.StepNumber {
		p.Counter.Number = "4072"
	}
	if s == ceremony.StepPIN {
		p.AAD = Ceremony(liuma.ActionReset, s).AAD
	}
	return p
}

// atCounter puts in a step of a ticket.
func (c *collection) atCounter(name string, k liuma.TicketKind, s ceremony.Step, code liuma.Code, change func(*ceremony.Page), says ...liuma.Text) {
	c.add(name, liuma.ActionCounter, s, code, func(p *ceremony.Page) {
		id, code := p.ID, p.Code
		*p = AtCounter(k, s)
		p.ID, p.Code = id, code
		if change != nil {
			change(p)
		}
	}, says...)
}

// addCounter puts in the pages of tickets, the page that takes the code of one, and the
// page of a desk pad.
func (c *collection) addCounter() {
	const confirm, phone, codeStep, pad, done, refused = ceremony.StepConfirm, ceremony.StepPhone, ceremony.StepCode, ceremony.StepPIN, ceremony.StepDone, ceremony.StepRefused
	clerk := text("经办人员：李娜", "Clerk: 李娜")
	own := func(p *ceremony.Page) { p.Counter.Own = true }
	noPhone := func(p *ceremony.Page) { p.Counter.MayLackPhone, p.PhoneMasked = true, "" }
	c.scenes = append(c.scenes,
		Scene{Name: "counter", Path: "/counter", Says: []liuma.Text{text("凭单码（8 位字母和数字）", "8 letters and digits"), text("就是骗子", "is a fraud")}},
		Scene{Name: "desk", Path: "/desk", Care: true, Says: []liuma.Text{text("请与柜台配对", "Pair this device"), text("轮到您操作时", "When it is your turn")}})
	c.atCounter("counter-number", liuma.TicketReset, ceremony.StepNumber, "", nil, clerk, text("请给复核人员看这个号码", "Show this number to the supervisor"), both("4 0 7 2"), text("不是我，停止办理", "It is not me: stop"))
	c.atCounter("counter-reset-code", liuma.TicketReset, confirm, "", own, text("先输入发到绑定手机的验证码", "Type the code that your bound phone gets"))
	c.atCounter("counter-own-code", liuma.TicketReset, codeStep, "", func(p *ceremony.Page) { own(p); sent(5, 45*time.Second)(p) }, clerk, text("绑定的手机", "Bound phone"))
	c.atCounter("counter-rebind-own", liuma.TicketRebind, codeStep, "", func(p *ceremony.Page) { own(p); sent(5, 45*time.Second)(p); p.CodeToBound = true }, clerk, text("绑定的手机", "Bound phone"))
	c.atCounter("counter-both-own", liuma.TicketRebindReset, confirm, "", own, text("先输入发到原绑定手机的验证码", "Type the code that your bound phone gets"))
	c.atCounter("counter-reset", liuma.TicketReset, confirm, "", nil, clerk, text("在柜台重新设置密码", "Set a new PIN at the counter"), text("不是我，停止办理", "It is not me: stop"))
	c.atCounter("counter-both", liuma.TicketRebindReset, confirm, "", nil, text("再由您自己设置新密码", "then set the new PIN yourself"))
	c.atCounter("counter-unfreeze", liuma.TicketUnfreeze, confirm, "", nil, text("这张卡就恢复使用", "the card works again"))
	c.atCounter("counter-enroll", liuma.TicketEnroll, confirm, "", consented, clerk, text("同意并继续", "I agree"))
	c.atCounter("counter-phone", liuma.TicketRebind, phone, "", nil, clerk, text("请问您面前的经办人员", "the clerk in front of you"))
	c.atCounter("counter-no-phone", liuma.TicketEnroll, phone, "", noPhone, text("我没有手机，接着办", "I have no mobile phone"), text("72 小时", "72 hours"))
	c.atCounter("counter-code", liuma.TicketRebindReset, codeStep, "", sent(5, 45*time.Second), clerk, text("新手机号", "New number"))
	c.atCounter("counter-pin", liuma.TicketReset, pad, "", nil, clerk, both(`data-mode="new"`))
	c.atCounter("counter-weak", liuma.TicketOpen, pad, liuma.CodeWeakPIN, nil, text("太容易被猜到", "too easy to guess"))
	c.asked("counter-leave", "counter-pin", "ask=leave", text("确定不办了", "Cancel this?"))
	c.asked("counter-no-code", "counter-code", "ask=no-code", text("请问您面前的经办人员", "the clerk in front of you"))
	close := text("可以告诉经办人员", "you can tell the clerk")
	c.atCounter("counter-reset-done", liuma.TicketReset, done, "", nil, text("新密码已设好", "The new PIN is set"), close)
	c.atCounter("counter-rebind-done", liuma.TicketRebind, done, "", nil, text("绑定手机已更换", "The bound phone was changed"), close)
	c.atCounter("counter-enroll-done", liuma.TicketEnroll, done, "", func(p *ceremony.Page) { p.Counter.PINFrom = Now().Add(72 * time.Hour) },
		text("5 月 9 日 20:44 起", "From 9 May at 20:44"), close)
	c.addNotices()
	c.atCounter("counter-left", liuma.TicketReset, ceremony.StepLeft, liuma.CodeLeft, nil, text("什么都没有改变", "nothing was changed"))
	c.atCounter("counter-expired", liuma.TicketReset, ceremony.StepExpired, liuma.CodeCeremonyExpired, nil, text("凭单的时间到了", "The time of the ticket is over"))
	c.atCounter("counter-ended", liuma.TicketReset, refused, liuma.CodeTicketEnded, nil, text("凭单已经失效", "This ticket is no longer good"), text("请告诉经办人员", "Tell the clerk"))
	c.atCounter("counter-frozen", liuma.TicketReset, refused, liuma.CodeFrozen, nil, text("已冻结", "is frozen"), text("请告诉经办人员", "Tell the clerk"))

	c.add("pin-not-yet", liuma.ActionVerify, refused, liuma.CodePINNotYet, until(50*time.Hour), text("密码开始生效的时间", "When the PIN starts to count"), text("22:44", "22:44"))
	c.add("rebind-code-bound", liuma.ActionRebind, codeStep, "", func(p *ceremony.Page) { sent(5, 45*time.Second)(p); p.CodeToBound = true }, text("绑定的手机", "Bound phone"))
	takes := func(p *ceremony.Page) { p.TicketAllowed = true }
	way := text("我在柜台，有凭单码", "I am at a counter and have a code")
	c.add("evidence-ticket", liuma.ActionReset, ceremony.StepEvidence, liuma.CodeEvidenceRequired, takes, way)
	c.add("evidence-ticket-wrong", liuma.ActionReset, ceremony.StepEvidence, liuma.CodeTicketUnknown, takes, way, text("没有找到这张凭单", "This ticket was not found"))
}

// addNotices puts in the pages on which a holder without a phone names somebody for notices.
func (c *collection) addNotices() {
	const done = ceremony.StepDone
	offers := func(n ceremony.Notices) func(*ceremony.Page) {
		return func(p *ceremony.Page) {
			p.Counter.PINFrom, p.PhoneMasked, p.Counter.Notices = Now().Add(72*time.Hour), "", &n
			if n.Typed {
				p.PhoneMasked = "139****0002"
			}
		}
	}
	typed := func(more func(*ceremony.Page)) func(*ceremony.Page) {
		return func(p *ceremony.Page) {
			offers(ceremony.Notices{Open: true, Typed: true})(p)
			more(p)
		}
	}
	nobody := text("不用了，谢谢", "No, thank you")
	c.atCounter("notices-offer", liuma.TicketReset, done, "", offers(ceremony.Notices{Open: true}), text("要不要请人代收通知", "Shall somebody get your notices"), nobody)
	c.asked("notices-number", "notices-offer", "ask=notices", text("请输入这个人的手机号", "this person's number"), text("借柜台的", "lends you a phone"), nobody)
	c.atCounter("notices-send", liuma.TicketReset, done, "", typed(func(p *ceremony.Page) { p.CodesLeft = 5 }), text("给对方发验证码", "Send them a code"), both("139****0002"), nobody)
	c.atCounter("notices-code", liuma.TicketReset, done, "", typed(sent(5, 45*time.Second)), text("对方告诉您的验证码", "the code that they tell you"), nobody)
	c.atCounter("notices-code-wrong", liuma.TicketReset, done, liuma.CodePhoneCodeWrong, typed(sent(4, 0)), text("验证码不正确", "not right"), nobody)
	c.atCounter("notices-named", liuma.TicketReset, done, "", offers(ceremony.Notices{Phone: "139****0002", Result: ceremony.NamedOne}),
		text("已请好人代收通知", "Your notices have somebody to go to"), text("可以告诉经办人员", "you can tell the clerk"))
	c.atCounter("notices-now", liuma.TicketReset, done, "", offers(ceremony.Notices{Open: true, Phone: "139****0002"}),
		text("现在有人替您收通知", "Somebody gets your notices"), text("不用改", "Leave it so"), text("不再请人代收", "Nobody any more"))
	c.atCounter("notices-ended", liuma.TicketReset, done, "", offers(ceremony.Notices{Result: ceremony.NamedEnded}),
		text("不再请人代收通知", "Nobody gets your notices any more"))
}
