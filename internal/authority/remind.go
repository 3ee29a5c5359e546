package authority

import (
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// The holder of an old PIN is reminded to choose a new one, when they use it
// and so are there to do it: by a notice, and on the page. Nobody is reminded
// twice in four weeks, however often the card is used.
const (
	remindEvery  = 28 * 24 * time.Hour // less than ticksKept
	tickReminded = "reminded"          // key: holder
)

// old reports whether a card's PIN is of an age to be reminded of.
func (a *Authority) old(card store.Card, p policy.Policy) bool {
	return p.RemindAfter > 0 && card.Version > 0 && a.now().Sub(card.PINSetAt) >= p.RemindAfter
}

// remind queues the reminder after a right PIN, in its transaction.
func (a *Authority) remind(tx store.Tx, card store.Card, row store.Request, p policy.Policy) error {
	if !a.old(card, p) {
		return nil
	}
	now := a.now()
	lately, err := tx.Ticks(tickReminded, card.Holder, now.Add(-remindEvery))
	if err != nil || len(lately) > 0 {
		return err
	}
	if err := tx.InsertTick(store.Tick{Kind: tickReminded, Key: card.Holder, At: now}); err != nil {
		return err
	}
	days := min(int(now.Sub(card.PINSetAt)/(24*time.Hour)), 9999) // as many as the text has room for
	return a.tellIn(tx, card, noticeRemind, row.Channel, map[string]string{
		"at": card.PINSetAt.UTC().Format(time.RFC3339), "days": strconv.Itoa(days)})
}

// showAge says at the end of a verification whether the PIN is old.
func (a *Authority) showAge(r store.Reader, c store.Ceremony, p *Page) error {
	if p.Step != StepDone || p.Action != liuma.ActionVerify {
		return nil
	}
	card, err := a.checkedCard(r, c.Card)
	p.RemindChange = err == nil && a.old(card, a.Policy.For(c.Region, c.Channel))
	return err
}
