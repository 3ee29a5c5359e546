package ceremony

import (
	"errors"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// The holder of an old PIN is reminded to choose a new one when they use it, by
// a notice and on the page. A holder gets at most one reminder in four weeks,
// however often the card is used.
const (
	remindEvery  = 28 * 24 * time.Hour // less than the month for which ration marks are kept
	tickReminded = "reminded"          // of a card
)

// old reports whether a card's PIN is so old that its holder is reminded.
func (s *Ceremonies) old(card store.Card, p policy.Policy) bool {
	return p.RemindAfter > 0 && card.Version > 0 && s.now().Sub(card.PINSetAt) >= p.RemindAfter
}

// remind queues the reminder, in the transaction of a right PIN, where the card's region
// sends any.
func (s *Ceremonies) remind(tx store.Tx, card store.Card, row store.Request, p policy.Policy) error {
	if !s.old(card, p) || !s.noticesOf(card).Reminder {
		return nil
	}
	now := s.now()
	lately, err := tx.CardTicks(card.ID, tickReminded, now.Add(-remindEvery))
	if err != nil || len(lately) > 0 {
		return err
	}
	if err := tx.InsertCardTick(card.ID, tickReminded, now); err != nil {
		return err
	}
	days := min(int(now.Sub(card.PINSetAt)/(24*time.Hour)), 9999) // the message has room for four digits
	return s.tellBound(tx, card, noticeRemind, row.Channel, map[string]string{
		"at": card.PINSetAt.UTC().Format(time.RFC3339), "days": strconv.Itoa(days)})
}

// tellBound sends a notice to the bound phone alone, about where the card is used or what
// its holder should do. A number that was bound before may belong to a stranger by now:
// it gets notices of changes to the card, but not of where the holder uses it.
func (s *Ceremonies) tellBound(tx store.Tx, card store.Card, template string, ch liuma.ChannelID, params map[string]string) error {
	c, phone, err := s.engine.Contact(tx, card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at, err := authority.PlaceName(tx, ch)
	if err != nil {
		return err
	}
	return s.engine.TellAt(tx, card, c, phone, template, at, params)
}

// noticesOf are the notices that the card's region chose.
func (s *Ceremonies) noticesOf(card store.Card) policy.Notices {
	return s.policy.For(card.Region, "").Notices
}

// tellUse sends a notice of a right PIN if the holder wants one for every use,
// and reminds of an old PIN.
func (s *Ceremonies) tellUse(tx store.Tx, card store.Card, row store.Request, p policy.Policy) error {
	if s.outbox == nil {
		return nil
	}
	c, err := tx.Contact(card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && c.EveryUse {
		err = s.tellBound(tx, card, noticeEveryUse, row.Channel, nil)
	}
	return errors.Join(err, s.remind(tx, card, row, p))
}

// showAge says on the last page of a verification whether the PIN is old.
func (s *Ceremonies) showAge(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if d.ProvedAlone {
		return nil // no PIN was used
	}
	if p.Step != StepDone || !s.acts[p.Action].Uses {
		return nil
	}
	card, err := s.engine.ReadCard(r, c.Card)
	p.RemindChange = err == nil && s.old(card, s.rulesAbout(c, card))
	p.PassphraseEnded = err == nil && s.engine.PassphraseEnded(card)
	return err
}
