package standin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	origin   = "http://127.0.0.1:8602"
	issuer   = "http://127.0.0.1:8601"
	number   = "33050319780825173X"
	name     = "李建国"
	whole    = `"challenge":"c-1","id_number":"` + number + `","name":"` + name + `"`
	jsonKind = "application/json"
	formKind = "application/x-www-form-urlencoded"
)

// trial is a stand-in at a time that a test sets.
type trial struct {
	t    *testing.T
	s    *standin.StandIn
	pair admin.KeyPair
	now  time.Time
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := evidence.NewSigner("stand-in", pair.Private, pair.Public.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	x := &trial{t: t, pair: pair, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)}
	x.s, err = standin.New(standin.Config{Signer: signer, Audience: issuer, Origin: origin, Now: func() time.Time { return x.now }})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ask sends a request; headers are pairs.
func (x *trial) ask(method, path, kind, body string, headers ...string) *http.Response {
	x.t.Helper()
	r := httptest.NewRequest(method, origin+path, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	x.s.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// members reads the JSON of an answer with a status.
func members(t *testing.T, r *http.Response, status int) map[string]string {
	t.Helper()
	body := text(t, r)
	if r.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", r.StatusCode, status, body)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// begin begins a check and returns its path.
func (x *trial) begin(more string) string {
	x.t.Helper()
	m := members(x.t, x.ask("POST", "/checks", jsonKind, "{"+whole+more+"}"), http.StatusCreated)
	if m["page"] != origin+"/checks/"+m["check"] || m["result"] != m["page"]+"/result" || m["expires"] != "2026-11-29T10:10:00Z" {
		x.t.Fatalf("answered %v", m)
	}
	return "/checks/" + m["check"]
}

// checked is what the authority makes of evidence.
func (x *trial) checked(token string, allow bool) error {
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{x.pair.Public}})
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := evidence.Check(token, func(id string) (store.Client, error) {
		return store.Client{ID: id, Kind: store.ClientProvider, StandIn: true, Keys: keys}, nil
	}, evidence.Want{Audience: issuer, Challenge: "c-1", IDNumber: number, Name: name, Now: x.now, MaxAge: 5 * time.Minute, AllowStandIn: allow})
	if err == nil && p.Method != evidence.MethodStandIn {
		x.t.Errorf("method %q", p.Method)
	}
	return err
}

// TestAtOnce: one request gives evidence that the authority takes only where it
// allows stand-ins.
func TestAtOnce(t *testing.T) {
	x := newTrial(t)
	// Typed as people type: the authority compares canonical spellings.
	typed := `{"challenge":"c-1","id_number":" ` + strings.ToLower(number) + `","name":"李 建国"}`
	token := members(t, x.ask("POST", standin.EvidencePath, jsonKind, typed), http.StatusOK)["evidence"]
	if err := x.checked(token, true); err != nil {
		t.Errorf("refused where stand-ins are allowed: %v", err)
	}
	if x.checked(token, false) == nil {
		t.Error("taken where stand-ins are not allowed")
	}
	if x.now = x.now.Add(6 * time.Minute); x.checked(token, true) == nil {
		t.Error("taken after six minutes")
	}
}

// TestCamera: the channel says who is before it, and another face is refused.
func TestCamera(t *testing.T) {
	x := newTrial(t)
	for camera, status := range map[string]int{number: 200, "330502195603120626": 422, "": 422} {
		r := x.ask("POST", standin.EvidencePath, jsonKind, `{`+whole+`,"camera":"`+camera+`"}`)
		if body := text(t, r); r.StatusCode != status || (status == 422) != strings.Contains(body, "face_mismatch") {
			t.Errorf("camera %q: %d %s", camera, r.StatusCode, body)
		}
	}
}

// TestRefuses: what is wrong is named, and nothing is signed.
func TestRefuses(t *testing.T) {
	x := newTrial(t)
	for _, tt := range []struct{ what, kind, body, code string }{
		{"a form, as another site can send it", "text/plain", "{" + whole + "}", "want_application_json"},
		{"no type", "", "{" + whole + "}", "want_application_json"},
		{"no JSON", jsonKind, "hello", "bad_request"},
		{"two objects", jsonKind, "{" + whole + "}{}", "bad_request"},
		{"an unknown member", jsonKind, "{" + whole + `,"nam":""}`, "bad_request"},
		{"too long", jsonKind, "{" + whole + `,"state":"` + strings.Repeat("x", 9<<10) + `"}`, "bad_request"},
		{"another authority", jsonKind, "{" + whole + `,"audience":"https://pin.example.cn"}`, "audience_of_another_authority"},
		{"no challenge", jsonKind, `{"id_number":"` + number + `","name":"` + name + `"}`, "challenge_invalid"},
		{"a challenge of two lines", jsonKind, `{"challenge":"a\nb","id_number":"` + number + `","name":"` + name + `"}`, "challenge_invalid"},
		{"a wrong ID number", jsonKind, `{"challenge":"c","id_number":"330503197808251731","name":"` + name + `"}`, "id_number_invalid"},
		{"no name", jsonKind, `{"challenge":"c","id_number":"` + number + `"}`, "name_invalid"},
	} {
		for _, path := range []string{standin.EvidencePath, standin.ChecksPath} {
			body := text(t, x.ask("POST", path, tt.kind, tt.body))
			if !strings.Contains(body, `"`+tt.code+`"`) || strings.Contains(body, "evidence\"") {
				t.Errorf("%s at %s: %s", tt.what, path, body)
			}
		}
	}
	for uri, code := range map[string]string{
		"http://app.example.cn/back": "redirect_uri_invalid", "javascript:alert(1)": "redirect_uri_invalid", "/back": "redirect_uri_invalid",
		"https://app.example.cn/back#x": "redirect_uri_invalid",
	} {
		if got := members(t, x.ask("POST", standin.ChecksPath, jsonKind, "{"+whole+`,"redirect_uri":"`+uri+`"}`), 400)["error"]; got != code {
			t.Errorf("redirect URI %s: %s", uri, got)
		}
	}
	if got := members(t, x.ask("POST", standin.ChecksPath, jsonKind, "{"+whole+`,"state":"`+strings.Repeat("s", 513)+`"}`), 400)["error"]; got != "state_too_long" {
		t.Errorf("a long state: %s", got)
	}
}

// TestPress: "it is me" goes back with evidence; the other buttons with an error.
// Only the first press counts.
func TestPress(t *testing.T) {
	for who, want := range map[string]string{"me": "", "other": "face_mismatch", "leave": "left_by_holder"} {
		x := newTrial(t)
		path := x.begin(`,"redirect_uri":"http://127.0.0.1:8090/back?a=1","state":"s 1&evidence=x"`)
		var first string
		for i, press := range []string{who, "me", "other"} {
			r := x.ask("POST", path+"/who", formKind, "who="+press, "Origin", origin)
			if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), path+"?") {
				t.Fatalf("%s: %d %s", who, r.StatusCode, r.Header.Get("Location"))
			}
			page := html.UnescapeString(text(t, x.ask("GET", path, "", "")))
			_, rest, ok := strings.Cut(page, `<meta http-equiv="refresh" content="0;url=`)
			address, _, _ := strings.Cut(rest, `">`)
			back, err := url.Parse(address)
			if err != nil || !ok || !strings.Contains(page, `href="`+address+`"`) {
				t.Fatalf("%s goes back to %q, %v:\n%s", who, address, err, page)
			}
			if i == 0 {
				first = back.String()
			}
			if back.String() != first {
				t.Errorf("%s: press %d decided anew: %s", who, i+1, back)
			}
			q := back.Query()
			if back.Host != "127.0.0.1:8090" || q.Get("a") != "1" || q.Get("state") != "s 1&evidence=x" || q.Get("error") != want {
				t.Errorf("%s leads to %s", who, back)
			}
			if (want == "") != (q.Get("evidence") != "") {
				t.Errorf("%s: evidence %q", who, q.Get("evidence"))
			}
			if want == "" && x.checked(q.Get("evidence"), true) != nil {
				t.Errorf("%s: refused", who)
			}
		}
		got := members(t, x.ask("GET", path+"/result", "", ""), 200)
		if got["error"] != want || (got["state"] == "given") != (want == "") {
			t.Errorf("%s: the result is %v", who, got)
		}
	}
}

// TestNobodyPressesForAnother: neither another site's form nor a name that
// resolves here presses, reads or begins; nor does an unknown answer decide.
func TestNobodyPressesForAnother(t *testing.T) {
	x := newTrial(t)
	path := x.begin("")
	for _, h := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
		if r := x.ask("POST", path+"/who", formKind, "who=me", h...); r.StatusCode != http.StatusForbidden {
			t.Errorf("pressed with %v: %d", h, r.StatusCode)
		}
		if r := x.ask("POST", standin.ChecksPath, formKind, "challenge=c", h...); r.StatusCode != http.StatusForbidden {
			t.Errorf("begun with %v: %d", h, r.StatusCode)
		}
	}
	for _, p := range []string{"/", path, path + "/result"} {
		r := x.ask("GET", p, "", "", "Host", "evil.example:8602")
		if body := text(t, r); r.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "waiting") {
			t.Errorf("read %s under another name: %d %s", p, r.StatusCode, body)
		}
	}
	if r := x.ask("POST", path+"/who", formKind, "who=somebody"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown answer: %d", r.StatusCode)
	}
	if got := members(t, x.ask("GET", path+"/result", "", ""), 200); got["state"] != "waiting" || len(got) != 1 {
		t.Errorf("decided by somebody else: %v", got)
	}
}

// TestEnds: a check ends after ten minutes, and there is room for a bounded number.
func TestEnds(t *testing.T) {
	x := newTrial(t)
	path := x.begin("")
	for range 499 {
		x.begin("")
	}
	if got := members(t, x.ask("POST", standin.ChecksPath, jsonKind, "{"+whole+"}"), 503)["error"]; got != "too_many_checks" {
		t.Errorf("a check too many: %s", got)
	}
	x.now = x.now.Add(10 * time.Minute)
	for _, r := range []*http.Response{x.ask("GET", path, "", ""), x.ask("POST", path+"/who", formKind, "who=me"), x.ask("GET", path+"/result", "", "")} {
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("after ten minutes: %d", r.StatusCode)
		}
	}
	if r := x.ask("POST", standin.ChecksPath, jsonKind, "{"+whole+"}"); r.StatusCode != http.StatusCreated {
		t.Errorf("no room after they ended: %d", r.StatusCode)
	}
}

// TestPages: every page says what this is, in the reader's language, with the
// holder masked; what is typed is shown as text.
func TestPages(t *testing.T) {
	x := newTrial(t)
	asked, done, refused := x.begin(""), x.begin(""), x.begin("")
	x.ask("POST", done+"/who", formKind, "who=me")
	x.ask("POST", refused+"/who", formKind, "who=other")
	for path, words := range map[string][2]string{
		"/": {"手工签一份", "Make one by hand"}, asked: {"屏幕前的是本人吗", "Who is before the screen"},
		done: {"凭证已签发", "Evidence was signed"}, refused: {"没有签发凭证", "Nothing was signed"}, "/checks/none": {"这次认证已经结束", "This check has ended"},
	} {
		for i, page := range []string{text(t, x.ask("GET", path, "", "")), text(t, x.ask("GET", path, "", "", "Accept-Language", "en-GB"))} {
			mark := [2]string{"替身，什么也不证明", "A stand-in: it proves nothing"}[i]
			if !strings.Contains(page, words[i]) || !strings.Contains(page, mark) || strings.Contains(page, words[1-i]) {
				t.Errorf("%s in language %d:\n%s", path, i, page)
			}
			if strings.Contains(page, number) || strings.Contains(page, name) {
				t.Errorf("%s names the holder", path)
			}
		}
		if page := text(t, x.ask("GET", path+"?lang=en", "", "")); !strings.Contains(page, words[1]) {
			t.Errorf("%s with ?lang=en:\n%s", path, page)
		}
	}
	form := url.Values{"challenge": {"<script>"}, "id_number": {"1"}, "name": {name}}.Encode()
	r := x.ask("POST", standin.ChecksPath, formKind, form)
	if page := text(t, r); r.StatusCode != 400 || !strings.Contains(page, "id_number_invalid") || strings.Contains(page, "<script>") {
		t.Errorf("a wrong form: %d\n%s", r.StatusCode, page)
	}
	form = url.Values{"challenge": {"c-1"}, "id_number": {number}, "name": {name}}.Encode()
	r = x.ask("POST", standin.ChecksPath, formKind, form)
	if to := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/checks/") {
		t.Errorf("a right form: %d %s", r.StatusCode, to)
	}
}

// TestPolicy: no script runs, and a form leads nowhere but here.
func TestPolicy(t *testing.T) {
	x := newTrial(t)
	h := x.ask("GET", x.begin(`,"redirect_uri":"https://app.example.cn/back"`), "", "").Header
	if p := h.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || !strings.Contains(p, "form-action 'self';") {
		t.Errorf("policy %q", p)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := evidence.NewSigner("stand-in", pair.Private, pair.Public.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	good := standin.Config{Signer: signer, Audience: issuer, Origin: origin, Now: time.Now}
	for what, spoil := range map[string]func(*standin.Config){
		"no signer":     func(c *standin.Config) { c.Signer = nil },
		"no audience":   func(c *standin.Config) { c.Audience = "" },
		"no clock":      func(c *standin.Config) { c.Now = nil },
		"origin's path": func(c *standin.Config) { c.Origin = origin + "/" },
		"no scheme":     func(c *standin.Config) { c.Origin = "127.0.0.1:8602" },
	} {
		c := good
		spoil(&c)
		if _, err := standin.New(c); err == nil {
			t.Errorf("%s passes", what)
		}
	}
}

// registered is an administration that knows some providers.
type registered struct {
	admin.Administration
	all  []store.Client
	acts []string
}

func (r *registered) Clients(context.Context, store.ClientKind) ([]store.Client, error) {
	return r.all, nil
}

func (r *registered) AddClient(_ context.Context, c admin.Client) error {
	r.acts = append(r.acts, fmt.Sprintf("add %s %s %t", c.Kind, c.ID, c.StandIn))
	return nil
}

func (r *registered) AddClientKey(_ context.Context, _ store.ClientKind, id string, key jose.JSONWebKey) error {
	r.acts = append(r.acts, "key "+id+" "+key.KeyID)
	return nil
}

// TestEnlist: a stand-in is registered as one, never made out of a real provider,
// and never resumed.
func TestEnlist(t *testing.T) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := admin.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	row := func(key jose.JSONWebKey, standIn, stopped bool) []store.Client {
		keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
		if err != nil {
			t.Fatal(err)
		}
		return []store.Client{{ID: "s", Kind: store.ClientProvider, Keys: keys, StandIn: standIn, Stopped: stopped}}
	}
	for what, tt := range map[string]struct {
		all      []store.Client
		register bool
		want     string
	}{
		"not there":                 {nil, true, "registered [add provider s true]"},
		"not there, not to be made": {nil, false, "s is not registered with this key []"},
		"there":                     {row(pair.Public, true, false), true, " []"},
		"there with another key":    {row(other.Public, true, false), true, "key added [key s " + pair.Public.KeyID + "]"},
		"another key, not to be":    {row(other.Public, true, false), false, "s is not registered with this key []"},
		"a real one":                {row(pair.Public, false, false), true, "s is a provider that is not registered as a stand-in []"},
		"stopped":                   {row(pair.Public, true, true), true, "s is stopped []"},
	} {
		adm := &registered{all: tt.all}
		done, err := standin.Enlist(t.Context(), adm, standin.Registration{ID: "s", Key: pair.Public, Register: tt.register})
		if err != nil {
			done = err.Error()
		}
		if got := fmt.Sprint(done, " ", adm.acts); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
}
