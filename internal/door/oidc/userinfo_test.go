package oidc

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// access redeems a code and returns the access token.
func (e *env) access() string {
	e.t.Helper()
	token, _ := decode(e.t, e.post(TokenPath, e.authed(tokenForm(e.code()))))["access_token"].(string)
	return token
}

func (e *env) userinfo(method string, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, UserInfoPath, nil)
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	w := httptest.NewRecorder()
	e.door.ServeHTTP(w, r)
	return w
}

func TestUserInfoIsTheSubjectAndNoMore(t *testing.T) {
	e := newEnv(t)
	access := e.access()
	for _, method := range []string{"GET", "POST"} {
		for _, scheme := range []string{"Bearer ", "bearer "} {
			w := e.userinfo(method, scheme+access)
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"sub":"`+strings.Repeat("s", 32)+`"}` {
				t.Errorf("%s: %d %s", method, w.Code, w.Body)
			}
			if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" || h.Get("WWW-Authenticate") != "" {
				t.Errorf("headers %v", h)
			}
		}
	}
	if strings.Contains(e.log.String(), access) {
		t.Error("the token is in the log")
	}
}

func TestUserInfoRefuses(t *testing.T) {
	e := newEnv(t)
	access := e.access()
	for name, c := range map[string]struct {
		headers []string
		why     reason
	}{
		"nothing":     {nil, reasonAccessMissing},
		"empty":       {[]string{"Bearer "}, reasonAccessMissing},
		"only scheme": {[]string{"Bearer"}, reasonAccessMissing},
		"basic":       {[]string{"Basic " + access}, reasonAccessMissing},
		"twice":       {[]string{"Bearer " + access, "Bearer " + access}, reasonAccessMissing},
		"another":     {[]string{"Bearer " + strings.ToLower(access)}, reasonAccessInvalid},
		"with more":   {[]string{"Bearer " + access + "A"}, reasonAccessInvalid},
		"with blank":  {[]string{"Bearer  " + access}, reasonAccessInvalid},
	} {
		w := e.userinfo("GET", c.headers...)
		doc := wantProblem(t, w, 401, "invalid_token", liuma.CodeUnauthenticated, c.why, "")
		if next, _ := doc["next_step_en"].(string); next != locale.In(locale.English).ReasonNext(string(c.why)) || strings.Contains(next, "Sign") {
			t.Errorf("%s: next step %q", name, next)
		}
		if named := strings.Contains(w.Header().Get("WWW-Authenticate"), `error="invalid_token"`); named != (c.why == reasonAccessInvalid) {
			t.Errorf("%s: %q", name, w.Header().Get("WWW-Authenticate"))
		}
	}
	w := e.userinfo("DELETE", "Bearer "+access)
	wantProblem(t, w, 405, "invalid_request", liuma.CodeBadRequest, reasonMethod, "")
	if w.Header().Get("Allow") != "GET, POST" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
	// In the address or the body it is kept by others: it is not taken from there.
	if w := e.post(UserInfoPath+"?access_token="+access, map[string][]string{"access_token": {access}}); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
}

func TestUserInfoEndsWithItsMinute(t *testing.T) {
	e := newEnv(t)
	access := e.access()
	e.clock.advance(59 * time.Second)
	if w := e.userinfo("GET", "Bearer "+access); w.Code != http.StatusOK {
		t.Errorf("after 59 seconds: %d", w.Code)
	}
	e.clock.advance(time.Second)
	wantProblem(t, e.userinfo("GET", "Bearer "+access), 401, "invalid_token", liuma.CodeUnauthenticated, reasonAccessInvalid, "")
}

func TestUserInfoOfAStoppedChannel(t *testing.T) {
	e := newEnv(t)
	access := e.access()
	e.change(func(c *store.Client) { c.Stopped = true })
	wantProblem(t, e.userinfo("GET", "Bearer "+access), 401, "invalid_token", liuma.CodeUnauthenticated, reasonAccessInvalid, "")
}

// TestUserInfoAtAnotherAuthority: a balancer sends the channel to any of them, and one that
// was started meanwhile reads the token too; one with another vault does not.
func TestUserInfoAtAnotherAuthority(t *testing.T) {
	e := newEnv(t)
	access := e.access()
	again := func(tokens Tokens) {
		other, err := New(Config{Authority: e.fake, Tokens: tokens, Issuer: issuer, Now: e.clock.Now, Logger: slog.New(slog.DiscardHandler)})
		must(t, err)
		e.door = other
	}
	again(e.vault)
	if w := e.userinfo("GET", "Bearer "+access); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	again(newEnv(t).vault)
	wantProblem(t, e.userinfo("GET", "Bearer "+access), 401, "invalid_token", liuma.CodeUnauthenticated, reasonAccessInvalid, "")
}
