package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma/internal/notify"
)

// phoneHold is how long a phone that replaced another one sets no PIN anew, and a
// little more.
const phoneHold = 73 * time.Hour

// minute is the waiting time between two one-time codes to a number, and a
// little more.
const minute = 61 * time.Second

// TestForgotten: 王奶奶 has forgotten her PIN on the first day and tries until it
// locks. After a one-time code, a look into the camera and a new PIN twice, the
// new PIN is right and unlocked in every channel, and the old one is wrong. Her
// other link is a stranger after that and has fewer tries, until it gives the new
// PIN.
func TestForgotten(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, phone(), "zh-CN")
	a.appliesInBoth(rightPIN)
	s.wait(minute) // since the last one-time code to this number
	a.goTo(provincial)
	a.starts("verify")
	a.wrongUntilLocked(6)
	a.sees("密码已锁定", "找回密码，马上解锁", "也可以到柜台办理", "本人有效证件原件")
	a.presses("forgot")
	a.sees("先收一条验证码", "138****0019")
	right := a.asks(a.me.Phone)
	a.gives("code", other(right))
	a.sees("验证码不正确", "还可试 4 次")
	a.gives("code", right)
	a.sees("请证明是您本人", "单凭手机不能改密码", "不方便刷脸？到柜台办理")
	a.returns()
	a.looks()
	a.sees("请设置 6 位新密码")
	a.chooses(otherPIN)
	a.sees("新密码已设好")
	a.returns()
	s.told(a.me.Phone, notify.PINReset)
	a.goTo(provincial)
	a.starts("verify")
	a.keypad(otherPIN)
	a.sees("密码核验通过")
	a.goTo(national)
	a.starts("verify")
	a.keypad(rightPIN)
	a.sees("密码不正确", "还可试 3 次")
	a.keypad(otherPIN)
	a.sees("密码核验通过")
	a.leaks(rightPIN, otherPIN, wrongPIN)
}

// other is a different one-time code.
func other(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return string(code[0]+1) + code[1:]
}

// TestForgottenInEnglish changes her phone, forgets the PIN too early after that,
// and comes back three days later: she turns from the pad, remembers, forgets
// again, and finishes the act that she came for.
func TestForgottenInEnglish(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("li", provincial, phone(), "en")
	a.applies(rightPIN)
	a.goTo(provincial)
	a.starts("rebind")
	a.presses("agree")
	a.keypad(rightPIN)
	a.sees("Show that it is you")
	a.returns()
	a.looks()
	a.gives("phone", newPhone)
	a.proves(newPhone)
	a.sees("The bound phone was changed")
	a.returns()
	a.goTo(provincial)
	a.starts("verify")
	a.ready()
	a.press("Why it cannot be recovered online, and what to do") // too early
	a.sees("The PIN cannot be recovered online now", "go to a counter")
	s.wait(phoneHold)
	a.goTo(provincial)
	a.starts("verify")
	a.sees("Forgot the PIN? Set a new one")
	a.presses("forgot")
	a.sees("First, get a code")
	a.presses("remember")
	a.ready()
	a.presses("forgot")
	a.proves(newPhone)
	a.sees("Show that it is you", "A phone alone cannot change the PIN")
	a.returns()
	a.looks()
	a.chooses(otherPIN)
	a.sees("The new PIN is set: enter it once more")
	a.keypad(otherPIN)
	a.sees("Verified by PIN")
	a.leaks(rightPIN, otherPIN)
}

// TestThiefWithSIM: a thief who reads her messages and is in her account cannot
// set a PIN anywhere.
func TestThiefWithSIM(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	wang := s.actor("wang", provincial, phone(), "zh-CN")
	wang.applies(rightPIN)
	s.wait(phoneHold)
	thief := s.actor("thief", provincial, phone(), "zh-CN")
	thief.starts("reset")
	thief.presses("agree")
	thief.proves(wang.me.Phone)
	thief.sees("请证明是您本人", "单凭手机不能改密码")
	thief.returns()
	thief.looks()
	thief.sees("镜头前不是本人")
	// Nor by trying the step that comes next, or by asking again.
	thief.goTo(provincial)
	thief.press("继续办理")
	thief.looks()
	thief.sees("镜头前不是本人")
	if thief.at(s.url) || evaluate[bool](thief.tab, `!!document.querySelector("[data-pad]")`) {
		t.Errorf("the thief has a pad before him at %s", thief.address())
	}
	// Nor by rebinding, which wants the PIN first.
	thief.goTo(provincial)
	thief.starts("rebind")
	thief.presses("agree")
	thief.keypad(wrongPIN)
	thief.sees("密码不正确")
	wang.goTo(provincial)
	wang.starts("verify")
	wang.keypad(rightPIN)
	wang.sees("密码核验通过")
	for _, r := range s.env.Inbox.Texts(wang.me.Phone) {
		if r.Template == notify.PINReset || r.Template == notify.PhoneChangedOld {
			t.Errorf("a notice of %s", r.Template)
		}
	}
	thief.leaks(wrongPIN)
	wang.leaks(rightPIN)
}

const newPhone = "13712345678"

// TestRebind: PIN, evidence and a one-time code to the new number, which gets
// the codes from then on; the old number gets a notice, and for 72 hours no
// reset is allowed.
func TestRebind(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("chen", provincial, phone(), "zh-CN")
	a.applies(rightPIN)
	s.wait(phoneHold)
	a.goTo(provincial)
	a.starts("rebind")
	a.sees("更换绑定手机")
	a.presses("agree")
	a.keypad(rightPIN)
	a.sees("请证明是您本人")
	a.returns()
	a.looks()
	a.sees("请输入新手机号")
	a.gives("phone", "1371234")
	a.sees("手机号码不正确")
	a.gives("phone", a.me.Phone)
	a.sees("就是现在绑定的手机号")
	a.gives("phone", newPhone)
	a.sees("137****5678")
	a.proves(newPhone)
	a.sees("绑定手机已更换")
	if s.told(a.me.Phone, notify.PhoneChangedOld) == "" || s.told(newPhone, notify.PhoneChangedNew) == "" {
		t.Error("a notice without a freeze code")
	}
	a.returns()
	a.sees("手机已换绑")
	a.goTo(provincial)
	a.starts("verify")
	a.press("不能在线找回密码：看原因和办法")
	a.sees("现在不能在线找回密码", "到柜台")
	a.leaks(rightPIN)
	a.cleanOf(newPhone, "/phone")
}

// cleanOf looks that a number was typed at one place and went nowhere else.
func (a *actor) cleanOf(number, place string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if strings.Contains(r.url, number) || strings.Contains(r.body, number) && !strings.HasSuffix(r.url, place) {
			a.t.Errorf("%s went to %s", number, r.url)
		}
	}
}

// TestFreezeOnPage: a holder who suspects a fraud freezes the card on the page,
// and it is frozen in every channel; PIN and one-time code unfreeze it.
func TestFreezeOnPage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, phone(), "zh-CN")
	a.appliesInBoth(rightPIN)
	a.goTo(provincial)
	a.starts("change")
	a.ready()
	a.press("不是您本人在办？冻结这张卡")
	a.sees("要冻结这张电子社保卡吗", "马上停用")
	a.press("先不冻结")
	a.ready()
	a.press("不是您本人在办？冻结这张卡")
	a.presses("freeze")
	a.sees("已冻结")
	s.told(a.me.Phone, notify.CardFrozen)
	a.goTo(national)
	a.starts("verify")
	a.gets(rightPIN, "电子社保卡已冻结")
	a.returns()
	s.wait(minute) // since the last one-time code to this number
	a.press("解冻")
	a.sees("解冻电子社保卡")
	a.presses("agree")
	a.proves(a.me.Phone)
	a.keypad(rightPIN)
	a.sees("已解冻，可以使用了")
	a.returns()
	a.sees("已解冻")
	s.told(a.me.Phone, notify.CardUnfrozen)
	a.goTo(provincial)
	a.starts("verify")
	a.keypad(rightPIN)
	a.sees("密码核验通过")
	a.leaks(rightPIN)
}

// TestFreezeByCode: with a freeze code, on the official page, without log-in,
// in both languages; an unknown and a used freeze code get the same answer.
func TestFreezeByCode(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("li", provincial, phone(), "zh-CN")
	a.applies(rightPIN)
	freezeCode := s.told(a.me.Phone, notify.PINSet)
	a.codes = append(a.codes, freezeCode, strings.ReplaceAll(freezeCode, " ", ""))
	stranger := &actor{tab: newTab(t, phone(), "en"), s: s, me: a.me, codes: a.codes} // no cookie, no log-in
	stranger.open(s.url + "/")
	stranger.sees("official page", "12333")
	stranger.press("Freeze the card")
	stranger.sees("Freeze the electronic card with a freeze code", "No log-in is needed")
	enter := func(code string) {
		stranger.fills(`form[action="/freeze"] [name=code]`, code)
		stranger.click(`//form[@action="/freeze"]//button`)
	}
	enter("ABCDEFGH")
	stranger.sees("This freeze code is unknown, used or too old")
	enter(strings.ToLower(freezeCode[:4]) + " " + freezeCode[4:])
	stranger.sees("It cannot be used in any channel now", "How to use it again")
	stranger.do(chromedp.Reload())
	stranger.sees("It cannot be used in any channel now")
	if text := stranger.text(); strings.Contains(text, a.me.Name) || strings.Contains(text, a.me.IDNumber) {
		t.Errorf("the page tells a stranger whose card it is:\n%s", text)
	}
	s.told(a.me.Phone, notify.CardFrozen)
	a.goTo(provincial)
	a.starts("verify")
	a.gets(rightPIN, "电子社保卡已冻结")
	stranger.press("Freeze another card")
	enter(freezeCode) // a second press shows the result of the first
	stranger.sees("It cannot be used in any channel now")
	a.returns()
	s.wait(minute) // since the last one-time code to this number
	a.press("解冻")
	a.presses("agree")
	a.proves(a.me.Phone)
	a.keypad(rightPIN)
	a.sees("已解冻，可以使用了")
	stranger.press("Freeze another card")
	enter(freezeCode)
	stranger.sees("This freeze code is unknown, used or too old")
	stranger.press("中文")
	stranger.sees("用冻结码冻结电子社保卡", "没有冻结码？")
	a.goTo(provincial)
	a.starts("verify")
	a.keypad(rightPIN)
	a.sees("密码核验通过")
	stranger.codes = append(stranger.codes, strings.ToLower(freezeCode))
	stranger.leaks(rightPIN)
	a.leaks(rightPIN)
}

// TestAStrangerLocksNobodyOut: somebody who knows her name and ID number enters
// wrong PINs in another channel. She goes on in her own, as before.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, phone(), "zh-CN")
	a.applies(rightPIN)
	s.wait(minute)
	a.goTo(provincial)
	a.starts("verify")
	a.ready()
	a.press("更多")
	a.click(`//label[contains(., "验证后先停在这里")]`)
	a.keypad(rightPIN)
	a.sees("验证通过", "还可以设置")
	a.presses("every-use")
	a.sees("已开启")
	a.returns()
	a.sees("密码核验通过")

	stranger := s.actor("wang", national, phone(), "zh-CN")
	stranger.starts("link")
	stranger.presses("agree")
	for range 5 {
		stranger.keypad(wrongPIN)
		stranger.sees("未能通过核验")
		stranger.waits(`document.readyState === "complete" && !!document.querySelector("[data-pad]")`)
	}
	a.goTo(provincial)
	a.starts("verify")
	a.keypad(rightPIN)
	a.sees("密码核验通过")
	s.told(a.me.Phone, notify.EveryUse)
	a.leaks(rightPIN)
	stranger.leaks(wrongPIN)
}
