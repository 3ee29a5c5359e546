package browser

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// member has an operator invite somebody and an officer approve it, below the console, and
// signs them in with a passkey of their own.
func (d *desk) member(t *testing.T, n staff.NewMember, language string) *tab {
	t.Helper()
	s := d.env.System.Admin.Staff()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Propose(t.Context(), staff.Caller{ID: "wang-li", Roles: []liuma.StaffRole{liuma.RoleOperator}}, staff.Change{Kind: staff.KindInvite, Member: n})
	must(err)
	done, err := s.Approve(t.Context(), staff.Caller{ID: "li-na", Roles: []liuma.StaffRole{liuma.RoleOfficer}}, p.ID)
	must(err)
	b := d.sit(t, language)
	d.join(b, p.Half, done.Half)
	must(d.env.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		m, err := tx.Member(n.ID)
		m.Document = vault.Index{0: 0xD0, 1: n.ID[0], 2: n.ID[1]} // of nobody in the registry
		if err == nil {
			err = tx.UpdateMember(m)
		}
		return audit.Entry{At: time.Now(), Actor: "test", Event: audit.StaffJoined, Outcome: "ok"}, err
	}))
	return b
}

// counterDesk is a desk with its first two signed in, a clerk and a supervisor, and a
// person with a card.
type counterDesk struct {
	*desk
	officer, clerk, supervisor *tab
	person                     registry.Facts
	lang                       string // of all of them
}

func newCounterDesk(t *testing.T, language string) *counterDesk {
	t.Helper()
	d := &counterDesk{desk: newDesk(t)}
	d.person = d.env.People[0]
	d.env.Enroll(d.env.Channel("zj-hrss"), d.person, "483920")
	operator := d.sit(t, language)
	d.join(operator, d.codes[0].Code, "")
	d.officer = d.sit(t, language)
	d.join(d.officer, d.codes[1].Code, "")
	d.clerk = d.member(t, staff.NewMember{ID: "chen-jing", Name: "陈静", Roles: []liuma.StaffRole{liuma.RoleClerk}}, language)
	d.supervisor = d.member(t, staff.NewMember{ID: "zhou-wei", Name: "周伟", Roles: []liuma.StaffRole{liuma.RoleSupervisor}}, language)
	return d
}

// pick chooses in a list.
func (b *tab) pick(name, value string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, fmt.Sprintf(`document.querySelector("select[name=%s]").value = %q`, name, value))
}

// choose presses the label of a choice.
func (b *tab) choose(words string) { b.t.Helper(); b.click(`//label[contains(., "` + words + `")]`) }

// takes has a browser take a ticket, and returns the number that it shows.
func (d *counterDesk) takes(t *testing.T, code string) string {
	t.Helper()
	p, err := d.env.Authority().BeginTicket(t.Context(), code, ceremony.Hand{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Counter.Number
}

// TestAClerkServesAPerson: in Chromium, with an authenticator for each: the clerk finds the
// person, opens a ticket and hands it over, the supervisor sees it come, and its number,
// and approves with that and a fresh touch; the pages of both go on by themselves.
func TestAClerkServesAPerson(t *testing.T) {
	d := newCounterDesk(t, "en")
	d.supervisor.open(d.url + "/approvals")
	d.supervisor.sees("No ticket waits for you")
	d.clerk.open(d.url + "/")
	d.clerk.press("Step 1: find the person")
	d.clerk.fill("number", d.person.IDNumber)
	d.clerk.pick("reason", "lost_phone")
	d.clerk.press("Find")
	d.clerk.sees("Step 2: check and choose", d.person.MaskedName())
	d.clerk.choose("Change the phone and the PIN")
	d.clerk.choose("I saw the original")
	d.clerk.press("Open the ticket")
	d.clerk.sees("Check by 周伟", "shows a number")
	d.supervisor.waits(`document.body.textContent.includes("陈静")`) // by itself
	d.supervisor.press("Change the phone and the PIN")
	d.supervisor.sees("lost the phone", "陈静", "No number yet")
	d.clerk.press("Show the code")
	d.clerk.sees("It is shown once")
	code := regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(d.clerk.text())
	if wide := evaluate[float64](d.clerk, `document.querySelector("svg.qr").getBoundingClientRect().width`); wide < 200 {
		t.Errorf("the QR code is %v px wide", wide)
	}
	number := d.takes(t, code)
	d.clerk.waits(`document.body.textContent.includes("Do not read it out")`) // by itself
	d.supervisor.waits(`!!document.querySelector("[name=number]")`)           // by itself
	d.supervisor.fill("number", number)
	d.supervisor.press("Approve with your passkey")
	d.supervisor.sees("Approved, for 15 minutes")
	d.clerk.waits(`document.body.textContent.includes("The holder is at it")`) // by itself
	for _, b := range []*tab{d.officer, d.clerk, d.supervisor} {
		d.clean(b)
	}
}

// TestCounterPages: every page of the counter on the console, with -every-look in both
// languages, by the rules of accessibility and with the keyboard.
func TestCounterPages(t *testing.T) {
	d := newCounterDesk(t, "zh-CN")
	shots := func(b *tab, name string) {
		t.Helper()
		at := evaluate[string](b, `location.pathname`)
		for _, lang := range languages() {
			if evaluate[string](b, `document.documentElement.lang`) != lang && name != "code" {
				b.open(d.url + at + "?lang=" + lang)
			}
			b.waits(`document.readyState === "complete"`)
			d.looked(b, name+" in "+lang)
			b.shoot(filepath.Join("console", lang), "counter-"+name)
			if name == "code" {
				return // shown once
			}
		}
		b.open(d.url + at + "?lang=zh-CN")
	}
	c, s := d.clerk, d.supervisor
	c.open(d.url + "/desk")
	shots(c, "desk")
	c.open(d.url + "/desk/pad")
	shots(c, "pad")
	find := func(reason string) {
		c.open(d.url + "/desk")
		c.fill("number", d.person.IDNumber)
		c.pick("reason", reason)
		c.press("查找")
		c.sees("第二步")
	}
	find("lost_phone")
	shots(c, "person")
	c.choose("更换手机并重设密码")
	c.choose("我看过证件原件")
	c.press("开凭单")
	c.sees("周伟 复核")
	shots(c, "asked")
	s.open(d.url + "/approvals")
	shots(s, "approvals")
	s.press("更换手机并重设密码")
	s.sees("来办什么", "还没有号码")
	shots(s, "approval-waits")
	c.press("显示凭单码")
	c.sees("只显示这一次")
	shots(c, "code")
	number := d.takes(t, regexp.MustCompile(`[2-9A-Z]{4}-[2-9A-Z]{4}`).FindString(c.text()))
	c.waits(`document.body.textContent.includes("请不要替他念")`)
	shots(c, "shown")
	s.waits(`!!document.querySelector("[name=number]")`)
	shots(s, "approval")
	s.fill("number", map[bool]string{true: "4321", false: "1234"}[number == "1234"])
	s.press("用通行密钥核准")
	s.sees("号码不对", "还可以输入 2 次")
	s.fill("number", number)
	s.press("用通行密钥核准")
	s.sees("已核准")
	c.waits(`document.body.textContent.includes("请转过身去")`)
	shots(c, "taken")
	c.click(`//summary[contains(., "作废凭单")]`)
	c.click(`//form[contains(@action, "/withdraw")]//button`)
	c.sees("凭单已作废")
	shots(c, "withdrawn")
	d.officer.open(d.url + "/reviews")
	shots(d.officer, "reviews")
	for _, b := range []*tab{c, s, d.officer} {
		d.clean(b)
	}
}

// TestAgentPages: somebody else came for the person: what the clerk types, what they may do
// for them and what not, with -every-look in both languages; and the freeze is done with
// one press.
func TestAgentPages(t *testing.T) {
	words := map[string]struct{ open, agent, find, here, freeze, seen, ticket, done string }{
		"zh-CN": {"别人替本人来", "别人替本人来（代办人）", "查找", "本人没有来", "代办冻结", "我看过代办人的证件原件", "开凭单", "代办人，经办人员直接办理"},
		"en":    {"Somebody else came for the person, or", "To freeze or to close alone", "Find", "The person is not here", "Freeze, for somebody", "I have seen the original document of who came", "Open the ticket", "Somebody else came; the clerk at once"},
	}
	for _, lang := range languages() {
		w, d := words[lang], newCounterDesk(t, lang)
		c := d.clerk
		shot := func(name string) {
			c.waits(`document.readyState === "complete"`)
			d.looked(c, name+" in "+lang)
			c.shoot(filepath.Join("console", lang), "agent-"+name)
		}
		c.open(d.url + "/desk")
		c.click(`//summary[contains(., "` + w.open + `")]`)
		in := `//details//`
		c.waits(`!!document.querySelector("details[open] input[name=came_name]")`)
		shot("came")
		for name, value := range map[string]string{"number": d.person.IDNumber, "came_number": "passport:DEU-C01X00T47", "came_name": "Schmidt Anna"} {
			evaluate[chromedp.Void](c, fmt.Sprintf(`document.querySelector("details input[name=%s]").value = %q`, name, value))
		}
		evaluate[chromedp.Void](c, `document.querySelector("details select[name=reason]").value = "lost_phone"`)
		c.choose(w.agent)
		c.click(in + `button`)
		c.sees(w.here, w.freeze)
		shot("person")
		c.choose(w.freeze)
		c.choose(w.seen)
		c.press(w.ticket)
		c.sees(w.done)
		shot("froze")
		d.officer.open(d.url + "/reviews")
		d.officer.press(w.freeze)
		d.officer.sees("S*")
		d.clean(c)
	}
}

// looked judges a page of the console.
func (d *counterDesk) looked(b *tab, name string) {
	b.t.Helper()
	b.violations(name)
	b.operable(name)
	if wide := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		b.t.Errorf("%s is %d px too wide", name, wide)
	}
	for _, whole := range []string{d.person.IDNumber, d.person.Phone, d.person.Name} {
		if whole != "" && evaluate[bool](b, `document.documentElement.outerHTML.includes("`+whole+`")`) {
			b.t.Errorf("%s shows %s", name, whole)
		}
	}
}

// TestReadmeCounter draws the page of a clerk that the READMEs show, into the directory that
// -pictures names: a ticket that waits for its supervisor, with its code.
func TestReadmeCounter(t *testing.T) {
	if *pictures == "" {
		t.Skip("without -pictures the READMEs' pictures are compared by TestReadmePictures")
	}
	for name, language := range map[string]string{"zh": "zh-CN", "en": "en"} {
		d := newCounterDesk(t, language)
		c := d.clerk
		c.open(d.url + "/desk")
		c.fill("number", d.person.IDNumber)
		c.pick("reason", "lost_phone")
		c.click(`//form[@action="/desk"]//button`)
		c.waits(`location.pathname.startsWith("/desk/person/")`)
		c.click(`//input[@value="rebind_reset"]`)
		c.click(`//input[@name="checked"]`)
		c.click(`//form[starts-with(@action, "/desk/person/")]//button`)
		c.waits(`location.pathname.startsWith("/desk/ticket/")`)
		c.waits(`!!document.querySelector('form[action$="/code"]')`)
		c.click(`//form[contains(@action, "/code")]//button`)
		c.waits(`!!document.querySelector("svg.qr")`)
		c.pictureAt(filepath.Join(*pictures, "counter."+name+".webp"), 45)
	}
}
