package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// together runs f(0) to f(n-1) at once and reports their errors.
func together(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if err := f(i); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
}

// countersSerializable lets 200 callers raise the same two counters; a lost
// update would show in the sums.
func countersSerializable(t *testing.T, open Open) {
	const n = 200
	s, reopen := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(bareCard(1)), tx.InsertCard(bareCard(2)))
	})
	var runs atomic.Int64
	together(t, n, func(i int) error {
		return update(t, s, func(tx store.Tx) error {
			runs.Add(1)
			for _, id := range []liuma.CardID{cardID(1 + i%2), cardID(2 - i%2)} {
				c, err := tx.Card(id)
				if err != nil {
					return err
				}
				c.Reserved++
				c.Tally.Spend(at(i), ledger.Stranger)
				if err := tx.UpdateCard(c); err != nil {
					return err
				}
			}
			return nil
		})
	})
	s = reopen()
	for i := 1; i <= 2; i++ {
		c := mustGet(t, s, getCard(cardID(i)))
		if c.Reserved != n || c.Tally.Spent != n {
			t.Errorf("counters %d and %d, want %d (functions ran %d times)", c.Reserved, c.Tally.Spent, n, runs.Load())
		}
	}
	if log := entries(t, s); len(log) != n+1 {
		t.Errorf("%d entries, want %d", len(log), n+1)
	}
}

// compareAndSet lets 100 callers flip one card from the same version: exactly
// one may, for every version.
func compareAndSet(t *testing.T, open Open) {
	const callers, rounds = 100, 5
	s, _ := open(t)
	lost := errors.New("another was first")
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(bareCard(1)) })
	for round := range liuma.Version(rounds) {
		var won atomic.Int64
		together(t, callers, func(i int) error {
			err := update(t, s, func(tx store.Tx) error {
				c, err := tx.Card(cardID(1))
				if err != nil {
					return err
				}
				if c.Version != round {
					return lost
				}
				c.Version, c.KeySet = round+1, uint32(i)
				return tx.UpdateCard(c)
			})
			if err == nil {
				won.Add(1)
				return nil
			}
			return expect(err, lost)
		})
		if won.Load() != 1 {
			t.Fatalf("%d callers flipped version %d", won.Load(), round)
		}
	}
}

// BusinessNumberOnce lets many callers insert the same business number at
// once: one gets it (I-11), and no other may, later or after opening again.
func BusinessNumberOnce(t *testing.T, open Open) {
	const n = 100
	s, reopen := open(t)
	insert := func(i int, channel liuma.ChannelID) error {
		return update(t, s, func(tx store.Tx) error {
			q := request(1)
			q.Channel, q.Digest = channel, [32]byte{byte(i)}
			// The card is changed first, as by a spend; the change must be undone with
			// it.
			if err := tx.InsertCard(card(i)); err != nil {
				return err
			}
			return tx.InsertRequest(q)
		})
	}
	var won atomic.Int64
	winner := -1
	together(t, n, func(i int) error {
		err := insert(i, "zj-hrss")
		if err == nil {
			won.Add(1)
			winner = i // one writer, or won shows it
			return nil
		}
		return expect(err, store.ErrExists)
	})
	if won.Load() != 1 {
		t.Fatalf("%d requests under one business number", won.Load())
	}
	cardsAre(t, s, card(winner))
	got := mustGet(t, s, getRequest(request(1)))
	if got.Digest[0] != byte(winner) {
		t.Errorf("the number holds request %d, acknowledged was %d", got.Digest[0], winner)
	}
	wantErr(t, insert(n+1, "zj-hrss"), store.ErrExists)
	s = reopen()
	wantErr(t, insert(n+1, "zj-hrss"), store.ErrExists)
	must(t, insert(n+1, "another")) // another channel may use the same number
}

// OneIntentPerCard lets many callers open an intent for the same card: one is
// open at a time (I-7), and the next only when it has ended.
func OneIntentPerCard(t *testing.T, open Open) {
	const n = 100
	s, reopen := open(t)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(bareCard(1)) })
	reserve := func(i int) error {
		return update(t, s, func(tx store.Tx) error {
			c, err := tx.Card(cardID(1))
			if err != nil {
				return err
			}
			c.Reserved++ // is kept with the intent, or not at all
			if err := tx.UpdateCard(c); err != nil {
				return err
			}
			in := intent(1)
			in.Version, in.Owner = c.Reserved, fmt.Sprint(i)
			return tx.InsertIntent(in)
		})
	}
	for round := 1; round <= 3; round++ {
		var won atomic.Int64
		together(t, n, func(i int) error {
			err := reserve(i)
			if err == nil {
				won.Add(1)
				return nil
			}
			return expect(err, store.ErrExists)
		})
		if won.Load() != 1 {
			t.Fatalf("%d open intents for one card", won.Load())
		}
		s = reopen()
		wantErr(t, reserve(0), store.ErrExists)
		in, c := mustGet(t, s, getIntent(cardID(1))), mustGet(t, s, getCard(cardID(1)))
		if int(in.Version) != round || int(c.Reserved) != round {
			t.Errorf("round %d: intent for version %d, card reserved %d", round, in.Version, c.Reserved)
		}
		mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteIntent(cardID(1)) })
	}
}

// viewSnapshot holds a View open while both of two rows change.
func viewSnapshot(t *testing.T, open Open) {
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error {
		return errors.Join(tx.InsertCard(bareCard(1)), tx.InsertCard(bareCard(2)))
	})
	err := s.View(t.Context(), func(r store.Reader) error {
		before, err := r.Card(cardID(1))
		if err != nil {
			return err
		}
		mustUpdate(t, s, func(tx store.Tx) error {
			a, b := bareCard(1), bareCard(2)
			a.Version, b.Version = 1, 1
			return errors.Join(rewrite(tx, a), rewrite(tx, b))
		})
		if now := mustGet(t, s, getCard(cardID(2))); now.Version != 1 {
			t.Errorf("a new View reads version %d after Update returned", now.Version)
		}
		after, err := r.Card(cardID(2))
		if before.Version != 0 || after.Version != 0 {
			t.Errorf("one View read versions %d and %d", before.Version, after.Version)
		}
		log, err2 := Record(r)
		if len(log) != 1 {
			t.Errorf("a View sees %d entries, 1 when it began", len(log))
		}
		return errors.Join(err, err2)
	})
	must(t, err)
}

// viewDoesNotWait reads while an Update is in the middle of its function.
func viewDoesNotWait(t *testing.T, open Open) {
	s, _ := open(t)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(bareCard(1)) })
	inside, read := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- update(t, s, func(tx store.Tx) error {
			c := bareCard(1)
			c.Version = 1
			err := rewrite(tx, c)
			once.Do(func() { close(inside) })
			<-read
			return err
		})
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := s.View(ctx, func(r store.Reader) error {
		c, err := r.Card(cardID(1))
		if c.Version != 0 {
			t.Error("a View read what was not committed")
		}
		return err
	})
	close(read)
	must(t, err)
	must(t, <-done)
}

// durable opens the store again after every change of a few.
func durable(t *testing.T, open Open) {
	s, reopen := open(t)
	prepare(t, s)
	for i := range 3 {
		mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(card(10 + i)) })
		before := snapshot(t, s)
		s = reopen()
		if now := snapshot(t, s); now != before {
			t.Fatalf("lost or changed by opening again\nbefore %s\nafter  %s", before, now)
		}
	}
}

func cancelled(t *testing.T, open Open) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	err := s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		ran = true
		return entry(audit.CardEnrolled), tx.InsertCard(card(1))
	})
	wantErr(t, err, context.Canceled)
	wantErr(t, s.View(ctx, func(store.Reader) error { ran = true; return nil }), context.Canceled)
	if ran {
		t.Error("a function ran under a context that was cancelled before")
	}

	// An Update that waits behind another, where there is one writer, is withdrawn; the
	// other returns its true outcome although its context ends while it runs.
	inside, release := make(chan struct{}), make(chan struct{})
	ctx, cancel = context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		first <- s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			close(inside)
			<-release
			return entry(audit.CardEnrolled), tx.InsertCard(card(1))
		})
	}()
	<-inside
	waiting, stop := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		second <- s.Update(waiting, func(tx store.Tx) (audit.Entry, error) {
			return entry(audit.CardEnrolled), tx.InsertCard(card(2))
		})
	}()
	stop()
	kept := []store.Card{card(1)}
	if err := <-second; err == nil {
		kept = append(kept, card(2)) // it did not wait, and was faster
	} else {
		wantErr(t, err, context.Canceled)
	}
	cancel()
	close(release)
	must(t, <-first)
	cardsAre(t, s, kept...)
}

// closing closes a store under load: acknowledged Updates are kept, the rest is
// refused, and none hangs.
func closing(t *testing.T, open Open) {
	s, reopen := open(t)
	const n = 50
	var kept [n]bool
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := update(t, s, func(tx store.Tx) error { return tx.InsertCard(card(i)) })
			kept[i] = err == nil
			if err != nil {
				wantErr(t, err, store.ErrClosed)
			}
		})
	}
	must(t, s.Close())
	must(t, s.Close()) // closing again does no harm
	wg.Wait()
	wantErr(t, update(t, s, func(store.Tx) error { return nil }), store.ErrClosed)
	wantErr(t, s.View(t.Context(), func(store.Reader) error { return nil }), store.ErrClosed)
	s = reopen()
	for i := range n {
		_, err := get(t, s, getCard(cardID(i)))
		if (err == nil) != kept[i] {
			t.Errorf("card %d: acknowledged %v, read back: %v", i, kept[i], err)
		}
	}
}
