package postgres_test

import (
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
