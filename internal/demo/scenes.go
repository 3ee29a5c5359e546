package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
)

// attemptsBeforeLock is the national rule, spelled out so that a change of the
// rule makes the play fail rather than tell another story.
const attemptsBeforeLock = 6

const lockLasts = 24 * time.Hour

// The purposes that holders are shown.
const (
	purposeYears  = "查询社保缴费年限"
	purposeCredit = "领取医保电子凭证"
)

// weak is a PIN that must be refused, and why.
type weak struct {
	digits string
	rule   string
	what   liuma.Text
}

func (h *holder) weakPINs() []weak {
	return []weak{
		{h.birthday(), "birthday", liuma.Text{ZH: "自己的生日", EN: "own birthday"}},
		{h.phonePart(), "phone", liuma.Text{ZH: "手机号的一段", EN: "part of the phone number"}},
		{"123456", "steps", liuma.Text{ZH: "顺子", EN: "counting up"}},
		{"112233", "steps", liuma.Text{ZH: "成对的顺子", EN: "counting up in pairs"}},
	}
}

// sceneEnroll refuses weak PINs and sets a good one.
func sceneEnroll(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.first
	p.Say(holderWho, ch.name, liuma.Text{
		ZH: fmt.Sprintf("%s（%s）申领电子社保卡", h.masked(), h.facts.MaskedIDNumber()),
		EN: "applies for the electronic card",
	})
	a, err := p.stage.apply(ctx, ch, h)
	if err != nil {
		return err
	}
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/challenges：取挑战值和封装公钥", EN: "asks for a challenge and the key to seal to"})
	p.Say(providerWho, ch.name, liuma.Text{
		ZH: "实人认证凭证 JWT，绑定挑战值和本人（这是替身，什么也没有证明；真实部署由登记的认证机构签发）",
		EN: "evidence, bound to challenge and holder (a STAND-IN that proves nothing; a real provider signs it in earnest)",
	})
	p.Say(deviceWho, ch.name, liuma.Text{
		ZH: "密码在手机上用 HPKE 封装，渠道看不到；只能用于这一笔请求",
		EN: "the PIN is sealed on the device (HPKE), for this one request; the channel never sees it",
	})
	if err := refuseWeak(ctx, p, ch, h, a); err != nil {
		return err
	}
	v, err := ch.enroll(ctx, h, a, h.pin)
	if err != nil {
		return err
	}
	if v.State != "decided" || v.Code != "" || v.Card == "" {
		return want("a card", v.State+" "+v.Code)
	}
	h.handles[ch] = v.Card
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/cards：密码 " + h.pin, EN: "the PIN " + h.pin})
	p.Say(authorityWho, ch.name, liuma.Text{
		ZH: "已设置。卡在本渠道的代号 " + v.Card,
		EN: "set; the card's handle in this channel is " + v.Card,
	})
	return enrolTwice(ctx, p, ch, h)
}

// refuseWeak tries every weak PIN with the same challenge and evidence: a
// request that is refused before anything is stored uses up neither.
func refuseWeak(ctx context.Context, p *play, ch *channel, h *holder, a application) error {
	for _, w := range h.weakPINs() {
		_, err := ch.enroll(ctx, h, a, w.digits)
		problem, ok := errors.AsType[*client.Problem](err)
		if !ok || problem.Code != string(liuma.CodeWeakPIN) || problem.Reason != w.rule {
			return want(fmt.Sprintf("%s refused as weak_pin/%s", w.digits, w.rule), err)
		}
		p.row(liuma.Text{ZH: "  ✗ " + w.digits + " " + w.what.ZH, EN: "    " + w.what.EN},
			liuma.Text{ZH: problem.Code + "/" + problem.Reason + "：" + problem.DetailZH, EN: problem.DetailEN})
	}
	return nil
}

func enrolTwice(ctx context.Context, p *play, ch *channel, h *holder) error {
	a, err := p.stage.apply(ctx, ch, h)
	if err != nil {
		return err
	}
	_, err = ch.enroll(ctx, h, a, h.pin)
	if client.CodeOf(err) != string(liuma.CodeAlreadyEnrolled) {
		return want("already_enrolled", err)
	}
	p.Note(liuma.Text{ZH: "同一个人再申领一次：already_enrolled，请直接关联。", EN: "A second enrolment of the same holder: already_enrolled; link instead."})
	return nil
}

// sceneVerify verifies the PIN, wrong once and then right.
func sceneVerify(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.first
	if err := p.wrong(ctx, ch, h, attemptsBeforeLock-1); err != nil {
		return err
	}
	v, err := p.right(ctx, ch, h, purposeYears)
	if err != nil {
		return err
	}
	again, err := ch.client.Verification(ctx, v.BusinessNo)
	if err != nil {
		return err
	}
	if !again.Right() {
		return want("the same verdict by business number", again.Verdict)
	}
	p.Note(liuma.Text{
		ZH: "答复若在路上丢了，凭业务流水号 " + v.BusinessNo + " 还能查到同一个结论；同一流水号最多核验一次。",
		EN: "If the answer is lost, the business number brings it back; one number makes at most one attempt.",
	})
	return nil
}

// right verifies the holder's PIN and expects it to be right.
func (p *play) right(ctx context.Context, ch *channel, h *holder, purpose string) (*client.Verification, error) {
	v, err := ch.verify(ctx, h, h.pin, purpose)
	if err != nil {
		return nil, err
	}
	if !v.Right() || v.Receipt == "" || v.ReceiptEnd == nil {
		return nil, want("verdict right with a receipt", v.Verdict+" "+v.Code)
	}
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/verifications：" + h.pin + "，用途「" + purpose + "」", EN: "verify " + h.pin})
	p.Say(authorityWho, ch.name, liuma.Text{
		ZH: fmt.Sprintf("right 正确，附回执，%s 前有效", inChina(*v.ReceiptEnd).Format("15:04:05")),
		EN: "right, with a signed receipt that lives 60 seconds",
	})
	return v, nil
}

// wrong tries a wrong PIN and expects so many tries to be left.
func (p *play) wrong(ctx context.Context, ch *channel, h *holder, left int) error {
	guess := "000001"
	v, err := ch.verify(ctx, h, guess, purposeYears)
	if err != nil {
		return err
	}
	if v.Verdict != string(liuma.Wrong) || v.TriesLeft == nil || *v.TriesLeft != left {
		return want(fmt.Sprintf("verdict wrong with %d left", left), describe(v))
	}
	p.Say(ch.name, authorityWho, liuma.Text{
		ZH: fmt.Sprintf("POST /v1/verifications：%s → wrong 不正确，还可再试 %d 次", guess, left),
		EN: fmt.Sprintf("verify %s: wrong, %s left", guess, tries(left)),
	})
	return nil
}

func describe(v *client.Verification) string {
	s := v.State + " " + v.Verdict + " " + v.Code
	if v.TriesLeft != nil {
		s += fmt.Sprintf(" (%d left)", *v.TriesLeft)
	}
	return s
}

// sceneLink brings the card into the second channel by the same PIN.
func sceneLink(ctx context.Context, p *play) error {
	ch, h := p.stage.regional, p.cast.first
	_, err := ch.link(ctx, h, "000001")
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok || problem.Code != string(liuma.CodeRefused) || problem.TriesLeft != nil || problem.Until != nil {
		return want("the one refusal", err)
	}
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/links：姓名、身份证号和 000001", EN: "name, ID number and 000001"})
	p.Say(authorityWho, ch.name, liuma.Text{
		ZH: "refused。没有关联过的渠道不知道原因：错了、没申领、锁定，答复都一样",
		EN: "refused; without a link a channel never learns why: wrong, unknown and locked look the same",
	})
	v, err := ch.link(ctx, h, h.pin)
	if err != nil {
		return err
	}
	if !v.Right() || v.Card == "" {
		return want("a link", describe(v))
	}
	h.handles[ch] = v.Card
	if v.Card == h.handles[p.stage.national] {
		return want("another handle than in the first channel", "the same")
	}
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/links：姓名、身份证号和 " + h.pin, EN: "name, ID number and " + h.pin})
	p.Say(authorityWho, ch.name, liuma.Text{
		ZH: "right 已关联。代号 " + v.Card + "，与国家平台的不同：两个渠道无法比对持卡人",
		EN: "right, linked; the handle differs from the platform's, so channels cannot compare holders",
	})
	_, err = p.right(ctx, ch, h, purposeCredit)
	return err
}

// sceneLock types wrong PINs in both channels until the card is locked, and
// then the right one in both.
func sceneLock(ctx context.Context, p *play) error {
	h := p.cast.first
	both := []*channel{p.stage.national, p.stage.regional}
	start := p.stage.clock.Now()
	// The second channel's link is new, so two of the six are kept from it.
	for i, left := range []int{attemptsBeforeLock - 1, 3, 3, 2, 1, 0} {
		if err := p.wrong(ctx, both[i%2], h, left); err != nil {
			return err
		}
	}
	p.Note(liuma.Text{
		ZH: "两个渠道的错误次数算在一起：一张卡一个计数；其中两次只留给老关联。",
		EN: "Both channels' tries count together: one card, one counter; two of the six are kept for known links.",
	})
	for _, ch := range both {
		v, err := ch.verify(ctx, h, h.pin, purposeYears)
		if err != nil {
			return err
		}
		if v.Verdict != string(liuma.Locked) || v.Until == nil || v.Receipt != "" {
			return want("the right PIN locked out", describe(v))
		}
		if off := v.Until.Sub(start.Add(lockLasts)); off < -time.Minute || off > time.Minute {
			return want("a lock of 24 hours", v.Until)
		}
		until := inChina(*v.Until).Format("2006-01-02 15:04:05")
		p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/verifications：" + h.pin + "（这是对的）", EN: "verify " + h.pin + " (the right one)"})
		p.Say(authorityWho, ch.name, liuma.Text{
			ZH: "locked 已锁定，" + until + " 自动解除；对的也不收",
			EN: "locked until " + until + "; the right PIN is refused too",
		})
	}
	p.Note(liuma.Text{ZH: "实体社保卡的密码不受影响。", EN: "The physical card's own PIN is not affected."})
	return nil
}

// sceneChange changes another holder's PIN: it holds in both channels at once.
func sceneChange(ctx context.Context, p *play) error {
	first, second, h := p.stage.national, p.stage.regional, p.cast.second
	if err := p.settle(ctx, h); err != nil {
		return err
	}
	fresh, err := goodPIN(h, 77, h.pin)
	if err != nil {
		return err
	}
	_, err = first.change(ctx, h, h.pin, h.birthday())
	if client.CodeOf(err) != string(liuma.CodeWeakPIN) {
		return want("a weak new PIN refused", err)
	}
	v, err := first.change(ctx, h, h.pin, fresh)
	if err != nil {
		return err
	}
	if !v.Right() {
		return want("the PIN changed", describe(v))
	}
	p.Say(first.name, authorityWho, liuma.Text{ZH: "POST /v1/pin-changes：旧 " + h.pin + "，新 " + fresh, EN: "from " + h.pin + " to " + fresh})
	p.Say(authorityWho, first.name, liuma.Text{ZH: "right 已修改", EN: "right, changed"})
	old := h.pin
	h.pin = fresh
	v, err = second.verify(ctx, h, old, purposeYears)
	if err != nil {
		return err
	}
	if v.Verdict != string(liuma.Wrong) {
		return want("the old PIN wrong in the other channel", describe(v))
	}
	p.Say(second.name, authorityWho, liuma.Text{ZH: "POST /v1/verifications：" + old + "（旧密码）", EN: "verify " + old + " (the old one)"})
	p.Say(authorityWho, second.name, liuma.Text{ZH: "wrong 不正确：所有渠道同时生效", EN: "wrong: the change holds in every channel at once"})
	_, err = p.right(ctx, second, h, purposeYears)
	return err
}

// settle enrols a holder and links the second channel, in short.
func (p *play) settle(ctx context.Context, h *holder) error {
	first, second := p.stage.national, p.stage.regional
	a, err := p.stage.apply(ctx, first, h)
	if err != nil {
		return err
	}
	v, err := first.enroll(ctx, h, a, h.pin)
	if err != nil {
		return err
	}
	h.handles[first] = v.Card
	if v, err = second.link(ctx, h, h.pin); err != nil {
		return err
	}
	if !v.Right() {
		return want("a link", describe(v))
	}
	h.handles[second] = v.Card
	p.Say(holderWho, authorityWho, liuma.Text{
		ZH: h.masked() + " 申领并设置密码 " + h.pin + "，两个渠道都已关联",
		EN: "another holder enrols with the PIN " + h.pin + " and links both channels",
	})
	return nil
}

// sceneReceipt checks a receipt offline, for the right thing and for another,
// and redeems it once.
func sceneReceipt(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.second
	v, err := p.right(ctx, ch, h, purposeYears)
	if err != nil {
		return err
	}
	about := client.Want{BusinessNo: v.BusinessNo, Card: h.handles[ch], Purpose: purposeYears, Action: client.Verify}
	receipt, err := ch.client.CheckReceipt(ctx, v.Receipt, about)
	if err != nil {
		return err
	}
	p.Do(ch.name, liuma.Text{
		ZH: fmt.Sprintf("用 SDK 离线核对：签名、渠道、卡、流水号、用途都对（%s）", receipt.ACR),
		EN: "checks the receipt with the SDK, offline: signature, channel, card, number and purpose fit",
	})
	about.Purpose = purposeCredit
	if _, err := ch.client.CheckReceipt(ctx, v.Receipt, about); !errors.Is(err, client.ErrReceipt) {
		return want("the receipt refused for another purpose", err)
	}
	p.Do(ch.name, liuma.Text{ZH: "拿它去办「" + purposeCredit + "」：不收，用途不符", EN: "tries it for another purpose: refused"})
	redeemed, err := ch.client.Redeem(ctx, v.Receipt)
	if err != nil {
		return err
	}
	if !redeemed.Redeemed {
		return want("the receipt redeemed", describe(redeemed))
	}
	p.Say(ch.name, authorityWho, liuma.Text{ZH: "POST /v1/redemptions：兑付", EN: "redeems it"})
	p.Say(authorityWho, ch.name, liuma.Text{ZH: "已兑付，状态和密码自核验以来没有变", EN: "redeemed; standing and PIN are what they were at the verdict"})
	_, err = ch.client.Redeem(ctx, v.Receipt)
	if client.CodeOf(err) != string(liuma.CodeReceiptSpent) {
		return want("the second redemption refused", err)
	}
	p.Say(authorityWho, ch.name, liuma.Text{ZH: "第二次：receipt_spent，一份回执只用一次", EN: "a second time: receipt_spent; a receipt serves once"})
	return nil
}

// inChina formats a time as texts and pages do, in China's time zone, wherever
// the demo runs.
func inChina(t time.Time) time.Time { return t.In(time.FixedZone("China", 8*60*60)) }
