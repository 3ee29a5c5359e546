package ceremony

import (
	"context"

	"github.com/liuma-pin/liuma/internal/store"
)

// NoticeEveryUse turns notices of every use on or off, after a right PIN. The
// phone is told that they end: else whoever knows the PIN would turn them off
// and go on unseen. It is told once a ceremony, so that pressing the one and
// the other by turns sends no texts.
func (s *Ceremonies) NoticeEveryUse(ctx context.Context, id string, h Hand, on bool) (Page, error) {
	return s.move(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
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
