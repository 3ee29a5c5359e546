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

// BeginTicket has a browser take the ticket whose code its holder typed. The code finds
// the ticket and proves nothing (atCounter). From then on the ticket is this browser's:
// another one is refused (CodeTicketTaken), and ends it: one of the two is not the person's
// (counter.Contest). It shows its number until the supervisor has
// typed that (StepNumber). Page.Bound is the secret of its cookie; the browser that has it
// already gets the page as it is.
//
// A crash before the commit leaves the ticket to others, and no ceremony.
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

// BeginTicketOnPad does so on the desk pad that the clerk sent a ticket to. The caller
// has seen that the pad's key signed.
func (s *Ceremonies) BeginTicketOnPad(ctx context.Context, pad string, h Hand) (Page, error) {
	return s.beginTicket(ctx, h, false, func(r store.Reader) (store.Ticket, error) { return s.counter.ForPad(r, pad) })
}

// beginTicket has a browser take the ticket that find finds; typed: by its code.
func (s *Ceremonies) beginTicket(ctx context.Context, h Hand, typed bool, find func(store.Reader) (store.Ticket, error)) (Page, error) {
	secret, ceremony, drawn := newSecret(), random(16), liuma.NewCardID()
	if err := s.claimTicket(ctx, drawn, find); err != nil {
		return Page{}, liuma.Outward(err)
	}
	var c store.Ceremony
	var bound string
	var refused error // committed with the end of what two browsers took
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
				return audit.Entry{}, nil // the pad's key signed: no other device has it
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

// home is where a ticket's ceremony lies: with the card, or with the one that it will make.
func (e errand) home(drawn liuma.CardID) liuma.CardID {
	if e.card.ID.IsZero() {
		return drawn
	}
	return e.card.ID
}

// claimTicket says, before a ticket is taken, where the request under its number will lie.
// It takes nothing: a crash after it leaves a number that whoever takes the ticket goes on
// with (I-11). A ticket that is not to be taken is left to beginTicket.
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

// takenHere is the ceremony that took a ticket, if it goes on in this browser; its page is
// shown again. A button that was pressed twice, of which the first answer was lost, gets
// the secret anew, as long as nothing was done but to show a number.
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

// pressedTwice is the entry of a secret that was given anew; none, if none was.
func (s *Ceremonies) pressedTwice(t store.Ticket, c store.Ceremony, bound string) audit.Entry {
	if bound == "" {
		return audit.Entry{}
	}
	e := s.engine.Entry("holder", audit.TicketTaken, s.recordOf(c), c.BusinessNo, "again")
	e.Note = counter.Note(t)
	return e
}

// pressed is what a ceremony keeps of Hand.Press.
func pressed(h Hand) []byte {
	if h.Press == "" {
		return nil
	}
	sum := hashed("press", h.Press)
	return sum[:]
}

// absent is an error, unless it says that there is no such row.
func absent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// ticketCeremony writes the ceremony of a ticket, bound to the browser, and the row of
// its business number, which is the ticket's name. It lasts as long as the ticket can, if
// it is approved in the last moment; the ticket itself says when its time is over.
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

// NoPhone goes on without a phone to bind, where the ticket is for one who may have
// none. No text can tell them then, so the PIN waits (countsFrom).
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

// AtCounter is what the pages of an act at a counter show beside all others.
type AtCounter struct {
	Ticket liuma.TicketID
	Kind   liuma.TicketKind
	// Clerk is the name of the clerk who opened the ticket, and Agency theirs: empty, one
	// of the whole region.
	Clerk  string
	Agency liuma.Agency
	// Pad is the desk pad that the ticket was sent to, or empty.
	Pad string
	// Number is what the supervisor reads off this page at StepNumber; empty at others.
	Number string
	// Own says that a code to the bound phone is among what is asked for.
	Own bool
	// MayLackPhone says at StepPhone that NoPhone goes on.
	MayLackPhone bool
	// PINFrom says at StepDone from when on the new PIN counts; zero: at once.
	PINFrom time.Time
	// Notices says at StepDone who may be named for notices; nil: nobody.
	Notices *Notices
}

// showCounter fills in the page's members about the ticket, and has the page of one that
// does not stand any more name nobody and ask for nothing.
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

// showErrand has the page go by the ticket as it stands now: its number while it waits,
// and why it stands no more. own says that the bound phone's code is asked for.
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
