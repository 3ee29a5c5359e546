package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func ticketID(i int) (id liuma.TicketID) {
	copy(id[:], fmt.Sprintf("ticket%08d", i))
	return id
}

// ticket is a live one with every member set that a live one has.
func ticket(i int) store.Ticket {
	return store.Ticket{ID: ticketID(i), Kind: liuma.TicketRebindReset, State: store.TicketTaken, Code: index("code", i), Card: cardID(i), Holder: index("holder", i),
		Region: "330500", Agency: "huzhou", Clerk: member(1).ID, Supervisor: member(2).ID, Reason: "forgot", Words: "说明", Lost: true,
		Route: store.RouteSupervisor, Stops: 3, Pad: deskPad(i).ID, Ceremony: ceremonyID(i), AskedAt: at(i), OpenedAt: at(i + 1), TakenAt: at(i + 2), Until: at(i + 900)}
}

// ended is a ticket that came to its end, with its review.
func ended(i int) store.Ticket {
	k := ticket(i)
	k.End(store.TicketUsed, "ended", at(i+3))
	k.ReviewUntil, k.ReviewedAt, k.Reviewer, k.Finding, k.ReviewWords = at(i+9), at(i+8), member(3).ID, "fine", "看过"
	return k
}

func lookUp(i int) store.LookUp {
	return store.LookUp{ID: fmt.Sprintf("lookup%020d", i), Clerk: member(1).ID, Holder: index("holder", i), Reason: "forgot", Words: "说明", At: at(i), Until: at(i + 1),
		Came: store.Came{As: store.CameAgent, Document: index("came", i), Name: "张*"}}
}

func deskPad(i int) store.DeskPad {
	return store.DeskPad{ID: fmt.Sprintf("pad%029d", i), Key: []byte{4, 1}, Clerk: member(i).ID, Agency: "huzhou",
		Region: "3305", PairedAt: at(i + 1), Until: at(i + 3), SeenAt: at(i + 2), Ticket: ticketID(i)}
}

// tickets come back as they went in, and are found by their codes while they are live.
func tickets(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := ticket(1), ticket(2)
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.InsertTicket(one), tx.InsertTicket(two)) })
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) (store.Ticket, error) { return r.Ticket(one.ID) }), one)
	byCode := func(code vault.Index) (store.Ticket, error) {
		return get(t, s, func(r store.Reader) (store.Ticket, error) { return r.TicketByCode(code) })
	}
	found, err := byCode(two.Code)
	must(t, err)
	same(t, found, two)
	_, err = byCode(vault.Index{})
	wantErr(t, err, store.ErrNotFound)
	twin := ticket(1)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertTicket(twin) }), store.ErrExists)
	twin = ticket(3)
	twin.Code = one.Code
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertTicket(twin) }), store.ErrExists)
	two.Code = one.Code
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateTicket(two) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateTicket(ticket(9)) }), store.ErrNotFound)
	one.End(store.TicketWithdrawn, "", at(9))
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateTicket(one) })
	_, err = byCode(ticket(1).Code)
	wantErr(t, err, store.ErrNotFound)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertTicket(twin) }) // the code is free again
	_, err = get(t, s, func(r store.Reader) (store.Ticket, error) { return r.Ticket(ticketID(9)) })
	wantErr(t, err, store.ErrNotFound)
}

func ids(all []store.Ticket) (out []string) {
	for _, k := range all {
		out = append(out, string(k.ID[:14]))
	}
	return out
}

// ticketLists: by card, person, clerk, supervisor, time, stop, review and end.
func ticketLists(t *testing.T, open Open) {
	s, _ := open(t)
	var all []store.Ticket
	for i := 1; i <= 8; i++ {
		k := ticket(i)
		k.Card = cardID(1)
		switch i {
		case 2:
			k.Card, k.State = liuma.CardID{}, store.TicketAsked
		case 3:
			k.State, k.Clerk = store.TicketAsked, "other"
		case 4, 5:
			k.End(store.TicketStopped, store.TicketEndedFrozen, at(20-i))
			k.ReviewUntil = at(50 - i)
		case 6:
			k = ended(i)
			k.Card = cardID(2)
		}
		all = append(all, k)
	}
	mustUpdate(t, s, func(tx store.Tx) error {
		var errs []error
		for i := len(all) - 1; i >= 0; i-- {
			errs = append(errs, tx.InsertTicket(all[i]))
		}
		return errors.Join(errs...)
	})
	list := func(what string, read func(store.Reader) ([]store.Ticket, error), want ...int) {
		t.Helper()
		var names []string
		for _, i := range want {
			id := ticketID(i)
			names = append(names, string(id[:14]))
		}
		if got := ids(mustGet(t, s, read)); !slices.Equal(got, names) {
			t.Errorf("%s: %q, want %q", what, got, names)
		}
	}
	list("of a card", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsOf(cardID(1)) }, 1, 3, 4, 5, 7, 8)
	list("of no card", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsOf(liuma.CardID{}) })
	list("for a person", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsFor(index("holder", 2)) }, 2)
	list("for one with a card", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsFor(index("holder", 1)) })
	list("by a clerk", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsBy(member(1).ID, store.TicketPlace{}, 3) }, 8, 7, 6)
	list("by a clerk, gone on", func(r store.Reader) ([]store.Ticket, error) {
		return r.TicketsBy(member(1).ID, store.TicketPlace{At: all[5].AskedAt, ID: all[5].ID}, 3)
	}, 5, 4, 2)
	list("by another", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsBy("other", store.TicketPlace{}, 9) }, 3)
	list("asked", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsAsked(member(2).ID) }, 2, 3)
	list("asked of nobody", func(r store.Reader) ([]store.Ticket, error) { return r.TicketsAsked("") })
	list("due", func(r store.Reader) ([]store.Ticket, error) { return r.DueTickets(at(903), 9) }, 1, 2, 3)
	list("due, two of them", func(r store.Reader) ([]store.Ticket, error) { return r.DueTickets(at(903), 2) }, 1, 2)
	list("stopped", func(r store.Reader) ([]store.Ticket, error) { return r.StoppedTickets(store.TicketPlace{At: at(0)}, 9) }, 5, 4)
	list("stopped, gone on", func(r store.Reader) ([]store.Ticket, error) {
		return r.StoppedTickets(store.TicketPlace{At: at(15), ID: all[4].ID}, 9)
	}, 4)
	list("ended", func(r store.Reader) ([]store.Ticket, error) { return r.EndedTickets(at(16), 9) }, 6, 5)
}

// ticketsToReview are listed by region and by when they are due, page by page; of those that
// are due in one moment none is left out.
func ticketsToReview(t *testing.T, open Open) {
	s, reopen := open(t)
	var all []store.Ticket
	for i, where := range []liuma.Region{"330502", "330502", "330502", "330521", "330106", "3305", "110101", "330502"} {
		k := ended(i + 1)
		k.Region, k.ReviewedAt, k.Reviewer, k.Finding, k.ReviewWords = where, time.Time{}, "", "", ""
		k.ReviewUntil = at(100 - i/3)
		if i == 7 {
			k.ReviewedAt = at(9)
		}
		all = append(all, k)
	}
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, k := range all {
			if err := tx.InsertTicket(k); err != nil {
				return err
			}
		}
		return nil
	})
	s = reopen()
	list := func(within liuma.Region, want ...int) {
		t.Helper()
		var got []int
		for after := (store.TicketPlace{}); ; { // two at a time
			page := mustGet(t, s, func(r store.Reader) ([]store.Ticket, error) { return r.TicketsToReview(within, after, 2) })
			for _, k := range page {
				got = append(got, slices.IndexFunc(all, func(o store.Ticket) bool { return o.ID == k.ID })+1)
				after = store.TicketPlace{At: k.ReviewUntil, ID: k.ID}
			}
			if len(page) < 2 || len(got) > len(all) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("to review in %q: %v, want %v", within, got, want)
		}
	}
	list("", 7, 4, 5, 6, 1, 2, 3)
	list("33", 4, 5, 6, 1, 2, 3)
	list("3305", 4, 6, 1, 2, 3)
	list("330502", 1, 2, 3)
	list("330599")
	done := all[1]
	done.ReviewedAt, done.Reviewer, done.Finding = at(99), "officer", "fine"
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateTicket(done) })
	list("330502", 1, 3)
}

// ticketsEnd: no ended ticket becomes another, and its review is written once.
func ticketsEnd(t *testing.T, open Open) {
	s, reopen := open(t)
	k := ticket(1)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertTicket(k) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteTicket(k.ID) }), store.ErrConflict)
	k.End(store.TicketUsed, "", at(5))
	k.ReviewUntil = at(100)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateTicket(k) })
	for _, again := range []func(*store.Ticket){
		func(k *store.Ticket) { k.State = store.TicketOpened },
		func(k *store.Ticket) { k.State, k.EndedAt = store.TicketTaken, at(0) },
		func(k *store.Ticket) { k.Clerk = "other" },
		func(k *store.Ticket) { k.Stops++ },
	} {
		other := k
		again(&other)
		wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateTicket(other) }), store.ErrDecided)
	}
	k.ReviewedAt, k.Reviewer, k.Finding, k.ReviewWords = at(9), "officer", "fine", "看过"
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateTicket(k) })
	other := k
	other.Finding = "wrong"
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateTicket(other) }), store.ErrDecided)
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) (store.Ticket, error) { return r.Ticket(k.ID) }), k)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteTicket(k.ID) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteTicket(k.ID) }), store.ErrNotFound)
}

// lookUps go with their time.
func lookUps(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := lookUp(1), lookUp(2)
	whole(t, one)
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.InsertLookUp(one), tx.InsertLookUp(two)) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertLookUp(one) }), store.ErrExists)
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) (store.LookUp, error) { return r.LookUp(one.ID) }), one)
	mustUpdate(t, s, func(tx store.Tx) error {
		if n, err := tx.PruneLookUps(two.Until); err != nil || n != 1 {
			t.Errorf("%d were pruned, %v; want the first alone", n, err)
		}
		return nil
	})
	_, err := get(t, s, func(r store.Reader) (store.LookUp, error) { return r.LookUp(one.ID) })
	wantErr(t, err, store.ErrNotFound)
	same(t, mustGet(t, s, func(r store.Reader) (store.LookUp, error) { return r.LookUp(two.ID) }), two)
}

// deskPads are found by whose desk they stand on, and each clerk has one.
func deskPads(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two := deskPad(1), deskPad(2)
	whole(t, one)
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.PutDeskPad(one), tx.PutDeskPad(two)) })
	twin := deskPad(3)
	twin.Clerk = one.Clerk
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.PutDeskPad(twin) }), store.ErrExists)
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutDeskPad(deskPad(3)), tx.DeleteDeskPad(deskPad(3).ID))
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteDeskPad(deskPad(3).ID) }), store.ErrNotFound)
	one.SeenAt = at(9)
	must(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { // without an entry
		return audit.Entry{}, errors.Join(tx.SeeDeskPad(one.ID, one.SeenAt), tx.SeeDeskPad(one.ID, at(8)))
	}))
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.SeeDeskPad("none", at(9)) }), store.ErrNotFound)
	s = reopen()
	same(t, mustGet(t, s, func(r store.Reader) (store.DeskPad, error) { return r.DeskPad(one.ID) }), one)
	same(t, mustGet(t, s, func(r store.Reader) (store.DeskPad, error) { return r.DeskPadOf(two.Clerk) }), two)
	_, err := get(t, s, func(r store.Reader) (store.DeskPad, error) { return r.DeskPadOf("") })
	wantErr(t, err, store.ErrNotFound)
	mustUpdate(t, s, func(tx store.Tx) error {
		if n, err := tx.PruneDeskPads(two.Until); err != nil || n != 1 {
			t.Errorf("%d were pruned, %v; want the first alone", n, err)
		}
		return nil
	})
	_, err = get(t, s, func(r store.Reader) (store.DeskPad, error) { return r.DeskPad(one.ID) })
	wantErr(t, err, store.ErrNotFound)
}

func ticketSamples() map[string]sample {
	return map[string]sample{
		"tickets": {func(tx store.Tx, i int) error { return tx.InsertTicket(ticket(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.Ticket(ticketID(i)); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.TicketByCode(index("code", 1)); return err }}},
		"look_ups": {func(tx store.Tx, i int) error { return tx.InsertLookUp(lookUp(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.LookUp(lookUp(i).ID); return err }), nil},
		"desk_pads": {func(tx store.Tx, i int) error { return tx.PutDeskPad(deskPad(i)) },
			reads(func(r store.Reader, i int) error { _, err := r.DeskPad(deskPad(i).ID); return err }),
			[]func(store.Reader) error{func(r store.Reader) error { _, err := r.DeskPadOf(member(1).ID); return err }}},
	}
}
