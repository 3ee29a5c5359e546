package storetest

import (
	"errors"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// personLists go through everybody in the order of the keys, and a person who was
// deleted is gone.
func personLists(t *testing.T, open Open) {
	s, reopen := open(t)
	want := map[vault.Index]bool{}
	mustUpdate(t, s, func(tx store.Tx) error {
		for i := range 5 {
			if err := tx.InsertPerson(store.Person{Holder: index("holder", i), CardNo: index("no", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range 5 {
		want[index("holder", i)] = true
	}
	s = reopen()
	walk := func() (found []store.Person) {
		var after vault.Index
		for {
			page := mustGet(t, s, func(r store.Reader) ([]store.Person, error) { return r.Persons(after, 2) })
			if len(page) == 0 {
				return found
			}
			after = page[len(page)-1].Holder
			found = append(found, page...)
		}
	}
	all := walk()
	for i, p := range all {
		if !want[p.Holder] || i > 0 && string(all[i-1].Holder[:]) >= string(p.Holder[:]) {
			t.Errorf("person %d of %d is out of place", i, len(all))
		}
	}
	if len(all) != 5 {
		t.Errorf("%d people", len(all))
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeletePerson(index("holder", 3)) })
	if all = walk(); len(all) != 4 {
		t.Errorf("%d people after one was deleted", len(all))
	}
	mustUpdate(t, s, func(tx store.Tx) error { // the card number is free again
		return tx.InsertPerson(store.Person{Holder: index("holder", 9), CardNo: index("no", 3)})
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeletePerson(index("holder", 3)) }), store.ErrNotFound)
}

// eraseCard leaves a row that leads to nobody and an unbroken stream, and frees
// holder and handles.
func eraseCard(t *testing.T, open Open) {
	s, reopen := open(t)
	link := store.Link{Channel: "z", Card: cardID(1), Handle: "z1", At: at(1)}
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(card(1)), tx.PutLink(link), tx.PutContact(contact(1)), tx.PutFormerContact(formerContact(1, 3)), tx.PutNoticeContact(noticeContact(1, 4)), tx.InsertCardTick(cardID(1), "a", at(1)))
	})
	entry := func(ev audit.Event) audit.Entry {
		return audit.Entry{At: at(2), Actor: "operator", Event: ev, Card: cardID(1), Outcome: "ok"}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(cardID(1))
		if err != nil {
			return audit.Entry{}, err
		}
		return entry(audit.CardFrozen), tx.UpdateCard(c)
	}))
	must(s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return entry(audit.PersonErased), tx.EraseCard(cardID(1), at(3))
	}))
	s = reopen()
	must(s.View(t.Context(), func(r store.Reader) error {
		was := card(1)
		if _, err := r.CardByHolder(was.Holder); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by its holder: %v", err)
		}
		if _, err := r.LinkByHandle("z", "z1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by its handle: %v", err)
		}
		if _, err := r.Contact(cardID(1)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("contact: %v", err)
		}
		if told, err := r.FormerContacts(cardID(1)); err != nil || len(told) > 0 {
			t.Errorf("%d other contacts, %v", len(told), err)
		}
		if _, err := r.NoticeContact(cardID(1)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("contact for notices: %v", err)
		}
		left, err := r.Card(cardID(1))
		if err != nil {
			return err
		}
		if left.Holder == was.Holder || left.Holder == (vault.Index{}) || left.Version != 0 || left.Verifier != (liuma.Verifier{}) ||
			left.Region != "" || left.Reserved != was.Reserved || !left.ErasedAt.Equal(at(3)) || left.Physical != liuma.PhysicalCancelled {
			t.Errorf("what is left: %+v", left)
		}
		links, err := r.Links(cardID(1))
		if err != nil || len(links) > 0 {
			t.Errorf("%d links, %v", len(links), err)
		}
		marks, err := r.CardTicks(cardID(1), "a", at(0))
		if err != nil || len(marks) > 0 {
			t.Errorf("%d marks, %v", len(marks), err)
		}
		entries, err := r.Entries(audit.CardStream(cardID(1)), 0, 9)
		if err != nil || len(entries) != 2 || entries[1].Event != audit.PersonErased {
			t.Errorf("%d entries, %v", len(entries), err)
		}
		return nil
	}))
	// Holder and handle are free, and the ID is not.
	second := card(2)
	second.Holder = card(1).Holder
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(second), tx.PutLink(store.Link{Channel: "z", Card: cardID(2), Handle: "z1", At: at(4)}))
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertCard(card(1)) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.EraseCard(cardID(5), at(9)) }), store.ErrNotFound)
}

// deleteMessage drops what was sent, and never what waits.
func deleteMessage(t *testing.T, open Open) {
	s, _ := open(t)
	done := message(2)
	done.State, done.DoneAt = store.MessageSent, at(3)
	mustUpdate(t, s, func(tx store.Tx) error {
		waits := message(1)
		waits.State = store.MessageWaiting
		return errors.Join(tx.InsertMessage(waits), tx.InsertMessage(done))
	})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteMessage(messageID(1)) }), store.ErrConflict)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteMessage(messageID(2)) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteMessage(messageID(2)) }), store.ErrNotFound)
}
