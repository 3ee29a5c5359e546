package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/door"
)

// TestARefusedPushKeepsItsAssertion: a channel that has too many requests in
// flight is refused before its assertion is used up, so that the same request
// can be sent again.
func TestARefusedPushKeepsItsAssertion(t *testing.T) {
	e := newEnv(t)
	bounds, err := door.NewInFlight(door.InFlightConfig{Door: "hosted", Total: 3, PerSource: 2, PerClient: 1, Body: maxBody, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	began, let := make(chan struct{}), make(chan struct{})
	slow := &slowAuthority{fakeAuthority: e.fake, began: began, let: let}
	e.door, err = New(Config{Authority: slow, Tokens: e.vault, Issuer: issuer, Now: e.clock.Now, Logger: slog.New(slog.DiscardHandler), InFlight: bounds})
	must(t, err)
	first := make(chan *httptest.ResponseRecorder)
	body := e.authed(pushForm()).Encode()
	go func() { first <- e.send(PARPath, body) }()
	select {
	case <-began:
	case w := <-first:
		t.Fatalf("the first was not worked on: %d %s", w.Code, w.Body)
	}
	again := e.authed(pushForm())
	w := e.post(PARPath, again)
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"code":"too_many_requests"`) || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	close(let)
	if w := <-first; w.Code != http.StatusCreated {
		t.Errorf("the first: %d %s", w.Code, w.Body)
	}
	go func() {
		select {
		case <-began:
		case <-t.Context().Done(): // it was refused
		}
	}()
	if w := e.post(PARPath, again); w.Code != http.StatusCreated {
		t.Errorf("the same again: %d %s", w.Code, w.Body)
	}
}

// slowAuthority holds a push until it is let go.
type slowAuthority struct {
	*fakeAuthority
	began, let chan struct{}
}

func (a *slowAuthority) Push(ctx context.Context, c authority.Caller, q ceremony.Push) (ceremony.Pushed, error) {
	a.began <- struct{}{}
	<-a.let
	return a.fakeAuthority.Push(ctx, c, q)
}
