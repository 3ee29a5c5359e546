package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma/internal/notify"
)

// TestNewcomer is the first quarter of an hour of 王奶奶: she applies for the card
// with a look into the camera and a one-time code, queries her contribution
// years behind the PIN, links the card in the nation's app, and gets the PIN wrong
// there until it locks. The app in which she applied is known and goes on; after
// two wrong ones there too, the PIN is locked in both.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("wang", provincial, phone(), "zh-CN")
	a.starts("enroll")
	a.looks()
	a.sees("请核对，这是您本人吗？", "王*珍", "138****0019", "浙里社保·虚构")
	a.presses("agree")
	a.sees("先收一条验证码", "138****0019")
	a.proves(a.me.Phone)
	a.chooses(rightPIN)
	a.sees("申领成功", "王*珍", "电子社保卡")
	if s.told(a.me.Phone, notify.PINSet) == "" {
		t.Error("the notice has no freeze code")
	}
	a.returns()
	a.sees("申领成功", "本应用从没见过它")
	a.press("返回首页")
	a.click(`//a[contains(@class, "card-face")]`)
	a.sees("我的电子社保卡", "王奶奶")

	a.goTo(provincial)
	a.starts("verify")
	a.sees("浙里社保·虚构", purpose, "王*珍")
	a.keypad(rightPIN)
	a.sees("社保缴费年限", "密码核验通过")

	a.goTo(national)
	a.starts("link")
	a.presses("agree")
	a.keypad(rightPIN)
	a.sees("关联成功")
	a.returns()
	a.sees("关联成功", "同一个密码")

	a.goTo(national)
	a.starts("verify")
	a.wrongUntilLocked(4) // a new link is a stranger
	a.sees("密码已锁定", "其他应用", "关联满三天的应用可能还能用")
	s.told(a.me.Phone, notify.StrangersLocked)
	a.goTo(provincial)
	a.starts("verify")
	a.keypad(rightPIN)
	a.sees("密码核验通过")
	a.goTo(national)
	a.starts("verify")
	a.gets(rightPIN, "密码已锁定") // and not a word of whether it was right
	a.returns()
	a.sees("密码已锁定", "关联满三天的应用可能还能用")

	a.goTo(provincial)
	a.starts("verify")
	a.wrongUntilLocked(2)
	a.sees("密码已锁定")
	a.goTo(provincial)
	a.starts("verify")
	a.gets(rightPIN, "密码已锁定")
	a.returns()
	a.sees("密码已锁定")
	s.told(a.me.Phone, notify.PINLocked)
	a.leaks(rightPIN, wrongPIN)
}

// wrongUntilLocked enters the wrong PIN, which must be asked for so often and no
// more.
func (a *actor) wrongUntilLocked(times int) {
	a.t.Helper()
	for range times {
		a.ready()
		before := evaluate[string](a.tab, `document.querySelector("[name=try]").value`)
		a.keypad(wrongPIN)
		a.waits(`!document.querySelector("[name=try]") ? document.readyState === "complete" && !!document.querySelector("main") : document.querySelector("[name=try]").value !== ` + `"` + before + `"`)
	}
	a.settled()
	if evaluate[bool](a.tab, `!!document.querySelector("[data-pad]")`) {
		a.t.Fatalf("after %d wrong PINs there is still a pad\n%s", times, a.text())
	}
}

// gets waits for words that a page has by itself or, where it asks for the PIN
// first, after this one.
func (a *actor) gets(pin, words string) {
	a.t.Helper()
	a.waits(fmt.Sprintf(`location.href.startsWith(%q) && document.readyState === "complete"`, a.s.url+"/c/"))
	a.settled()
	if evaluate[bool](a.tab, `!!document.querySelector("[data-pad]")`) {
		a.keypad(pin)
	}
	a.sees(words)
}

// TestNewcomerInEnglish applies in English, at a computer, with a keyboard and
// no pointer on any page of the authority's.
func TestNewcomerInEnglish(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("li", provincial, desktop(), "en")
	a.starts("enroll")
	a.looks()
	a.sees("Is this you?")
	a.enters("agree")
	a.sees("First, get a code")
	before := len(s.env.Inbox.Texts(a.me.Phone))
	a.enters("send-code")
	code := s.text(a.me.Phone, before+1).Params["code"]
	a.codes = append(a.codes, code)
	a.sees("Code (six digits)")
	a.tabTo(`document.activeElement.name === "code"`)
	a.typed(code + "\r")
	a.sees("Choose a 6-digit PIN")
	a.ready()
	a.typed(rightPIN)
	a.sees("Enter the new PIN again")
	a.typed(rightPIN)
	a.sees("Both entries are the same")
	a.typed("\r")
	a.sees("Your electronic card is ready")
	a.tabTo(`(document.activeElement.getAttribute("href") || "").endsWith("/return")`)
	a.typed("\r")
	a.sees("You have your electronic card")
	a.leaks(rightPIN)
}

// enters moves to a button by the Tab key and presses it by the Enter key.
func (a *actor) enters(verb string) {
	a.t.Helper()
	a.waits(`!!document.querySelector("form[action$='/` + verb + `'] button")`)
	a.tabTo(`!!document.activeElement.closest("form[action$='/` + verb + `']")`)
	a.typed("\r")
}

// tabTo presses the Tab key until a script says that the focus is there.
func (b *tab) tabTo(there string) {
	b.t.Helper()
	for range 40 {
		if evaluate[bool](b, there) {
			return
		}
		b.typed("\t")
	}
	b.t.Fatalf("the Tab key never reaches %s\nat %s\n%s", there, b.address(), b.text())
}

// TestChangeAtChannel changes the PIN: old, new, new again, effective in both
// channels.
func TestChangeAtChannel(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.actor("chen", provincial, phone(), "zh-CN")
	a.applies(rightPIN)
	a.goTo(provincial)
	a.starts("change")
	a.sees("请输入现在的密码")
	a.keypad(rightPIN)
	a.sees("请设置 6 位新密码")
	a.chooses(otherPIN)
	a.sees("密码已修改")
	a.returns()
	a.sees("密码已修改")
	a.goTo(national)
	a.starts("link")
	a.presses("agree")
	a.keypad(rightPIN)
	a.sees("未能通过核验")
	a.keypad(otherPIN)
	a.sees("关联成功")
	s.told(a.me.Phone, notify.PINChanged)
	a.do(chromedp.Reload())
	a.sees("关联成功")
	a.leaks(rightPIN, otherPIN)
}
