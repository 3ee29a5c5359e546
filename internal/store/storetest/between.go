package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// between runs a transaction, and another one as a whole at the place where the first
// calls meanwhile: after it has read, before it writes. A store that orders all
// transactions lets the other wait for the first, which goes on after a moment.
func between(t *testing.T, first func(meanwhile func()) error, other func() error) (errFirst, errOther error) {
	t.Helper()
	var once sync.Once // the first may run again
	done := make(chan error, 1)
	errFirst = first(func() {
		once.Do(func() {
			ended := make(chan struct{})
			go func() {
				done <- other()
				close(ended)
			}()
			select {
			case <-ended:
			case <-time.After(100 * time.Millisecond):
			}
		})
	})
	return errFirst, <-done
}

// oneHasRoom: of two that need the same room, one has it, and the other sees that there is none.
func oneHasRoom(t *testing.T, act func(i int, meanwhile func()) error) {
	t.Helper()
	first, other := between(t, func(meanwhile func()) error { return act(1, meanwhile) }, func() error { return act(2, func() {}) })
	if (first == nil) == (other == nil) || !errors.Is(errors.Join(first, other), errNoRoom) {
		t.Errorf("the first: %v, the other, between its reading and its writing: %v; want room for one of them", first, other)
	}
}

// betweenRations: there is room for one more mark, and two for different cards count.
func betweenRations(t *testing.T, open Open) {
	s, _ := open(t)
	key := index("phone", 1)
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(bareCard(1)), tx.InsertCard(bareCard(2)), tx.InsertTick(store.Tick{Kind: "code_sent", Key: key, At: at(1)}))
	})
	oneHasRoom(t, func(i int, meanwhile func()) error {
		return about(t, s, i, func(tx store.Tx) error {
			before, err := tx.Ticks("code_sent", key, at(0))
			if err != nil {
				return err
			}
			meanwhile()
			if len(before) > 1 {
				return errNoRoom
			}
			return tx.InsertTick(store.Tick{Kind: "code_sent", Key: key, At: at(1 + i)})
		})
	})
}

// betweenRows: each reads the row that the other writes.
func betweenRows(t *testing.T, open Open) {
	s, _ := open(t)
	who := []vault.Index{index("a", 1), index("b", 1)}
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(bareCard(1)), tx.InsertCard(bareCard(2)),
			tx.UpsertPerson(store.Person{Holder: who[0], Physical: "normal"}), tx.UpsertPerson(store.Person{Holder: who[1], Physical: "normal"}))
	})
	oneHasRoom(t, func(i int, meanwhile func()) error {
		return about(t, s, i, func(tx store.Tx) error {
			p, err := tx.Person(who[i%2])
			if err != nil {
				return err
			}
			meanwhile()
			if p.Died {
				return errNoRoom
			}
			return tx.UpsertPerson(store.Person{Holder: who[1-i%2], Physical: "normal", Died: true})
		})
	})
}

// betweenHolder: one says that a person without a card died, the other enrols the person.
func betweenHolder(t *testing.T, open Open) {
	s, _ := open(t)
	c := bareCard(1)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpsertPerson(store.Person{Holder: c.Holder, Physical: "normal"}) })
	oneHasRoom(t, func(i int, meanwhile func()) error {
		return about(t, s, 0, func(tx store.Tx) error {
			if _, err := tx.CardByHolder(c.Holder); !errors.Is(err, store.ErrNotFound) {
				return errors.Join(err, errNoRoom)
			}
			p, err := tx.Person(c.Holder)
			if err != nil {
				return err
			}
			meanwhile()
			switch {
			case p.Died:
				return errNoRoom
			case i == 1:
				return tx.UpsertPerson(store.Person{Holder: c.Holder, Physical: "normal", Died: true})
			}
			return tx.InsertCard(c)
		})
	})
}
