package rows

import (
	"cmp"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ofCounter adds the tables of the counter: tickets, look-ups and desk pads. They are not
// shared: a ticket that is put back to before its use stands no more, since its use
// raised the card's Stops, and lives for its minutes alone.
func (t *tables) ofCounter() {
	t.tickets = kind[store.Ticket]{Table{Name: "tickets", Columns: []Column{
		{Name: "code", Unique: true}, {Name: "whose"}, {Name: "clerk"}, {Name: "asked"},
		{Name: "due", Number: true}, {Name: "stopped"}, {Name: "ended", Number: true},
		{Name: "review"}, {Name: "review_province"}, {Name: "review_city"}, {Name: "review_county"}}},
		func(k *store.Ticket) []byte { return k.ID[:] }, ticketLooks}
	t.lookUps = kind[store.LookUp]{Table{Name: "look_ups", Columns: []Column{{Name: "until", Number: true}}},
		func(l *store.LookUp) []byte { return []byte(l.ID) },
		func(l *store.LookUp) []Value { return []Value{l.Until.UnixMilli()} }}
	t.deskPads = kind[store.DeskPad]{Table{Name: "desk_pads", Columns: []Column{
		{Name: "clerk", Unique: true}, {Name: "until", Number: true}}},
		func(p *store.DeskPad) []byte { return []byte(p.ID) },
		func(p *store.DeskPad) []Value {
			return []Value{[]byte(p.Clerk), p.Until.UnixMilli()}
		}}
}

// ticketLooks: a live ticket is found by its code, by whom it waits for and by when its
// time is over; an ended one by when it ended. Each is found by its card, or while it
// has none by its person, whose index is longer than a card's. One that is to be reviewed is
// found by each region that it lies in.
func ticketLooks(k *store.Ticket) []Value {
	looks := []Value{nil, some(k.Card[:]), placed(join(string(k.Clerk)), k.AskedAt, k.ID), nil, nil, nil, milli(k.EndedAt), nil, nil, nil, nil}
	if k.Card.IsZero() {
		looks[1] = some(k.Holder[:])
	}
	if k.Live() {
		looks[0], looks[4], looks[6] = some(k.Code[:]), k.Until.UnixMilli(), nil
	}
	if k.State == store.TicketAsked {
		looks[3] = some([]byte(k.Supervisor))
	}
	if k.State == store.TicketStopped {
		looks[5] = placed(nil, k.EndedAt, k.ID)
	}
	if !k.ReviewUntil.IsZero() && k.ReviewedAt.IsZero() {
		for i := 0; i <= len(k.Region) && i/2 < len(reviewColumns()); i += 2 {
			looks[7+i/2] = placed([]byte(k.Region[:i]), k.ReviewUntil, k.ID)
		}
	}
	return looks
}

// reviewColumns are the columns of reviews, by half the length of a region.
func reviewColumns() []string {
	return []string{"review", "review_province", "review_city", "review_county"}
}

// placed is a ticket's place in a list: what all of the list begin with, the time, and the
// ticket's own key.
func placed(list []byte, at time.Time, id liuma.TicketID) []byte {
	return append(ordered(slices.Clone(list), at.UnixMilli()), id[:]...)
}

// behind is the range of a list after a place; to is its end.
func behind(list []byte, p store.TicketPlace) (from, to []byte) {
	from, to = ordered(slices.Clone(list), earliest), ordered(slices.Clone(list), latest)
	if !p.At.IsZero() {
		from = append(placed(list, p.At, p.ID), 0)
	}
	return from, append(to, 0xff)
}

// justBefore is the largest key of the same length below another one.
func justBefore(key []byte) []byte {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i]--; key[i] != 0xff {
			break
		}
	}
	return key
}

func (r *Reader) Ticket(id liuma.TicketID) (store.Ticket, error) {
	k, _, err := get(r, &r.codec.tickets, id[:])
	return k, err
}

func (r *Reader) TicketByCode(code vault.Index) (store.Ticket, error) {
	if some(code[:]) == nil {
		return store.Ticket{}, store.ErrNotFound
	}
	return first(r, &r.codec.tickets, is("code", code[:]))
}

func (r *Reader) TicketsOf(card liuma.CardID) ([]store.Ticket, error) {
	return r.ticketsWhose(card[:])
}

func (r *Reader) TicketsFor(holder vault.Index) ([]store.Ticket, error) {
	return r.ticketsWhose(holder[:])
}

func (r *Reader) ticketsWhose(whose []byte) ([]store.Ticket, error) {
	if some(whose) == nil {
		return nil, nil
	}
	return oldestFirst(list(r, &r.codec.tickets, is("whose", whose)))
}

func oldestFirst(all []store.Ticket, err error) ([]store.Ticket, error) {
	slices.SortStableFunc(all, func(a, b store.Ticket) int {
		return cmp.Or(a.AskedAt.Compare(b.AskedAt), slices.Compare(a.ID[:], b.ID[:]))
	})
	return all, err
}

func (r *Reader) TicketsBy(clerk liuma.StaffID, after store.TicketPlace, limit int) ([]store.Ticket, error) {
	list := join(string(clerk))
	from, to := behind(list, store.TicketPlace{})
	q := Query{Column: "clerk", From: from, To: to, Desc: true, Limit: max(0, limit)}
	if !after.At.IsZero() {
		q.To = justBefore(placed(list, after.At, after.ID))
	}
	return queue(r, &r.codec.tickets, q)
}

func (r *Reader) TicketsAsked(supervisor liuma.StaffID) ([]store.Ticket, error) {
	if supervisor == "" {
		return nil, nil
	}
	return oldestFirst(list(r, &r.codec.tickets, is("asked", []byte(supervisor))))
}

func (r *Reader) DueTickets(now time.Time, limit int) ([]store.Ticket, error) {
	return queue(r, &r.codec.tickets, Query{Column: "due", To: now.UnixMilli(), Limit: max(0, limit)})
}

func (r *Reader) StoppedTickets(after store.TicketPlace, limit int) ([]store.Ticket, error) {
	from, to := behind(nil, after)
	return queue(r, &r.codec.tickets, Query{Column: "stopped", From: from, To: to, Limit: max(0, limit)})
}

func (r *Reader) TicketsToReview(within liuma.Region, after store.TicketPlace, limit int) ([]store.Ticket, error) {
	from, to := behind([]byte(within), after)
	return queue(r, &r.codec.tickets, Query{Column: reviewColumns()[len(within)/2], From: from, To: to, Limit: max(0, limit)})
}

func (r *Reader) EndedTickets(at time.Time, limit int) ([]store.Ticket, error) {
	q := before("ended", at)
	q.Limit = max(0, limit)
	return queue(r, &r.codec.tickets, q)
}

func (r *Reader) LookUp(id string) (store.LookUp, error) {
	l, _, err := get(r, &r.codec.lookUps, []byte(id))
	return l, err
}

func (r *Reader) DeskPad(id string) (store.DeskPad, error) {
	p, _, err := get(r, &r.codec.deskPads, []byte(id))
	return p, err
}

func (r *Reader) DeskPadOf(clerk liuma.StaffID) (store.DeskPad, error) {
	return first(r, &r.codec.deskPads, is("clerk", []byte(clerk)))
}

// InsertTicket is written with the entry of who asked for it: a crash before the commit
// leaves no ticket and nothing counted (I-8).
func (t *Tx) InsertTicket(k store.Ticket) error {
	return insert(t, &t.codec.tickets, k.ID[:], &k, 1)
}

// UpdateTicket never leaves an ended state. A crash before the commit leaves the
// ticket as it was.
func (t *Tx) UpdateTicket(k store.Ticket) error {
	there, rev, err := get(&t.Reader, &t.codec.tickets, k.ID[:])
	if err != nil {
		return err
	}
	if !there.Live() {
		was := there
		was.ReviewUntil, was.ReviewedAt, was.Reviewer, was.Finding, was.ReviewWords = k.ReviewUntil, k.ReviewedAt, k.Reviewer, k.Finding, k.ReviewWords
		same, err := equal(t.codec.forms, &was, &k)
		if err != nil {
			return err
		}
		if !same || !there.ReviewedAt.IsZero() {
			return store.ErrDecided
		}
	}
	return update(t, &t.codec.tickets, k.ID[:], &k, rev)
}

func (t *Tx) DeleteTicket(id liuma.TicketID) error {
	there, err := t.Ticket(id)
	if err != nil {
		return err
	}
	if there.Live() {
		return store.ErrConflict
	}
	return t.deleteOne(&t.codec.tickets.Table, id[:])
}

func (t *Tx) InsertLookUp(l store.LookUp) error {
	return insert(t, &t.codec.lookUps, []byte(l.ID), &l, 1)
}

func (t *Tx) PruneLookUps(now time.Time) (int64, error) {
	return t.delete(&t.codec.lookUps.Table, before("until", now))
}

func (t *Tx) PutDeskPad(p store.DeskPad) error { return put(t, &t.codec.deskPads, &p) }

func (t *Tx) DeleteDeskPad(id string) error {
	return t.deleteOne(&t.codec.deskPads.Table, []byte(id))
}

// SeeDeskPad: a crash before the commit leaves the earlier time.
func (t *Tx) SeeDeskPad(id string, at time.Time) error {
	p, rev, err := get(&t.Reader, &t.codec.deskPads, []byte(id))
	if err != nil || !p.SeenAt.Before(at) {
		return err
	}
	wrote := t.wrote
	p.SeenAt = at
	err = update(t, &t.codec.deskPads, []byte(id), &p, rev)
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

func (t *Tx) PruneDeskPads(at time.Time) (int64, error) {
	return t.delete(&t.codec.deskPads.Table, before("until", at))
}
