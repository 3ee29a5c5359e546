package counter

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// Opening is what a clerk asks for.
type Opening struct {
	LookUp string           `json:"look_up"`
	Kind   liuma.TicketKind `json:"kind"`
	// Checked: the clerk has checked the original document.
	Checked bool `json:"checked"`
	// Phone: the person has the bound phone here, with an app in which the card is known,
	// so that no supervisor is needed. Without it one is asked.
	Phone bool `json:"phone"`
	// Lost: the person says that the bound phone was lost or stolen.
	Lost bool `json:"lost"`
}

// Open opens a ticket, or asks a supervisor for one, on a look-up of the clerk's. An
// earlier ticket of the same clerk for the person ends. A card that only the keepers
// know is adopted first, frozen. Errors: ErrMember, ErrDocument, ErrLookUp, ErrChecked,
// ErrKind, ErrLive, ErrOwn, ErrBounds, ErrTickets, ErrNoSupervisor.
//
// A crash before the commit leaves no ticket and nothing counted.
func (c *Counter) Open(ctx context.Context, by liuma.StaffID, q Opening) (View, error) {
	if !q.Checked {
		return View{}, ErrChecked
	}
	if q.Kind == liuma.TicketRebind || q.Kind == liuma.TicketReset || q.Kind == liuma.TicketUnfreeze {
		q.Phone = q.Phone && !q.Lost
	} else {
		q.Phone = false
	}
	row, held, away, err := c.beforeOpening(ctx, by, q)
	if err != nil {
		return View{}, err
	}
	id := liuma.NewTicketID()
	lot := newLot()
	var out View
	var refused error
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		refused = nil
		t, e, no, err := c.open(tx, id, row, q, held, away, lot)
		if err != nil || no != nil {
			refused = no
			return e, err
		}
		out, err = c.view(tx, t)
		return e, err
	})
	return out, errors.Join(err, refused)
}

// beforeOpening reads the look-up, asks the keepers, and adopts a card that only they
// know.
func (c *Counter) beforeOpening(ctx context.Context, by liuma.StaffID, q Opening) (row store.LookUp, held ledger.Row, away bool, err error) {
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		row, err = c.lookedUp(r, by, q.LookUp)
		return err
	})
	if err != nil {
		return row, held, false, err
	}
	if held, away, err = c.heldOf(ctx, row.Holder); err != nil || away || held.Card.IsZero() || q.Kind != liuma.TicketOpen {
		return row, held, away, err
	}
	var card store.Card
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		s, err := c.serving(r, row, held, away)
		if err != nil {
			return err
		}
		if c.not(s, q.Kind) != "" {
			return ErrKind
		}
		card = store.Card{Holder: row.Holder, Region: s.person.Region, Physical: s.person.Physical, CreatedAt: c.c.Now()}
		return nil
	})
	if err != nil {
		return row, held, false, err
	}
	if err := c.c.Engine.Adopt(ctx, card, held); liuma.CodeOf(err) != liuma.CodeCardRestored {
		return row, held, false, err
	}
	return row, ledger.Row{}, false, nil
}

// open judges and writes a ticket. refused is committed: it is over the clerk's day.
func (c *Counter) open(tx store.Tx, id liuma.TicketID, row store.LookUp, q Opening, held ledger.Row, away bool, lot lot) (t store.Ticket, e audit.Entry, refused, err error) {
	m, err := acting(tx, row.Clerk, liuma.RoleClerk)
	if err != nil {
		return t, e, nil, err
	}
	now := c.c.Now()
	s, err := c.stand(tx, row.Holder, held, away)
	if err != nil {
		return t, e, nil, err
	}
	if no, err := c.mayServe(tx, m, s, row.Holder); err != nil || no != nil {
		return t, e, nil, errors.Join(no, err)
	}
	if q.Kind == liuma.TicketClose && !mayClose(s, row.Reason) {
		return t, e, nil, ErrCloseReason
	}
	if c.not(s, q.Kind) != "" || q.Phone && !byLink(s, q.Kind) {
		return t, e, nil, ErrKind
	}
	t = store.Ticket{ID: id, Kind: q.Kind, State: store.TicketAsked, Card: s.card.ID, Holder: row.Holder, Region: s.region(), Agency: m.Agency, Clerk: m.ID,
		Reason: row.Reason, Words: row.Words, Lost: q.Lost, Route: store.RouteSupervisor, Stops: s.card.Stops, AskedAt: now, Until: now.Add(AskedLife)}
	if !s.has {
		t.Card = liuma.CardID{} // of a card without a PIN nothing is known
		t.Stops = 0
	}
	if spent, err := c.spent(tx, meterTicket, m.ID, c.quotas(m).Tickets); err != nil || spent {
		e = c.entry(m.ID.Actor(), audit.TicketAsked, t, "ok")
		_, e, refused, err = c.refuseOver(tx, e, m.ID, meterTicket, ErrTickets, err)
		return t, e, refused, err
	}
	if err := c.replaceLive(tx, s, m.ID); err != nil {
		return t, e, nil, err
	}
	event := audit.TicketAsked
	if q.Phone {
		t.Route = store.RouteLink
		event = audit.TicketOpened
	} else if t.Supervisor, err = c.pick(tx, m, t, lot); err != nil {
		return t, e, nil, err
	}
	if err := tx.Meter(meterTicket, c.byName(meterTicket, m.ID), now, 1); err != nil {
		return t, e, nil, err
	}
	if err := ensureClient(tx, now); err != nil {
		return t, e, nil, err
	}
	if q.Phone {
		err = c.start(tx, &t, &s.card)
	}
	e = c.entry(m.ID.Actor(), event, t, "ok")
	e.Note = reasoned(e.Note, row.Reason, row.Words)
	return t, e, nil, errors.Join(err, tx.InsertTicket(t))
}

// mayClose reports whether a card is closed for a reason: its holder died or emigrated, or
// its number is another person's by now, who comes for something else.
func mayClose(s situation, reason string) bool {
	return reason == ReasonDeath || reason == ReasonEmigration || s.card.Contested
}

// replaceLive ends the clerk's own earlier tickets for a person, and refuses beside
// another's.
func (c *Counter) replaceLive(tx store.Tx, s situation, by liuma.StaffID) error {
	for _, other := range s.live {
		if other.Clerk != by {
			return ErrLive
		}
		other.End(store.TicketWithdrawn, "", c.c.Now())
		if err := tx.UpdateTicket(other); err != nil {
			return err
		}
	}
	return nil
}

// start has a ticket's minutes run: of one that is opened at once, or was approved. Its
// holder is told.
func (c *Counter) start(tx store.Tx, t *store.Ticket, card *store.Card) error {
	now := c.c.Now()
	t.State, t.OpenedAt, t.Until = store.TicketOpened, now, now.Add(TicketLife)
	if t.Lost || t.Kind == liuma.TicketClose || c.sampled(t.ID) {
		t.ReviewUntil = now.Add(ReviewTime)
	}
	if c.c.Teller == nil || t.Card.IsZero() {
		return nil
	}
	return c.c.Teller.TellTicketOpened(tx, *card, *t)
}

// sampleOneOf is the share of tickets that are reviewed.
const sampleOneOf = 20

// sampled draws the tickets to be reviewed by a keyed hash of their identifiers, which
// nobody chooses and nobody outside of the vault foresees.
func (c *Counter) sampled(id liuma.TicketID) bool {
	hash := c.c.Vault.Index(vault.IndexTicket, "review\x00"+id.String())
	return binary.BigEndian.Uint64(hash[:8])%sampleOneOf == 0
}

// ensureClient makes the client under which ceremonies at a counter go, with the first
// ticket.
func ensureClient(tx store.Tx, now time.Time) error {
	_, err := tx.Client(store.CounterClient)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tx.InsertClient(store.Client{ID: store.CounterClient, Kind: store.ClientCounter, At: now,
		Name: locale.Both(func(w *locale.Words) string { return w.Word("actor", "counter") })})
}
