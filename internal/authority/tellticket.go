package authority

import (
	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// When a ticket is opened at a counter, every number of the card gets a notice. A holder
// who is not at the counter can stop the ticket with the freeze code in that text, before a
// PIN is set or a phone bound. The notice of the ticket's work then says that it was done
// at a counter: one text, with one freeze code.

// counterPlace is the name of the counter in notices. It leaves out the agency's own name:
// the agency may be the place where somebody pretends to be the holder, and the text names
// the number to call instead.
func counterPlace() liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.Notice.Counter() })
}

// TellTicketOpened tells a card's contacts that a ticket was opened for it at a counter, in
// the transaction that opens or approves it. The freeze code of that text stops the ticket.
// For a closing BeginClosing sends the notice, and for an agent's freeze FreezeForAgent.
func (a *Authority) TellTicketOpened(tx store.Tx, card store.Card, t store.Ticket) error {
	if t.Kind.Holderless() {
		return nil
	}
	if t.Lost { // a thief who has that phone must not be the only one who is told
		if err := tx.InsertCardTick(card.ID, TickOnPaper, a.Now()); err != nil {
			return err
		}
	}
	return a.tellTicket(tx, card, noticeOpened, t)
}

// WithTicket names, in notices, a channel in which a counter's ticket replaced evidence.
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
