package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// callbackCases are answers that do not belong to the log-in.
func callbackCases() []Case {
	changed := func(change func(url.Values)) func(context.Context, *stage) error {
		return func(ctx context.Context, s *stage) error {
			b, back, err := s.verified(ctx)
			if err != nil {
				return err
			}
			q := back.Query()
			change(q)
			forged := *back
			forged.RawQuery = q.Encode()
			if _, err := b.comes(ctx, &forged); err != nil {
				return err
			}
			return b.closed(ctx, 0)
		}
	}
	const none = "refused; no exchange, and nothing opens"
	return []Case{
		{ID: "state-changed", Name: "a callback with another state", Right: none, See: comeBack, play: changed(func(q url.Values) { q.Set("state", "another-state") })},
		{ID: "state-missing", Name: "a callback without state", Right: none, See: comeBack, play: changed(func(q url.Values) { q.Del("state") })},
		{ID: "issuer-changed", Name: "a callback from another issuer", Right: none, See: comeBack, play: changed(func(q url.Values) { q.Set("iss", "https://evil.example") })},
		{ID: "issuer-missing", Name: "a callback without iss", Right: none, See: comeBack, play: changed(func(q url.Values) { q.Del("iss") })},
		{ID: "error-forged", Name: "a forged error in the address, with the right state", Right: "nothing opens, and the result is asked for by business number", See: lostOnes, play: playForgedError},
		{ID: "replayed", Name: "the same callback twice", Right: "the second one is refused, without an exchange", See: comeBack, play: playReplay},
		{ID: "no-session", Name: "the callback in a browser that is not logged in", Right: none, See: comeBack, play: playElsewhere(-1)},
		{ID: "other-session", Name: "the callback in another session of the same account", Right: none, See: comeBack, play: playElsewhere(0)},
		{ID: "other-account", Name: "the callback in another account's session", Right: none, See: comeBack, play: playElsewhere(1)},
		{ID: "account-changed", Name: "another account logs in, in the same browser, before the callback", Right: none, See: comeBack, play: playAccountChanged},
		{ID: "relayed", Name: "a relayed page: pushed in one log-in, the PIN typed in another browser", Right: "the log-in that pushed learns returning, and nothing opens", See: lostOnes, play: playRelay},
	}
}

func playForgedError(ctx context.Context, s *stage) error {
	b, _, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	if _, err := b.comes(ctx, s.errorBack("access_denied", "not_returned")); err != nil {
		return err
	}
	return errors.Join(b.closed(ctx, 0), b.asked())
}

// errorBack is the address to which the authority would send a browser with an error.
func (s *stage) errorBack(kind, code string) *url.URL {
	last, _ := s.front.last()
	u, err := url.Parse(s.c.Channel.RedirectURI)
	if err != nil {
		return &url.URL{}
	}
	q := u.Query()
	q.Set("state", last.form.Get("state"))
	q.Set("iss", s.world.Issuer())
	q.Set("error", kind)
	q.Set("error_description", code)
	u.RawQuery = q.Encode()
	return u
}

func playReplay(ctx context.Context, s *stage) error {
	b, back, err := s.verified(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := b.comes(ctx, back); err != nil {
			return err
		}
	}
	if n, _ := s.front.seen(); n != 1 {
		return fmt.Errorf("%d exchanges for two callbacks with the same state", n)
	}
	return nil
}

func playElsewhere(account int) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		_, back, err := s.verified(ctx)
		if err != nil {
			return err
		}
		other, err := s.newBrowser()
		if err == nil && account >= 0 {
			err = other.logIn(ctx, account)
		}
		if err != nil {
			return err
		}
		if _, err := other.comes(ctx, back); err != nil {
			return err
		}
		return other.closed(ctx, 0)
	}
}

func playAccountChanged(ctx context.Context, s *stage) error {
	b, back, err := s.verified(ctx)
	if err != nil {
		return err
	}
	if err := b.logIn(ctx, 1); err != nil {
		return err
	}
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	return b.closed(ctx, 0)
}

func playRelay(ctx context.Context, s *stage) error {
	thief, p, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	last, _ := s.front.last()
	owner, err := s.newBrowser()
	if err != nil {
		return err
	}
	_ = p // the thief sends the address on and opens nothing more
	at, err := owner.visitor.Open(ctx, s.world.Issuer()+"/authorize?"+url.Values{"client_id": {s.c.Channel.ClientID}, "request_uri": {last.uri}}.Encode())
	if err != nil {
		return err
	}
	if at, err = enter(ctx, at); err != nil {
		return err
	}
	if at.Pad() == "" {
		return thief.closed(ctx, 0) // the authority itself let nobody else in
	}
	_, back, err := owner.types(ctx, at, s.pins[0])
	if err != nil {
		return err
	}
	if back != nil {
		if _, err := owner.comes(ctx, back); err != nil {
			return err
		}
	}
	if ask := s.c.Channel.Ask; ask != nil {
		if _, err := thief.do(ctx, "ask for the result", *ask, s.c.Channel.Accounts[0].Name); err != nil {
			return err
		}
	}
	return errors.Join(owner.closed(ctx, 0), thief.closed(ctx, 0))
}
