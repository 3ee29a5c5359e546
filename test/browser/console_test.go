package browser

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// office is the screen of an old desk machine.
func office() screen { return screen{"1280x720", 1280, 720, false} }

// desk is a console with its two first members invited, and something on each page.
type desk struct {
	env   *testkit.Env
	url   string
	codes []staff.Invited
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	rules := policy.National()
	rules.Agents = policy.AgentsBoth
	env := testkit.New(t, testkit.Options{Listen: true, Console: true, Inbox: true, Policy: &rules})
	env.Serve()
	d := &desk{env: env, url: env.System.Config.ConsoleAddress()}
	var err error
	d.codes, err = env.System.Admin.Staff().Begin(t.Context(), staff.Beginning{
		Operator: &staff.NewMember{ID: "wang-li", Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li-na", Name: "李娜", Roles: []liuma.StaffRole{liuma.RoleOfficer}}})
	if err != nil {
		t.Fatal(err)
	}
	const one, two = "330521195503070026", "11010519491231002X"
	for _, rows := range []string{one + ",王淑珍,13800138000,A12345678\n" + two + ",赵六,13800138001,A12345679\n", one + ",李丽,13900139000,B12345678\n"} {
		if _, err := env.System.Registry.Import(t.Context(), strings.NewReader("id_number,name,phone,card_no\n"+rows), registry.ImportConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ id, zh, en, parent string }{{"zheliban", "浙里办", "Zheliban", ""}, {"huzhou", "湖州掌上社保", "Huzhou social security", "zheliban"}} {
		pair, err := admin.NewKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		err = env.System.Admin.AddClient(t.Context(), admin.Client{ID: c.id, Kind: store.ClientChannel, Name: liuma.Text{ZH: c.zh, EN: c.en}, Key: pair.Public, Parent: c.parent,
			Regions: []liuma.Region{"33"}, Actions: liuma.Actions(), RedirectURIs: []string{"https://" + c.id + ".example.cn/back"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// sit opens a browser of a member's own, with an authenticator in it.
func (d *desk) sit(t *testing.T, language string) *tab {
	t.Helper()
	b := newTab(t, office(), language)
	call(b, webauthn.Enable, webauthn.EnableParams{})
	call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	return b
}

// fill types into the field of a name, as a keyboard does.
func (b *tab) fill(name, value string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.Search(fmt.Sprintf(`//*[@name=%q]`, name)), value))
}

// join accepts an invitation in the browser, registers a passkey and signs in.
func (d *desk) join(b *tab, first, second string) {
	b.t.Helper()
	b.open(d.url + "/invitation")
	b.fill("first", first)
	if second != "" {
		b.fill("second", second)
	}
	b.click(`//main//form//button`)
	b.waits(`!!document.querySelector("form[data-passkey=create]")`)
	b.click(`//main//form//button`)
	b.waits(`location.search.includes("joined")`)
	b.click(`//main//form//button`)
	b.waits(`location.pathname === "/"`)
}

func (d *desk) clean(b *tab) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if !strings.HasPrefix(r.url, d.url+"/") {
			b.t.Errorf("asked %s", r.url)
		}
	}
	for _, f := range b.faults {
		b.t.Errorf("the browser complained: %s", f)
	}
}

// TestConsoleByPasskeys: from the invitation to the end, in Chromium, with an
// authenticator for each of three people: two register and sign in, one invites, the
// other approves with a fresh touch, the third joins, and is suspended at once.
func TestConsoleByPasskeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	operator, officer, third := d.sit(t, "en"), d.sit(t, "en"), d.sit(t, "en")
	d.join(operator, d.codes[0].Code, "")
	operator.sees("Hello, 王丽")
	d.join(officer, d.codes[1].Code, "")
	operator.open(d.url + "/staff/invite")
	operator.fill("name", "赵敏")
	operator.fill("id", "zhao-min")
	operator.click(`//label[contains(., "hotline")]`)
	operator.press("Propose")
	operator.sees("First half of the code")
	half := regexp.MustCompile(`[0-9A-Z]{5}-[0-9A-Z]{5}`)
	first := half.FindString(operator.text())
	officer.open(d.url + "/")
	officer.press("Proposals that you may approve")
	officer.press("Invite a member of staff")
	officer.sees("zhao-min", "赵敏", "hotline")
	officer.press("Approve with your passkey")
	officer.sees("Second half of the code")
	d.join(third, first, half.FindString(officer.text()))
	third.sees("Freeze by phone")
	third.open(d.url + "/staff")
	third.sees("Your roles do not allow this")
	officer.open(d.url + "/staff/member/zhao-min")
	officer.press("Suspend")
	officer.fill("reason", "left")
	officer.press("Suspend at once")
	officer.sees("Suspended, at once.")
	third.open(d.url + "/freeze")
	third.sees("Your sign-in has ended")
	third.press("Sign in with a passkey")
	third.sees("The passkey was not accepted")
	for _, b := range []*tab{operator, officer, third} {
		d.clean(b)
	}
}

// TestConsoleWithoutAPasskey: who calls the authenticator off is told what to do, and may
// try again.
func TestConsoleWithoutAPasskey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	b := newTab(t, office(), "en")
	call(b, webauthn.Enable, webauthn.EnableParams{})
	b.open(d.url + "/sign-in")
	evaluate[chromedp.Void](b, `navigator.credentials.get = () => Promise.reject(new Error("off"))`)
	b.press("Sign in with a passkey")
	b.sees("No passkey answered")
	d.clean(b)
}

// TestConsolePages: every page, with -every-look in both languages, by the rules of
// accessibility and with the keyboard.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	operator, officer := d.sit(t, "zh-CN"), d.sit(t, "zh-CN")
	d.join(operator, d.codes[0].Code, "")
	d.join(officer, d.codes[1].Code, "")
	who := func(id liuma.StaffID) staff.Caller {
		var c staff.Caller
		for _, cookie := range cookiesOf(operator, officer) {
			if found, err := d.env.System.Admin.Staff().Who(t.Context(), staff.Token(cookie)); err == nil && found.ID == id {
				c = found
			}
		}
		return c
	}
	s := d.env.System.Admin.Staff()
	p, err := s.Propose(t.Context(), who("wang-li"), staff.Change{Kind: staff.KindInvite, Member: staff.NewMember{ID: "zhao-min", Name: "赵敏", Roles: []liuma.StaffRole{liuma.RoleHotline}}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Approve(t.Context(), who("li-na"), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.env.System.Agencies.Import(t.Context(), bytes.NewReader(agencies.File), agency.ImportConfig{Actor: "operator"}); err != nil {
		t.Fatal(err)
	}
	hotline := d.sit(t, "zh-CN")
	d.join(hotline, p.Half, done.Half)
	waiting, err := s.Propose(t.Context(), who("wang-li"), staff.Change{Kind: staff.KindInvite, Member: staff.NewMember{ID: "sun-qi", Name: "孙琪", Roles: []liuma.StaffRole{liuma.RoleAuditor}}})
	if err != nil {
		t.Fatal(err)
	}
	conflicts, err := d.env.System.Admin.Conflicts(t.Context(), "")
	if err != nil || len(conflicts) != 1 {
		t.Fatal(conflicts, err)
	}
	out := newTab(t, office(), "zh-CN")
	for _, page := range []struct {
		b          *tab
		name, path string
	}{
		{out, "sign-in", "/sign-in"}, {out, "ended", "/sign-in?why=ended"}, {out, "invitation", "/invitation"}, {out, "nothing", "/nothing"},
		{officer, "start", "/"}, {operator, "own", "/own"}, {operator, "staff", "/staff"}, {operator, "member", "/staff/member/li-na"}, {operator, "invite", "/staff/invite"},
		{operator, "authorities", "/authorities"}, {operator, "proposals", "/proposals"}, {officer, "proposal", "/proposals/" + string(waiting.ID)}, {operator, "own-proposal", "/proposals/" + string(waiting.ID)},
		{operator, "channels", "/channels"}, {operator, "channel", "/channels/channel/zheliban"}, {operator, "new-channel", "/channels/new?kind=channel"},
		{operator, "policy", "/policy?region=33"}, {officer, "propose-policy", "/policy/propose"}, {officer, "editions", "/policy/history"},
		{hotline, "freeze", "/freeze"}, {hotline, "agencies", "/agency"}, {hotline, "refused", "/staff"},
		{operator, "conflicts", "/conflicts"}, {operator, "conflict", "/conflicts/" + conflicts[0].ID}, {operator, "corrections", "/corrections"}, {operator, "correct", "/corrections/new"},
	} {
		for _, lang := range languages() {
			sep := "?"
			if strings.Contains(page.path, "?") {
				sep = "&"
			}
			page.b.open(d.url + page.path + sep + "lang=" + lang)
			name := page.name + " in " + lang
			page.b.waits(`document.readyState === "complete"`)
			if got := evaluate[string](page.b, `document.documentElement.lang`); got != lang {
				t.Errorf("%s is in %q", name, got)
			}
			page.b.violations(name)
			page.b.operable(name)
			if wide := evaluate[int](page.b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
				t.Errorf("%s is %d px too wide", name, wide)
			}
			text := evaluate[string](page.b, `document.documentElement.outerHTML`)
			for _, whole := range []string{"330521195503070026", "13800138000", "13900139000", "A12345678", "B12345678"} {
				if strings.Contains(text, whole) {
					t.Errorf("%s shows %s", name, whole)
				}
			}
			page.b.shoot(filepath.Join("console", lang), page.name)
		}
	}
	for _, b := range []*tab{out, operator, officer, hotline} {
		d.clean(b)
	}
}

// cookiesOf are the sessions of some browsers.
func cookiesOf(all ...*tab) (out []string) {
	for _, b := range all {
		for _, c := range call(b, network.GetCookies, network.GetCookiesParams{}).Cookies {
			if strings.HasSuffix(c.Name, "desk") {
				out = append(out, c.Value)
			}
		}
	}
	return out
}
