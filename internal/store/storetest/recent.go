package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// Expecting has all Views of a store expect a business number that nobody has, so that a
// store that keeps rows in memory for those uses them. What such a View reads is what
// every other one does.
func Expecting(open Open) Open {
	return func(t testing.TB) (store.Store, func() store.Store) {
		s, reopen := open(t)
		return &expecting{Store: s}, func() store.Store { return &expecting{Store: reopen()} }
	}
}

type expecting struct {
	store.Store
	views atomic.Int64
}

func (s *expecting) View(ctx context.Context, f func(store.Reader) error) error {
	no := liuma.BusinessNo(fmt.Sprintf("nobody's %d", s.views.Add(1)))
	return s.Store.View(store.Expect(ctx, store.Expected{Channel: "zj-hrss", Business: no}), f)
}

// RecentRows writes and deletes rows that Views and Updates have read before: what each
// reads next is as the last commit left it, and what was not kept is seen by nobody.
func RecentRows(t *testing.T, open Open) {
	s, _ := Expecting(open)(t)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(bareCard(1)) })
	l := store.Link{Channel: "zj-hrss", Card: cardID(1), Handle: "k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4"}
	c := store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Name: liuma.Text{ZH: "渠道"}, Keys: []byte("[]")}
	read := func(linked, stopped, intent, frozen bool) {
		t.Helper()
		err := s.View(t.Context(), func(r store.Reader) error {
			client, err := r.Client(c.ID)
			_, noLink := r.LinkByHandle(l.Channel, l.Handle)
			_, noIntent := r.Intent(cardID(1))
			card, err2 := r.Card(cardID(1))
			if (noLink == nil) != linked || client.Stopped != stopped || (noIntent == nil) != intent || card.Frozen != frozen {
				t.Errorf("link: %v, client: %+v, intent: %v, frozen: %v; want %v %v %v %v", noLink, client, noIntent, card.Frozen, linked, stopped, intent, frozen)
			}
			return errors.Join(err, err2)
		})
		must(t, err)
	}
	freeze := func(tx store.Tx, frozen bool) error {
		there, err := tx.Card(cardID(1))
		there.Frozen = frozen
		return errors.Join(err, tx.UpdateCard(there))
	}
	change := func(tx store.Tx) error {
		c.Stopped = true
		return errors.Join(tx.PutLink(l), tx.UpdateClient(c), tx.InsertIntent(intent(1)), freeze(tx, true))
	}
	back := func(tx store.Tx) error {
		c.Stopped = false
		return errors.Join(tx.DeleteLink(l.Channel, l.Handle), tx.UpdateClient(c), tx.DeleteIntent(cardID(1)), freeze(tx, false))
	}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertClient(c) })
	boom := errors.New("boom")
	for range 3 {
		read(false, false, false, false)
		wantErr(t, update(t, s, func(tx store.Tx) error { return errors.Join(change(tx), boom) }), boom)
		read(false, false, false, false)
		mustUpdate(t, s, change)
		read(true, true, true, true)
		wantErr(t, update(t, s, func(tx store.Tx) error { return errors.Join(back(tx), boom) }), boom)
		read(true, true, true, true)
		mustUpdate(t, s, func(tx store.Tx) error { return errors.Join(back(tx), change(tx)) })
		read(true, true, true, true)
		mustUpdate(t, s, back)
	}
}

// RecentTogether has Updates raise the same number in two cards, some of which then fail,
// while Views read both, each many times: every View finds both the same, and no lower
// than what was kept when it began.
func RecentTogether(t *testing.T, open Open) {
	const writers, each, readers = 4, 60, 6
	s, _ := Expecting(open)(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(bareCard(1)), tx.InsertCard(bareCard(2)))
	})
	boom := errors.New("boom")
	var kept atomic.Uint32
	raise := func(fails bool) error {
		var now uint32
		err := update(t, s, func(tx store.Tx) error {
			for i := 1; i <= 2; i++ {
				c, err := tx.Card(cardID(i))
				if err != nil {
					return err
				}
				c.Reserved++
				if now = uint32(c.Reserved); tx.UpdateCard(c) != nil {
					return errors.New("no card")
				}
			}
			if fails {
				return boom
			}
			return nil
		})
		for before := kept.Load(); err == nil && now > before && !kept.CompareAndSwap(before, now); before = kept.Load() {
		}
		if fails {
			return expect(err, boom)
		}
		return err
	}
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for i := range writers {
		writing.Go(func() {
			for n := range each {
				if err := raise((n+i)%3 == 0); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			}
		})
	}
	for i := range readers {
		reading.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				low, first := kept.Load(), 1+(i+n)%2
				err := s.View(t.Context(), func(r store.Reader) error {
					a, err := r.Card(cardID(first))
					b, err2 := r.Card(cardID(3 - first))
					if a.Reserved != b.Reserved || uint32(a.Reserved) < low {
						t.Errorf("a View finds %d and %d, kept were %d", a.Reserved, b.Reserved, low)
					}
					return errors.Join(err, err2)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if c := mustGet(t, s, getCard(cardID(1))); uint32(c.Reserved) != kept.Load() {
		t.Errorf("%d at the end, kept were %d", c.Reserved, kept.Load())
	}
}
