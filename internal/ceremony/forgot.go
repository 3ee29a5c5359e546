package ceremony

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// A holder who forgot the PIN turns to a reset, from the pad or from the page
// that says that the PIN is locked or blocked, and comes back afterwards.
//
//	pin, refused (locked, blocked) --Forgot--> code … reset … and back to the pad

// turned lists the moves of a reset that a holder turned to, and back.
func turned() []Move {
	return []Move{
		{StepPIN, StepCode}, {StepRefused, StepCode}, {StepCode, StepEvidence}, {StepEvidence, StepPIN}, {StepPIN, StepReset},
		{StepCode, StepPIN}, {StepEvidence, StepCode},
		{StepCode, StepCardNo}, {StepCardNo, StepEvidence}, {StepCardNo, StepPIN}, {StepCardNo, StepCode},
	}
}

// Forgot turns a ceremony about a linked card to a reset of its PIN: from the
// pad, or from the page that says that the PIN is locked or blocked. If a reset
// is not possible online the page stays and says why (ResetRefused).
func (s *Ceremonies) Forgot(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepPIN, StepRefused}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		step, code := Step(c.Step), liuma.Code(d.Code)
		act := s.acting(*c, *d)
		switch {
		case act.Linked && !act.Turns,
			step == StepRefused && code != liuma.CodeLocked && code != liuma.CodeBlocked:
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		case !s.now().Before(lastOf(*c)):
			return "", liuma.Fail(liuma.CodeCeremonyExpired, nil)
		}
		card, err := s.resetNow(tx, *c, *d)
		if _, ok := refusal(err); ok {
			return step, nil // the page finds the same reason
		}
		if err != nil {
			return "", err
		}
		c.Card, c.Ended = card.ID, time.Time{}
		c.Expires = within(*c, later(c.Expires, s.now().Add(ceremonyLife)))
		d.Turned = liuma.ActionReset
		d.clearVerdict()
		return StepCode, nil
	})
}

// Remember goes back to the pad that Forgot left, if a PIN can still be tried.
func (s *Ceremonies) Remember(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepCode, StepCardNo, StepEvidence}, s.toPad(func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		row, err := tx.Request(c.Channel, c.BusinessNo)
		if err != nil {
			return "", err
		}
		if d.Turned != liuma.ActionReset || row.Decided {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		d.Turned, d.Proofs.Code.Spent, d.Proofs.Ticket = "", true, TicketProof{}
		d.clearVerdict()
		return StepPIN, nil
	}))
}
