package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// RetainHandles: a walk finds the claims of handles that lead nowhere, page by page, and keeps
// its place without an entry. Such a claim goes, and no other: not that of a link, nor of a card
// that is not there, of another card, or of one that is known to be behind. Whoever makes the
// link at that moment has both, the link and its claim.
func RetainHandles(t *testing.T, open Open) {
	s, reopen := open(t)
	ch := liuma.ChannelID("app")
	take := func(h store.Handle, i int) {
		t.Helper()
		must(t, alone(t, s, func(tx store.Tx) error { return tx.TakeHandle(ch, h, cardID(i)) }))
	}
	link := func(h store.Handle, i int) store.Link {
		return store.Link{Channel: ch, Handle: h, Card: cardID(i), At: at(1)}
	}
	behind := card(2)
	behind.Behind = 9
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.InsertCard(card(1)), tx.InsertCard(behind)) })
	loose := []store.Handle{"left a", "left b", "left c"}
	for _, h := range loose {
		take(h, 1)
	}
	take("linked", 1)
	take("behind", 2)
	take("cardless", 3)
	mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(tx.PutLink(link("linked", 1)), tx.PutLink(link("new", 1))) })

	for _, page := range []int{1, 2, 100} {
		var all []store.HandleKey
		rows := 0
		for after, steps := []byte(nil), 0; ; steps++ {
			w := mustGet(t, s, func(r store.Reader) (store.WalkedHandles, error) { return r.WalkHandles(after, page) })
			all, rows = append(all, w.Loose...), rows+w.Rows
			if after = w.Next; after == nil {
				break
			}
			if steps > 20 {
				t.Fatal("the walk does not end")
			}
		}
		want := []store.HandleKey{{Channel: ch, Handle: "behind", Card: cardID(2)}}
		for _, h := range loose {
			want = append(want, store.HandleKey{Channel: ch, Handle: h, Card: cardID(1)})
		}
		same(t, all, want)
		if rows != 7 {
			t.Errorf("%d claims were read, and not 7", rows)
		}
	}

	prune := func(h store.Handle, i int) (did bool) {
		t.Helper()
		must(t, s.Update(t.Context(), func(tx store.Tx) (e audit.Entry, err error) {
			if did, err = tx.PruneHandle(store.HandleKey{Channel: ch, Handle: h, Card: cardID(i)}); !did {
				return e, err
			}
			return note(1, liuma.CardID{}, "pruned"), err // its own stream: it is no order with the card
		}))
		return did
	}
	before := mustGet(t, s, func(r store.Reader) (store.Card, error) { return r.Card(cardID(1)) })
	for h, i := range map[store.Handle]int{"linked": 1, "new": 1, "behind": 2, "cardless": 3, "never taken": 1} {
		if prune(h, i) {
			t.Errorf("the claim of %q was dropped", h)
		}
	}
	if prune("left a", 2) {
		t.Error("another card's claim was dropped")
	}
	if !prune("left a", 1) || prune("left a", 1) {
		t.Error("a claim that leads nowhere was not dropped, or twice")
	}
	if now := mustGet(t, s, func(r store.Reader) (store.Card, error) { return r.Card(cardID(1)) }); now.Rev != before.Rev+1 {
		t.Errorf("the card stands at %d, and not one above %d", now.Rev, before.Rev)
	}
	take("left a", 2) // free again
	for _, h := range []store.Handle{"linked", "new"} {
		if l := mustGet(t, s, func(r store.Reader) (store.Link, error) { return r.LinkByHandle(ch, h) }); l.Card != cardID(1) {
			t.Errorf("handle %q leads to %s", h, l.Card)
		}
	}

	for i := range 8 {
		h := store.Handle(fmt.Sprint("raced ", i))
		take(h, 1)
		together(t, 2, func(who int) error {
			if who == 0 {
				return s.Update(t.Context(), func(tx store.Tx) (e audit.Entry, err error) {
					did, err := tx.PruneHandle(store.HandleKey{Channel: ch, Handle: h, Card: cardID(1)})
					if err != nil || !did {
						return e, err
					}
					return note(i, cardID(1), "pruned"), nil
				})
			}
			return update(t, s, func(tx store.Tx) error { return tx.PutLink(link(h, 1)) })
		})
		if l := mustGet(t, s, func(r store.Reader) (store.Link, error) { return r.LinkByHandle(ch, h) }); l.Card != cardID(1) {
			t.Errorf("handle %q leads to %s", h, l.Card)
		}
		if err := alone(t, s, func(tx store.Tx) error { return tx.TakeHandle(ch, h, cardID(2)) }); !errors.Is(err, store.ErrExists) {
			t.Errorf("another card takes the handle of a link: %v", err)
		}
	}

	same(t, mustGet(t, s, store.Reader.HandleSweep), store.Sweep{})
	for _, sw := range []store.Sweep{{After: []byte("a")}, {EndedAt: at(4)}} {
		must(t, alone(t, s, func(tx store.Tx) error { return tx.SaveHandleSweep(sw) }))
		s = reopen()
		same(t, mustGet(t, s, store.Reader.HandleSweep), sw)
	}
	same(t, mustGet(t, s, store.Reader.Sweep), store.Sweep{})
}
