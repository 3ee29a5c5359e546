package ceremony

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// NoticeEveryUse turns notices of every use on or off, after a right PIN. Turning
// them off sends a notice; otherwise a thief who knows the PIN could turn them off
// unseen. That notice is sent once a ceremony, so pressing on and off repeatedly does
// not send more.
func (s *Ceremonies) NoticeEveryUse(ctx context.Context, id string, h Hand, on bool) (Page, error) {
	return s.move(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if d.ProvedAlone || c.Action == liuma.ActionCounter {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil) // it takes a right PIN
		}
		contact, phone, err := s.engine.BoundPhone(tx, c.Card)
		if err != nil {
			return "", err
		}
		off := contact.EveryUse && !on
		contact.EveryUse = on
		if err := s.engine.WriteContact(tx, contact, phone); err != nil || !off || d.ToldOff {
			return StepDone, err
		}
		d.ToldOff = true
		card, err := s.engine.ReadCard(tx, c.Card)
		if err != nil {
			return "", err
		}
		return StepDone, s.engine.TellIn(tx, card, noticeEveryUseOff, c.Channel, nil)
	})
}
