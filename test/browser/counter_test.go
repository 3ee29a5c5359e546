package browser

import (
	"crypto/sha256"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// hall is a stage with a counter: a clerk and a supervisor who are signed in.
type hall struct {
	*stage
	desk *testkit.Desk
}

func newHall(t *testing.T) *hall {
	t.Helper()
	return hallOn(t, newStage(t))
}

func hallOn(t *testing.T, s *stage) *hall {
	t.Helper()
	h := &hall{s, s.env.Desk("湖州市社保中心")}
	for _, id := range []liuma.StaffID{h.desk.Clerk, h.desk.Supervisor} {
		h.signsIn(id)
	}
	return h
}

// signsIn gives a member a session, as a passkey does.
func (h *hall) signsIn(id liuma.StaffID) {
	h.t.Helper()
	now := h.env.Clock.Now()
	h.must(h.env.System.Store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: now, Actor: id.Actor(), Event: audit.SessionBegun, Outcome: "ok"},
			tx.PutStaffSession(store.StaffSession{Hash: sha256.Sum256([]byte(id)), Member: id, At: now, Seen: now, Until: now.Add(8 * time.Hour)})
	}))
}

// signsOut ends it.
func (h *hall) signsOut(id liuma.StaffID) {
	h.t.Helper()
	h.must(h.env.System.Store.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.env.Clock.Now(), Actor: id.Actor(), Event: audit.SessionEnded, Outcome: "ok"}, tx.DeleteStaffSessionsOf(id)
	}))
}

func (h *hall) facts(key string) registry.Facts {
	p := h.person(key)
	return registry.Facts{IDNumber: p.IDNumber, Name: p.Name, Phone: p.Phone}
}

// pad opens a device's browser on the desk and pairs it.
func (h *hall) pad(sc screen) (b *tab, id string) {
	h.t.Helper()
	b = newTab(h.t, sc, "zh-CN")
	b.open(h.url + "/desk")
	b.sees("请与柜台配对")
	number := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(b.text())
	v, err := h.env.System.Counter.PairPad(h.t.Context(), h.desk.Clerk, strings.ToLower(number))
	h.must(err)
	b.sees("湖州市社保中心", "轮到您操作时")
	return b, v.ID
}

// sends asks for a ticket of a supervisor, and sends it to the pad.
func (h *hall) sends(f registry.Facts, kind liuma.TicketKind, pad string) liuma.TicketID {
	h.t.Helper()
	v, err := h.desk.Asked(f, kind, false)
	h.must(err)
	h.must(h.env.System.Counter.SendToPad(h.t.Context(), h.desk.Clerk, v.ID, pad))
	return v.ID
}

// approves has the supervisor type the number of the screen that took a ticket.
func (h *hall) approves(id liuma.TicketID) (number string) {
	h.t.Helper()
	var row store.Ticket
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		h.must(h.env.System.Store.View(h.t.Context(), func(r store.Reader) (err error) {
			row, err = r.Ticket(id)
			return err
		}))
		if row.Ceremony != "" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	number = h.env.System.Counter.Number(row)
	_, err := h.env.System.Counter.Approve(h.t.Context(), h.desk.Supervisor, id, number)
	h.must(err)
	return number
}

// fit looks at a page by the rules of accessibility, on a phone's width too.
func (b *tab) fit(name string) {
	b.t.Helper()
	b.settled()
	b.targets(name)
	b.operable(name)
	b.violations(name)
	if wide := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		b.t.Errorf("%s is %d px too wide", name, wide)
	}
	b.shoot(filepath.Join("counter"), name)
}

// personal is what a page of the pad must not show when it is nobody's.
func personal(f registry.Facts) []string {
	masked := f.MaskedName()
	return []string{f.Name, masked, f.MaskedIDNumber(), f.Phone, f.MaskedPhone(), f.IDNumber}
}

// showsNobody checks the whole document, what is hidden in it too.
func (b *tab) showsNobody(f registry.Facts) {
	b.t.Helper()
	all := evaluate[string](b, `document.documentElement.outerHTML`)
	for _, what := range personal(f) {
		if what != "" && strings.Contains(all, what) {
			b.t.Errorf("%s shows %q:\n%s", b.address(), what, b.text())
		}
	}
}

// TestDeskPad: Granny Wang, whose card is there and who has no phone with her, sets her
// PIN on the pad. The pad is blank before and after it, its back button finds nobody,
// its key cannot be read out, and nothing that she typed is in the clear.
func TestDeskPad(t *testing.T) {
	h := newHall(t)
	wang := h.actor("wang", provincial, phone(), "zh-CN")
	wang.applies(rightPIN)
	f := h.facts("wang")
	pad, id := h.pad(desktop())
	pad.showsNobody(f)
	pad.fit("pad-blank")
	extractable := evaluate[bool](pad, `new Promise((yes, no) => { const r = indexedDB.open("liuma-desk"); r.onerror = no; r.onsuccess = () => {
		const get = r.result.transaction("keys").objectStore("keys").get("pad"); get.onerror = no; get.onsuccess = () => yes(get.result.privateKey.extractable); }; })`)
	if extractable {
		t.Error("the key of the pad can be read out")
	}
	h.desk.Away = true
	ticket := h.sends(f, liuma.TicketReset, id)
	pad.sees("请给复核人员看这个号码", "正在等复核人员核准", f.MaskedName(), "经办人员："+string(h.desk.Clerk))
	pad.fit("pad-number")
	shown := pad.number()
	if number := h.approves(ticket); shown != number {
		t.Errorf("the pad shows %s, and the number is %s", shown, number)
	}
	pad.sees("是我本人", "在柜台重新设置密码", f.MaskedName(), "经办人员："+string(h.desk.Clerk), "湖州市社保中心")
	if !evaluate[bool](pad, `document.documentElement.hasAttribute("data-care")`) {
		t.Error("not in care mode")
	}
	pad.fit("pad-confirm")
	pad.press("是我本人")
	pad.waits(`!!document.querySelector(".pad-ready")`)
	pad.fit("pad-pin")
	pad.do(chromedp.Reload()) // whoever does that is where they were
	a := &actor{tab: pad, s: h.stage, me: wang.me}
	a.chooses(otherPIN)
	pad.sees("新密码已设好", "屏幕过一会儿会自动清空")
	pad.fit("pad-done")
	if v, err := h.env.System.Counter.Progress(t.Context(), h.desk.Clerk, ticket); err != nil || v.State != "used" {
		t.Errorf("%+v %v", v, err)
	}
	pad.press("清空屏幕")
	pad.sees("湖州市社保中心", "轮到您操作时")
	pad.showsNobody(f)
	for range 3 {
		pad.back()
		time.Sleep(300 * time.Millisecond)
		pad.settled()
		pad.showsNobody(f)
	}
	for _, c := range call(pad, network.GetCookies, network.GetCookiesParams{}).Cookies {
		if strings.Contains(c.Name, "hand") || strings.Contains(c.Name, "lang") || strings.Contains(c.Name, "care") {
			t.Errorf("the cookie %s stays", c.Name)
		}
	}
	pad.clean(h.site, rightPIN, otherPIN, f.IDNumber, f.Phone)
	wang.goTo(provincial)
	wang.starts("verify")
	wang.keypad(otherPIN)
	wang.sees("密码核验通过")
}

// TestDeskPadClearsItself: the last page goes some seconds after the last touch, and one
// in the middle ends with its ticket, under the holder's hands.
func TestDeskPadClearsItself(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	f := h.facts("wang")
	wang := h.actor("wang", provincial, phone(), "zh-CN")
	wang.applies(rightPIN)
	pad, id := h.pad(small())
	ticket := h.sends(f, liuma.TicketReset, id)
	pad.sees(f.MaskedName())
	h.must(h.env.System.Counter.Withdraw(t.Context(), h.desk.Clerk, ticket))
	pad.sees("请告诉经办人员")
	pad.showsNobody(f)
	pad.fit("pad-ended")
	deadline := time.Now().Add(2 * time.Minute)
	for !strings.Contains(pad.text(), "轮到您操作时") {
		if time.Now().After(deadline) {
			t.Fatalf("never cleared:\n%s", pad.text())
		}
		time.Sleep(200 * time.Millisecond)
	}
	pad.showsNobody(f)
	h.signsOut(h.desk.Clerk)
	pad.sees("这台设备已和柜台解除配对")
	pad.fit("pad-lost")
	pad.clean(h.site)
}

// TestDeskPadFailsClosed: without what it needs the page says so, and asks nothing.
func TestDeskPadFailsClosed(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for name, without := range map[string]string{
		"webcrypto": `Object.defineProperty(crypto, "subtle", {value: undefined}); Object.defineProperty(Crypto.prototype, "subtle", {get: () => undefined})`,
		"indexeddb": `Object.defineProperty(self, "indexedDB", {value: undefined})`,
		"refused":   `IDBFactory.prototype.open = () => { throw new Error("no") }`,
	} {
		b := newTab(t, small(), "zh-CN")
		b.before(without)
		b.open(h.url + "/desk")
		b.sees("这台设备现在用不了", "重新打开")
		if n := len(b.posts("/desk/ask")); n > 0 {
			t.Errorf("%s: asked %d times", name, n)
		}
		if name == "webcrypto" {
			b.fit("pad-unfit")
		}
	}
}

// before runs a script before each page's own.
func (b *tab) before(script string) {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// TestTicketOnTheHoldersPhone: the clerk's code, from the QR's address or typed, goes on in
// the holder's own browser; a second one is refused, and the wrong code is explained.
func TestTicketOnTheHoldersPhone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	f := h.facts("chen")
	chen := h.actor("chen", provincial, small(), "zh-CN")
	chen.applies(rightPIN)
	h.wait(minute) // since the last one-time code to this number
	_, code := h.desk.Ticket(f, liuma.TicketReset, false)
	b := newTab(t, small(), "en")
	b.open(h.url + "/counter#" + code)
	b.sees("Enter the code of the ticket")
	b.waits(`document.querySelector("[data-fragment]").value !== "" && location.hash === ""`)
	b.fit("code")
	b.press("Go on")
	b.sees("Show this number to the supervisor", "Set a new PIN at the counter", f.MaskedName())
	b.fit("number")
	other := newTab(t, small(), "zh-CN")
	other.open(h.url + "/")
	other.press("我在柜台，有凭单码")
	other.fills("[name=ticket]", strings.ToLower(code[:4]+" "+code[4:]))
	other.press("接着办理")
	other.sees("另一台设备已经拿到了这张凭单")
	other.showsNobody(f)
	other.fills("[name=ticket]", "2222 2222")
	other.press("接着办理")
	other.sees("没有找到这张凭单", "请逐字核对")
	other.fit("code-refused")
	b.waits(`!document.querySelector("#shown")`) // a second device ends the ticket
	id, again := h.desk.Ticket(f, liuma.TicketReset, false)
	b.open(h.url + "/counter#" + again)
	b.waits(`document.querySelector("[data-fragment]").value !== ""`)
	b.press("Go on")
	b.sees("Show this number to the supervisor")
	h.approves(id)
	b.press("It is me")
	b.sees(f.MaskedPhone())
	a := &actor{tab: b, s: h.stage, me: chen.me}
	a.gives("code", a.asks(f.Phone))
	a.chooses(otherPIN)
	b.sees("The new PIN is set", "you can tell the clerk")
	b.fit("done")
	for _, c := range []*tab{b, other} {
		c.clean(h.site, rightPIN, otherPIN, f.IDNumber)
		c.mu.Lock()
		for _, r := range c.requests {
			if strings.Contains(r.url, code) && !strings.Contains(r.url, "#") {
				t.Errorf("the code went in the address %s", r.url)
			}
		}
		c.mu.Unlock()
	}
	if strings.Contains(h.logs.String(), code) {
		t.Error("the code is in the log")
	}
}

// TestFourAtTheCounter: clerk, supervisor, the pad and the holder's own phone, each in a
// browser of its own. Granny Wang, who lost phone and PIN, gets both back on the pad, once
// the supervisor has typed the number on it; the clerk sees how far she is and never what
// she types. Then she sets the PIN once more, on her new phone, with the code that the
// clerk shows; the clerk's own phone, which comes too late, ends the first ticket.
func TestFourAtTheCounter(t *testing.T) {
	for _, lang := range languages() {
		t.Run(lang, func(t *testing.T) { fourAtTheCounter(t, lang) })
	}
}

func fourAtTheCounter(t *testing.T, lang string) {
	d := newCounterDesk(t, lang)
	d.lang = lang
	f, s := d.person, &site{t: t, url: d.env.Issuer(), logs: &lines{}}
	const fresh = "13955550199"
	pad := newTab(t, screen{"1024x768", 1024, 768, true}, lang)
	pad.open(s.url + "/desk")
	pad.sees(d.say("请与柜台配对", "Pair this device"))
	d.clerk.open(d.url + "/desk/pad")
	d.clerk.fill("number", regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(pad.text()))
	d.clerk.click(`//main//form//button[normalize-space(.)="` + d.say("配对", "Pair") + `"]`)
	ready := d.say("轮到您操作时", "When it is your turn")
	pad.sees(ready)
	pad.showsNobody(f)

	d.asks(d.say("更换手机并重设密码", "Change the phone and the PIN"), "")
	d.clerk.press(d.say("发到柜台设备", "Send to the customer pad"))
	pad.sees(d.say("请给复核人员看这个号码", "Show this number to the supervisor"), f.MaskedName(), "陈静")
	pad.fit("four-number-" + lang)
	d.approves(pad, d.say("更换手机并重设密码", "Change the phone and the PIN"))
	pad.press(d.say("是我本人", "It is me")) // by itself it went on
	pad.sees(d.say("请输入新手机号", "Enter the new"))
	pad.fills("[name=phone]", fresh)
	pad.press(d.say("下一步", "Next"))
	a := &actor{tab: pad, s: &stage{site: s, env: d.env}}
	a.gives("code", a.asks(fresh))
	d.clerk.waits(`document.body.textContent.includes("` + d.say("正在设置新密码", "sets the new PIN") + `")`) // by itself
	a.chooses(otherPIN)
	pad.sees(d.say("绑定手机和密码都换好了", "The bound phone and the PIN are changed"))
	d.clerk.waits(`document.body.textContent.includes("` + d.say("已办好", "Done") + `")`)
	for _, secret := range []string{otherPIN, fresh} {
		if strings.Contains(evaluate[string](d.clerk, `document.documentElement.outerHTML`), secret) {
			t.Errorf("the clerk's page shows %s", secret)
		}
	}
	pad.press(d.say("清空屏幕", "Clear the screen"))
	pad.sees(ready)
	pad.showsNobody(f)

	reset := d.say("重设密码", "Set a new PIN")
	var code string
	asks := func() {
		d.asks(reset, d.say("没带", "left at home"))
		d.clerk.press(d.say("显示凭单码", "Show the code"))
		d.clerk.sees(d.say("只显示这一次", "shown once"))
		code = regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(d.clerk.text())
	}
	asks()
	take := func(b *tab) {
		b.open(s.url + "/counter")
		b.fills("[name=ticket]", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
		b.press(d.say("接着办理", "Go on"))
	}
	b, late := newTab(t, small(), lang), newTab(t, small(), lang)
	take(b)
	b.sees(d.say("请给复核人员看这个号码", "Show this number to the supervisor"), f.MaskedName(), "陈静")
	b.fit("four-phone-number-" + lang)
	take(late)
	late.sees(d.say("另一台设备已经拿到了", "Another device has this ticket already"))
	late.showsNobody(f)
	b.waits(`!document.querySelector("#shown")`) // a second device ends the ticket, whichever was the person's
	asks()
	take(b)
	d.approves(b, reset)
	b.press(d.say("是我本人", "It is me"))
	(&actor{tab: b}).chooses(rightPIN)
	b.sees(d.say("新密码已设好", "The new PIN is set"), d.say("可以告诉经办人员", "you can tell the clerk"))
	pad.sees(ready)
	pad.showsNobody(f)
	for _, c := range []*tab{d.officer, d.clerk, d.supervisor} {
		d.clean(c)
		for _, r := range c.requests {
			if strings.Contains(r.url+r.body, otherPIN) || strings.Contains(r.url+r.body, rightPIN) {
				t.Errorf("a PIN went to the console: %s", r.url)
			}
		}
	}
	for _, c := range []*tab{pad, b, late} {
		c.clean(s, rightPIN, otherPIN)
	}
}

// asks has the clerk open a ticket at the console, for which the service picks a supervisor.
func (d *counterDesk) asks(kind, phone string) {
	c := d.clerk
	c.open(d.url + "/desk")
	c.fill("number", d.person.IDNumber)
	c.pick("reason", "lost_phone")
	c.press(d.say("查找", "Find"))
	c.sees(d.say("第二步", "Step 2"))
	c.click(`//label[normalize-space(.)="` + kind + `" or starts-with(normalize-space(.), "` + kind + `")]`)
	if phone != "" {
		c.choose(phone)
	}
	c.choose(d.say("我看过证件原件", "I saw the original"))
	c.press(d.say("开凭单", "Open the ticket"))
	c.sees(d.say("周伟 复核", "Check by 周伟"))
}

// approves has the supervisor read the number off a screen, and type it at the console.
func (d *counterDesk) approves(screen *tab, kind string) {
	s := d.supervisor
	s.open(d.url + "/approvals")
	s.press(kind)
	s.sees(d.say("来办什么", "What they came for"), d.say("绝不要听经办人员说", "never from the clerk"))
	s.fill("number", screen.number())
	s.press(d.say("用通行密钥核准", "Approve with your passkey"))
	s.sees(d.say("已核准", "Approved"))
}

// number is what a screen shows for the supervisor.
func (b *tab) number() string {
	b.t.Helper()
	b.waits(`!!document.querySelector("#shown")`)
	return strings.ReplaceAll(evaluate[string](b, `document.querySelector("#shown").textContent`), " ", "")
}

// say picks the words of the language in which the desk is.
func (d *counterDesk) say(zh, en string) string {
	if d.lang == "en" {
		return en
	}
	return zh
}

// TestAPadThatIsLeftAlone: a page in the middle asks whether anybody is there, can be
// touched away, and is cleared; its ticket ends. While the supervisor is waited for it
// takes longer.
func TestAPadThatIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.desk.Away = true
	f := h.facts("wang")
	wang := h.actor("wang", provincial, phone(), "zh-CN")
	wang.applies(rightPIN)
	pad, id := h.pad(small())
	ticket := h.sends(f, liuma.TicketReset, id)
	idle := func() string {
		return evaluate[string](pad, `document.querySelector("[data-idle]").dataset.idle + "+" + document.querySelector("[data-idle]").dataset.more`)
	}
	pad.sees("请给复核人员看这个号码")
	if got := idle(); got != "600+60" {
		t.Errorf("while it waits: %s", got)
	}
	// Seconds in place of minutes, in the pages that come.
	pad.before(`document.addEventListener("readystatechange", () => { const box = document.querySelector("[data-idle]"); if (box) { window.was = window.was || box.dataset.idle; box.dataset.idle = "2"; box.dataset.more = "25"; } })`)
	h.approves(ticket)
	pad.sees("是我本人", "您还在吗？")
	if got := evaluate[string](pad, `window.was`); got != "180" {
		t.Errorf("in the middle: %s", got)
	}
	pad.fit("pad-idle")
	pad.press("我还在，接着办")
	pad.waits(`document.querySelector("[data-idle]").hidden`)
	pad.sees("您还在吗？")
	pad.sees("轮到您操作时")
	pad.showsNobody(f)
	if v, err := h.env.System.Counter.Progress(t.Context(), h.desk.Clerk, ticket); err != nil || v.State != "stopped" || v.Ended != store.TicketEndedLeft {
		t.Errorf("%+v %v", v, err)
	}
	pad.clean(h.site)
}
