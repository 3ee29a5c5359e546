package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/visitor"
)

const midway = "the challenge that comes back goes to an identity check, and the evidence is pushed under the same number; "

// forgottenCases are ways back from a forgotten PIN. They come early, because a card
// gets only one code a minute.
func forgottenCases() []Case {
	return []Case{
		{ID: "reset", Name: "a forgotten PIN, by an act of its own", Right: midway + "the code is redeemed once, and opens nothing; the new PIN does", See: recoveryPart,
			play: playReset, needs: needsReset},
		{ID: "forgotten", Name: "a PIN that is forgotten at the pad of a verification", Right: midway + "the verification then goes on, and opens the page", See: recoveryPart,
			play: playForgotten, needs: needsReset},
	}
}

// lateCases are about the second account's card. Its phone is changed after all other
// cases that need a code, since nothing can be recovered for three days after that.
func lateCases() []Case {
	return []Case{
		{ID: "recovered", Name: "a locked PIN is recovered on the page that says so", Right: midway + "pin_reset is asked for by business number and wins over locked; nothing opens",
			See: recoveryPart, play: playRecovered, needs: needsReset},
		{ID: "rebind", Name: "another phone", Right: midway + "the code is redeemed once, and opens nothing", See: recoveryPart, play: playRebind, needs: needsRebind},
		{ID: "reset-too-soon", Name: "a reset right after that", Right: "the app says why not (phone_bound_lately); nothing opens", See: errorList,
			play: playTooSoon, needs: needsResetAfterRebind},
	}
}

// frozenCases unfreeze a frozen card, and freeze it again.
func frozenCases() []Case {
	return []Case{
		{ID: "unfreeze", Name: "the card is unfrozen", Right: "the code is redeemed once, and opens nothing; the card works again", See: recoveryPart, play: playUnfreeze, needs: needsUnfreeze},
		{ID: "freeze", Name: "the card is frozen by the app", Right: "one call to /v1/freezes, with the account's handle; then nothing opens", See: recoveryPart,
			play: playFreeze, needs: needsFreeze},
	}
}

// resets goes from the authority's first page of a reset to the pad.
func (b *browser) resets(ctx context.Context, p *visitor.Page, account int) (*visitor.Page, error) {
	p, err := b.code(ctx, p, b.s.phones[account])
	if err == nil {
		_, err = b.leaves(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return b.provesAgain(ctx)
}

func playReset(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 0, "reset", *s.c.Channel.Reset)
	if err != nil {
		return err
	}
	if p, err = b.resets(ctx, p, 0); err != nil {
		return err
	}
	p, pin, err := b.sets(ctx, p, s.pins[0])
	if err != nil {
		return err
	}
	s.pins[0] = pin
	if err := b.ends(ctx, p); err != nil {
		return err
	}
	return s.works(ctx, 0)
}

// forgets turns a ceremony at the pad, or on the page of a locked PIN, to a reset,
// and sets a new PIN.
func (b *browser) forgets(ctx context.Context, p *visitor.Page, account int) (*visitor.Page, error) {
	p, err := p.Press(ctx, "forgot", nil)
	if err == nil {
		p, err = enter(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("the authority's page: %w", err)
	}
	if p, err = b.resets(ctx, p, account); err != nil {
		return nil, err
	}
	p, pin, err := b.sets(ctx, p, b.s.pins[account])
	if err == nil {
		b.s.pins[account] = pin
	}
	return p, err
}

func playForgotten(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 1, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	if p, err = b.forgets(ctx, p, 1); err != nil {
		return err
	}
	_, back, err := b.types(ctx, p, s.pins[1])
	if err != nil || back == nil {
		return errors.Join(err, errors.New("the authority's page did not lead back"))
	}
	if p, err = b.comes(ctx, back); err != nil {
		return err
	}
	return b.proved(ctx, p)
}

func playRecovered(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 1, "verify", s.c.Channel.Verify)
	if err != nil {
		return err
	}
	for n := 0; p.Pad() != "" && n < 6; n++ {
		if p, err = p.TypePIN(ctx, wrongPIN); err != nil {
			return fmt.Errorf("the authority's pad: %w", err)
		}
	}
	if p, err = b.forgets(ctx, p, 1); err != nil {
		return err
	}
	back, err := b.leaves(ctx, p)
	if err != nil {
		return err
	}
	if back == nil || back.Query().Get("error_description") != client.CodePINReset {
		return fmt.Errorf("the authority's page did not lead back with pin_reset: %q", p.Title())
	}
	if _, err := b.comes(ctx, back); err != nil {
		return err
	}
	if err := errors.Join(b.closed(ctx, 0), b.asked()); err != nil {
		return err
	}
	return s.works(ctx, 1)
}

func playRebind(ctx context.Context, s *stage) error {
	b, p, err := s.arrive(ctx, 1, "rebind", *s.c.Channel.Rebind)
	if err != nil {
		return err
	}
	if p, err = p.TypePIN(ctx, s.pins[1]); err != nil {
		return fmt.Errorf("the authority's pad: %w", err)
	}
	if _, err = b.leaves(ctx, p); err != nil {
		return err
	}
	if p, err = b.provesAgain(ctx); err != nil {
		return err
	}
	number := otherNumber(s.phones[1])
	if p, err = p.Press(ctx, "phone", url.Values{"phone": {number}}); err != nil {
		return fmt.Errorf("the authority's page: %w", err)
	}
	if p, err = b.code(ctx, p, number); err != nil {
		return err
	}
	s.phones[1] = number
	return b.ends(ctx, p)
}

// otherNumber is another phone number of the same form.
func otherNumber(phone string) string {
	last := phone[len(phone)-1]
	return phone[:len(phone)-1] + string('0'+(last-'0'+1)%10)
}

func playTooSoon(ctx context.Context, s *stage) error {
	b, p, err := s.starts(ctx, 1, "reset", *s.c.Channel.Reset)
	if err != nil {
		return err
	}
	if last, _ := s.front.last(); !last.taken {
		return b.refused(ctx, p, client.CodePhoneLate)
	}
	return b.refusedThere(ctx, p)
}

func playUnfreeze(ctx context.Context, s *stage) error {
	if err := s.freeze(ctx, 0); err != nil && client.CodeOf(err) != client.CodeFrozen {
		return err
	}
	b, p, err := s.arrive(ctx, 0, "unfreeze", *s.c.Channel.Unfreeze)
	if err != nil {
		return err
	}
	if p, err = b.code(ctx, p, s.phones[0]); err != nil {
		return err
	}
	if p, err = p.TypePIN(ctx, s.pins[0]); err != nil {
		return fmt.Errorf("the authority's pad: %w", err)
	}
	if err := b.ends(ctx, p); err != nil {
		return err
	}
	return s.works(ctx, 0)
}

func playFreeze(ctx context.Context, s *stage) error {
	b, err := s.newBrowser()
	if err == nil {
		err = b.logIn(ctx, 0)
	}
	if err != nil {
		return err
	}
	p, err := b.do(ctx, "freeze", *s.c.Channel.Freeze, s.account(0).Name)
	if err != nil {
		return err
	}
	if p.Status() >= http.StatusInternalServerError {
		return fmt.Errorf("the app broke: status %d", p.Status())
	}
	switch asked := s.front.froze(); {
	case len(asked) != 1:
		return fmt.Errorf("%d calls to /v1/freezes for one press", len(asked))
	case asked[0] != s.handles[0]:
		return errors.New("the card of another link was frozen")
	}
	return playFrozen(ctx, s)
}

// playCancelled is played last, because a cancelled card cannot be restored.
func playCancelled(ctx context.Context, s *stage) error {
	registry, err := s.world.Register(ctx, store.Client{ID: "liuma-check-registry", Kind: store.ClientRegistry})
	if err != nil {
		return err
	}
	sdk, err := registry.Connect(s.world.API(), nil)
	if err != nil {
		return err
	}
	who := s.account(1)
	if _, err := sdk.PhysicalStatus(ctx, client.PhysicalRequest{BusinessNo: "CHECK-C-1", IDNumber: who.IDNumber, CardNo: cardNo(1), Event: "cancelled"}); err != nil {
		return fmt.Errorf("the registry's word: %w", err)
	}
	b, err := s.newBrowser()
	if err == nil {
		err = b.logIn(ctx, 1)
	}
	if err != nil {
		return err
	}
	p, err := b.do(ctx, "verify", s.c.Channel.Verify, who.Name)
	if err != nil {
		return err
	}
	if last, _ := s.front.last(); !last.taken {
		return b.refused(ctx, p, client.CodeCancelled)
	}
	return b.refusedThere(ctx, p)
}
