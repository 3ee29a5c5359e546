package ceremony

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// BeginTicket has a browser take the ticket whose code the holder typed. The code finds the
// ticket and proves nothing (atCounter). From then on the ticket belongs to this browser. A
// second browser is refused (CodeTicketTaken) and ends the ticket, because one of the two
// is not the holder's (counter.Contest). The page shows the ticket's number until the
// supervisor has typed it (StepNumber). Page.Bound is the secret for the browser's cookie;
// a browser that has the secret already gets its page as it is.
//
// A crash before the commit leaves the ticket free for other browsers, and no ceremony.
func (s *Ceremonies) BeginTicket(ctx context.Context, typed string, h Hand) (Page, error) {
	found, err := s.counter.ByCode(ctx, h.Source, typed)
	if err != nil {
		return Page{}, err
	}
	return s.beginTicket(ctx, h, true, func(r store.Reader) (store.Ticket, error) {
		t, err := s.counter.Ticket(r, found.ID)
		if err == nil && t.Code != found.Code { // it was handed on meanwhile
			err = liuma.Fail(liuma.CodeTicketUnknown, nil)
		}
		return t, err
	})
}

// BeginTicketOnPad is BeginTicket for the desk pad that the clerk sent a ticket to. The
// caller has checked the signature of the pad's key.
func (s *Ceremonies) BeginTicketOnPad(ctx context.Context, pad string, h Hand) (Page, error) {
	return s.beginTicket(ctx, h, false, func(r store.Reader) (store.Ticket, error) { return s.counter.ForPad(r, pad) })
}

// beginTicket has a browser take the ticket that find returns; typed says that it was found
// by its code.
func (s *Ceremonies) beginTicket(ctx context.Context, h Hand, typed bool, find func(store.Reader) (store.Ticket, error)) (Page, error) {
	secret, ceremony, drawn := newSecret(), random(16), liuma.NewCardID()
	if err := s.claimTicket(ctx, drawn, find); err != nil {
		return Page{}, liuma.Outward(err)
	}
	var c store.Ceremony
	var bound string
	var refused error // committed together with the end of a ticket that two browsers took
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, bound, refused = store.Ceremony{}, "", nil
		t, err := find(tx)
		if err != nil {
			return audit.Entry{}, err
		}
		if t.Ceremony != "" {
			if c, bound, err = s.takenHere(tx, t, h, secret); err != nil || c.ID != "" {
				return s.pressedTwice(t, c, bound), err
			}
			if refused = liuma.Fail(liuma.CodeTicketTaken, nil); !typed {
				return audit.Entry{}, nil // the pad's key signed, and no other device has it
			}
			return s.counter.Contest(tx, t)
		}
		of, err := s.errandFor(tx, t)
		if err != nil {
			return audit.Entry{}, err
		}
		if c, err = s.ticketCeremony(tx, of, s.routed(ceremony, vault.Home(of.home(drawn))), secret, h); err != nil {
			return audit.Entry{}, err
		}
		if t, err = s.counter.Take(tx, t.ID, of.card, c.ID); err != nil {
			return audit.Entry{}, err
		}
		bound = secret
		e := s.engine.Entry("holder", audit.TicketTaken, s.recordOf(c), c.BusinessNo, "ok")
		e.Note = counter.Note(t) + " " + audit.NoteThrough(c.Channel)
		return e, nil
	})
	if err := cmp.Or(err, refused); err != nil {
		return Page{}, liuma.Outward(err)
	}
	if err := s.engine.NotPutBack(ctx, c.Card); err != nil {
		return Page{}, liuma.Outward(err)
	}
	p, err := s.pageOf(ctx, c)
	p.Bound = bound
	return p, err
}

// home is where a ticket's ceremony is stored: with its card, or with the card drawn for
// it.
func (e errand) home(drawn liuma.CardID) liuma.CardID {
	if e.card.ID.IsZero() {
		return drawn
	}
	return e.card.ID
}

// claimTicket decides, before a ticket is taken, where the request under its number will be
// stored. It takes nothing: after a crash the browser that takes the ticket goes on with
// the same number (I-11). A ticket that cannot be taken is left to beginTicket to refuse.
func (s *Ceremonies) claimTicket(ctx context.Context, drawn liuma.CardID, find func(store.Reader) (store.Ticket, error)) error {
	if !s.store.Spreads() {
		return nil
	}
	var t store.Ticket
	var home liuma.CardID
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		home = liuma.CardID{}
		if t, err = find(r); err != nil || t.Ceremony != "" {
			return err
		}
		of, err := s.errandFor(r, t)
		if err == nil {
			home = of.home(drawn)
		}
		return err
	})
	if err != nil || home.IsZero() {
		return err
	}
	return s.engine.ClaimNumber(ctx, store.CounterClient, liuma.BusinessNo(t.ID.String()), home)
}

// takenHere returns the ceremony that took a ticket, if it goes on in this browser, so that
// its page is shown again. If the button was pressed twice and the first answer was lost,
// the browser gets a new secret, as long as the ceremony has only shown a number.
func (s *Ceremonies) takenHere(tx store.Tx, t store.Ticket, h Hand, secret string) (c store.Ceremony, bound string, err error) {
	c, d, err := s.readCeremony(tx, t.Ceremony)
	switch {
	case err != nil:
		return store.Ceremony{}, "", absent(err)
	case accessOf(c, h) == accessBrowser:
		return c, "", nil
	case h.Press == "" || t.State != store.TicketAsked || !bytes.Equal(d.Press, pressed(h)):
		return store.Ceremony{}, "", nil
	}
	c.Browser = hashed("browser", secret)
	return c, secret, tx.UpdateCeremony(c)
}

// pressedTwice is the audit entry for a second press that got a new secret; empty if there
// was none.
func (s *Ceremonies) pressedTwice(t store.Ticket, c store.Ceremony, bound string) audit.Entry {
	if bound == "" {
		return audit.Entry{}
	}
	e := s.engine.Entry("holder", audit.TicketTaken, s.recordOf(c), c.BusinessNo, "again")
	e.Note = counter.Note(t)
	return e
}

// pressed is the hash of Hand.Press that a ceremony keeps.
func pressed(h Hand) []byte {
	if h.Press == "" {
		return nil
	}
	sum := hashed("press", h.Press)
	return sum[:]
}

// absent returns nil for a row that does not exist, and every other error as it is.
func absent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// ticketCeremony writes the ceremony of a ticket, bound to the browser, and the row of its
// business number, which is the ticket's ID. The ceremony's time is long enough for a
// ticket that is approved in the last moment; the ticket itself says when its own time is
// over.
func (s *Ceremonies) ticketCeremony(tx store.Tx, of errand, id, secret string, h Hand) (store.Ceremony, error) {
	t := of.ticket
	client, err := tx.Client(store.CounterClient)
	if err != nil {
		return store.Ceremony{}, err
	}
	caller := authority.Caller{Client: client}
	if err := caller.Permit(liuma.ActionCounter, t.Region); err != nil {
		return store.Ceremony{}, err
	}
	row := s.engine.NewRow(caller, liuma.ActionCounter, authority.Request{BusinessNo: liuma.BusinessNo(t.ID.String()),
		Digest: sha256.Sum256(t.ID[:])}, id)
	if err := tx.InsertRequest(row); err != nil {
		return store.Ceremony{}, err
	}
	c := store.Ceremony{ID: id, Subject: t.Holder, Channel: row.Channel, BusinessNo: row.BusinessNo, Action: row.Action,
		Region: t.Region, Step: string(s.acts[row.Action].First), Card: of.card.ID, Browser: hashed("browser", secret), At: row.At, Expires: t.Until.Add(counter.TicketLife)}
	d := details{Ticket: t.ID, Kind: t.Kind, Press: pressed(h), Language: languageOf(h.Language),
		Steps: s.policy.For(t.Region, row.Channel).Steps}
	if err := s.sealDetails(&c, d); err != nil {
		return store.Ceremony{}, err
	}
	return c, tx.InsertCeremony(c)
}

// NoPhone goes on without binding a phone, where the kind of ticket allows it. No text can
// then tell the holder, so the PIN counts only after a wait (countsFrom).
func (s *Ceremonies) NoPhone(ctx context.Context, id string, h Hand) (Page, error) {
	return s.moveOnce(ctx, id, h, []Step{StepPhone}, "no phone", func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		if c.Action != liuma.ActionCounter || !mayLackPhone(d.Kind) {
			return "", liuma.Fail(liuma.CodeCeremonyMoved, nil)
		}
		d.clearVerdict()
		d.NoPhone, d.NewPhone = true, ""
		return StepPIN, nil
	})
}

// AtCounter holds the values that only the pages of an act at a counter show.
type AtCounter struct {
	Ticket liuma.TicketID
	Kind   liuma.TicketKind
	// Clerk is the name of the clerk who opened the ticket, and Agency the clerk's agency;
	// empty: the clerk works for the whole region.
	Clerk  string
	Agency liuma.Agency
	// Pad is the desk pad that the ticket was sent to, or empty.
	Pad string
	// Number is the number that the supervisor reads off this page at StepNumber; empty at
	// other steps.
	Number string
	// Own says that a code to the bound phone is one of the steps.
	Own bool
	// MayLackPhone says at StepPhone that the holder may go on without a phone: NoPhone.
	MayLackPhone bool
	// PINFrom says at StepDone when the new PIN begins to count; zero: at once.
	PINFrom time.Time
	// Notices says at StepDone whether a contact for notices may be named; nil: no.
	Notices *Notices
}

// showCounter fills in the page's members about the ticket. If the ticket no longer stands,
// the page shows no person and asks for nothing.
func (s *Ceremonies) showCounter(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if c.Action != liuma.ActionCounter {
		return nil
	}
	t, err := s.counter.Ticket(r, d.Ticket)
	if err != nil {
		return err
	}
	own, err := s.showErrand(r, c, d, t, p)
	if err != nil {
		return err
	}
	clerk, err := r.Member(t.Clerk)
	if err != nil {
		return err
	}
	p.Counter = &AtCounter{Ticket: t.ID, Kind: t.Kind, Clerk: clerk.Name, Agency: t.Agency, Pad: t.Pad, Own: own,
		MayLackPhone: p.Step == StepPhone && mayLackPhone(t.Kind)}
	if p.Step == StepNumber {
		p.Counter.Number = s.counter.Number(t)
	}
	if p.Step != StepDone {
		return nil
	}
	card, err := s.engine.ReadCard(r, c.Card)
	if err == nil && s.now().Before(card.PINFrom) {
		p.Counter.PINFrom = card.PINFrom
	}
	if err == nil {
		p.Counter.Notices, err = s.showNotices(r, c, d)
	}
	return err
}

// showErrand fills in the page from the ticket as it is now: its number while it waits for
// the supervisor, or why it no longer stands. own says that the bound phone's code is asked
// for.
func (s *Ceremonies) showErrand(r store.Reader, c store.Ceremony, d details, t store.Ticket, p *Page) (own bool, err error) {
	if p.Step.over() || p.Step == StepDone {
		return false, nil
	}
	p.Expires = t.Until
	_, err = s.errandOf(r, c, d)
	why, refused := refusal(err)
	switch {
	case err == nil || refused && why.Code == liuma.CodeTicketWaits:
		if refused {
			p.Step = StepNumber
		}
		of, err := s.errandFor(r, t)
		if err == nil {
			own, _, err = s.ownPhone(r, of)
		}
		return own, err
	case !refused:
		return false, err
	}
	if under, err := s.engine.Setting(r, c); err != nil || under {
		return false, err
	}
	p.Step, p.Code, p.Until = StepRefused, why.Code, why.Until
	if why.Code == liuma.CodeCeremonyExpired {
		p.Step = StepExpired
	}
	return false, nil
}
