package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// Case is a situation that a channel must handle.
type Case struct {
	ID    string
	Name  string
	Right string // the right behaviour
	See   string // section of docs/CHANNELS.md
	// play plays it; the error says what the channel did instead.
	play func(context.Context, *stage) error
	// needs returns the member of the description that the case needs and that is
	// missing, or ""; nil: it needs none.
	needs func(Description) string
}

const (
	comeBack  = "CHANNELS.md, 5. Come back, and redeem"
	lostOnes  = "CHANNELS.md, 7. When something is lost"
	pushing   = "CHANNELS.md, 4. Push"
	errorList = "CHANNELS.md, Errors, and what to tell people"
)

// Cases lists all cases in the order in which they are played: link first, since the
// others need linked cards; last the cases that end a card's use.
func Cases() []Case {
	out := []Case{
		{ID: "link", Name: "link the cards of both accounts", Right: "one exchange of the code; the handle is kept with the account", See: comeBack, play: playLink},
		{ID: "right", Name: "a right PIN", Right: "the code is redeemed once, within a minute, and the page behind the PIN opens", See: comeBack, play: playRight},
		{ID: "wrong-then-right", Name: "a wrong PIN once, then the right one", Right: "one code comes back, and the page opens", See: comeBack, play: playWrongThenRight},
		{ID: "left", Name: "the holder gives up on the page", Right: "nothing is redeemed, nothing opens, and the result is asked for by business number", See: lostOnes, play: playLeft},
	}
	out = append(out, actCases()...)
	out = append(out, forgottenCases()...)
	out = append(out, callbackCases()...)
	out = append(out, tokenCases()...)
	out = append(out, lossCases()...)
	out = append(out,
		Case{ID: "pushes", Name: "what was pushed, all the time", Right: "business number, state, nonce and PKCE challenge are new each time, state and nonce random; only evidence goes with a number again",
			See: pushing, play: playPushes},
		Case{ID: "frozen-meanwhile", Name: "the card is frozen between the verdict and the exchange", Right: "the refused exchange opens nothing", See: comeBack, play: playFrozenMeanwhile},
		Case{ID: "frozen", Name: "a frozen card", Right: "nothing opens", See: errorList, play: playFrozen},
	)
	out = append(out, frozenCases()...)
	out = append(out, lateCases()...)
	return append(out,
		Case{ID: "locked", Name: "six wrong PINs", Right: "nothing opens, and the app says until when", See: errorList, play: playLocked},
		Case{ID: "cancelled", Name: "the physical card is cancelled", Right: "the app says so; nothing opens, nothing breaks", See: errorList, play: playCancelled},
	)
}

// proved fails unless the page behind the PIN is open after one exchange.
func (b *browser) proved(ctx context.Context, p *visitor.Page) error {
	exchanges, _ := b.s.front.seen()
	switch {
	case exchanges == 0:
		return fmt.Errorf("the code was not redeemed; the page said %q, status %d", p.Title(), p.Status())
	case exchanges > 1:
		return fmt.Errorf("%d exchanges for one callback", exchanges)
	case !b.opens(ctx):
		return errors.New("the code was redeemed, and the page behind the PIN is not open")
	}
	return nil
}

// closed fails if the page behind the PIN is open, or if there were more exchanges
// than allowed.
func (b *browser) closed(ctx context.Context, exchanges int) error {
	if n, _ := b.s.front.seen(); n > exchanges {
		return fmt.Errorf("the code was sent to the token endpoint (%d exchanges, %d are right)", n, exchanges)
	}
	if b.opens(ctx) {
		return errors.New("the page behind the PIN opened")
	}
	return nil
}

// asked fails unless the channel asked for the result by business number.
func (b *browser) asked() error {
	if _, asks := b.s.front.seen(); asks == 0 {
		return errors.New("the channel did not ask for the result by business number")
	}
	return nil
}

func playLink(ctx context.Context, s *stage) error {
	for i := range s.c.Channel.Accounts[:2] {
		s.front.calm()
		b, p, err := s.arrive(ctx, i, "link", s.c.Channel.Link)
		if err != nil {
			return err
		}
		_, back, err := b.types(ctx, p, s.pins[i])
		if err != nil || back == nil {
			return errors.Join(err, errors.New("the authority's page did not lead back"))
		}
		if _, err := b.comes(ctx, back); err != nil {
			return err
		}
		if n, _ := s.front.seen(); n != 1 {
			return fmt.Errorf("%d exchanges for one callback", n)
		}
		last, _ := s.front.last()
		s.handles = append(s.handles, s.front.handle(last.details["business_no"]))
	}
	return nil
}

// verified is a browser whose holder gave the right PIN, and the address to which it
// is sent.
func (s *stage) verified(ctx context.Context) (*browser, *url.URL, error) {
	b, p, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
	if err != nil {
		return nil, nil, err
	}
	at, back, err := b.types(ctx, p, s.pins[0])
	if err == nil && back == nil {
		err = fmt.Errorf("the authority's page did not lead back: %q", at.Title())
	}
	return b, back, err
}

func playRight(ctx context.Context, s *stage) error {
	b, back, err := s.verified(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	p, err := b.comes(ctx, back)
	if err != nil {
		return err
	}
	if err := b.proved(ctx, p); err != nil {
		return err
	}
	if took := time.Since(begun); took > time.Minute {
		return fmt.Errorf("it took %s", took)
	}
	return nil
}

func playWrongThenRight(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	p, _, err = b.types(ctx, p, wrongPIN)
	if err != nil {
		return err
	}
	_, back, err := b.types(ctx, p, s.pins[0])
	if err != nil || back == nil {
		return errors.Join(err, errors.New("the authority's page did not lead back"))
	}
	if p, err = b.comes(ctx, back); err != nil {
		return err
	}
	return b.proved(ctx, p)
}

const wrongPIN = "738205"

func playLeft(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 0, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	if p, err = p.Press(ctx, "leave", nil); err == nil && b.sentBack() == nil && p.Has("return") {
		_, err = p.Press(ctx, "return", nil)
	}
	back := b.sentBack()
	if err != nil || back == nil {
		return errors.Join(err, errors.New("the authority's page did not lead back"))
	}
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	return errors.Join(b.closed(ctx, 0), b.asked())
}

func playPushes(_ context.Context, s *stage) error {
	s.front.mu.Lock()
	defer s.front.mu.Unlock()
	seen, numbers := map[string]bool{}, map[string]map[string]any{}
	for _, p := range s.front.pushes {
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			v := p.form.Get(name)
			if seen[name+v] {
				return fmt.Errorf("%s was used twice", name)
			}
			if len(v) < 16 {
				return fmt.Errorf("%s has %d characters: too few to be random", name, len(v))
			}
			seen[name+v] = true
		}
		if no, _ := p.details["business_no"].(string); no != "" {
			if first, again := numbers[no]; again && !goesOn(first, p.details) {
				return fmt.Errorf("business_no %s was used for two requests", no)
			}
			numbers[no] = p.details
		}
	}
	return nil
}

// goesOn says that a push is an earlier one with evidence for it.
func goesOn(first, again map[string]any) bool {
	for _, name := range []string{"action", "holder", "purpose", "region"} {
		if !reflect.DeepEqual(first[name], again[name]) {
			return false
		}
	}
	return again["evidence"] != nil && !reflect.DeepEqual(first["evidence"], again["evidence"])
}

func playFrozenMeanwhile(ctx context.Context, s *stage) error {
	b, back, err := s.verified(ctx)
	if err != nil {
		return err
	}
	if err := s.freeze(ctx, 0); err != nil {
		return err
	}
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	return b.closed(ctx, 1)
}

func (s *stage) freeze(ctx context.Context, account int) error {
	s.freezes++
	_, err := s.other.Freeze(ctx, client.FreezeRequest{BusinessNo: fmt.Sprintf("CHECK-F-%d", s.freezes), Subject: client.Subject{Card: s.cards[account]}})
	return err
}

func playFrozen(ctx context.Context, s *stage) error {
	if err := s.freeze(ctx, 0); err != nil && client.CodeOf(err) != client.CodeFrozen {
		return err
	}
	b, err := s.newBrowser()
	if err == nil {
		err = b.logIn(ctx, 0)
	}
	if err != nil {
		return err
	}
	p, err := b.do(ctx, "verify", s.c.Channel.Verify, s.c.Channel.Accounts[0].Name)
	if err != nil {
		return err
	}
	if _, err = b.leads(ctx, p); err != nil {
		return err
	}
	return b.closed(ctx, 0)
}

// leads follows the authority's refusal back to the channel, if it leads there.
func (b *browser) leads(ctx context.Context, p *visitor.Page) (*visitor.Page, error) {
	p, err := enter(ctx, p)
	if err == nil && b.sentBack() == nil && p.Has("return") {
		p, err = p.Press(ctx, "return", nil)
	}
	if back := b.sentBack(); err == nil && back != nil {
		return b.comes(ctx, back)
	}
	if err == nil && p.Status() >= http.StatusInternalServerError {
		err = fmt.Errorf("the app broke: status %d", p.Status())
	}
	return p, err
}

func playLocked(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 1, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	for range 6 {
		if p.Pad() == "" {
			break
		}
		if p, _, err = b.types(ctx, p, wrongPIN); err != nil {
			return err
		}
	}
	if p, err = b.leads(ctx, p); err != nil {
		return err
	}
	if err := errors.Join(b.closed(ctx, 0), b.asked()); err != nil {
		return err
	}
	// A lock ends a day later, by the wall clock.
	now := time.Now().In(clock.China())
	for minute := range 5 {
		if strings.Contains(p.Body(), now.Add(-time.Duration(minute)*time.Minute).Format("15:04")) || strings.Contains(p.Body(), now.Add(time.Minute).Format("15:04")) {
			return nil
		}
	}
	return fmt.Errorf("the app does not say until when the PIN is locked; its page is %q", p.Title())
}
