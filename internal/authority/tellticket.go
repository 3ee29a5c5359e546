package authority

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// What happens at a counter is told to every number of the card, when a ticket is opened:
// whoever is not there and hears of it stops it by the freeze code of that text, before a
// PIN is set or a phone bound. When it has done its work, the notice of that work says that
// it was done at a counter: one text, with one freeze code.

// counterPlace names the counter in notices. The agency's own name is not among them:
// it may be the one where somebody pretends to be the holder, and the text says whom to
// call.
func counterPlace() liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.Notice.Counter() })
}

// TellTicketOpened tells a card's contacts that a ticket was opened for it at a counter,
// in the transaction that opens or approves it. The freeze code of that text stops it.
// Of a closing BeginClosing tells, and of an agent's freeze FreezeForAgent.
func (a *Authority) TellTicketOpened(tx store.Tx, card store.Card, t store.Ticket) error {
	if t.Kind.Holderless() {
		return nil
	}
	if t.Lost { // whoever has that phone must not be the only one who hears of it
		if err := tx.InsertCardTick(card.ID, TickOnPaper, a.Now()); err != nil {
			return err
		}
	}
	return a.tellTicket(tx, card, noticeOpened, t)
}

// WithTicket names, in notices, a channel in which a counter's ticket took the place of
// evidence.
func WithTicket(at liuma.Text) liuma.Text {
	in := func(tag string) string { return locale.In(locale.Lang(tag)).Notice.WithTicket(inLanguage(at, tag)) }
	return liuma.Text{ZH: in("zh-CN"), EN: in("en")}
}

func (a *Authority) tellTicket(tx store.Tx, card store.Card, template string, t store.Ticket) error {
	_, err := a.tellAll(tx, card, template, counterPlace(), func(language string) map[string]string {
		return map[string]string{"what": locale.In(locale.Lang(language)).Word("counter_for", string(t.Kind))}
	})
	return err
}
