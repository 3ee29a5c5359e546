package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
)

// TestACodeByCall: who got no text finds the page for it, has the code read out
// by a call, and goes on with what it said.
func TestACodeByCall(t *testing.T) {
	t.Parallel()
	s, a := codeStep(t)
	a.asks(a.me.Phone)
	a.follows("ask=no-code")
	a.sees("没有收到短信", "垃圾短信", "打电话念给您听", "也可以到柜台办理")
	call := formTo("send-code") + `[input[@name="way" and @value="voice"]]//button`
	a.waits(`document.querySelector("input[value=voice] + button").disabled`) // none within a minute
	s.wait(minute)
	a.do(chromedp.Reload())
	a.sees("接听语音电话")
	texts := len(s.env.Inbox.Texts(a.me.Phone))
	a.click(call)
	a.sees("请输入电话里念的验证码", "已拨打")
	heard := s.text(a.me.Phone, texts+1)
	if heard.Way != liuma.ByVoice || !strings.Contains(heard.Body, "再念一遍") {
		t.Fatalf("what the phone heard: %q %q", heard.Way, heard.Body)
	}
	a.codes = append(a.codes, heard.Params["code"])
	a.follows("ask=no-code")
	a.sees("没有接到电话", "未接来电", "收到了，去输入验证码")
	a.click(`//a[contains(@class, "btn-primary")]`)
	a.sees("请输入电话里念的验证码")
	a.gives("code", heard.Params["code"])
	a.sees("请证明是您本人")
	a.leaks(rightPIN)
}

// follows follows the link to a page that the ceremony's address names.
func (a *actor) follows(ask string) {
	a.t.Helper()
	a.click(`//a[contains(@href, "?` + ask + `")]`)
}
