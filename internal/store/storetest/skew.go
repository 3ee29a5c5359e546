package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Skew tries what callers rely on where two transactions read what the other writes. A store that
// orders all transactions keeps it by itself; one that compares rows has to see to it.
func Skew(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Rations", skewRations}, {"Rows", skewRows}, {"Card", skewCard}, {"Process", skewProcess}, {"Shared", skewShared}, {"Holder", skewHolder},
		{"RationsBetween", betweenRations}, {"RowsBetween", betweenRows}, {"HolderBetween", betweenHolder},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

var errNoRoom = errors.New("there is no room any more")

// about runs f in an Update whose entry is about a card, or about none.
func about(t testing.TB, s store.Store, card int, f func(store.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		e := entry(audit.CardEnrolled)
		if card > 0 {
			e.Card = cardID(card)
		}
		return e, f(tx)
	})
}

// skewRations lets callers for different cards send to one number, which takes five.
func skewRations(t *testing.T, open Open) {
	const callers, most = 40, 5
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		for i := 1; i <= callers; i++ {
			if err := tx.InsertCard(bareCard(i)); err != nil {
				return err
			}
		}
		return nil
	})
	for round := range 3 {
		key := index("phone", round)
		var sent atomic.Int64
		together(t, callers, func(i int) error {
			err := about(t, s, i+1, func(tx store.Tx) error {
				before, err := tx.Ticks("code_sent", key, at(0))
				if err != nil {
					return err
				}
				if len(before) >= most {
					return errNoRoom
				}
				return tx.InsertTick(store.Tick{Kind: "code_sent", Key: key, At: at(1)})
			})
			if err == nil {
				sent.Add(1)
				return nil
			}
			return expect(err, errNoRoom)
		})
		if sent.Load() != most {
			t.Errorf("%d were sent, the ration is %d", sent.Load(), most)
		}
	}
}

// skewRows has two transactions each read a row that the other writes: at most one of two
// people dies, while each is read by who writes the other.
func skewRows(t *testing.T, open Open) {
	s, _ := open(t)
	for round := range 15 {
		a, b := index("a", round), index("b", round)
		mustUpdate(t, s, func(tx store.Tx) error {
			return errors.Join(tx.InsertCard(bareCard(2*round+1)), tx.InsertCard(bareCard(2*round+2)),
				tx.UpsertPerson(store.Person{Holder: a, Physical: "normal"}), tx.UpsertPerson(store.Person{Holder: b, Physical: "normal"}))
		})
		together(t, 2, func(i int) error {
			mine, other := a, b
			if i == 1 {
				mine, other = b, a
			}
			err := about(t, s, 2*round+1+i, func(tx store.Tx) error { // of different cards
				if p, err := tx.Person(other); err != nil || p.Died {
					return errors.Join(err, errNoRoom)
				}
				return tx.UpsertPerson(store.Person{Holder: mine, Physical: "normal", Died: true})
			})
			if errors.Is(err, errNoRoom) {
				return nil
			}
			return err
		})
		died := 0
		for _, h := range []vault.Index{a, b} {
			if p := mustGet(t, s, func(r store.Reader) (store.Person, error) { return r.Person(h) }); p.Died {
				died++
			}
		}
		if died != 1 {
			t.Fatalf("round %d: %d died", round, died)
		}
	}
}

// skewCard has callers look through the tickets of one card, and open one where there is
// none: the entries of all are about the card, and that orders them.
func skewCard(t *testing.T, open Open) {
	s, _ := open(t)
	for round := 1; round <= 3; round++ {
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(bareCard(round)) })
		var opened atomic.Int64
		together(t, 20, func(i int) error {
			err := about(t, s, round, func(tx store.Tx) error {
				of, err := tx.TicketsOf(cardID(round))
				if err != nil {
					return err
				}
				if len(of) > 0 {
					return errNoRoom
				}
				k := ticket(100*round + i)
				k.Card, k.Code = cardID(round), vault.Index{}
				return tx.InsertTicket(k)
			})
			if err == nil {
				opened.Add(1)
				return nil
			}
			return expect(err, errNoRoom)
		})
		if opened.Load() != 1 {
			t.Errorf("%d tickets of one card", opened.Load())
		}
	}
}

// skewProcess has callers look through a list and add to it where it is empty: their
// entries are about no card, and the stream of the process orders them.
func skewProcess(t *testing.T, open Open) {
	s, _ := open(t)
	var added atomic.Int64
	together(t, 20, func(i int) error {
		err := about(t, s, 0, func(tx store.Tx) error {
			all, err := tx.Agencies("", 9)
			if err != nil {
				return err
			}
			if len(all) > 0 {
				return errNoRoom
			}
			return tx.PutAgency(agency(i + 1))
		})
		if err == nil {
			added.Add(1)
			return nil
		}
		return expect(err, errNoRoom)
	})
	if added.Load() != 1 {
		t.Errorf("%d were added to an empty list", added.Load())
	}
}

// skewShared has callers for different cards look through the clients and add one where
// there are fewer than three: who writes a client has seen all of them.
func skewShared(t *testing.T, open Open) {
	const callers, most = 20, 3
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		for i := 1; i <= callers; i++ {
			if err := tx.InsertCard(bareCard(i)); err != nil {
				return err
			}
		}
		return nil
	})
	together(t, callers, func(i int) error {
		err := about(t, s, i+1, func(tx store.Tx) error {
			all, err := tx.Clients()
			if err != nil {
				return err
			}
			if len(all) >= most {
				return errNoRoom
			}
			return tx.InsertClient(store.Client{ID: fmt.Sprint("c", i)})
		})
		if errors.Is(err, errNoRoom) {
			return nil
		}
		return err
	})
	if all := mustGet(t, s, store.Reader.Clients); len(all) != most {
		t.Errorf("%d clients, at most %d", len(all), most)
	}
}

// skewHolder has one caller say that a person died who has no card, while another enrols
// the person who lives.
func skewHolder(t *testing.T, open Open) {
	s, _ := open(t)
	for round := 1; round <= 15; round++ {
		c := bareCard(round)
		mustUpdate(t, s, func(tx store.Tx) error {
			return tx.UpsertPerson(store.Person{Holder: c.Holder, Physical: "normal"})
		})
		together(t, 2, func(i int) error {
			err := about(t, s, 0, func(tx store.Tx) error { return tx.InsertCard(bareCard(1000 + 2*round + i)) }) // something else goes on
			if i == 0 {
				err = errors.Join(err, about(t, s, 0, func(tx store.Tx) error {
					if _, err := tx.CardByHolder(c.Holder); !errors.Is(err, store.ErrNotFound) {
						return errors.Join(err, errNoRoom)
					}
					return tx.UpsertPerson(store.Person{Holder: c.Holder, Physical: "normal", Died: true})
				}))
			} else {
				err = errors.Join(err, about(t, s, round, func(tx store.Tx) error {
					if p, err := tx.Person(c.Holder); err != nil || p.Died {
						return errors.Join(err, errNoRoom)
					}
					return tx.InsertCard(c)
				}))
			}
			if errors.Is(err, errNoRoom) {
				return nil
			}
			return err
		})
		_, enrolled := get(t, s, getCard(c.ID))
		p := mustGet(t, s, func(r store.Reader) (store.Person, error) { return r.Person(c.Holder) })
		if p.Died == (enrolled == nil) {
			t.Fatalf("round %d: died %v, enrolled %v", round, p.Died, enrolled == nil)
		}
	}
}
