package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// lossCases are answers that do not come, and refusals.
func lossCases() []Case {
	const none = "nothing opens, nothing breaks, and the result is asked for by business number"
	return []Case{
		{ID: "token-lost", Name: "the answer of the token endpoint is lost", Right: none, See: lostOnes, play: playTokenLost},
		{ID: "back-lost", Name: "the web view dies right after the PIN, and the address is opened again", Right: "the code that comes then is redeemed, and the page opens", See: lostOnes, play: playBackLost},
		{ID: "expired", Name: "the ceremony expired on the page", Right: none, See: errorList, play: playCode(client.CodeCeremonyExpired)},
		{ID: "blocked", Name: "the PIN is blocked", Right: none, See: errorList, play: playCode(client.CodeBlocked)},
		{ID: "pin-reset", Name: "the PIN was recovered meanwhile", Right: none, See: errorList, play: playCode(client.CodePINReset)},
		{ID: "not-returned", Name: "the result did not come back in time", Right: none, See: lostOnes, play: playCode(client.CodeNotReturned)},
		{ID: "code-unknown", Name: "a code that a later version adds", Right: none, See: errorList, play: playCode("a_code_of_tomorrow")},
		{ID: "unavailable", Name: "the authority cannot answer a push", Right: "the app says so; nothing opens, nothing breaks", See: errorList, play: playPush(http.StatusServiceUnavailable, "temporarily_unavailable", client.CodeUnavailable, "")},
		{ID: "clock-off", Name: "the channel's clock is ten minutes off", Right: "the push fails, and nothing breaks", See: errorList, play: playPush(http.StatusUnauthorized, "invalid_client", client.CodeUnauthenticated, client.ReasonAssertionExpired)},
		{ID: "ration", Name: "the channel's ration is spent", Right: "the app says so, and does not push again and again", See: errorList, play: playPush(http.StatusTooManyRequests, "temporarily_unavailable", client.CodeRationSpent, "")},
	}
}

func playTokenLost(ctx context.Context, s *stage) error {
	b, back, err := s.verified(ctx)
	if err != nil {
		return err
	}
	s.front.changes(func(r *http.Request, _ url.Values, a *answer) { a.lost = r.URL.Path == "/token" })
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	return errors.Join(b.closed(ctx, 1), b.asked())
}

func playBackLost(ctx context.Context, s *stage) error {
	b, _, err := s.verified(ctx) // the callback is never opened
	if err != nil {
		return err
	}
	last, _ := s.front.last()
	at, err := b.visitor.Open(ctx, s.world.Issuer()+"/authorize?"+url.Values{"client_id": {s.c.Channel.ClientID}, "request_uri": {last.uri}}.Encode())
	if err != nil {
		return err
	}
	if at.Has("return") {
		if _, err := at.Press(ctx, "return", nil); err != nil {
			return err
		}
	}
	again := b.sentBack()
	if again == nil {
		return fmt.Errorf("the authority's page did not lead back: %q", at.Title())
	}
	p, err := b.comes(ctx, again)
	if err != nil {
		return err
	}
	return b.proved(ctx, p)
}

// playCode brings an error back, and has the authority report the same by business
// number. Errors that take minutes or days in real life are simulated at once.
func playCode(code string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		b, _, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
		if err != nil {
			return err
		}
		s.front.changes(func(r *http.Request, _ url.Values, a *answer) {
			if no, ok := strings.CutPrefix(r.URL.Path, "/v1/verifications/"); ok {
				a.set(http.StatusOK, "application/json", map[string]any{"business_no": no, "action": "verify", "state": "decided", "code": code,
					"title_zh": "没有办成", "title_en": "That was refused", "next_step_zh": "请重新办理。", "next_step_en": "Start again.", "at": time.Now().UTC()})
			}
		})
		if _, err := b.comes(ctx, s.errorBack("access_denied", code)); err != nil {
			return err
		}
		return errors.Join(b.closed(ctx, 0), b.asked())
	}
}

// playPush refuses a push.
func playPush(status int, kind, code, reason string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		b, err := s.newBrowser()
		if err != nil {
			return err
		}
		if err := b.logIn(ctx, 0); err != nil {
			return err
		}
		before := s.front.count()
		s.front.changes(func(r *http.Request, _ url.Values, a *answer) {
			if r.URL.Path == "/par" {
				a.set(status, "application/json", map[string]any{"error": kind, "error_description": "Refused, for a rehearsal.", "error_description_zh": "排练：被拒绝。",
					"code": code, "reason": reason, "next_step": "请稍后再试。", "next_step_zh": "请稍后再试。", "next_step_en": "Try again later.", "instance": "urn:liuma:request:rehearsal"})
			}
		})
		p, err := b.do(ctx, "verify", s.c.Channel.Verify, s.c.Channel.Accounts[0].Name)
		if err != nil {
			return err
		}
		if p.Status() >= http.StatusInternalServerError {
			return fmt.Errorf("the app broke: status %d", p.Status())
		}
		if n := s.front.count() - before; n != 1 {
			return fmt.Errorf("%d pushes for one press", n)
		}
		return b.closed(ctx, 0)
	}
}
