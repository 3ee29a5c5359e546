package ceremony

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Somebody for notices. On the last page of a ticket with a supervisor a holder who has no
// bound phone may name the number of a person they trust, change it, or end it. That
// person agrees by a one-time code of a kind of its own, which their text explains, and
// tells it to the holder on the phone. It proves nothing of the holder, in this ceremony or
// in another: the number gets notices, and no more.

// codeNotices is the template of that code.
const codeNotices = "code_notices"

// Named is how the naming ended in a ceremony.
type Named string

// The ends.
const (
	NamedNobody Named = "nobody" // the holder wants nothing of it
	NamedOne    Named = "one"    // a contact agreed
	NamedEnded  Named = "ended"  // the one before hears nothing any more
)

// Notices is what the last page of a ticket shows of it.
type Notices struct {
	Open   bool   // something may be done about it
	Typed  bool   // a number was typed: its code is awaited (SendCode, GiveCode), and Page.PhoneMasked is it
	Phone  string // who is told now, masked; empty: nobody was named
	Result Named
}

// naming reports that a code to somebody who is being named is sent and taken.
func naming(c store.Ceremony, d details) bool {
	return c.Action == liuma.ActionCounter && Step(c.Step) == StepDone && d.Naming != ""
}

// codeOf tells apart, in a code's MAC, what it is for: the code of another kind that went
// to the same number names nobody.
func (to addressee) codeOf(c store.Ceremony) string {
	if to.template == codeNotices {
		return c.ID + " " + codeNotices
	}
	return c.ID
}

// mayName is the card about which somebody may be named. The ticket did its work in this
// very ceremony a few minutes ago, with a supervisor; the card was not stopped since, and
// no phone is bound to it.
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

// contactToBe is the number that the code goes to.
func (s *Ceremonies) contactToBe(r store.Reader, c store.Ceremony, d details) (addressee, error) {
	card, err := s.mayName(r, c, d)
	if err != nil {
		return addressee{}, err
	}
	f, err := s.engine.Facts(r, card)
	return addressee{holder: card.Holder, card: card, phone: d.Naming, masked: f.MaskedName(), template: codeNotices}, err
}

// NameContact takes the number of who is to be told. Another may be given until the code
// is right.
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

// nameContact follows the right code, in its transaction: a crash leaves the code open and
// nobody named, or the contact.
func (s *Ceremonies) nameContact(tx store.Tx, c store.Ceremony, d *details, to addressee) error {
	at, err := placeOf(tx, c, *d)
	if err != nil {
		return err
	}
	d.Naming, d.Named = "", NamedOne
	return s.engine.NameForNotices(tx, to.card, to.phone, d.Language, at)
}

// NameNobody goes on without. A contact that is there stays.
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

// EndContact ends the notices to who was named. They are told, and the holder by a letter.
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

// showNotices is what the last page shows of it; nil: nothing.
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
