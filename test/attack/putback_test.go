package attack

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// A thief who can write to the database puts a card's row back to what it was
// before one change, so that the next change gives it the revision that everybody
// knows. Nothing is undone by it, and no guess is won (I-13).

// keepRow copies the cards' rows as they are now, and returns what puts them back
// into the database, whether it is served or not. The entries that were written
// about the cards since then are deleted too, or the record would refuse to go on.
func (w *world) keepRow() (putBack func()) {
	w.t.Helper()
	w.Sent() // nothing writes about the card any more
	testkit.FileOnly(w.t)
	file, copied := w.System.Config.Database, filepath.Join(w.t.TempDir(), "before.db")
	must(w.t, 0, w.System.Backup(w.t.Context(), copied))
	return func() {
		w.t.Helper()
		db := sqlitefile.Pool(file, sqlitefile.Settings{}, 1)
		defer db.Close()
		const triggers = "FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
		names, made := column(w.t, db, "SELECT name "+triggers), column(w.t, db, "SELECT sql "+triggers)
		var all []string
		for _, name := range names {
			all = append(all, "DROP TRIGGER "+name)
		}
		all = append(all, "INSERT OR REPLACE INTO main.cards SELECT * FROM before.cards",
			"DELETE FROM main.audit WHERE kind = 1 AND (stream, number) NOT IN (SELECT stream, number FROM before.audit)")
		must(w.t, 0, second(db.ExecContext(w.t.Context(), "PRAGMA busy_timeout = 5000; ATTACH '"+copied+"' AS before; BEGIN IMMEDIATE; "+
			strings.Join(append(all, made...), "; ")+"; COMMIT")))
	}
}

// putBack puts the row back beside the running server, before a restart, or
// after it.
var whenPutBack = map[string]func(w *world, putBack func()){
	"served":         func(_ *world, putBack func()) { putBack() },
	"stopped":        func(w *world, putBack func()) { w.restart(putBack) },
	"after a start":  func(w *world, putBack func()) { w.restart(); putBack() },
	"start after it": func(w *world, putBack func()) { putBack(); w.restart() },
}

// serving tells of the times of whenPutBack those at which a server runs that knows the row.
func serving(when string) bool { return when == "served" || when == "start after it" }

// wrongCode is in the sentence that answers a wrong code.
const wrongCode = "验证码不正确"

// rowAlarms counts the alarms of a row that was put back.
func (w *world) rowAlarms() (n int) {
	w.t.Helper()
	err := w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			if e.Event == audit.KeeperAlarm && e.Outcome == "row_behind" {
				n++
			}
		}
		return err
	})
	return must(w.t, n, err)
}

func (w *world) rowAlarm() {
	w.t.Helper()
	for n := 0; w.rowAlarms() == 0; n++ {
		if time.Sleep(10 * time.Millisecond); n == 12_000 {
			w.t.Fatal("the alarm is not in the record")
		}
	}
}

// TestNoActIsPutBack: a freeze and a lost physical card are not undone by putting
// the row back by one change; neither is the right PIN served nor a receipt of
// before redeemed.
func TestNoActIsPutBack(t *testing.T) {
	acts := map[string]func(w *world, reg *party){
		"freeze": func(w *world, _ *party) {
			_, err := w.home.native.Freeze(context.Background(), client.FreezeRequest{BusinessNo: w.number(), Subject: client.Subject{Card: w.card}})
			must(w.t, 0, err)
		},
		"loss": func(w *world, reg *party) {
			_, err := reg.native.PhysicalStatus(context.Background(), client.PhysicalRequest{BusinessNo: w.number(), IDNumber: w.who.IDNumber,
				CardNo: w.who.CardNo, Event: "lost"})
			must(w.t, 0, err)
		},
	}
	for _, shape := range []string{"1/1", "2/3"} {
		for act, do := range acts {
			for when, put := range whenPutBack {
				if over := map[bool]string{true: "1/1", false: "2/3"}[(act == "freeze") == serving(when)]; shape != over && !testkit.EveryStory() {
					continue // each act at each time, and each of both over both shapes
				}
				t.Run(strings.ReplaceAll(shape, "/", " of ")+" "+act+" "+when, func(t *testing.T) {
					w := newWorldOf(t, testkit.Options{Shape: shape})
					reg := w.party(store.Client{ID: "registry", Kind: store.ClientRegistry})
					v, err := w.home.verify(w.card, goodPIN)
					must(t, v, err)
					w.Sent() // what the verdict still writes about the card
					before, err := w.theCard()
					must(t, before, err)
					putBack := w.keepRow()
					do(w, reg)
					after, err := w.theCard()
					must(t, after, err)
					put(w, putBack)
					if now, err := w.theCard(); err != nil || now.Rev != before.Rev || after.Rev <= now.Rev {
						t.Fatalf("put back to %d, %v; before %d, after the act %d", now.Rev, err, before.Rev, after.Rev)
					}
					if got, err := w.home.native.Redeem(t.Context(), v.Receipt); err == nil {
						t.Errorf("redeemed: %+v", got)
					}
					for range 3 {
						if got := w.attempt(goodPIN, ""); got != "unavailable" {
							t.Errorf("verified: %q", got)
						}
						if got := w.attempt(goodPIN, thiefPIN); got != "unavailable" {
							t.Errorf("changed: %q", got)
						}
					}
					w.rowAlarm()
					w.restart()
					if got := w.attempt(goodPIN, ""); got != "unavailable" {
						t.Errorf("after a restart: %q", got)
					}
				})
			}
		}
	}
}

// TestNoGuessIsPutBack: a wrong PIN that was counted stays counted; at most one
// more than without the row that was put back is evaluated.
func TestNoGuessIsPutBack(t *testing.T) {
	for _, shape := range []string{"1/1", "2/3"} {
		for when, put := range whenPutBack {
			if over := map[bool]string{true: "1/1", false: "2/3"}[serving(when)]; shape != over && !testkit.EveryStory() {
				continue
			}
			t.Run(strings.ReplaceAll(shape, "/", " of ")+" "+when, func(t *testing.T) {
				w := newWorldOf(t, testkit.Options{Shape: shape})
				putBack := w.keepRow()
				if got := w.attempt(wrongPIN, ""); got != "wrong" {
					t.Fatalf("first: %q", got)
				}
				for range 4 {
					put(w, putBack)
					if got := w.attempt(wrongPIN, ""); got != "unavailable" {
						t.Errorf("a guess on a row that was put back: %q", got)
					}
				}
				id, spent := w.cardID(), uint64(0)
				for _, k := range w.System.Keepers {
					s, err := k.Status(t.Context(), id)
					must(t, s, err)
					spent = max(spent, s.Row.Tally.Spent)
				}
				if spent > 3 { // the link's right PIN, the wrong one; the enrolment spends none
					t.Errorf("%d guesses were evaluated", spent)
				}
			})
		}
	}
}

// TestNoWrongCodeIsPutBack: five wrong codes are five, also if the card's row is
// put back after each.
func TestNoWrongCodeIsPutBack(t *testing.T) {
	for when, put := range whenPutBack {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t, false)
			v := w.browser()
			p := w.do(w.do(w.opened(v, w.home, request{action: liuma.ActionReset, card: w.card, bn: w.number()}), "agree"), "send-code")
			right := w.LastCode(w.who.Phone)
			id := ceremony(p)
			putBack := w.keepRow()
			judged := 0
			for _, code := range wrongCodes(right, 5) {
				if p := w.post(v, id, "code", values("code", code)); strings.Contains(p.Text(), wrongCode) {
					judged++
				}
				put(w, putBack)
			}
			if judged != 1 {
				t.Errorf("%d codes were judged, want the first alone", judged)
			}
			w.post(v, id, "code", values("code", right))
			if p := w.look1(v, id); p.Pad() != "" {
				t.Errorf("a code was taken on a row that was put back:\n%s", p.Text())
			}
			w.rowAlarm()
		})
	}
}

// TestAnOperatorTakesTheRow: after its own look, and with a reason, an operator
// has the row served again, in the process that refused it and after a restart.
func TestAnOperatorTakesTheRow(t *testing.T) {
	for when, put := range whenPutBack {
		t.Run(when, func(t *testing.T) {
			w := newWorldOf(t, testkit.Options{Shape: "2/3"})
			putBack := w.keepRow()
			for range 2 {
				if got := w.attempt(goodPIN, ""); got != "right" {
					t.Fatalf("before: %q", got)
				}
			}
			put(w, putBack)
			if got := w.attempt(goodPIN, ""); got != "unavailable" {
				t.Errorf("put back: %q", got)
			}
			w.rowAlarm()
			raised, err := w.System.Admin.RaiseHead(t.Context(), w.cardID(), "the holder was asked")
			must(t, raised, err)
			for range 2 {
				if got := w.attempt(goodPIN, ""); got != "right" {
					t.Errorf("raised to %d: %q", raised.To, got)
				}
				w.restart()
			}
		})
	}
}
