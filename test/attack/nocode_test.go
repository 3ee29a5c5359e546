package attack

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// noCodePage goes from a reset's code step to the page for who got no code.
func (w *world) noCodePage(v *visitor.Visitor) *visitor.Page {
	w.t.Helper()
	p := w.do(w.opened(v, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
	w.Clock.Advance(time.Minute)
	p, err := w.do(p, "send-code").Follow(context.Background(), "ask=no-code")
	return must(w.t, p, err)
}

// says checks the words of a page.
func says(t *testing.T, p *visitor.Page, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(p.Text(), s) {
			t.Errorf("the page does not say %q:\n%s", s, p.Text())
		}
	}
}

// TestACodeByCall: who got no text has the code read out, and goes on with it.
// The text's code is void then.
func TestACodeByCall(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Inbox: true})
	p := w.noCodePage(w.browser())
	byText := w.LastCode(w.who.Phone)
	says(t, p, "没有收到短信", registry.MaskPhone(w.who.Phone), "拦截短信", "接听语音电话", "到柜台")
	w.Clock.Advance(time.Minute)
	p = w.do(p, "send-code", "way", "voice")
	says(t, p, "请输入电话里念的验证码")
	w.Sent()
	all := w.Inbox.Texts(w.who.Phone)
	call := all[len(all)-1]
	code := call.Params["code"]
	if call.Way != liuma.ByVoice || strings.Count(call.Body, strings.Join(strings.Split(code, ""), "，")) != 2 {
		t.Fatalf("what the phone heard: %s %q", call.Way, call.Body)
	}
	if byText != code {
		says(t, w.do(p, "code", "code", byText), "不计入错误次数")
	}
	says(t, w.do(p, "code", "code", code), "请证明是您本人")
}

// TestTheHelpPageWithoutCookies: the page is reached, and a call is asked for,
// in a web view that keeps no cookies.
func TestTheHelpPageWithoutCookies(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Inbox: true})
	v, err := visitor.New(visitor.Config{Transport: w.net, Now: w.Clock.Now, NoCookies: true})
	must(t, v, err)
	p := w.do(w.opened(v, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree")
	w.Clock.Advance(time.Minute)
	p = w.do(p, "send-code")
	help, ok := helpForm(p)
	if !ok {
		t.Fatalf("no way to help:\n%s", p.Body())
	}
	p, err = v.Post(context.Background(), help.Action.String(), help.Fields)
	must(t, p, err)
	says(t, p, "没有收到短信", "接听语音电话")
	w.Clock.Advance(time.Minute)
	says(t, w.do(p, "send-code", "way", "voice"), "请输入电话里念的验证码")
}

// helpForm is the form that leads to the page for who got no code.
func helpForm(p *visitor.Page) (visitor.Form, bool) {
	for _, f := range p.Forms() {
		if strings.HasSuffix(f.Action.RawQuery, "ask=no-code") {
			return f, true
		}
	}
	return visitor.Form{}, false
}

// silent is a gateway that places no calls.
type silent struct{ inbox *notify.Inbox }

func (s silent) Send(ctx context.Context, t notify.Text) (string, error) { return s.inbox.Send(ctx, t) }

// TestNoCallWithoutVoice: a gateway that places no calls is not offered for one,
// and who asks all the same gets none, nor has a ration spent.
func TestNoCallWithoutVoice(t *testing.T) {
	inbox := notify.NewInbox(time.Now)
	w := &world{t: t, net: &network{hosts: map[string]http.Handler{}}, Env: testkit.New(t, testkit.Options{Texts: silent{inbox},
		Configure: func(c *config.Config) { c.Issuer, c.Hosted.Listen = hosted, "127.0.0.1:0" }})}
	w.net.add(hosted, w.System.Hosted.Handler)
	w.net.add(native, w.System.Door.Handler)
	w.home = w.channel("home-app")
	f := w.People[0]
	q := w.home.proved(request{action: liuma.ActionEnroll, about: &f, bn: w.number()}, f)
	v := w.browser()
	p := w.do(w.enter(v, w.home.pushed(q)), "agree")
	help, err := p.Follow(context.Background(), "ask=no-code")
	must(t, help, err)
	says(t, help, "收不到短信怎么办", "获取验证码")
	if strings.Contains(help.Text(), "电话念") || strings.Contains(help.Body(), `value="voice"`) {
		t.Errorf("a call is offered:\n%s", help.Text())
	}
	if p := w.post(v, ceremony(p), "send-code", values("way", "voice")); p.Status() != http.StatusBadRequest {
		t.Errorf("asked for all the same: %d %s", p.Status(), p.Title())
	}
	if p := w.post(v, ceremony(p), "send-code", values("way", "pigeon")); p.Status() != http.StatusBadRequest {
		t.Errorf("by pigeon: %d %s", p.Status(), p.Title())
	}
	if len(inbox.Texts("")) != 0 {
		t.Errorf("%d sent", len(inbox.Texts("")))
	}
	w.do(help, "send-code") // and no ration was spent
	for end := time.Now().Add(2 * time.Minute); len(inbox.Texts(f.Phone)) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the outbox of this world is real, and Sent would take the text from it
	}
	if all := inbox.Texts(f.Phone); len(all) != 1 || all[0].Way == liuma.ByVoice {
		t.Errorf("the text: %d", len(all))
	}
}
