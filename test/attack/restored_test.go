package attack

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// apply applies for a card at the native door, with evidence, and gives the code
// of the refusal, or "enrolled".
func (w *world) apply(c *party, secret string) string {
	w.t.Helper()
	ctx := context.Background()
	challenge, err := c.native.Challenge(ctx)
	if err != nil {
		return client.CodeOf(err)
	}
	who := w.who
	ask := client.DeviceRequest{Channel: c.ID, Action: client.Enroll, BusinessNo: w.number(), Purpose: purpose,
		Subject: client.Subject{Name: who.Name, IDNumber: who.IDNumber, Phone: thiefNumber}, Challenge: challenge}
	sealed, err := ask.SealPIN([]byte(secret))
	must(w.t, sealed, err)
	_, err = c.native.Enroll(ctx, client.EnrollRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose,
		Challenge: challenge.Value, Evidence: w.Evidence(who, challenge.Value), NewPIN: sealed})
	if err != nil {
		return client.CodeOf(err)
	}
	return "enrolled"
}

// deleteCard deletes, on the live database and with none of the keys, every row
// with the card's identifier in a column, as who can write the file would.
func (w *world) deleteCard(card liuma.CardID) {
	w.t.Helper()
	testkit.FileOnly(w.t)
	db := sqlitefile.Pool(w.System.Config.Database, sqlitefile.Settings{}, 1)
	defer db.Close()
	ctx := w.t.Context()
	must(w.t, 0, second(db.ExecContext(ctx, "PRAGMA foreign_keys = OFF")))
	tables := column(w.t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	gone := int64(0)
	for _, table := range tables {
		for _, c := range column(w.t, db, fmt.Sprintf("SELECT name FROM pragma_table_info('%s')", table)) {
			res, err := db.ExecContext(ctx, fmt.Sprintf(`DELETE FROM "%s" WHERE "%s" = ?`, table, c), card[:])
			if err != nil {
				continue // the record cannot be deleted from
			}
			n, err := res.RowsAffected()
			gone += must(w.t, n, err)
		}
	}
	if gone == 0 {
		w.t.Fatal("nothing was deleted")
	}
}

func second(_ sql.Result, err error) error { return err }

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		must(t, 0, rows.Scan(&s))
		out = append(out, s)
	}
	must(t, 0, rows.Err())
	return out
}

// theCard is the only card of the world, as the database has it.
func (w *world) theCard() (card store.Card, err error) {
	err = w.System.Store.View(w.t.Context(), func(r store.Reader) error {
		ids, err := r.CardIDs(liuma.CardID{}, 2)
		if err != nil || len(ids) != 1 {
			return fmt.Errorf("%d cards: %w", len(ids), err)
		}
		card, err = r.Card(ids[0])
		return err
	})
	return card, err
}

// TestADeletedCardIsNotEnrolledAnew: a thief with the owner's face and the
// database deletes the card's rows and applies for it with evidence. The keepers
// know the owner's card: it comes back frozen, with the owner's PIN, and stays
// so (I-13).
func TestADeletedCardIsNotEnrolledAnew(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			w := newWorldOf(t, testkit.Options{Shape: shape})
			before, err := w.theCard()
			must(t, before, err)
			w.deleteCard(before.ID)
			if _, err := w.theCard(); err == nil {
				t.Fatal("the card is still there")
			}
			if got := w.apply(w.shady, thiefPIN); got != "card_restored" {
				t.Errorf("applied over the owner: %q", got)
			}
			for range 2 {
				after, err := w.theCard()
				must(t, after, err)
				if after.ID != before.ID || after.Version != before.Version || after.Verifier != before.Verifier || !after.Frozen || after.Rev <= before.Rev {
					t.Errorf("adopted as %+v", after)
				}
				for i, k := range w.System.Keepers {
					s, err := k.Status(t.Context(), before.ID)
					must(t, s, err)
					if s.Row.Version != before.Version || s.Row.Mark != before.Version || s.Row.Verifier != before.Verifier {
						t.Errorf("keeper %d: %+v", i+1, s.Row)
					}
				}
				if got := w.apply(w.shady, thiefPIN); got != "already_enrolled" {
					t.Errorf("applied again: %q", got)
				}
				w.restart(func() {})
			}
		})
	}
}

// slowHead is a keeper to which no head comes while gate is shut.
type slowHead struct {
	keeper.Keeper
	gate *atomic.Pointer[chan struct{}]
}

func (k slowHead) Head(ctx context.Context, h keeper.Header, list []ledger.Head) (keeper.HeadAnswer, error) {
	if shut := k.gate.Load(); shut != nil {
		select {
		case <-*shut:
		case <-ctx.Done():
			return keeper.HeadAnswer{}, ctx.Err()
		}
	}
	return k.Keeper.Head(ctx, h, list)
}

// TestACardIsDeletedBeforeItsHeadArrives: the card's last change is still on its way to the
// keepers when its row is deleted. It comes back above that change and not below it, so
// that it is no row that was put back, and the row from before cannot come back (I-13).
func TestACardIsDeletedBeforeItsHeadArrives(t *testing.T) {
	var gate atomic.Pointer[chan struct{}]
	w := newWorldOf(t, testkit.Options{Shape: "2/3", Keeper: func(k keeper.Keeper) keeper.Keeper { return slowHead{k, &gate} }})
	w.settle()
	shut := make(chan struct{})
	gate.Store(&shut)
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Fatalf("verify: %q", got)
	}
	before, err := w.theCard()
	must(t, before, err)
	w.deleteCard(before.ID)
	if got := w.apply(w.shady, thiefPIN); got != "card_restored" {
		t.Errorf("applied over the owner: %q", got)
	}
	after, err := w.theCard()
	must(t, after, err)
	if after.ID != before.ID || after.Version != before.Version || !after.Frozen || after.Rev <= before.Rev {
		t.Errorf("adopted at %d, was at %d: %+v", after.Rev, before.Rev, after)
	}
	gate.Store(nil)
	close(shut)
	for range 2 {
		if got := w.apply(w.shady, thiefPIN); got != "already_enrolled" {
			t.Errorf("applied again: %q", got)
		}
		w.restart(func() {})
	}
	if after, err := w.theCard(); err != nil || after.Behind != 0 {
		t.Errorf("taken for a row that was put back: %+v, %v", after, err)
	}
}

// TestARowThatWasPutBackServesNobody: a database from before a freeze is put
// back. The keepers have seen later rows, so the right PIN gets nothing, however
// often it is tried, until an operator brings the card up to them with a reason;
// and a whole database likewise (I-13).
func TestARowThatWasPutBackServesNobody(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Shape: "2/3"})
	testkit.FileOnly(w.t)
	file := w.System.Config.Database
	kept := map[string][]byte{}
	w.restart(func() {
		// A thief of the database alone would not get past the file of heads.
		for _, name := range append(glob(file), filepath.Join(w.Dir, vault.HeadsFile)) {
			raw, err := os.ReadFile(name)
			kept[name] = must(t, raw, err)
		}
	})
	putBack := func() {
		for _, name := range glob(file) {
			must(t, 0, os.Remove(name))
		}
		for name, raw := range kept {
			must(t, 0, os.WriteFile(name, raw, 0o600))
		}
	}
	for _, act := range []string{"card", "restore"} {
		for range 4 {
			if got := w.attempt(goodPIN, ""); got != "right" {
				t.Fatalf("before: %q", got)
			}
		}
		card, err := w.theCard()
		must(t, card, err)
		w.restart(putBack)
		for i := range 12 {
			if got := w.attempt(goodPIN, ""); got != "unavailable" {
				t.Fatalf("attempt %d on a row that was put back: %q", i+1, got)
			}
		}
		w.restart(func() {})
		if got := w.attempt(goodPIN, ""); got != "unavailable" {
			t.Fatalf("after a restart: %q", got)
		}
		if act == "card" {
			raised, err := w.System.Admin.RaiseHead(t.Context(), card.ID, "restored from tape 7")
			if must(t, raised, err); raised.To <= card.Rev {
				t.Errorf("raised to %d, keepers saw %d", raised.To, card.Rev)
			}
		} else {
			done, err := w.System.Admin.AcceptRestore(t.Context(), liuma.CardID{}, "restored from tape 7")
			if must(t, done, err); done.Cards != 1 || done.Raised != 1 || done.Failed != 0 || !done.Done {
				t.Errorf("accepted: %+v", done)
			}
		}
		if got := w.attempt(goodPIN, ""); got != "right" {
			t.Errorf("after %s: %q", act, got)
		}
	}
}

// glob lists the database and what SQLite keeps beside it.
func glob(file string) (out []string) {
	all, _ := filepath.Glob(file + "*") // the pattern is well formed
	for _, name := range all {
		if !strings.HasSuffix(name, ".lock") {
			out = append(out, name)
		}
	}
	return out
}
