package authority

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// What happens at a counter is told to every number of the card, when a ticket is opened
// and when it has done its work: whoever is not there and hears of it stops it by the
// freeze code of that text, before a PIN is set or a phone bound.

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
	return a.tellTicket(tx, card, noticeOpened, t)
}

// TellTicketUsed tells them that it was used, in the transaction of what it let its
// holder do. A phone that is bound by it hears of that in a notice of its own, and the
// one that it took the place of is told here too.
func (a *Authority) TellTicketUsed(tx store.Tx, card store.Card, t store.Ticket) error {
	return a.tellTicket(tx, card, noticeUsed, t)
}

func (a *Authority) tellTicket(tx store.Tx, card store.Card, template string, t store.Ticket) error {
	if a.outbox == nil {
		return nil
	}
	return a.EachContact(tx, card.ID, func(c store.Contact, phone string) error {
		what := locale.In(locale.Lang(languageOf(c.Language))).Word("counter_for", string(t.Kind))
		return a.TellAt(tx, card, c, phone, template, counterPlace(), map[string]string{"what": what})
	})
}
