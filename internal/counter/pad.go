package counter

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// A desk pad (柜台设备) is a device with a key of its own. Pairing says whose desk it stands
// on; it proves nothing of who holds it, so a ticket that goes to a pad always has a
// supervisor.
const (
	OfferLife = 10 * time.Minute // of a pairing number
	ShiftLife = 8 * time.Hour    // of a pairing, at most
)

// The reasons why a pad is not paired (PadState.Why).
const (
	PadUnknown   = "unknown"    // it was not, or the clerk ended it, or paired another
	PadOffered   = "offered"    // its number waits to be typed
	PadShift     = "shift"      // its eight hours are over
	PadSignedOut = "signed_out" // the clerk has signed out, or may not act any more
)

// Offer is a pad's pairing number, for its screen.
type Offer struct {
	ID     string    `json:"id"`
	Number string    `json:"number"`
	Until  time.Time `json:"until"`
}

// PadID names the pad of a public key.
func PadID(key []byte) string {
	sum := sha256.Sum256(append([]byte("liuma/1/desk-pad\x00"), key...))
	return hex.EncodeToString(sum[:16])
}

// OfferPad takes the public key of a device (an uncompressed point on P-256), whose
// signature the caller has checked, and gives the device a number by which a clerk pairs it.
// Another offer of the same key replaces the first. source names the sender of the request
// (an address, say); no source can prevent the offers of another. Nothing is recorded before
// a clerk types the number. Errors: ErrPad (no such key), ErrState (it is paired).
//
// A crash before the commit leaves the earlier offer, and the pad asks for another number.
func (c *Counter) OfferPad(ctx context.Context, source string, key []byte) (Offer, error) {
	if _, err := ecdh.P256().NewPublicKey(key); err != nil || len(key) != 65 {
		return Offer{}, ErrPad
	}
	id := PadID(key)
	err := c.c.Store.View(ctx, func(r store.Reader) error {
		p, err := r.DeskPad(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		s, err := c.padState(r, p)
		return errors.Join(errIf(s.Paired, ErrState), err)
	})
	if err != nil {
		return Offer{}, err
	}
	now := c.c.Now()
	p := &padOffer{id: id, number: written.NewCode(codeSize), source: source, key: key, at: now, until: now.Add(OfferLife)}
	lost := c.offers.put(p, now)
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		for _, old := range lost {
			if err := tx.DeletePadOffer(c.codeIndex("pad", old.number)); err != nil && !errors.Is(err, store.ErrNotFound) {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{}, tx.PutPadOffer(store.PadOffer{Number: c.codeIndex("pad", p.number), Pad: id, Key: key, Until: p.until})
	})
	if err != nil {
		c.offers.forget(id)
		return Offer{}, err
	}
	return Offer{ID: id, Number: p.number, Until: c.c.Engine.ToWall(p.until)}, nil
}

func padEntry(at time.Time, by string, ev audit.Event, p store.DeskPad, more string) audit.Entry {
	return audit.Entry{At: at, Actor: by, Event: ev, Outcome: "ok", Note: "pad=" + p.ID + more}
}

// PadView is a pad as its clerk sees it.
type PadView struct {
	ID       string    `json:"id"`
	PairedAt time.Time `json:"paired_at"`
	Until    time.Time `json:"until"`
	SeenAt   time.Time `json:"seen_at,omitzero"` // to the minute
}

func (c *Counter) padView(p store.DeskPad) PadView {
	v := PadView{ID: p.ID, PairedAt: c.c.Engine.ToWall(p.PairedAt), Until: c.c.Engine.ToWall(p.Until)}
	if !p.SeenAt.IsZero() {
		v.SeenAt = c.c.Engine.ToWall(p.SeenAt)
	}
	return v
}

// PairPad pairs the pad that shows a number with the clerk's desk, until the clerk signs
// out, ends it, or pairs another pad: a clerk has one. Errors: ErrMember, ErrDocument,
// ErrPad.
//
// A crash before the commit leaves the desk as it was, and the pad asks for another number.
func (c *Counter) PairPad(ctx context.Context, by liuma.StaffID, number string) (out PadView, err error) {
	typed, formed := parseCode(number)
	if !formed {
		return PadView{}, ErrPad
	}
	now := c.c.Now()
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		m, err := acting(tx, by, liuma.RoleClerk)
		if err != nil {
			return audit.Entry{}, err
		}
		offer, err := tx.PadOffer(c.codeIndex("pad", typed))
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(offer.Until) {
			return audit.Entry{}, ErrPad
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if err := errors.Join(tx.DeletePadOffer(offer.Number), c.clearDesk(tx, by, offer.Pad)); err != nil {
			return audit.Entry{}, err
		}
		p := store.DeskPad{ID: offer.Pad, Key: offer.Key, Clerk: m.ID, Agency: m.Agency, Region: m.Region, PairedAt: now, Until: now.Add(ShiftLife)}
		out = c.padView(p)
		return padEntry(now, by.Actor(), audit.PadPaired, p, agencyWords(m)), tx.PutDeskPad(p)
	})
	if err == nil {
		c.offers.forget(out.ID)
	}
	return out, err
}

// clearDesk ends the pairings that a clerk's new pairing replaces: of the pad that stood on
// the desk, and an ended one of the device itself. ErrPad: the device is still paired with
// another desk.
func (c *Counter) clearDesk(tx store.Tx, by liuma.StaffID, id string) error {
	before, err := tx.DeskPadOf(by)
	if err == nil {
		err = tx.DeleteDeskPad(before.ID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	there, err := tx.DeskPad(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := c.padState(tx, there)
	return errors.Join(errIf(s.Paired, ErrPad), err)
}

// UnpairPad ends a pairing of the clerk's. A ticket that a holder began on the pad goes on;
// one that was not begun must be sent elsewhere. Errors: ErrMember, ErrPadGone.
func (c *Counter) UnpairPad(ctx context.Context, by liuma.StaffID, id string) error {
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		p, err := c.ownPad(tx, by, id)
		if err != nil {
			return audit.Entry{}, err
		}
		now := c.c.Now()
		return padEntry(now, by.Actor(), audit.PadUnpaired, p, " by=clerk"), tx.DeleteDeskPad(p.ID)
	})
}

// Pads lists the pads that are paired with the clerk's desk now: none or one. Errors:
// ErrMember, ErrDocument.
func (c *Counter) Pads(ctx context.Context, by liuma.StaffID) (out []PadView, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		out = nil
		if _, err := acting(r, by, liuma.RoleClerk); err != nil {
			return err
		}
		p, err := r.DeskPadOf(by)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		s, err := c.padState(r, p)
		if s.Paired {
			out = append(out, c.padView(p))
		}
		return err
	})
	return out, err
}

// SendToPad shows the clerk's ticket on the pad of their desk, before a browser has it. A
// code that was made for the ticket no longer finds it. Errors: ErrMember, ErrDocument,
// ErrTicket, ErrState, ErrPadRoute, ErrPadGone.
func (c *Counter) SendToPad(ctx context.Context, by liuma.StaffID, id liuma.TicketID, pad string) error {
	return c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		t, err := c.ownTicket(tx, by, id)
		switch {
		case err != nil:
			return audit.Entry{}, err
		case t.Route != store.RouteSupervisor:
			return audit.Entry{}, ErrPadRoute
		case !c.handable(t):
			return audit.Entry{}, ErrState
		}
		p, err := c.ownPad(tx, by, pad)
		if err != nil {
			return audit.Entry{}, err
		}
		t.Pad, t.Code, p.Ticket = p.ID, vault.Index{}, t.ID
		e := c.entry(by.Actor(), audit.TicketHanded, t, "ok")
		e.Note += " by=pad pad=" + p.ID
		return e, errors.Join(tx.UpdateTicket(t), tx.PutDeskPad(p))
	})
}

// ownPad is a pad that is paired with the clerk's desk.
func (c *Counter) ownPad(r store.Reader, by liuma.StaffID, id string) (store.DeskPad, error) {
	if _, err := acting(r, by, liuma.RoleClerk); err != nil {
		return store.DeskPad{}, err
	}
	p, err := r.DeskPad(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Clerk != by {
		return store.DeskPad{}, ErrPadGone
	}
	if err != nil {
		return store.DeskPad{}, err
	}
	if s, err := c.padState(r, p); err != nil || !s.Paired {
		return store.DeskPad{}, errors.Join(errIf(err == nil, ErrPadGone), err)
	}
	return p, nil
}

// PadState tells a pad's page what to show.
type PadState struct {
	Paired bool
	Why    string // why it is not paired: PadOffered or another of the reasons above
	Agency liuma.Agency
	Region liuma.Region
	Clerk  Who
	Until  time.Time // in the time of a person's clock
	// Ticket is the ticket that waits for the pad; nil: there is none, and the page is
	// blank.
	Ticket *liuma.TicketID
}

// PadKey is the public key of a pad, to check its signatures with. ErrPadGone.
func (c *Counter) PadKey(ctx context.Context, id string) (key []byte, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		p, err := r.DeskPad(id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrPadGone
		}
		key = p.Key
		return err
	})
	return key, err
}

// PadState returns the state of a pad, whose signature the caller has just checked, and the
// ticket that waits for it.
func (c *Counter) PadState(ctx context.Context, id string) (s PadState, err error) {
	var p store.DeskPad
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		p, err = r.DeskPad(id)
		if errors.Is(err, store.ErrNotFound) {
			s, err = PadState{Why: PadUnknown}, nil
		} else if err == nil {
			s, err = c.padState(r, p)
		}
		if err == nil && !s.Paired {
			return c.ifOffered(r, id, &s)
		}
		if err != nil {
			return err
		}
		t, err := c.ForPad(r, id)
		if liuma.CodeOf(err) == liuma.CodeTicketUnknown {
			return nil
		}
		s.Ticket = &t.ID
		return err
	})
	if err != nil || !s.Paired || c.c.Now().Sub(p.SeenAt) < time.Minute {
		return s, err
	}
	// Stored to the minute, so that not every question causes a write.
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.SeeDeskPad(id, c.c.Now())
	})
	if errors.Is(err, store.ErrNotFound) {
		return PadState{Why: PadUnknown}, nil
	}
	return s, err
}

// ifOffered notes in the state of a pad that is not paired that its number waits to be
// typed, if it does.
func (c *Counter) ifOffered(r store.Reader, id string, s *PadState) error {
	o, err := r.PadOfferOf(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && c.c.Now().Before(o.Until) {
		*s = PadState{Why: PadOffered}
	}
	return err
}

// padState checks a pairing: it ends when the clerk's last session ends, too.
func (c *Counter) padState(r store.Reader, p store.DeskPad) (PadState, error) {
	if !c.c.Now().Before(p.Until) {
		return PadState{Why: PadShift}, nil
	}
	m, err := acting(r, p.Clerk, liuma.RoleClerk)
	if errors.Is(err, ErrMember) || errors.Is(err, ErrDocument) {
		return PadState{Why: PadSignedOut}, nil
	}
	if err != nil {
		return PadState{}, err
	}
	in, err := c.c.SignedIn(r, m)
	if err != nil || !in {
		return PadState{Why: PadSignedOut}, err
	}
	return PadState{Paired: true, Agency: p.Agency, Region: p.Region, Clerk: Who{m.ID, m.Name}, Until: c.c.Engine.ToWall(p.Until)}, nil
}

// ForPad is the ticket that its clerk sent to a pad. CodeTicketUnknown: there is none.
func (c *Counter) ForPad(r store.Reader, id string) (store.Ticket, error) {
	none := liuma.Fail(liuma.CodeTicketUnknown, nil)
	p, err := r.DeskPad(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Ticket.IsZero() {
		return store.Ticket{}, none
	}
	if err != nil {
		return store.Ticket{}, err
	}
	if s, err := c.padState(r, p); err != nil || !s.Paired {
		return store.Ticket{}, errors.Join(errIf(err == nil, none), err)
	}
	t, err := r.Ticket(p.Ticket)
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.Pad != id || t.Clerk != p.Clerk || !c.handable(t)) {
		return store.Ticket{}, none
	}
	return t, err
}
