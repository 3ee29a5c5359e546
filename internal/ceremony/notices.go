package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// A contact for notices. On the last page of a ticket that a supervisor approved, a holder
// who has no bound phone may name the number of a person they trust, change it, or end it.
// That person agrees by telling the holder a one-time code on the phone; their text
// explains what the code is for. The code is of a kind of its own and proves nothing about
// the holder, in this ceremony or another: the number gets notices, and no more.

// codeNotices is the template of the text with that code.
const codeNotices = "code_notices"

// Named is the outcome of naming a contact in a ceremony.
type Named string

// The outcomes.
const (
	NamedNobody Named = "nobody" // the holder wants no contact
	NamedOne    Named = "one"    // a contact agreed
	NamedEnded  Named = "ended"  // the former contact gets no more notices
)

// Notices is what the last page of a ticket shows about the contact for notices.
type Notices struct {
	Open   bool   // a contact may be named, changed or ended
	Typed  bool   // a number was typed and its code is awaited (SendCode, GiveCode); Page.PhoneMasked is that number
	Phone  string // the present contact's number, masked; empty: there is none
	Result Named
}

// naming reports whether a contact is being named, so that codes to the contact are sent
// and taken.
func naming(c store.Ceremony, d details) bool {
	return c.Action == liuma.ActionCounter && Step(c.Step) == StepDone && d.Naming != ""
}

// codeOf is the name that a code's MAC is bound to. It differs for a contact's code, so a
// code of another kind to the same number cannot name a contact.
func (to addressee) codeOf(c store.Ceremony) string {
	if to.template == codeNotices {
		return c.ID + " " + codeNotices
	}
	return c.ID
}

// mayName returns the card for which a contact may be named. The ticket must have done its
// work in this ceremony, with a supervisor, within ceremonyLife; the card must not have
// been stopped since, and must have no bound phone.
func (s *Ceremonies) mayName(r store.Reader, c store.Ceremony, d details) (store.Card, error) {
	moved := liuma.Fail(liuma.CodeCeremonyMoved, nil)
	if c.Action != liuma.ActionCounter || Step(c.Step) != StepDone || c.Card.IsZero() || s.outbox == nil || !s.now().Before(c.Ended.Add(ceremonyLife)) {
		return store.Card{}, moved
	}
	t, err := s.counter.Ticket(r, d.Ticket)
	if err != nil {
		return store.Card{}, err
	}
	if t.State != store.TicketUsed || t.Ceremony != c.ID || t.Route != store.RouteSupervisor {
		return store.Card{}, moved
	}
	card, err := s.engine.ReadCard(r, c.Card)
	if err != nil {
		return store.Card{}, err
	}
	if card.Standing(s.now()) != liuma.StandingActive || card.Contested || !card.Retiring.IsZero() {
		return store.Card{}, moved
	}
	if _, err := r.Contact(card.ID); !errors.Is(err, store.ErrNotFound) {
		return store.Card{}, errors.Join(moved, err)
	}
	return card, nil
}

// contactToBe is the number of the contact that is being named, to which the code goes.
func (s *Ceremonies) contactToBe(r store.Reader, c store.Ceremony, d details) (addressee, error) {
	card, err := s.mayName(r, c, d)
	if err != nil {
		return addressee{}, err
	}
	f, err := s.engine.Facts(r, card)
	return addressee{holder: card.Holder, card: card, phone: d.Naming, masked: f.MaskedName(), template: codeNotices}, err
}

// NameContact takes the number of the contact. The holder may give another number until the
// code is right.
func (s *Ceremonies) NameContact(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return s.moveOnce(ctx, id, h, []Step{StepDone}, "notices "+typed, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		card, err := s.mayName(tx, *c, *d)
		if err != nil {
			return "", err
		}
		d.clearVerdict()
		d.Named = ""
		number, err := registry.ParsePhone(typed)
		if _, ok := refusal(err); ok || err == nil && !s.mayReach(*c, card, number) {
			d.Code = string(liuma.CodePhoneInvalid)
			return StepDone, nil
		}
		if err == nil {
			d.Naming = number
		}
		return StepDone, err
	})
}

// nameContact follows the right code, in its transaction: after a crash either the code is
// open and no contact is named, or the contact is named.
func (s *Ceremonies) nameContact(tx store.Tx, c store.Ceremony, d *details, to addressee) error {
	at, err := placeOf(tx, c, *d)
	if err != nil {
		return err
	}
	d.Naming, d.Named = "", NamedOne
	return s.engine.NameForNotices(tx, to.card, to.phone, d.Language, at)
}

// NameNobody goes on without naming a contact. A contact named before stays.
func (s *Ceremonies) NameNobody(ctx context.Context, id string, h Hand) (Page, error) {
	return s.move(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if _, err := s.mayName(tx, *c, *d); err != nil {
			return "", err
		}
		d.clearVerdict()
		d.Naming, d.Named = "", NamedNobody
		return StepDone, nil
	})
}

// EndContact ends the notices to the present contact. The contact gets a notice of it, and
// the holder a letter.
func (s *Ceremonies) EndContact(ctx context.Context, id string, h Hand) (Page, error) {
	return s.moveAs(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := s.engine.Entry("holder", audit.NoticesEnded, s.recordOf(*c), c.BusinessNo, "ok")
		card, err := s.mayName(tx, *c, *d)
		if err != nil {
			return "", e, err
		}
		at, err := placeOf(tx, *c, *d)
		if err != nil {
			return "", e, err
		}
		d.clearVerdict()
		d.Naming, d.Named = "", NamedEnded
		return StepDone, e, s.engine.EndNotices(tx, card, at)
	})
}

// showNotices is what the last page shows about the contact; nil: nothing.
func (s *Ceremonies) showNotices(r store.Reader, c store.Ceremony, d details) (*Notices, error) {
	card, err := s.mayName(r, c, d)
	if liuma.CodeOf(err) == liuma.CodeCeremonyMoved {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n := &Notices{Open: d.Named == "", Typed: d.Naming != "", Result: d.Named}
	_, phone, err := s.engine.NoticeContact(r, card.ID)
	if err == nil {
		n.Phone = registry.MaskPhone(phone)
	}
	return n, absent(err)
}
