package demo

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/notify"
)

// Who speaks at the hosted door.
func grannyWho() who { return who{ZH: "王奶奶", EN: "Granny"} }
func textWho() who   { return who{ZH: "她的手机", EN: "her phone"} }
func pageWho() who   { return who{ZH: "官方页面", EN: "page"} }
func appWho() who    { return who{ZH: "浙里社保", EN: "app"} }
func fraudWho() who  { return who{ZH: "骗子", EN: "fraudster"} }

// Words of the sample channel's pages, by which the play knows that a step
// came out as it should.
const (
	saysEnrolled = "申领成功"
	saysLinked   = "关联成功"
	saysYears    = "养老保险"
	saysLocked   = "密码已锁定"
	saysReset    = "密码找回来了"
	saysNotHer   = "镜头前不是本人"
	saysFrozen   = "已冻结"
	saysThawed   = "已解除冻结"
	saysLeft     = "您取消了办理"
	saysCall     = "接听语音电话"
)

// text waits for a message and prints it as the phone shows it.
func (p *play) text(ctx context.Context, template notify.Template) (notify.Received, error) {
	r, err := p.stage.theatre.letters.next(ctx, template)
	if err == nil {
		p.Do(textWho(), liuma.Text{ZH: "收到短信：" + r.Body, EN: "a text arrives: " + subjectOf(template)})
	}
	return r, err
}

// giveCode asks for a one-time code, reads it from the phone and types it.
func (p *play) giveCode(ctx context.Context, g *guest, template notify.Template) error {
	if !g.page.Has("send-code") {
		return want("a page that sends codes", g.page.Title())
	}
	if err := g.press(ctx, "send-code"); err != nil {
		return err
	}
	r, err := p.text(ctx, template)
	if err != nil {
		return err
	}
	return g.press(ctx, "code", "code", r.Params["code"])
}

// hearCode has a one-time code read out by phone call, from the page for who got
// no text or cannot read it, and types what it heard.
func (p *play) hearCode(ctx context.Context, g *guest, template notify.Template) error {
	page, err := g.page.Follow(ctx, "ask=no-code")
	if err != nil {
		return err
	}
	g.page = page
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "短信字太小，看不清：“" + saysCall + "”", EN: "cannot read the small print of a text, and asks for a call"})
	if err := g.press(ctx, "send-code", "way", string(liuma.ByVoice)); err != nil {
		return err
	}
	r, err := p.stage.theatre.letters.next(ctx, template)
	if err != nil {
		return err
	}
	if r.Way != liuma.ByVoice {
		return want("a call", "a text "+string(r.Template))
	}
	p.Do(textWho(), liuma.Text{ZH: "响了，里面念：" + r.Body, EN: "it rings, and reads out " + subjectOf(template) + ", twice"})
	return g.press(ctx, "code", "code", r.Params["code"])
}

// looks goes to the channel's camera, and on to wherever that leads.
func (p *play) looks(ctx context.Context, g *guest) error {
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.press(ctx, "evidence"); err != nil {
		return err
	}
	return g.begin(ctx)
}

// years asks for the contribution years, and goes as far as the verdict on the
// PIN.
func (p *play) years(ctx context.Context, app, digits string) (*guest, error) {
	g, err := p.granny(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := g.start(ctx, "verify"); err != nil {
		return nil, err
	}
	if err := g.pad("current"); err != nil {
		return nil, err
	}
	return g, g.types(ctx, digits)
}

// opens checks that a PIN opens the years in a channel.
func (p *play) opens(ctx context.Context, app, digits string) error {
	g, err := p.years(ctx, app, digits)
	if err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	return g.reads(saysYears)
}

func (p *play) granny(ctx context.Context, app string) (*guest, error) {
	return p.guest(ctx, app, "wang")
}

func (p *play) guest(ctx context.Context, app, person string) (*guest, error) {
	g, err := p.stage.newGuest(app)
	if err != nil {
		return nil, err
	}
	return g, g.be(ctx, person)
}

// sceneHosted enrols her in one sample channel and links the other.
func sceneHosted(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.Note(liuma.Text{
		ZH: "从这里起，她在小程序里办事，密码只在官方页面输入；下面每一步都真的经过页面和短信。",
		EN: "From here on she acts in a mini-program, and types PINs on the hosted page only. Every step goes through pages and texts.",
	})
	g, err := p.granny(ctx, t.province)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "enroll"); err != nil {
		return err
	}
	if err := g.press(ctx, "evidence"); err != nil {
		return err
	}
	p.Say(grannyWho(), appWho(), liuma.Text{ZH: "申领；看一下镜头（替身认证）", EN: "applies, and looks into the camera (a stand-in)"})
	if err := g.begin(ctx); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeBind); err != nil {
		return err
	}
	p.Note(liuma.Text{ZH: "验证码只发到社保名册里登记的号码，不听渠道的。", EN: "The code goes to the number in the registry, whatever the channel says."})
	if err := g.pad("new"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.reads(saysEnrolled); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "验证码，再设密码 " + t.granny.pin + "：" + saysEnrolled, EN: "types the code, then the PIN " + t.granny.pin + ": enrolled"})
	if _, err := p.text(ctx, notify.PINSet); err != nil {
		return err
	}
	return linkNation(ctx, p)
}

func linkNation(ctx context.Context, p *play) error {
	t := p.stage.theatre
	g, err := p.granny(ctx, t.nation)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "link"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.reads(saysLinked); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "在国家平台关联，同一个密码：" + saysLinked, EN: "links the national platform with the same PIN"})
	_, err = p.text(ctx, notify.ChannelLinked)
	return err
}

// sceneForgot locks the PIN and resets it: one-time code, evidence, a new PIN.
func sceneForgot(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.later()
	wrong, err := goodPIN(t.granny, 42, t.granny.pin)
	if err != nil {
		return err
	}
	g, err := p.years(ctx, t.province, wrong)
	if err != nil {
		return err
	}
	for range attemptsBeforeLock - 1 {
		if err := g.types(ctx, wrong); err != nil {
			return err
		}
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.reads(saysLocked); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "想不起来，连错六次：" + saysLocked, EN: "cannot remember, six wrong ones: locked"})
	if _, err := p.text(ctx, notify.PINLocked); err != nil {
		return err
	}
	old := t.granny.pin
	if t.granny.pin, err = goodPIN(t.granny, 43, old); err != nil {
		return err
	}
	if err := resetPIN(ctx, p, g); err != nil {
		return err
	}
	return p.afterReset(ctx, old)
}

// resetPIN walks the whole way, from the button on the app's page.
func resetPIN(ctx context.Context, p *play, g *guest) error {
	t := p.stage.theatre
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeReset); err != nil {
		return err
	}
	if g.page.Pad() != "" {
		return want("no pad before the face was checked", g.page.Title())
	}
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "点“忘记密码”，填回验证码；光有验证码还不行，去看镜头", EN: "“forgot”, and types the code; a code is not enough, so she looks into the camera"})
	if err := p.looks(ctx, g); err != nil {
		return err
	}
	if err := g.pad("new"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.birthday()); err != nil {
		return err
	}
	if err := g.pad("new"); err != nil {
		return fmt.Errorf("after a weak PIN: %w", err)
	}
	p.Say(pageWho(), grannyWho(), liuma.Text{ZH: "想用生日 " + t.granny.birthday() + "：不收，太好猜", EN: "her birthday is refused: too easy to guess"})
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.reads(saysReset); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), liuma.Text{ZH: "新密码 " + t.granny.pin + "，输两遍：" + saysReset, EN: "the new PIN " + t.granny.pin + ", typed twice: set"})
	return nil
}

// afterReset shows that the new PIN holds everywhere, and the old one nowhere.
func (p *play) afterReset(ctx context.Context, old string) error {
	t := p.stage.theatre
	r, err := p.text(ctx, notify.PINReset)
	if err != nil {
		return err
	}
	if r.Params["freeze"] == "" || strings.Contains(r.Body, "http") {
		return want("a notice with a freeze code and no link", r.Template)
	}
	g, err := p.years(ctx, t.nation, old)
	if err != nil {
		return err
	}
	if err := g.pad("current"); err != nil {
		return fmt.Errorf("the old PIN: %w", err)
	}
	p.Say(pageWho(), grannyWho(), liuma.Text{ZH: "旧密码 " + old + "：不对", EN: "the old PIN " + old + " is wrong"})
	for _, app := range []string{t.province, t.nation} {
		if err := p.opens(ctx, app, t.granny.pin); err != nil {
			return fmt.Errorf("the new PIN in %s: %w", app, err)
		}
	}
	p.Say(pageWho(), grannyWho(), liuma.Text{ZH: "新密码在两个渠道都通过：锁定马上解除，不用等 24 小时", EN: "the new one opens both channels: the lock ended at once, not after 24 hours"})
	return nil
}

// sceneSIM lets a thief who reads her texts try to set her PIN.
func sceneSIM(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.later()
	g, err := p.guest(ctx, t.province, "thief")
	if err != nil {
		return err
	}
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.giveCode(ctx, g, notify.CodeReset); err != nil {
		return err
	}
	p.Say(thiefWho, pageWho(), liuma.Text{ZH: "用她的卡收到验证码，填对了", EN: "reads the code with her SIM card, and types it"})
	// With a browser's developer tools one can post an envelope before the page
	// shows a pad.
	skipped, err := g.browser.Post(ctx, g.ceremony()+"/pin", url.Values{"try": {"1"}, "new_pin": {"{}"}})
	if err != nil {
		return err
	}
	if skipped.Pad() != "" || skipped.Status() == 0 {
		return want("no pad for a thief", skipped.Title())
	}
	p.Say(thiefWho, pageWho(), liuma.Text{ZH: "想跳过看镜头，直接提交新密码：不收", EN: "tries to skip the camera and posts a PIN: not taken"})
	if err := p.looks(ctx, g); err != nil {
		return err
	}
	if err := g.reads(saysNotHer); err != nil {
		return err
	}
	p.Say(providerWho, thiefWho, liuma.Text{ZH: saysNotHer + "。到此为止", EN: "this is somebody else. That is the end of it"})
	return p.opens(ctx, t.nation, t.granny.pin)
}

// ceremony is the address of the ceremony whose page is open.
func (g *guest) ceremony() string {
	u := g.page.URL()
	parts := strings.SplitN(u.Path, "/", 4) // "", "c", id, …
	if len(parts) < 3 {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + "/c/" + parts[2]
}

// sceneFace lets a fraudster with her face, played to the camera, try it
// without her phone.
func sceneFace(ctx context.Context, p *play) error {
	t := p.stage.theatre
	g, err := p.guest(ctx, t.nation, "video")
	if err != nil {
		return err
	}
	if err := g.start(ctx, "reset"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if !g.page.Has("send-code") || g.page.Pad() != "" {
		return want("a code asked for before anything else", g.page.Title())
	}
	if g.page.Has("return") {
		return want("no way on to the camera without a code", g.page.Title())
	}
	p.Say(pageWho(), fraudWho(), liuma.Text{ZH: "先要绑定手机上的验证码：他没有；有脸也用不上", EN: "the code to her phone comes first: he has none, and no use for the face"})
	p.later()
	if err := g.press(ctx, "send-code"); err != nil {
		return err
	}
	r, err := p.text(ctx, notify.CodeReset)
	if err != nil {
		return err
	}
	guess := "135246"
	if guess == r.Params["code"] {
		guess = "135247"
	}
	if err := g.press(ctx, "code", "code", guess); err != nil {
		return err
	}
	if g.page.Has("return") || g.page.Pad() != "" || !g.page.Has("code") {
		return want("a guessed code refused", g.page.Title())
	}
	p.Say(fraudWho(), pageWho(), liuma.Text{ZH: "瞎猜 " + guess + "：不对；一天一共只有五次，他放弃了", EN: "guesses " + guess + ": wrong, and five a day are all there are. He gives up"})
	if err := g.press(ctx, "leave"); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.reads(saysLeft); err != nil {
		return err
	}
	return p.opens(ctx, t.province, t.granny.pin)
}
