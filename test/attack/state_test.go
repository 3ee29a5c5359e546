package attack

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// state is the part of the system that no thief may change.
type state struct {
	version liuma.Version
	phone   [32]byte
	frozen  bool
	born    bool // a person without a card now has one
	spent   uint64
	posts   int64
}

// look reads the state of the holder's card, and whether unborn has one.
func (w *world) look(unborn registry.Facts) state {
	w.t.Helper()
	s := state{posts: w.net.guesses.Load()}
	var id liuma.CardID
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		card, err := r.CardByHolder(w.System.Vault.Index("id-number", w.who.IDNumber))
		if err != nil {
			return err
		}
		contact, err := r.Contact(card.ID)
		if err != nil {
			return err
		}
		id, s.version, s.frozen, s.phone = card.ID, card.Version, card.Frozen, contact.Phone
		other, err := r.CardByHolder(w.System.Vault.Index("id-number", unborn.IDNumber))
		s.born = err == nil && other.Version > 0
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	row, err := w.System.Keepers[0].Status(context.Background(), id)
	s.spent = must(w.t, row, err).Row.Tally.Spent
	return s
}

// got names a thief's gain between two looks, or is empty.
func got(before, now state) string {
	switch {
	case now.born && !before.born:
		return "set the first PIN of somebody else"
	case now.version != before.version:
		return "set the PIN"
	case now.phone != before.phone:
		return "bound a phone"
	case before.frozen && !now.frozen:
		return "unfroze the card"
	}
	return ""
}

// verify asks for a verdict at the native door.
func (c *party) verify(card, secret string) (*client.Verification, error) {
	ch := c.challenge()
	d := client.DeviceRequest{Channel: c.ID, Action: client.Verify, Subject: client.Subject{Card: card},
		BusinessNo: c.w.number(), Purpose: purpose, Challenge: ch}
	sealed, err := d.SealPIN([]byte(secret))
	must(c.w.t, sealed, err)
	return c.native.Verify(context.Background(), client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject,
		Purpose: purpose, Challenge: ch.Value, PIN: sealed})
}

// outside checks, as the holder and days after the thief, that PIN and phone
// have not changed and that a frozen card is still frozen.
func (w *world) outside(t *testing.T, before state) {
	t.Helper()
	w.Clock.Advance(25 * time.Hour) // a thief may cause a lock and use up one-time codes
	if before.frozen {
		if got := w.watch.standing(w.seen); got != "frozen" {
			t.Errorf("the frozen card is %s", got)
		}
	} else if got := w.watch.standing(w.seen); got != "active" && got != "frozen" {
		t.Errorf("the card is %s", got)
	}
	frozen := w.watch.standing(w.seen) == "frozen"
	if !frozen {
		for _, secret := range []string{thiefPIN, goodPIN} {
			v, err := w.watch.verify(w.seen, secret)
			if must(t, v, err); v.Right() != (secret == goodPIN) {
				t.Errorf("the holder's PIN, or the thief's: %s %s", v.Verdict, v.Code)
			}
		}
	}
	action := liuma.ActionReset
	if frozen {
		action = liuma.ActionUnfreeze
	}
	w.Sent() // messages that the thief caused
	texts := len(w.Inbox.Texts(w.who.Phone))
	p := w.do(w.enter(w.browser(), w.watch.pushed(request{action: action, card: w.seen, bn: w.number()})), "agree")
	w.do(p, "send-code")
	if w.Sent(); len(w.Inbox.Texts(w.who.Phone)) != texts+1 {
		t.Errorf("the holder's phone gets no code any more, but %d texts; the page: %s", len(w.Inbox.Texts(w.who.Phone))-texts, p.Title())
	}
}

// freeze freezes the card for the holder.
func (w *world) freeze() {
	w.t.Helper()
	_, err := w.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: w.number(), Subject: client.Subject{Card: w.card}})
	must(w.t, w, err)
	if got := w.watch.standing(w.seen); got != "frozen" {
		w.t.Fatalf("the card is %s", got)
	}
	w.Sent()
	w.Clock.Advance(time.Minute)
}
