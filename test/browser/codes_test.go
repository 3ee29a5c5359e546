package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// codeStep brings a holder with a card to the step that takes a one-time code.
func codeStep(t *testing.T) (*stage, *actor) {
	t.Helper()
	s := newStage(t)
	a := s.actor("wang", provincial, phone(), "zh-CN")
	a.applies(rightPIN)
	s.wait(phoneHold)
	a.goTo(provincial)
	a.starts("reset")
	a.presses("agree")
	a.sees("先收一条验证码")
	return s, a
}

// TestCodesUntilNoMore: after five wrong ones no more are taken, in this or
// another ceremony, even if new ones were sent in between.
func TestCodesUntilNoMore(t *testing.T) {
	t.Parallel()
	s, a := codeStep(t)
	right := a.asks(a.me.Phone)
	a.waits(`document.querySelector("button[data-ready]").disabled`) // none within a minute
	a.gives("code", "12345")
	a.sees("验证码应为 6 位数字", "不计入输错次数")
	for left := 4; left > 2; left-- {
		a.gives("code", other(right))
		a.sees("验证码不正确", fmt.Sprintf("还可试 %d 次", left))
	}
	s.wait(minute)
	a.do(chromedp.Reload())
	a.sees("重新获取验证码")
	again := a.asks(a.me.Phone)
	if again != right {
		a.gives("code", right) // the first one is void, and a wrong one it is not
		a.sees("上一条短信", "不计入错误次数")
	}
	for left := 2; left > 0; left-- {
		a.gives("code", other(again))
		a.sees("验证码不正确", fmt.Sprintf("还可试 %d 次", left))
	}
	a.gives("code", other(again))
	a.sees("验证码输错次数太多了", "可以这样办：到柜台")
	if evaluate[bool](a.tab, `!!document.querySelector("[name=code], form[action$='/send-code']")`) {
		t.Error("the page still takes codes")
	}
	a.goTo(provincial)
	a.starts("reset")
	a.presses("agree")
	a.sees("验证码输错次数太多了")
	a.leaks(rightPIN)
}

// TestCodeTooOld is not judged and costs nothing.
func TestCodeTooOld(t *testing.T) {
	t.Parallel()
	s, a := codeStep(t)
	old := a.asks(a.me.Phone)
	s.wait(11 * time.Minute)
	a.gives("code", old)
	a.sees("验证码尚未发送、已使用或已过期")
	a.proves(a.me.Phone)
	a.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// TestCodeReloadAndBack: reload sends nothing again and loses nothing, and the
// back button finds the step that it is at.
func TestCodeReloadAndBack(t *testing.T) {
	t.Parallel()
	s, a := codeStep(t)
	a.do(chromedp.Reload())
	a.sees("先收一条验证码")
	code := a.asks(a.me.Phone)
	texts := len(s.env.Inbox.Texts(a.me.Phone))
	a.sees("请输入短信验证码")
	a.do(chromedp.Reload())
	a.sees("请输入短信验证码")
	a.back()
	a.sees("请输入短信验证码")
	if n := len(s.env.Inbox.Texts(a.me.Phone)); n != texts {
		t.Errorf("%d texts after reload and back, %d before", n, texts)
	}
	a.gives("code", other(code))
	a.sees("验证码不正确", "还可试 4 次")
	a.do(chromedp.Reload())
	a.sees("还可试 4 次")
	a.gives("code", code)
	a.sees("请证明是您本人")
	a.back()
	a.sees("请证明是您本人")
	a.do(chromedp.Reload())
	a.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// TestCodeTwice: a code that is posted twice by one press counts once, wrong or
// right.
func TestCodeTwice(t *testing.T) {
	t.Parallel()
	_, a := codeStep(t)
	code := a.asks(a.me.Phone)
	a.sees("请输入短信验证码")
	address := evaluate[string](a.tab, `document.querySelector("form[action$='/code']").action`)
	post := func() {
		evaluate[chromedp.Void](a.tab, fmt.Sprintf(`Promise.all([1, 2].map(() => fetch(%q, {method: "POST",
			headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "code=%s"})))`, address, code))
	}
	post()
	a.do(chromedp.Reload())
	a.sees("请证明是您本人")
	post() // and the second comes late
	a.do(chromedp.Reload())
	a.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// TestCodeDoublePress: the button takes one press.
func TestCodeDoublePress(t *testing.T) {
	t.Parallel()
	_, a := codeStep(t)
	code := a.asks(a.me.Phone)
	before := len(a.posts("/code"))
	a.fills(`form[action$="/code"] [name=code]`, other(code))
	evaluate[chromedp.Void](a.tab, `(() => { const b = document.querySelector("form[action$='/code'] button"); b.click(); b.click(); })()`)
	a.sees("验证码不正确", "还可试 4 次")
	if n := len(a.posts("/code")) - before; n != 1 {
		t.Errorf("%d posts of one press", n)
	}
	a.gives("code", code)
	a.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// TestCodeInTwoTabs of one browser: the tab that is behind catches up.
func TestCodeInTwoTabs(t *testing.T) {
	t.Parallel()
	_, a := codeStep(t)
	at := a.address()
	ctx, cancel := chromedp.NewContext(a.ctx)
	defer cancel()
	second := &actor{tab: &tab{t: t, ctx: ctx}, s: a.s, me: a.me}
	second.do()
	call(second.tab, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "zh-CN"}})
	second.open(at)
	second.sees("先收一条验证码")
	code := a.asks(a.me.Phone)
	second.do(chromedp.Reload())
	second.sees("请输入短信验证码")
	a.gives("code", code)
	a.sees("请证明是您本人")
	second.gives("code", code) // this tab is behind: the code was given already
	second.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// TestCodeInAnotherBrowser: an app that was killed comes back under a new push,
// without cookies, and asks for a one-time code of its own; proofs of the old
// browser do not count in the new one.
func TestCodeInAnotherBrowser(t *testing.T) {
	t.Parallel()
	s, a := codeStep(t)
	a.proves(a.me.Phone)
	a.sees("请证明是您本人")
	at := a.address()
	b := s.actor("wang", provincial, phone(), "zh-CN")
	b.open(at)
	b.sees("请到另一个页面继续")
	b.goTo(provincial)
	b.starts("reset")
	b.presses("agree")
	b.sees("验证码")
	if evaluate[bool](b.tab, `!!document.querySelector("[data-pad]")`) {
		t.Error("a new browser is past the code")
	}
	b.leaks(rightPIN)
}
