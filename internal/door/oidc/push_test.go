package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/envelope"
)

func TestPush(t *testing.T) {
	e := newEnv(t)
	w := e.post(PARPath, e.authed(pushForm()))
	m := decode(t, w)
	uri, _ := m["request_uri"].(string)
	if w.Code != http.StatusCreated || len(m) != 2 || m["expires_in"] != 90.0 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", h)
	}
	want := ceremony.Push{
		BusinessNo: "ZJ-1", Action: liuma.ActionVerify, Subject: envelope.Subject{Card: "k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4"},
		Region: "3305", Purpose: "查询社保缴费年限",
		Return: ceremony.Return{RedirectURI: redirect, State: "st-0123456789", Nonce: "n-0S6_WzA2Mj", CodeChallenge: s256(verifier)},
	}
	if diff := cmp.Diff(want, e.fake.pushed[uri].Push); diff != "" {
		t.Errorf("pushed (-want +got):\n%s", diff)
	}
	if got := e.fake.pushed[uri].client; got != channel {
		t.Errorf("pushed by %q", got)
	}
}

func TestPushReadsEveryMember(t *testing.T) {
	e := newEnv(t)
	f := pushForm()
	f.Set("authorization_details", ` [ {"type":"liuma_pin","action":"enroll","holder":{"id_number":"33050119500307612X","name":"王\u5976奶","phone":"138 0000 1234"},
		"region":"330500","purpose":"申领电子社保卡","business_no":"ZJ-2","challenge":"c~1","evidence":"a.b.c"} ] `)
	uri := e.push(f)
	want := ceremony.Push{
		BusinessNo: "ZJ-2", Action: liuma.ActionEnroll, Region: "3305", Purpose: "申领电子社保卡", Challenge: "c~1", Evidence: "a.b.c",
		Subject: envelope.Subject{IDNumber: "33050119500307612X", Name: "王奶奶", Phone: "138 0000 1234"},
		Return:  e.fake.pushed[uri].Return,
	}
	if diff := cmp.Diff(want, e.fake.pushed[uri].Push); diff != "" {
		t.Errorf("pushed (-want +got):\n%s", diff)
	}
}

// Parameters that the door does not use, of OpenID Connect or unknown, are
// ignored (RFC 6749, 3.1).
func TestPushIgnoresWhatItDoesNotKnow(t *testing.T) {
	e := newEnv(t)
	f := pushForm()
	for name, value := range map[string]string{"ui_locales": "en", "prompt": "login", "max_age": "0", "response_mode": "query",
		"scope": "profile openid", "display": "touch", "x-vendor": "1", "login_hint": "", "request": ""} {
		f.Set(name, value)
	}
	f.Del("client_id") // the assertion says who it is
	e.push(f)
}

func TestPushRefusesParameters(t *testing.T) {
	set := func(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(f url.Values) { f.Del(name) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		error  string
		why    reason
		field  string
	}{
		"no response type":     {del("response_type"), "invalid_request", reasonMissing, "response_type"},
		"implicit":             {set("response_type", "id_token"), "unsupported_response_type", reasonResponseType, "response_type"},
		"hybrid":               {set("response_type", "code id_token"), "unsupported_response_type", reasonResponseType, "response_type"},
		"fragment mode":        {set("response_mode", "fragment"), "invalid_request", reasonResponseMode, "response_mode"},
		"no scope":             {del("scope"), "invalid_scope", reasonScope, "scope"},
		"other scope":          {set("scope", "openidx profile"), "invalid_scope", reasonScope, "scope"},
		"silent":               {set("prompt", "none"), "interaction_required", reasonPrompt, "prompt"},
		"request object":       {set("request", "a.b.c"), "request_not_supported", reasonRequestObject, "request"},
		"request by address":   {set("request_uri", "urn:x"), "invalid_request", reasonRequestURI, "request_uri"},
		"no redirect":          {del("redirect_uri"), "invalid_request", reasonMissing, "redirect_uri"},
		"redirect shorter":     {set("redirect_uri", "https://app.example/back"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect longer":      {set("redirect_uri", redirect+"&x=1"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect slash":       {set("redirect_uri", "https://app.example/back/?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect host case":   {set("redirect_uri", "https://APP.example/back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect path case":   {set("redirect_uri", "https://app.example/Back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect port":        {set("redirect_uri", "https://app.example:443/back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect fragment":    {set("redirect_uri", redirect+"#x"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect scheme":      {set("redirect_uri", "http://app.example/back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect escaped":     {set("redirect_uri", "https://app.example/b%61ck?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect dots":        {set("redirect_uri", "https://app.example/x/../back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect user":        {set("redirect_uri", "https://app.example@evil.example/back?from=liuma"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect space":       {set("redirect_uri", redirect+" "), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"redirect of another":  {set("redirect_uri", "https://evil.example/"), "invalid_request", reasonRedirectURI, "redirect_uri"},
		"no state":             {del("state"), "invalid_request", reasonMissing, "state"},
		"short state":          {set("state", "1234567"), "invalid_request", reasonShort, "state"},
		"long state":           {set("state", strings.Repeat("s", 2049)), "invalid_request", reasonLong, "state"},
		"long nonce":           {set("nonce", strings.Repeat("n", 513)), "invalid_request", reasonLong, "nonce"},
		"state of other bytes": {set("state", "12345678\n"), "invalid_request", reasonForm, "state"},
		"no nonce":             {del("nonce"), "invalid_request", reasonMissing, "nonce"},
		"short nonce":          {set("nonce", "1234567"), "invalid_request", reasonShort, "nonce"},
		"no challenge":         {del("code_challenge"), "invalid_request", reasonMissing, "code_challenge"},
		"short challenge":      {set("code_challenge", s256(verifier)[1:]), "invalid_request", reasonShort, "code_challenge"},
		"long challenge":       {set("code_challenge", s256(verifier)+"A"), "invalid_request", reasonLong, "code_challenge"},
		"padded challenge":     {set("code_challenge", s256(verifier)[1:]+"="), "invalid_request", reasonForm, "code_challenge"},
		"no method":            {del("code_challenge_method"), "invalid_request", reasonMissing, "code_challenge_method"},
		"plain":                {set("code_challenge_method", "plain"), "invalid_request", reasonChallenge, "code_challenge_method"},
		"method case":          {set("code_challenge_method", "s256"), "invalid_request", reasonChallenge, "code_challenge_method"},
		"no details":           {del("authorization_details"), "invalid_request", reasonMissing, "authorization_details"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			f := pushForm()
			c.change(f)
			wantProblem(t, e.post(PARPath, e.authed(f)), http.StatusBadRequest, c.error, liuma.CodeBadRequest, c.why, c.field)
			if len(e.fake.pushed) != 0 {
				t.Error("the authority was asked all the same")
			}
		})
	}
}

// A channel that was registered for the native door alone has nowhere to go
// back to.
func TestPushWithoutARegisteredRedirect(t *testing.T) {
	e := newEnv(t)
	e.register(channel, e.key)
	wantProblem(t, e.post(PARPath, e.authed(pushForm())), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonRedirectURI, "redirect_uri")
	f := pushForm()
	f.Set("redirect_uri", "")
	wantProblem(t, e.post(PARPath, e.authed(f)), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonMissing, "redirect_uri")
}

// A scheme of an app's own, or http to another host, is refused however it came
// into the registration: any app can claim the one, anybody read the other.
func TestPushBackToASchemeOfAnApp(t *testing.T) {
	for _, redirect := range []string{"cn.gov.zheli:/cb", "weixin://dl/x", "http://app.example.cn/back"} {
		e := newEnv(t)
		e.register(channel, e.key, redirect)
		f := pushForm()
		f.Set("redirect_uri", redirect)
		wantProblem(t, e.post(PARPath, e.authed(f)), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonRedirectURI, "redirect_uri")
	}
}

// Every parameter, known or not, may come once.
func TestDuplicateParametersAreRefused(t *testing.T) {
	e := newEnv(t)
	names := []string{"unknown"}
	for name := range e.authed(pushForm()) {
		names = append(names, name)
	}
	for _, name := range names {
		f := e.authed(pushForm())
		f[name] = []string{f.Get(name), f.Get(name)}
		wantProblem(t, e.post(PARPath, f), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonDuplicate, name)
	}
	for name := range e.authed(tokenForm("c")) {
		f := e.authed(tokenForm("c"))
		f.Add(name, "")
		wantProblem(t, e.post(TokenPath, f), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonDuplicate, name)
	}
	if len(e.fake.used) != 0 {
		t.Error("a refused request used up an assertion")
	}
}

func TestBodies(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{PARPath, TokenPath} {
		for name, c := range map[string]struct {
			body string
			why  reason
		}{
			"semicolon":      {"a=b;c=d", reasonFormSyntax},
			"half an escape": {"a=%4", reasonFormSyntax},
			"not UTF-8":      {"a=%ff%fe", reasonUTF8},
			"many":           {strings.Repeat("a=b&", maxParameters), reasonMany},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				field := ""
				if c.why == reasonUTF8 {
					field = "a"
				}
				wantProblem(t, e.send(path, c.body), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, c.why, field)
			})
		}
		wantProblem(t, e.send(path, ""), http.StatusUnauthorized, "invalid_client", liuma.CodeUnauthenticated, reasonAssertionMissing, "client_assertion")
		wantProblem(t, e.send(path, "a="+strings.Repeat("b", maxBody)), http.StatusRequestEntityTooLarge, "invalid_request", liuma.CodeTooLarge, "", "")
		wantProblem(t, e.send(path+"?a=b", ""), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonQuery, "")
		wantProblem(t, e.send(path+"?", ""), http.StatusBadRequest, "invalid_request", liuma.CodeBadRequest, reasonQuery, "")
	}
	// One byte less is read, whether its length is announced or not.
	f := e.authed(pushForm()).Encode()
	if w := e.send(PARPath, f+"&pad="+strings.Repeat("p", maxBody-len(f)-5)); w.Code != http.StatusCreated {
		t.Errorf("64 KiB: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest(http.MethodPost, PARPath, strings.NewReader("a="+strings.Repeat("b", maxBody)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.ContentLength = -1
	w := httptest.NewRecorder()
	e.door.ServeHTTP(w, r)
	wantProblem(t, w, http.StatusRequestEntityTooLarge, "invalid_request", liuma.CodeTooLarge, "", "")
}

func TestContentTypes(t *testing.T) {
	e := newEnv(t)
	send := func(kind, encoding string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, PARPath, strings.NewReader(e.authed(pushForm()).Encode()))
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if encoding != "" {
			r.Header.Set("Content-Encoding", encoding)
		}
		w := httptest.NewRecorder()
		e.door.ServeHTTP(w, r)
		return w
	}
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded;charset=utf-8"} {
		if w := send(kind, "identity"); w.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
	}
	for _, kind := range []string{"", "application/json", "multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded; charset=gbk", "application/x-www-form-urlencoded, text/plain", ";"} {
		wantProblem(t, send(kind, ""), http.StatusUnsupportedMediaType, "invalid_request", liuma.CodeBadRequest, reasonContentType, "")
	}
	wantProblem(t, send("application/x-www-form-urlencoded", "gzip"), http.StatusUnsupportedMediaType, "invalid_request", liuma.CodeBadRequest, reasonContentEncoding, "")
}

// The field of an authority's error is named as in the request, and the cause
// is not shown.
func TestPushRefusedByTheAuthority(t *testing.T) {
	three := 3
	for name, c := range map[string]struct {
		err    error
		status int
		error  string
		code   liuma.Code
		field  string
		check  func(*testing.T, map[string]any)
	}{
		"field":     {liuma.FailField(liuma.CodeIDNumberInvalid, "holder.id_number", nil), 400, detailsError, liuma.CodeIDNumberInvalid, "authorization_details.holder.id_number", nil},
		"bad field": {liuma.FailField(liuma.CodeBadRequest, "holder", nil), 400, detailsError, liuma.CodeBadRequest, "authorization_details.holder", nil},
		"evidence": {&liuma.Error{Code: liuma.CodeEvidenceRequired, Challenge: "c-1"}, 400, detailsError, liuma.CodeEvidenceRequired, "",
			func(t *testing.T, m map[string]any) {
				if m["challenge"] != "c-1" {
					t.Error("no challenge to go on with")
				}
			}},
		"number used":   {liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil), 400, detailsError, liuma.CodeBusinessNoUsed, "authorization_details.business_no", nil},
		"not permitted": {liuma.Fail(liuma.CodeForbidden, nil), 400, "unauthorized_client", liuma.CodeForbidden, "", nil},
		"one refusal": {&liuma.Error{Code: liuma.CodeRefused, Reason: "unset", TriesLeft: &three, Field: "pin"}, 400, "access_denied", liuma.CodeRefused, "",
			func(t *testing.T, m map[string]any) {
				if m["tries_left"] != nil {
					t.Error("the one refusal tells causes apart")
				}
			}},
		"unavailable":  {liuma.Fail(liuma.CodeUnavailable, nil), 503, "temporarily_unavailable", liuma.CodeUnavailable, "", nil},
		"unclassified": {errors.New("disk on fire at 33050119500307612X"), 500, "server_error", liuma.CodeInternal, "", nil},
		"unknown code": {liuma.Fail("no_such_code", nil), 500, "server_error", liuma.CodeInternal, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.fake.refusal = c.err
			w := e.post(PARPath, e.authed(pushForm()))
			m := wantProblem(t, w, c.status, c.error, c.code, "", c.field)
			if m["business_no"] != "ZJ-1" {
				t.Errorf("business number %v", m["business_no"])
			}
			if strings.Contains(w.Body.String(), "fire") {
				t.Error("the cause left the house")
			}
			if c.check != nil {
				c.check(t, m)
			}
		})
	}
}

func TestPushErrorTellsUntilWhen(t *testing.T) {
	e := newEnv(t)
	e.fake.refusal = &liuma.Error{Code: liuma.CodeLocked, Until: e.clock.Now().Add(90 * time.Minute)}
	w := e.post(PARPath, e.authed(pushForm()))
	m := wantProblem(t, w, 400, "access_denied", liuma.CodeLocked, "", "")
	if m["until"] != "2026-04-01T11:00:00Z" || w.Header().Get("Retry-After") != "5400" {
		t.Errorf("%v, %v", m["until"], w.Header())
	}
}

func TestNextStepInTheLanguageAskedFor(t *testing.T) {
	e := newEnv(t)
	for header, want := range map[string]string{"": "zh", "en": "en", "zh-CN,zh;q=0.9,en;q=0.8": "zh", "en-GB, zh;q=0.1": "en", "fr": "zh", strings.Repeat("en,", 200): "zh"} {
		r := httptest.NewRequest(http.MethodPost, PARPath, strings.NewReader(""))
		r.Header.Set("Accept-Language", header)
		w := httptest.NewRecorder()
		e.door.ServeHTTP(w, r)
		m := decode(t, w)
		if m["next_step"] != m["next_step_"+want] || m["next_step_zh"] == m["next_step_en"] {
			t.Errorf("%.20q: %v", header, m["next_step"])
		}
	}
}

// If the authority returns a request that has expired already, that is an
// internal error and not passed to the channel.
func TestPushOfAnExpiredAnswer(t *testing.T) {
	e := newEnv(t)
	f := e.authed(pushForm())
	e.fake.now = func() time.Time { return e.clock.Now().Add(-2 * time.Minute) }
	wantProblem(t, e.post(PARPath, f), 500, "server_error", liuma.CodeInternal, "", "")
}

// Nothing that a channel sends may end in a log: all of it may be personal.
func TestLogHoldsNothingPersonal(t *testing.T) {
	e := newEnv(t)
	secret := "33050119500307612X"
	f := pushForm()
	f.Set("authorization_details", `[{"type":"liuma_pin","action":"link","holder":{"id_number":"`+secret+`","name":"王奶奶"},"purpose":"x","business_no":"1"}]`)
	e.push(f)
	for _, body := range []string{
		`[{"type":"liuma_pin","action":"link","holder":{"id_number":"` + secret + `","name":"王奶奶","` + secret + `":1},"purpose":"x","business_no":"1"}]`,
		`[{"type":"liuma_pin","action":"` + secret + `","holder":{"card":"` + secret + `"},"purpose":"x\n","business_no":"` + secret + `!"}]`,
		`{"` + secret + `":`, `[{"` + secret + `":"\ud800"}]`,
	} {
		f := pushForm()
		f.Set("authorization_details", body)
		w := e.post(PARPath, e.authed(f))
		if w.Code != 400 || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	f = pushForm()
	f.Set(secret, "1")
	f.Add(secret, "1")
	w := e.post(PARPath, f)
	e.send(PARPath, secret+"=%zz"+secret)
	if log := e.log.String(); strings.Contains(log, secret) || strings.Contains(log, "王奶奶") || strings.Contains(w.Body.String(), secret) ||
		!strings.Contains(log, "route=/par") || !strings.Contains(log, "client="+channel) {
		t.Errorf("log\n%s", log)
	}
}
