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
	s := newStage(t)
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

// sends opens a ticket with a supervisor, and sends it to the pad.
func (h *hall) sends(f registry.Facts, kind liuma.TicketKind, pad string) liuma.TicketID {
	h.t.Helper()
	v, err := h.desk.Asked(f, kind, false)
	h.must(err)
	_, err = h.env.System.Counter.Approve(h.t.Context(), h.desk.Supervisor, v.ID)
	h.must(err)
	h.must(h.env.System.Counter.SendToPad(h.t.Context(), h.desk.Clerk, v.ID, pad))
	return v.ID
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
	ticket := h.sends(f, liuma.TicketReset, id)
	pad.sees("在柜台重新设置密码", f.MaskedName(), "经办人员："+string(h.desk.Clerk), "湖州市社保中心")
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
	deadline := time.Now().Add(40 * time.Second)
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
	_, code := h.desk.Ticket(f, liuma.TicketReset, false)
	b := newTab(t, small(), "en")
	b.open(h.url + "/counter#" + code)
	b.sees("Enter the code of the ticket")
	b.waits(`document.querySelector("[data-fragment]").value !== "" && location.hash === ""`)
	b.fit("code")
	b.press("Go on")
	b.sees("Set a new PIN at the counter", f.MaskedName())
	other := newTab(t, small(), "zh-CN")
	other.open(h.url + "/")
	other.press("我在柜台，有凭单码")
	other.fills("[name=ticket]", strings.ToLower(code[:4]+" "+code[4:]))
	other.press("接着办理")
	other.sees("正在另一台设备上办理")
	other.showsNobody(f)
	other.fills("[name=ticket]", "2222 2222")
	other.press("接着办理")
	other.sees("没有找到这张凭单", "请逐字核对")
	other.fit("code-refused")
	b.press("It is me")
	a := &actor{tab: b, s: h.stage, me: chen.me}
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
// browser of its own. Granny Wang, who lost phone and PIN, gets both back on the pad; the
// clerk sees how far she is and never what she types. Then she sets the PIN once more,
// on her new phone, with the code that the clerk shows.
func TestFourAtTheCounter(t *testing.T) {
	d := newCounterDesk(t, "zh-CN")
	f, s := d.person, &site{t: t, url: d.env.Issuer(), logs: &lines{}}
	const fresh = "13955550199"
	pad := newTab(t, screen{"1024x768", 1024, 768, true}, "zh-CN")
	pad.open(s.url + "/desk")
	pad.sees("请与柜台配对")
	d.clerk.open(d.url + "/desk/pad")
	d.clerk.fill("number", regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(pad.text()))
	d.clerk.click(`//main//form//button[normalize-space(.)="配对"]`)
	pad.sees("轮到您操作时")
	pad.showsNobody(f)

	d.opens("更换手机并重设密码", "")
	d.clerk.press("发到柜台设备")
	pad.sees("在柜台更换手机、重设密码", f.MaskedName(), "经办人员：陈静")
	pad.press("是我本人")
	pad.sees("请输入新手机号")
	pad.fills("[name=phone]", fresh)
	pad.press("下一步")
	a := &actor{tab: pad, s: &stage{site: s, env: d.env}}
	a.gives("code", a.asks(fresh))
	pad.sees("请设置 6 位新密码")
	d.clerk.waits(`document.body.textContent.includes("正在设置新密码")`) // by itself
	a.chooses(otherPIN)
	pad.sees("绑定手机和密码都换好了")
	d.clerk.waits(`document.body.textContent.includes("已办好")`)
	for _, secret := range []string{otherPIN, fresh} {
		if strings.Contains(evaluate[string](d.clerk, `document.documentElement.outerHTML`), secret) {
			t.Errorf("the clerk's page shows %s", secret)
		}
	}
	pad.press("清空屏幕")
	pad.sees("轮到您操作时")
	pad.showsNobody(f)

	d.opens("重新设置密码", "没带")
	d.clerk.press("显示凭单码")
	d.clerk.sees("只显示这一次")
	code := regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(d.clerk.text())
	b := newTab(t, small(), "zh-CN")
	b.open(s.url + "/counter")
	b.fills("[name=ticket]", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	b.press("接着办理")
	b.sees("在柜台重新设置密码", f.MaskedName(), "经办人员：陈静")
	b.press("是我本人")
	(&actor{tab: b}).chooses(rightPIN)
	b.sees("新密码已设好", "可以告诉经办人员")
	pad.sees("轮到您操作时")
	pad.showsNobody(f)
	for _, c := range []*tab{d.officer, d.clerk, d.supervisor} {
		d.clean(c)
		for _, r := range c.requests {
			if strings.Contains(r.url+r.body, otherPIN) || strings.Contains(r.url+r.body, rightPIN) {
				t.Errorf("a PIN went to the console: %s", r.url)
			}
		}
	}
	for _, c := range []*tab{pad, b} {
		c.clean(s, rightPIN, otherPIN)
	}
}

// opens has the clerk open a ticket and the supervisor approve it, at the console.
func (d *counterDesk) opens(kind, phone string) {
	c := d.clerk
	c.open(d.url + "/desk")
	c.fill("number", d.person.IDNumber)
	c.pick("reason", "lost_phone")
	c.press("查找")
	c.sees("第二步")
	c.click(`//label[normalize-space(.)="` + kind + `" or starts-with(normalize-space(.), "` + kind + `")]`)
	if phone != "" {
		c.choose(phone)
	}
	c.choose("我看过证件原件")
	c.press("开凭单")
	c.sees("周伟 复核")
	d.supervisor.open(d.url + "/approvals")
	d.supervisor.press(kind)
	d.supervisor.sees("来办什么")
	d.supervisor.press("用通行密钥核准")
	d.supervisor.sees("已核准")
	c.waits(`document.body.textContent.includes("显示凭单码")`) // by itself
}
