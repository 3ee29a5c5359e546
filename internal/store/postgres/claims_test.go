package postgres_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
)

// TestANumberTakenAway: who writes to the database takes the claim of a business number
// away, puts another number's in its place, or says that the request lies elsewhere. At no
// authority does a second request come about under that number (I-11).
func TestANumberTakenAway(t *testing.T) {
	for what, attack := range map[string]string{
		"the claim is gone":        "DELETE FROM numbers WHERE key = (SELECT key FROM numbers ORDER BY key LIMIT 1)",
		"it is another's":          "UPDATE numbers AS n SET body = o.body, rev = o.rev, seal = o.seal FROM numbers AS o WHERE n.key <> o.key AND n.key = (SELECT key FROM numbers ORDER BY key LIMIT 1)",
		"the request is elsewhere": "UPDATE requests SET home = '\\x01' WHERE key = (SELECT key FROM requests ORDER BY key LIMIT 1)",
	} {
		t.Run(what, func(t *testing.T) {
			c := postgres.Config{DSN: database(t), Seal: keys(t)}
			first, second := openAt(t, named(c, "first")), openAt(t, named(c, "second"))
			try := func(s store.Store, no liuma.BusinessNo, card byte) error {
				q := store.Request{Channel: "app", BusinessNo: no, Card: liuma.CardID{card}, Digest: [32]byte{card}, At: time.Unix(1_790_000_000, 0)}
				err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, tx.TakeNumber("app", no, q.Card, q.At) })
				if err != nil {
					return err
				}
				return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
					return audit.Entry{At: q.At, Actor: "system", Event: audit.AttemptBegun, Outcome: "ok"}, tx.InsertRequest(q)
				})
			}
			for i, no := range []liuma.BusinessNo{"one", "two"} {
				if err := try(first, no, byte(1+i)); err != nil {
					t.Fatal(err)
				}
			}
			f := newThief(t, c.DSN)
			f.exec(attack)
			for card := range byte(4) {
				for _, s := range []store.Store{first, second} {
					if err := try(s, "one", card); err == nil {
						t.Error("a second request under one number")
					}
				}
			}
		})
	}
}

// TestClaimsWithoutLooking: acts that have looked for a business number in vain, and claim it
// without looking again, meet one that another has claimed meanwhile. One of all takes it
// (I-11), at whichever authority, and a claim that was left goes to whoever comes next.
func TestClaimsWithoutLooking(t *testing.T) {
	c := among(t)
	stores := []store.Store{openAt(t, named(c, "first")), openAt(t, named(c, "second"))}
	at := time.Unix(1_790_000_000, 0)
	claim := func(s store.Store, no liuma.BusinessNo, card byte) error {
		ctx := store.Expect(t.Context(), store.Expected{Channel: "app", Business: no, New: true})
		return s.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{}, tx.TakeNumber("app", no, liuma.CardID{card}, at)
		})
	}
	take := func(s store.Store, no liuma.BusinessNo, card byte) error {
		q := store.Request{Channel: "app", BusinessNo: no, Card: liuma.CardID{card}, Digest: [32]byte{card}, At: at}
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: at, Actor: "system", Event: audit.AttemptBegun, Outcome: "ok"}, tx.InsertRequest(q)
		})
	}
	t.Run("at once", func(t *testing.T) {
		var took atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				s := stores[i%2]
				if err := claim(s, "one", byte(1+i)); err != nil {
					t.Error(err)
				}
				switch err := take(s, "one", byte(1+i)); {
				case err == nil:
					took.Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 {
			t.Errorf("%d requests under one number", took.Load())
		}
	})
	t.Run("one that was left", func(t *testing.T) {
		for card := range byte(2) {
			if err := claim(stores[card], "two", card+1); err != nil {
				t.Fatal(err)
			}
		}
		if err := take(stores[1], "two", 2); err != nil {
			t.Error(err)
		}
		if err := take(stores[0], "two", 1); !errors.Is(err, store.ErrExists) {
			t.Error("a second request under one number:", err)
		}
	})
}
