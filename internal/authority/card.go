package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// Card shows a linked channel how a card stands. Nothing in it is personal but
// the masked name.
func (a *Authority) Card(ctx context.Context, c Caller, h store.Handle) (CardView, error) {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return CardView{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	var card store.Card
	var link store.Link
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		if link, err = r.LinkByHandle(c.channel(), h); err != nil {
			return err
		}
		card, err = a.checkedCard(r, link.Card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return CardView{}, liuma.FailField(liuma.CodeNotFound, "card", nil)
	}
	if err != nil {
		return CardView{}, house(err)
	}
	f, err := a.facts(card)
	if err != nil {
		return CardView{}, err
	}
	v := CardView{
		Card: h, Standing: liuma.StandingOf(card.Physical, card.Frozen),
		PINSetAt: card.PINSetAt, PINAge: max(0, a.now().Sub(card.PINSetAt)).Truncate(time.Second),
		LinkedAt: link.At, Region: card.Region, NameMasked: f.MaskedName(),
	}
	if remind := a.policyFor(c, "").RemindAfter; remind > 0 {
		v.RemindAt = card.PINSetAt.Add(remind)
	}
	return v, nil
}
