package ceremony

import (
	"bytes"
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
)

// A ticket of a holder who has their own phone with them replaces evidence, and no other
// proof: in a reset, a rebinding or an unfreezing that the holder does in their own app,
// through a known link and after the code to the bound phone. So everything that a clerk
// sees, types or prints is not enough for anything (I-12): the ticket does nothing
// without the phone and the link. If a victim reads the code out on the phone, the caller
// still has no known link.

// ticketFor is the kind of ticket that replaces evidence in an act.
func ticketFor(a liuma.Action) (liuma.TicketKind, bool) {
	switch a {
	case liuma.ActionReset:
		return liuma.TicketReset, true
	case liuma.ActionRebind:
		return liuma.TicketRebind, true
	case liuma.ActionUnfreeze:
		return liuma.TicketUnfreeze, true
	}
	return "", false
}

// throughKnown reports whether a ceremony's link is known now.
func (s *Ceremonies) throughKnown(r store.Reader, c store.Ceremony, d details, card store.Card) (bool, error) {
	l, err := r.LinkByHandle(c.Channel, store.Handle(d.Subject.Card))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && s.engine.KnownLink(card, l), err
}

// inPlace refuses a ticket that cannot replace evidence in a ceremony about a card: the
// ticket must be for this act and card and must stand, and the link must be known.
func (s *Ceremonies) inPlace(r store.Reader, c store.Ceremony, d details, card store.Card, id liuma.TicketID) (store.Ticket, error) {
	kind, ok := ticketFor(s.acting(c, d).Action)
	if !ok {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketUnknown, nil)
	}
	known, err := s.throughKnown(r, c, d, card)
	if err != nil {
		return store.Ticket{}, err
	}
	if !known {
		return store.Ticket{}, liuma.Fail(liuma.CodeTicketLink, nil)
	}
	return s.counter.ForLink(r, id, card, kind)
}

// ticketProves is the rule of I-12 for a ticket that replaces evidence, checked in every
// transaction that changes the card: the ticket was given in this browser, this ceremony
// took it, it stands, and the link is known. The code to the bound phone is checked
// separately.
func (s *Ceremonies) ticketProves(r store.Reader, c store.Ceremony, d details, card store.Card) error {
	t, err := s.inPlace(r, c, d, card, d.Proofs.Ticket.ID)
	if err != nil {
		return err
	}
	if !d.Proofs.Ticket.holds(c) || t.Ceremony != c.ID || t.State != store.TicketTaken {
		return ticketOver(t)
	}
	return nil
}

// ticketComes reports whether a ticket that could replace evidence is waiting, so that
// holders in a region without an evidence provider can use the counter.
func (s *Ceremonies) ticketComes(r store.Reader, c store.Ceremony, d details, card store.Card) (bool, error) {
	all, err := r.TicketsOf(card.ID)
	if err != nil {
		return false, err
	}
	for _, t := range all {
		if t.State != store.TicketOpened {
			continue
		}
		_, err := s.inPlace(r, c, d, card, t.ID)
		if err == nil {
			return true, nil
		}
		if _, ok := refusal(err); !ok {
			return false, err
		}
	}
	return false, nil
}

// rebindProved reports whether a rebinding has the proofs that come before the new
// number, besides the PIN. With a ticket that includes a code to the bound phone.
func rebindProved(c store.Ceremony, d details) bool {
	return d.Proofs.Evidence != nil || d.Proofs.Ticket.holds(c) && d.Proofs.OldCode.open() && d.Proofs.OldCode.given(c)
}

// GiveTicket takes the code of a ticket in place of evidence, in the holder's own app. If
// it is not taken, the page says why, and the ticket stays open. A crash before the
// commit leaves it open too.
func (s *Ceremonies) GiveTicket(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	found, missing := s.counter.ByCode(ctx, h.Source, typed)
	if _, ok := refusal(missing); missing != nil && !ok {
		return Page{}, missing
	}
	return s.moveAs(ctx, id, h, []Step{StepEvidence}, s.once(h, "ticket "+typed,
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "ok")
			act := s.acting(*c, *d)
			if _, ok := ticketFor(act.Action); !ok || c.Card.IsZero() {
				return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
			}
			card, err := s.engine.ReadCard(tx, c.Card)
			if err != nil {
				return "", e, err
			}
			d.clearVerdict()
			if to, err := s.codeFirst(tx, c, d, act); err != nil || to != "" {
				return to, e, err
			}
			t, err := store.Ticket{}, missing
			if err == nil {
				t, err = s.takeInPlace(tx, *c, *d, card, found)
			}
			if why, ok := refusal(err); ok {
				d.Code, d.Until, e.Outcome = string(why.Code), why.Until, string(why.Code)
				return StepEvidence, e, nil
			}
			if err != nil {
				return "", e, err
			}
			d.Proofs.Ticket = TicketProof{In: bytes.Clone(c.Browser[:]), ID: t.ID}
			e.Event, e.Note = audit.TicketTaken, counter.Note(t)
			if act.Action == liuma.ActionRebind {
				d.NewPhone, d.Proofs.OldCode = "", CodeProof{}
				return StepCode, e, nil
			}
			to, err := s.toPad(func(store.Tx, *store.Ceremony, *details) (Step, error) { return StepPIN, nil })(tx, c, d)
			return to, e, err
		}))
}

// codeFirst sends the holder back to the code step if the code that was given no longer
// counts. In a rebinding that code is asked for afterwards.
func (s *Ceremonies) codeFirst(r store.Reader, c *store.Ceremony, d *details, act Act) (Step, error) {
	if act.Action == liuma.ActionRebind {
		return "", nil
	}
	contact, _, err := s.engine.BoundPhone(r, c.Card)
	if err != nil {
		return "", err
	}
	if d.Proofs.Code.holds(*c, contact.Phone, s.now()) {
		return "", nil
	}
	d.Proofs.Code.Spent, d.Code = true, string(liuma.CodePhoneCodeExpired)
	return StepCode, nil
}

// takeInPlace takes a ticket for a ceremony. If the ceremony goes on in another browser,
// the ticket's code can be given there again, like all other proofs.
func (s *Ceremonies) takeInPlace(tx store.Tx, c store.Ceremony, d details, card store.Card, found store.Ticket) (store.Ticket, error) {
	if found.Route == store.RouteSupervisor {
		return found, liuma.Fail(liuma.CodeTicketPage, nil) // such a ticket is used on its own page
	}
	if _, err := s.inPlace(tx, c, d, card, found.ID); err != nil {
		return found, err
	}
	if s.acting(c, d).Action == liuma.ActionRebind {
		// The bound phone may be too new, or its number may belong to another person by
		// now.
		if _, err := s.resettable(tx, card, s.recoveryOf(card, c), true); err != nil {
			return found, err
		}
	}
	return s.counter.Take(tx, found.ID, card, c.ID)
}

// oldCodeRight follows a right code to the bound phone, in a rebinding with a ticket.
func (s *Ceremonies) oldCodeRight(tx store.Tx, c *store.Ceremony, d *details, card store.Card) (Step, error) {
	contact, err := s.resettable(tx, card, s.recoveryOf(card, *c), true)
	if err == nil {
		err = s.ticketProves(tx, *c, *d, card)
	}
	if err != nil {
		return s.refuse(tx, c, d, err)
	}
	if !d.Proofs.Code.holds(*c, contact.Phone, s.now()) {
		return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	d.Proofs.OldCode, d.Proofs.Code.Spent, d.Code = d.Proofs.Code, true, ""
	d.Proofs.OldCode.Spent = false
	return StepPhone, nil
}

// useProof uses up the ticket that replaced evidence in a ceremony, if there was one, in
// the transaction of the change that it proved. It returns the place of the ticket, for
// the notice.
func (s *Ceremonies) useProof(tx store.Tx, ceremony string, card *store.Card) (at liuma.Text, err error) {
	c, d, err := s.readCeremony(tx, ceremony)
	if err == nil {
		err = s.useProofOf(tx, c, d, card)
	}
	if err == nil {
		at, err = placeOf(tx, c, d)
	}
	return at, err
}

func (s *Ceremonies) useProofOf(tx store.Tx, c store.Ceremony, d details, card *store.Card) error {
	if d.Proofs.Evidence != nil || d.Proofs.Ticket.ID.IsZero() {
		return nil
	}
	_, _, err := s.counter.Carry(tx, d.Proofs.Ticket.ID, card, c.ID)
	return err
}

// showTicket says at the evidence step whether a ticket's code would be taken.
func (s *Ceremonies) showTicket(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if _, ok := ticketFor(p.Action); !ok || p.Step != StepEvidence || c.Card.IsZero() {
		return nil
	}
	card, err := s.engine.ReadCard(r, c.Card)
	if err != nil {
		return err
	}
	p.TicketAllowed, err = s.throughKnown(r, c, d, card)
	return err
}

// endTicket ends the ticket of a ceremony that ends without using it. After an expired
// ceremony the ticket ends by its own time.
func (s *Ceremonies) endTicket(tx store.Tx, c store.Ceremony, code liuma.Code) error {
	d, err := s.openDetails(c)
	if err != nil || code == liuma.CodeCeremonyExpired {
		return err
	}
	for _, id := range []liuma.TicketID{d.Ticket, d.Proofs.Ticket.ID} {
		if id.IsZero() {
			continue
		}
		if err := s.counter.Leave(tx, id, c.ID); err != nil {
			return err
		}
	}
	return nil
}
