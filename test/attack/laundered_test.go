package attack

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// examined is what `liuma audit verify` says.
func (w *world) examined() (audit.Examined, *audit.Finding) {
	w.t.Helper()
	var export bytes.Buffer
	must(w.t, 0, w.System.Admin.ExportRecord(w.t.Context(), record.Query{}, &export))
	out, err := audit.Examine(&export, audit.ExamineConfig{})
	f, ok := errors.AsType[*audit.Finding](err)
	if !ok {
		must(w.t, 0, err)
	}
	return out, f
}

// untriggered runs statements on the live database without its triggers on the
// record.
func (w *world) untriggered(statements ...string) {
	w.t.Helper()
	testkit.FileOnly(w.t)
	db := sqlitefile.Pool(w.System.Config.Database, sqlitefile.Settings{}, 1)
	defer db.Close()
	const triggers = "FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
	names, made := column(w.t, db, "SELECT name "+triggers), column(w.t, db, "SELECT sql "+triggers)
	var all []string
	for _, name := range names {
		all = append(all, "DROP TRIGGER "+name)
	}
	all = append(append(all, statements...), made...)
	must(w.t, 0, second(db.ExecContext(w.t.Context(), "PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE; "+strings.Join(all, "; ")+"; COMMIT")))
}

// TestTheRecordOfADeletedCard (I-16): a card's row is deleted, with the end of its
// stream, and entries that no digest covers are cut off or made up. That is
// missed while the row is gone. When the card was adopted the stream goes on, and
// whoever examines the record is told which entries nothing vouches for, also
// after later digests.
func TestTheRecordOfADeletedCard(t *testing.T) {
	for _, digested := range []bool{false, true} {
		for _, act := range []string{"deleted", "cut", "forged"} {
			t.Run(fmt.Sprintf("digested %v %s", digested, act), func(t *testing.T) {
				w := newWorldOf(t, testkit.Options{})
				w.attempt(wrongPIN, "")
				w.Sent()
				card, err := w.theCard()
				must(t, card, err)
				covered := uint64(0)
				if digested {
					_, err := w.System.Admin.MakeDigest(t.Context())
					must(t, 0, err)
					covered = w.lastEntry(card.ID).Number
					w.attempt(wrongPIN, "")
					w.attempt(goodPIN, "")
					w.Sent()
				}
				if out, f := w.examined(); f != nil || len(out.TakenUp) != 0 {
					t.Fatalf("before: %v %+v", f, out.TakenUp)
				}
				w.deleteCard(card.ID)
				// Who deletes this row too, and all entries, hides a stream that no digest has.
				w.SQL(fmt.Sprintf("INSERT OR IGNORE INTO undigested (kind, stream) VALUES (1, x'%x')", card.ID[:]))
				switch act {
				case "cut":
					w.untriggered(fmt.Sprintf("DELETE FROM audit WHERE kind = 1 AND stream = x'%x' AND number >= %d", card.ID[:], w.lastEntry(card.ID).Number))
				case "forged":
					w.untriggered(w.forgedEntry(card.ID))
				}
				if _, f := w.examined(); f == nil || f.Stream != audit.CardStream(card.ID) || f.Number != 1 {
					t.Errorf("while the row is gone: %v", f)
				}
				last := w.lastEntry(card.ID).Number
				if got := w.apply(w.shady, thiefPIN); got != "card_restored" {
					t.Errorf("applied: %q", got)
				}
				w.Sent()
				want := []audit.TakenUp{{Adopted: audit.Place{Stream: audit.CardStream(card.ID), Number: last + 1}, From: covered + 1}}
				for range 2 {
					if out, f := w.examined(); f != nil || !slices.Equal(out.TakenUp, want) {
						t.Errorf("adopted: %v %+v, want %+v", f, out.TakenUp, want)
					}
					w.Clock.Advance(2 * time.Hour)
					_, err = w.System.Admin.MakeDigest(t.Context())
					must(t, 0, err)
				}
			})
		}
	}
}

// TestTheRecordNamesAnAlteredCard: one card's row was altered. The record can
// still be examined and names that stream, and a restore of all cards counts the
// card as not done and goes on.
func TestTheRecordNamesAnAlteredCard(t *testing.T) {
	w := newWorldOf(t, testkit.Options{})
	w.attempt(wrongPIN, "")
	w.Sent()
	card, err := w.theCard()
	must(t, card, err)
	w.SQL(fmt.Sprintf("UPDATE cards SET rev = rev + 1 WHERE key = x'%x'", card.ID[:]))
	if _, f := w.examined(); f == nil || f.Stream != audit.CardStream(card.ID) {
		t.Errorf("the record: %v", f)
	}
	done, err := w.System.Admin.AcceptRestore(t.Context(), liuma.CardID{}, "from tape 7")
	if err != nil || done.Cards != 1 || done.Failed != 1 || !done.Done {
		t.Errorf("the restore: %+v, %v", done, err)
	}
}

// lastEntry is the last one of a card's stream, whatever the card's row says.
func (w *world) lastEntry(card liuma.CardID) (last audit.Recorded) {
	w.t.Helper()
	err := w.System.Store.View(w.t.Context(), func(r store.Reader) error {
		all, err := r.Entries(audit.CardStream(card), 0, 1000)
		last = all[len(all)-1]
		return err
	})
	return must(w.t, last, err)
}

// forgedEntry is a statement that adds an entry to the end of a card's stream.
func (w *world) forgedEntry(card liuma.CardID) string {
	w.t.Helper()
	e := w.lastEntry(card).Head().Next(audit.NewEntryID(), audit.Entry{At: w.Clock.Now(), Actor: "holder", Event: audit.PINReset, Card: card, BusinessNo: "bn-made-up", Outcome: "ok"})
	hash := e.Hash()
	return fmt.Sprintf("INSERT INTO audit (kind, stream, number, id, previous, after_number, at, actor, event, business_no, outcome, note, hash) "+
		"VALUES (1, x'%x', %d, x'%x', x'%x', 0, %d, 'holder', '%s', 'bn-made-up', 'ok', '', x'%x')", card[:], e.Number, e.ID[:], e.Previous[:], e.At.UnixMilli(), e.Event, hash[:])
}
