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

// Opening is a clerk's request for a ticket.
type Opening struct {
	LookUp string           `json:"look_up"`
	Kind   liuma.TicketKind `json:"kind"`
	// Checked says that the clerk has checked the original document.
	Checked bool `json:"checked"`
	// Phone says that the person has the bound phone here, with an app in which the card
	// is known. Then no supervisor is needed; without it one is asked.
	Phone bool `json:"phone"`
	// Lost says that the bound phone is not here: lost, stolen, or left at home. Then a
	// reset or an unfreezing that a supervisor approves asks for no code to it, and is
	// reviewed.
	Lost bool `json:"lost"`
}

// Open opens a ticket, or asks a supervisor for one, on a look-up of the clerk's. An
// earlier ticket of the same clerk for the person ends, and so does a colleague's that was
// left alone (leftAlone). A card that only the keepers know is adopted first, frozen.
// Errors: ErrMember, ErrDocument, ErrLookUp, ErrChecked, ErrKind, ErrLive, ErrCarried,
// ErrOwn, ErrBounds, ErrTickets, ErrNoSupervisor, ErrPairSpent, ErrAgentKind,
// ErrAgentRegion, ErrGuardian, ErrBorn, ErrHeir.
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

// beforeOpening reads the look-up, asks the keepers, and adopts a card that only the
// keepers know.
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
		if not := c.not(s, q.Kind, row); not != "" {
			return refusalOf(not)
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

// open checks and writes a ticket. refused is an error that is committed: the clerk's day
// is used up.
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
	if no, err := c.mayServe(tx, m, s, row); err != nil || no != nil {
		return t, e, nil, errors.Join(no, err)
	}
	if err := c.mayOpen(s, q, row); err != nil {
		return t, e, nil, err
	}
	t = store.Ticket{ID: id, Kind: q.Kind, State: store.TicketAsked, Card: s.card.ID, Holder: row.Holder, Region: s.region(), Agency: m.Agency, Clerk: m.ID,
		Reason: row.Reason, Words: row.Words, Lost: q.Lost, Route: store.RouteSupervisor, Stops: s.card.Stops, AskedAt: now, Until: now.Add(AskedLife), Came: row.Came}
	if !s.has {
		t.Card = liuma.CardID{} // a card without a PIN counts as no card
		t.Stops = 0
	}
	if spent, err := c.spent(tx, meterTicket, m.ID, c.quotas(m).Tickets); err != nil || spent {
		e = c.entry(m.ID.Actor(), audit.TicketAsked, t, "ok")
		_, e, refused, err = c.refuseOver(tx, e, m.ID, meterTicket, ErrTickets, err)
		return t, e, refused, err
	}
	if err := tx.Meter(meterTicket, c.byName(meterTicket, m.ID), now, 1); err != nil {
		return t, e, nil, err
	}
	var replaced string
	if t.Kind == liuma.TicketFreeze {
		err = c.freezeNow(tx, &t, s.card)
	} else {
		replaced, err = c.begin(tx, &t, s, m, q.Phone, lot)
	}
	if err != nil {
		return t, e, nil, err
	}
	e = c.entry(m.ID.Actor(), eventOf(t), t, "ok")
	e.Note = reasoned(e.Note+replaced, row.Reason, row.Words)
	return t, e, nil, tx.InsertTicket(t)
}

// begin opens a ticket for its holder's phone, or asks a supervisor. It returns words for
// the record about a colleague's ticket that it replaced.
func (c *Counter) begin(tx store.Tx, t *store.Ticket, s situation, clerk store.Member, phone bool, lot lot) (replaced string, err error) {
	if replaced, err = c.replaceLive(tx, s, clerk.ID); err != nil {
		return "", err
	}
	if err := ensureClient(tx, c.c.Now()); err != nil {
		return "", err
	}
	if phone {
		t.Route = store.RouteLink
		return replaced, c.start(tx, t, &s.card)
	}
	t.Supervisor, err = c.pick(tx, clerk, t, lot)
	return replaced, err
}

// mayOpen refuses a kind of ticket on a look-up because of the agent or guardian, the
// card's standing, or the reason of the look-up.
func (c *Counter) mayOpen(s situation, q Opening, row store.LookUp) error {
	not := c.not(s, q.Kind, row)
	if err := agentRefusal(not); err != nil {
		return err
	}
	if q.Kind == liuma.TicketClose && !mayClose(s, row.Reason) {
		return ErrCloseReason
	}
	if not != "" || q.Phone && !byLink(s, q.Kind) {
		return ErrKind
	}
	return nil
}

// refusalOf is the error for a reason of not.
func refusalOf(not string) error {
	if err := agentRefusal(not); err != nil {
		return err
	}
	return ErrKind
}

// mayClose reports whether a card may be closed for a look-up's reason: its holder died or
// emigrated. If the card's number belongs to another person now, any reason will do,
// because that person came for something else.
func mayClose(s situation, reason string) bool {
	return reason == ReasonDeath || reason == ReasonEmigration || s.card.Contested
}

// replaceLive ends the clerk's own earlier tickets for a person, and a colleague's that
// was left alone. If another ticket is still being worked on, it refuses. It returns words
// for the record about a colleague's ticket.
func (c *Counter) replaceLive(tx store.Tx, s situation, by liuma.StaffID) (words string, err error) {
	for _, other := range s.live {
		if other.Clerk != by {
			left, err := c.leftAlone(tx, other)
			if err != nil || !left {
				return "", errors.Join(errIf(err == nil, ErrLive), err)
			}
			words += " replaces=" + other.ID.String()
		}
		if under, err := c.carried(tx, other); err != nil || under {
			return "", errors.Join(errIf(under, ErrCarried), err)
		}
		other.End(store.TicketWithdrawn, "", c.c.Now())
		if err := tx.UpdateTicket(other); err != nil {
			return "", err
		}
	}
	return words, nil
}

// start begins a ticket's minutes, when it is opened at once or approved, and tells its
// holder. An approved ticket goes on in the browser that has it.
func (c *Counter) start(tx store.Tx, t *store.Ticket, card *store.Card) error {
	now := c.c.Now()
	t.State, t.OpenedAt, t.Until = store.TicketOpened, now, now.Add(TicketLife)
	if t.Ceremony != "" {
		t.State = store.TicketTaken
	}
	if t.Lost || t.Kind == liuma.TicketClose || t.Came.As != "" || c.sampled(t.ID) {
		t.ReviewUntil = now.Add(ReviewTime)
	}
	if c.c.Teller == nil || t.Card.IsZero() {
		return nil
	}
	return c.c.Teller.TellTicketOpened(tx, *card, *t)
}

// sampleOneOf says that one of so many tickets is reviewed.
const sampleOneOf = 20

// sampled draws the tickets to be reviewed by a keyed hash of their identifiers. So nobody
// can choose them, or foresee them without the vault.
func (c *Counter) sampled(id liuma.TicketID) bool {
	hash := c.c.Vault.Index(vault.IndexTicket, "review\x00"+id.String())
	return binary.BigEndian.Uint64(hash[:8])%sampleOneOf == 0
}

// ensureClient registers the client of ceremonies at a counter, with the first ticket.
func ensureClient(tx store.Tx, now time.Time) error {
	_, err := tx.Client(store.CounterClient)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tx.InsertClient(store.Client{ID: store.CounterClient, Kind: store.ClientCounter, At: now,
		Name: locale.Both(func(w *locale.Words) string { return w.Word("actor", "counter") })})
}
