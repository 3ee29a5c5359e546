package console_test

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/door/console"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/softkey"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/web"
)

const origin = "https://desk.example.cn"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house is a console with a staff.
type house struct {
	t *testing.T
	*admintest.World
	admin *admin.Admin
	door  http.Handler
	staff *staff.Staff
	codes []staff.Invited // of the first two
	log   *strings.Builder
}

// newHouse has invited the first operator, wang, and the first officer, li.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := open(t)
	var err error
	h.codes, err = h.staff.Begin(t.Context(), staff.Beginning{
		Operator: &staff.NewMember{ID: "wang", Name: "王丽", Roles: []liuma.StaffRole{liuma.RoleOperator}},
		Officer:  &staff.NewMember{ID: "li", Name: "李娜", Roles: []liuma.StaffRole{liuma.RoleOfficer}}})
	must(t, err)
	return h
}

// open is a console without any member.
func open(t *testing.T) *house {
	t.Helper()
	w := admintest.New(t, admintest.Options{Served: true})
	return opened(t, w, w.Config())
}

// opened is a console over a world of its own.
func opened(t *testing.T, w *admintest.World, c admin.Config) *house {
	t.Helper()
	c.Console = origin
	a, err := admin.New(c)
	must(t, err)
	assets, err := web.Load()
	must(t, err)
	h := &house{t: t, World: w, admin: a, staff: a.Staff(), log: &strings.Builder{}}
	h.door, err = console.New(console.Config{Admin: a.Guarded(), Staff: a.Staff(), Assets: assets, Holder: "https://pin.example.cn", Origin: origin, Now: time.Now, CheckRedirectURI: oidc.CheckRedirectURI,
		Logger: slog.New(slog.NewTextHandler(h.log, nil))})
	must(t, err)
	return h
}

// browser is one with a passkey and a cookie jar.
type browser struct {
	h       *house
	key     *softkey.Key
	cookies map[string]*http.Cookie
	lang    string
}

func (h *house) browser() *browser {
	key, err := softkey.New(origin)
	must(h.t, err)
	return &browser{h: h, key: key, cookies: map[string]*http.Cookie{}, lang: "en"}
}

// page is an answer.
type page struct {
	status int
	body   string
	to     string // of a redirect
	header http.Header
}

// says reports whether words are on the page, as a person reads them.
func (p page) says(words ...string) bool {
	read := html.UnescapeString(p.body)
	for _, w := range words {
		if !strings.Contains(read, w) {
			return false
		}
	}
	return true
}

func (b *browser) send(r *http.Request) page {
	b.h.t.Helper()
	r.Header.Set("Accept-Language", b.lang)
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.h.door.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	body, err := io.ReadAll(w.Result().Body)
	must(b.h.t, err)
	return page{w.Code, string(body), w.Header().Get("Location"), w.Header()}
}

func (b *browser) get(path string) page {
	return b.send(httptest.NewRequest(http.MethodGet, origin+path, http.NoBody))
}

// post sends a form as the console's own page does.
func (b *browser) post(path string, form ...string) page {
	q := url.Values{}
	for i := 0; i < len(form); i += 2 {
		q.Add(form[i], form[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, origin+path, strings.NewReader(q.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

// join accepts an invitation with a passkey.
func (b *browser) join(code string) page {
	b.h.t.Helper()
	p := b.post("/invitation", "first", code, "second", "")
	m := regexp.MustCompile(`data-options="([^"]*)"`).FindStringSubmatch(p.body)
	if m == nil {
		b.h.t.Fatalf("no passkey is asked for: %d %s", p.status, p.body)
	}
	answer, err := b.key.Create([]byte(html.UnescapeString(m[1])))
	must(b.h.t, err)
	return b.post("/invitation/passkey", "code", code, "answer", string(answer), "software", "1")
}

// touch answers an offer with the browser's passkey.
func (b *browser) touch(offer string) string {
	b.h.t.Helper()
	p := b.get(offer)
	if p.status != http.StatusOK {
		b.h.t.Fatalf("no offer at %s: %d %s", offer, p.status, p.body)
	}
	answer, err := b.key.Get([]byte(p.body))
	must(b.h.t, err)
	return string(answer)
}

func (b *browser) signIn() page {
	b.h.t.Helper()
	return b.post("/sign-in", "answer", b.touch("/sign-in/offer"), "next", "/")
}

// members are wang, an operator, and li, an officer, each signed in.
func (h *house) members() (operator, officer *browser) {
	h.t.Helper()
	operator, officer = h.browser(), h.browser()
	for i, b := range []*browser{operator, officer} {
		if p := b.join(h.codes[i].Code); p.status != http.StatusSeeOther {
			h.t.Fatalf("did not join: %d %s", p.status, p.body)
		}
		if p := b.signIn(); p.status != http.StatusSeeOther || p.to != "/" {
			h.t.Fatalf("did not sign in: %d %s", p.status, p.body)
		}
	}
	return operator, officer
}

// TestFromInvitationToSuspension: an invitation, a passkey, a sign-in, an act that takes
// two, and a suspension that ends the session with the next request.
func TestFromInvitationToSuspension(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	if p := operator.get("/"); p.status != http.StatusOK || !p.says("Hello, 王丽") {
		t.Fatalf("start: %d %s", p.status, p.body)
	}
	p := operator.post("/staff/invite", "name", "赵六", "id", "zhao", "role", "operator", "region", "33", "agency", "")
	if p.status != http.StatusOK || !p.says("First half of the code") {
		t.Fatalf("invited: %d %s", p.status, p.body)
	}
	half := regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}`)
	first, at := half.FindString(p.body), regexp.MustCompile(`/proposals/[a-z0-9]+`).FindString(p.body)
	if p := officer.post(at + "/approve"); p.status != http.StatusForbidden || !p.says("The passkey was not accepted") {
		t.Errorf("approved without a passkey: %d", p.status)
	}
	if p := operator.post(at+"/approve", "answer", operator.touch(at+"/offer")); p.status != http.StatusForbidden || !p.says("Who proposed this cannot approve it") {
		t.Errorf("approved by who proposed: %d %s", p.status, p.body)
	}
	if p := officer.get("/"); !p.says("Proposals that you may approve") {
		t.Errorf("start of the officer: %s", p.body)
	}
	answer := officer.touch(at + "/offer")
	p = officer.post(at+"/approve", "answer", answer)
	if p.status != http.StatusOK || !p.says("Second half of the code") {
		t.Fatalf("approved: %d %s", p.status, p.body)
	}
	second := half.FindString(p.body)
	if p := officer.post(at+"/approve", "answer", answer); p.status == http.StatusOK {
		t.Error("a touch counts twice")
	}
	third := h.browser()
	if p := third.join(first + " " + second); p.to != "/sign-in?why=joined" {
		t.Fatalf("joined: %d %s", p.status, p.body)
	}
	third.signIn()
	if p := third.get("/staff"); p.status != http.StatusOK || p.says("王丽") || !p.says("赵六") {
		t.Errorf("a member of a region sees: %d %s", p.status, p.body)
	}
	if p := officer.post("/staff/member/zhao/suspend", "reason", ""); p.status != http.StatusUnprocessableEntity || !p.says("This takes a reason") {
		t.Errorf("suspended without a reason: %d %s", p.status, p.body)
	}
	if p := officer.post("/staff/member/zhao/suspend", "reason", "left"); p.status != http.StatusSeeOther {
		t.Fatalf("suspended: %d %s", p.status, p.body)
	}
	if p := third.get("/staff"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/sign-in?") {
		t.Errorf("after the suspension: %d %s", p.status, p.to)
	}
	if p := third.signIn(); p.status != http.StatusForbidden || !p.says("The passkey was not accepted") {
		t.Errorf("signed in though suspended: %d %s", p.status, p.body)
	}
	if h.log.Len() > 0 && strings.Contains(h.log.String(), "ERROR") {
		t.Error(h.log)
	}
}

// TestASessionIsOfTheConsoleAlone: the cookie is bound to the host and kept from scripts
// and other sites; a sign-in makes a new one and ends the one before; and it is worth
// nothing at the socket, as a terminal's is worth nothing here.
func TestASessionIsOfTheConsoleAlone(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	c := operator.cookies["__Host-desk"]
	if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
		t.Fatalf("cookie: %+v", c)
	}
	before := c.Value
	operator.signIn()
	if operator.cookies["__Host-desk"].Value == before {
		t.Error("the session was not made anew")
	}
	now := operator.cookies["__Host-desk"]
	operator.cookies["__Host-desk"] = &http.Cookie{Name: now.Name, Value: before}
	if p := operator.get("/"); p.status != http.StatusSeeOther {
		t.Errorf("the session before goes on: %d", p.status)
	}
	operator.cookies["__Host-desk"] = now
	at := admin.From(t.Context(), admin.Origin{Session: staff.Token(now.Value)})
	if _, err := h.admin.Guarded().StaffMembers(at); err == nil {
		t.Error("the cookie is a sign-in at the socket")
	}
	who, err := h.staff.Who(t.Context(), staff.Token(now.Value))
	must(t, err)
	code, _, err := h.staff.TerminalCode(t.Context(), who)
	must(t, err)
	terminal, err := h.staff.SignInByCode(t.Context(), code)
	must(t, err)
	operator.cookies["__Host-desk"] = &http.Cookie{Name: now.Name, Value: string(terminal.Token)}
	if p := operator.get("/staff"); p.status != http.StatusSeeOther {
		t.Errorf("a terminal's session is one of the console: %d", p.status)
	}
	operator.cookies["__Host-desk"] = now
	if p := operator.post("/sign-out"); p.to != "/sign-in?why=out" {
		t.Errorf("%d %s", p.status, p.to)
	}
	operator.cookies["__Host-desk"] = now
	if p := operator.get("/"); p.status != http.StatusSeeOther {
		t.Errorf("signed out, and goes on: %d", p.status)
	}
}

// TestNobodyWithoutMembers: before the first member, commands act without a name; the
// console lets nobody in.
func TestNobodyWithoutMembers(t *testing.T) {
	h := open(t)
	b := h.browser()
	for _, value := range []string{"", "page.made-up", "page.", "made-up"} {
		b.cookies["__Host-desk"] = &http.Cookie{Name: "__Host-desk", Value: value}
		for _, path := range []string{"/", "/staff", "/staff/invite", "/proposals"} {
			if p := b.get(path); p.status != http.StatusSeeOther {
				t.Errorf("%q at %s: %d", value, path, p.status)
			}
		}
	}
}

// TestPagesKeepTheRules: every answer says that it is not to be kept and that nothing
// inline runs; another site can post nothing.
func TestPagesKeepTheRules(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	for _, path := range []string{"/", "/sign-in", "/invitation", "/staff", "/nothing"} {
		p := operator.get(path)
		policy := p.header.Get("Content-Security-Policy")
		if p.header.Get("Cache-Control") != "no-store" || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") ||
			p.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %v", path, p.header)
		}
		for _, bad := range []string{" style=", "<style", " onclick", "<script>", "javascript:"} {
			if strings.Contains(p.body, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, origin+"/sign-out", http.NoBody)
	r.Header.Set("Origin", "https://elsewhere.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if p := operator.send(r); p.status != http.StatusForbidden || !p.says("another site") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := operator.get("/"); p.status != http.StatusOK {
		t.Error("another site signed the member out")
	}
	for _, to := range []string{"//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example", "javascript:1"} {
		if p := operator.post("/sign-in", "answer", operator.touch("/sign-in/offer"), "next", to); p.to != "/" {
			t.Errorf("%s leads to %s", to, p.to)
		}
	}
}
