package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/visitor"
)

// mostChecks is the most pages between the channel and the authority.
const mostChecks = 6

// newPINs are tried in turn when a PIN is set: at least one of them is not weak for a
// person, and differs from the card's earlier PINs.
func newPINs() []string {
	return []string{"604937", "271846", "915483", "483159", "827461", "359172", "746203"}
}

// proves goes from a page of the channel through the identity check, as the holder,
// to the authority. A page that leads no further is returned as it is.
func (b *browser) proves(ctx context.Context, p *visitor.Page) (*visitor.Page, error) {
	issuer, _, provider := b.s.c.Places()
	there := func(origin string) bool { return origin != "" && strings.HasPrefix(p.URL().String(), origin+"/") }
	if u, err := url.Parse(provider); err == nil && provider != "" {
		provider = u.Scheme + "://" + u.Host
	}
	var err error
	for range mostChecks {
		switch press := b.s.c.Channel.Evidence; {
		case there(issuer):
			return enter(ctx, p)
		case there(provider) && p.Has("who"):
			p, err = p.Press(ctx, "who", url.Values{"who": {"me"}})
		case there(provider):
			p, err = p.Follow(ctx, b.s.c.Channel.Origin)
		case press != "" && p.Has(press):
			p, err = p.Press(ctx, press, nil)
		default:
			return p, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the identity check: %w", err)
		}
	}
	return p, nil
}

// starts begins an act that may need an identity check first.
func (s *stage) starts(ctx context.Context, account int, what string, r Request) (*browser, *visitor.Page, error) {
	b, err := s.newBrowser()
	if err == nil {
		err = b.logIn(ctx, account)
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := b.do(ctx, what, r, s.account(account).Name)
	if err == nil {
		p, err = b.proves(ctx, p)
	}
	if err == nil {
		s.loose = append(s.loose, loose{b, p})
	}
	return b, p, err
}

// provesAgain takes the authority's demand for evidence to the channel, and goes
// through the identity check back to the authority's page. It checks the push that
// the channel made of it.
func (b *browser) provesAgain(ctx context.Context) (*visitor.Page, error) {
	back := b.sentBack()
	if back == nil || back.Query().Get("error") != "evidence_required" {
		return nil, errors.New("the authority's page did not lead back for an identity check")
	}
	first, _ := b.s.front.last()
	before := b.s.front.count()
	p, err := b.comes(ctx, back)
	if err != nil {
		return nil, err
	}
	if p, err = b.proves(ctx, p); err != nil {
		return nil, err
	}
	last, _ := b.s.front.last()
	text := func(of push, name string) string { v, _ := of.details[name].(string); return v }
	switch {
	case b.s.front.count() == before:
		return nil, fmt.Errorf("the channel did not push again after %q; the browser is at %s, status %d", "evidence_required", bare(p.URL()), p.Status())
	case text(last, "business_no") != text(first, "business_no"):
		return nil, errors.New("the evidence was pushed under another business number")
	case text(last, "challenge") != back.Query().Get("challenge"):
		return nil, errors.New("the evidence was not asked for the challenge that came back")
	case !last.taken:
		return nil, fmt.Errorf("the push with evidence was refused: %s", last.code)
	}
	return p, nil
}

// code has a one-time code sent to a phone, and types it. The authority sends one a
// minute to a number, and an earlier case may have used up this minute's.
func (b *browser) code(ctx context.Context, p *visitor.Page, phone string) (*visitor.Page, error) {
	sent := len(b.s.world.Inbox.Texts(phone))
	var err error
	for late := time.Now().Add(90 * time.Second); time.Now().Before(late); {
		if p.Has("send-code") {
			if p, err = p.Press(ctx, "send-code", nil); err != nil {
				return nil, fmt.Errorf("the authority's page: %w", err)
			}
		}
		for wait := time.Now().Add(3 * time.Second); time.Now().Before(wait); {
			texts := b.s.world.Inbox.Texts(phone)
			for i := len(texts) - 1; i >= sent; i-- {
				if given := texts[i].Params["code"]; given != "" && p.Has("code") {
					return p.Press(ctx, "code", url.Values{"code": {given}})
				}
			}
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return nil, err
			}
		}
		if p, err = p.Again(ctx); err != nil {
			return nil, fmt.Errorf("the authority's page: %w", err)
		}
	}
	return nil, fmt.Errorf("the authority sent no code: its page is %q", p.Title())
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// sets sets a new PIN on the authority's pad, which may ask for the old one as well,
// and returns it with the next page.
func (b *browser) sets(ctx context.Context, p *visitor.Page, old string) (*visitor.Page, string, error) {
	mode := p.Pad()
	if mode != "new" && mode != "change" {
		return nil, "", fmt.Errorf("the authority's page %q asks for no new PIN", p.Title())
	}
	for _, pin := range newPINs() {
		if pin == old {
			continue
		}
		typed := []string{pin}
		if mode == "change" {
			typed = []string{old, pin}
		}
		next, err := p.TypePIN(ctx, typed...)
		if err != nil {
			return nil, "", fmt.Errorf("the authority's pad: %w", err)
		}
		if p = next; p.Pad() != mode {
			return p, pin, nil
		}
	}
	return nil, "", errors.New("the authority's pad took no PIN")
}

// leaves goes on from the last page of the authority, and returns the address to
// which the browser is sent back; nil if there is none.
func (b *browser) leaves(ctx context.Context, p *visitor.Page) (*url.URL, error) {
	if b.sentBack() == nil && p.Has("return") {
		if _, err := p.Press(ctx, "return", nil); err != nil {
			return nil, fmt.Errorf("the authority's page: %w", err)
		}
	}
	return b.sentBack(), nil
}

// ends takes the answer of an act back, and checks that its code is redeemed once and
// that the act does not open a page that needs a verification.
func (b *browser) ends(ctx context.Context, p *visitor.Page) error {
	back, err := b.leaves(ctx, p)
	if err != nil {
		return err
	}
	if back == nil || back.Query().Get("code") == "" {
		return fmt.Errorf("the authority's page brought no code back: %q", p.Title())
	}
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	if n, _ := b.s.front.seen(); n != 1 {
		return fmt.Errorf("%d exchanges for one callback", n)
	}
	if b.opens(ctx) {
		return errors.New("the page behind the PIN opened, for another act than a verification")
	}
	return nil
}

// refused fails unless a push was refused with an error code, and the app came
// through it.
func (b *browser) refused(ctx context.Context, p *visitor.Page, code string) error {
	if last, _ := b.s.front.last(); last.taken || !strings.HasPrefix(last.code+"/", code+"/") {
		return fmt.Errorf("the authority should have refused the push with %s; it said %q", code, last.code)
	}
	if p.Status() >= http.StatusInternalServerError {
		return fmt.Errorf("the app broke: status %d", p.Status())
	}
	return b.closed(ctx, 0)
}

// refusedThere goes on from a refusal on the authority's page. It leads back with an
// error, which anybody could have written, so the app must ask the authority.
func (b *browser) refusedThere(ctx context.Context, p *visitor.Page) error {
	if _, err := b.leads(ctx, p); err != nil {
		return err
	}
	return errors.Join(b.closed(ctx, 0), b.asked())
}
