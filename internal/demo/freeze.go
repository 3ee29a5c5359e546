package demo

import (
	"context"

	"github.com/liuma-pin/liuma/internal/notify"
)

// sceneFreeze freezes the card by a freeze code, without a log-in, and
// unfreezes it by one-time code and PIN.
func sceneFreeze(ctx context.Context, p *play) error {
	t := p.stage.theatre
	code, err := p.stage.freezeCode()
	if err != nil {
		return err
	}
	g, err := p.stage.newGuest(t.province)
	if err != nil {
		return err
	}
	if err := g.open(ctx, p.stage.world.Issuer()+"/freeze"); err != nil {
		return err
	}
	if err := g.press(ctx, "freeze", "code", code); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(func(w words) string { return w.GrannyFreezes(code) }))
	if _, err := p.text(ctx, notify.CardFrozen); err != nil {
		return err
	}
	for _, app := range []string{t.province, t.nation} {
		g, err := p.granny(ctx, app)
		if err != nil {
			return err
		}
		if err := g.shows(standsFrozen); err != nil {
			return err
		}
		if err := g.start(ctx, "verify"); err != nil {
			return err
		}
		if err := g.pad(""); err != nil { // the pad is not shown for a frozen card
			return err
		}
		if err := g.back(ctx); err != nil {
			return err
		}
		if err := g.shows(cameFrozen); err != nil {
			return err
		}
	}
	p.Say(pageWho(), grannyWho(), both(words.FrozenEverywhere))
	return unfreeze(ctx, p)
}

func unfreeze(ctx context.Context, p *play) error {
	t := p.stage.theatre
	p.later()
	g, err := p.granny(ctx, t.province)
	if err != nil {
		return err
	}
	if err := g.start(ctx, "unfreeze"); err != nil {
		return err
	}
	if err := g.press(ctx, "agree"); err != nil {
		return err
	}
	if err := p.hearCode(ctx, g, notify.CodeUnfreeze); err != nil {
		return err
	}
	if err := g.pad("current"); err != nil {
		return err
	}
	if err := g.types(ctx, t.granny.pin); err != nil {
		return err
	}
	if err := g.back(ctx); err != nil {
		return err
	}
	if err := g.shows(cameDone); err != nil {
		return err
	}
	p.Say(grannyWho(), pageWho(), both(words.GrannyUnfreezes))
	if _, err := p.text(ctx, notify.CardUnfrozen); err != nil {
		return err
	}
	return p.opens(ctx, t.nation, t.granny.pin)
}

// freezeCode returns the freeze code of her latest notice.
func (s *stage) freezeCode() (string, error) {
	all := s.world.Inbox.Texts(s.theatre.letters.phone)
	for i := len(all) - 1; i >= 0; i-- {
		if code := all[i].Params["freeze"]; code != "" {
			return code, nil
		}
	}
	return "", want("a freeze code among her texts", len(all))
}
