package ceremony

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// atPad returns the step of a ceremony that comes to the pad for the present PIN: the
// pad or, if no PIN could be right now (locked, blocked, frozen, cancelled), the
// refusal that the first PIN would get. So a holder does not type a PIN in vain, and
// the channel learns why. Only a linked channel, which may ask for the card's
// standing anyway, gets this refusal; other channels always get the pad. Nothing is
// counted, and a crash before the commit leaves the pad.
func (s *Ceremonies) atPad(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
	act := s.acting(*c, *d)
	if !act.asksCurrent() {
		return StepPIN, nil
	}
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil || row.Decided {
		return StepPIN, err
	}
	// A try that is under way is counted already, and its PIN may be right.
	try, err := tx.Request(c.Channel, authority.TryNo(c.BusinessNo, c.Tries))
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return "", err
	case err == nil && !try.Decided:
		return StepPIN, nil
	}
	card, err := s.linkedCardOf(tx, *c, *d)
	if err != nil {
		return s.refuse(tx, c, d, err) // the link was ended; a channel may learn that of its own links
	}
	rules := s.rules(*c)
	at, err := s.engine.PlaceOf(tx, card, c.Channel, store.Handle(d.Subject.Card), d.Proofs.Evidence != nil, rules)
	if err != nil {
		return "", err
	}
	limits, now := s.engine.LimitsOf(card, c.Channel, rules), s.now()
	if err := notYet(act, card, now); err != nil {
		return s.refuse(tx, c, d, err)
	}
	row.Card, row.Version, row.Handle = card.ID, card.Version, store.Handle(d.Subject.Card)
	if !authority.RefusedAtOnce(&row, card, act.Thaws, at, limits, now) {
		return StepPIN, nil
	}
	d.clearVerdict()
	d.Verdict, d.Code, d.Until = string(row.Verdict), string(row.Code), row.Until
	c.Card, c.Ended = card.ID, now
	return StepRefused, tx.UpdateRequest(row)
}

// notYet refuses a guess at a PIN that does not count yet, for an act.
func notYet(act Act, card store.Card, now time.Time) error {
	if act.Thaws {
		card = card.Thawed()
	}
	return authority.NotYet(card, now)
}

// toPad makes a change that may lead to the pad; if it does, atPad decides the step.
func (s *Ceremonies) toPad(move func(store.Tx, *store.Ceremony, *details) (Step, error)) func(store.Tx, *store.Ceremony, *details) (Step, error) {
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		to, err := move(tx, c, d)
		if err != nil || to != StepPIN || !c.Ended.IsZero() {
			return to, err
		}
		return s.atPad(tx, c, d)
	}
}

// showTries says at the pad how many tries are left, and whether the strangers' lane
// is closed. It reads the authority's own tally and spends no try. It does so only
// where the channel is linked: another channel must not learn that there is a card.
func (s *Ceremonies) showTries(r store.Reader, c store.Ceremony, d details, p *Page) error {
	refused := p.Step == StepRefused && p.Code == liuma.CodeBlocked
	if !refused && p.Step != StepPIN {
		return nil
	}
	card, err := s.linkedCardOf(r, c, d)
	if _, ok := refusal(err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	rules := s.rules(c)
	at, err := s.engine.PlaceOf(r, card, c.Channel, store.Handle(d.Subject.Card), d.Proofs.Evidence != nil, rules)
	if err != nil {
		return err
	}
	limits := s.engine.LimitsOf(card, c.Channel, rules)
	_, closed := card.Tally.Check(s.now(), ledger.Stranger, at.Reserve, limits)
	p.LaneClosed = closed != nil && closed.Reason == ledger.LaneClosed && refused == !at.Through
	if refused || p.TriesLeft != nil || !s.acts[p.Action].asksCurrent() {
		return nil
	}
	left, shut := card.Tally.Check(s.now(), at.Lane, at.Reserve, limits)
	if shut != nil {
		left, p.Until = 0, shut.Until
	}
	p.TriesLeft = &left
	return nil
}
