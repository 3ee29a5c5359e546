package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestDigestsAreAppendOnly tries to change digests with SQL (I-16).
func TestDigestsAreAppendOnly(t *testing.T) {
	s, _ := openForFaults(t)
	for n := range uint64(2) {
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			stream := s.writer.process.Stream()
			return audit.Entry{At: time.UnixMilli(1), Actor: "system", Event: audit.RecordDigested, Outcome: "ok"},
				tx.InsertDigest(store.Digest{Number: n + 1, Token: "t"}, []audit.Head{{Place: audit.Place{Stream: stream, Number: n + 1}}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		"UPDATE digests SET token = 'other'",
		"UPDATE digests SET number = 3 WHERE number = 2",
		"DELETE FROM digests WHERE number = 2",
		"INSERT INTO digests (number, token) VALUES (4, 't')",
		"INSERT INTO digests (number, token) VALUES (0, 't')",
		"INSERT OR REPLACE INTO digests (number, token) VALUES (2, 't')",
		"UPDATE digest_changes SET hash = zeroblob(32)",
		"DELETE FROM digest_changes",
	} {
		if _, err := s.writer.conn.exec(sql); !isTrigger(err) {
			t.Errorf("%s: error %v, want a trigger's", sql, err)
		}
	}
}

// TestTheRecordLeavesOnlyArchived tries to delete parts of the record with SQL that
// no archive holds, or in another order, and to cut a stream anywhere (I-16).
func TestTheRecordLeavesOnlyArchived(t *testing.T) {
	s, _ := openForFaults(t)
	stream := s.writer.process.Stream()
	for n := range uint64(3) {
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			e := audit.Entry{At: time.UnixMilli(1), Actor: "system", Event: audit.RecordDigested, Outcome: "ok"}
			if n == 0 {
				return e, nil
			}
			h, err := tx.Head(stream)
			return e, errors.Join(err, tx.InsertDigest(store.Digest{Number: n, Token: "t"}, []audit.Head{h}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if _, err := s.writer.conn.exec(sql); !isTrigger(err) {
				t.Errorf("%s: error %v, want a trigger's", sql, err)
			}
		}
	}
	refused("DELETE FROM audit", "DELETE FROM audit WHERE number = 1", "DELETE FROM digests WHERE number = 1", "DELETE FROM digest_changes",
		"INSERT INTO cuts (kind, stream, number, hash) SELECT kind, stream, number, hash FROM digest_changes WHERE digest = 1")
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.UnixMilli(1), Actor: "operator", Event: audit.RecordArchived, Outcome: "ok"},
			tx.InsertArchive(store.Archive{Number: 1, Digest: 1, Token: "signed"})
	})
	if err != nil {
		t.Fatal(err)
	}
	refused("DELETE FROM audit", "DELETE FROM digests WHERE number = 1", "DELETE FROM digest_changes", "DELETE FROM archives",
		"INSERT INTO cuts (kind, stream, number, hash) SELECT kind, stream, number, hash FROM digest_changes WHERE digest = 2",
		"INSERT INTO cuts (kind, stream, number, hash) SELECT kind, stream, number + 1, hash FROM digest_changes WHERE digest = 1")
	if n, err := s.writer.conn.exec("INSERT INTO cuts (kind, stream, number, hash) SELECT kind, stream, number, hash FROM digest_changes WHERE digest = 1"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	refused("DELETE FROM audit WHERE number = 2", "DELETE FROM digest_changes WHERE digest = 2", "DELETE FROM digests WHERE number = 1",
		"DELETE FROM cuts", "UPDATE cuts SET number = number - 1")
	for _, sql := range []string{"DELETE FROM audit WHERE number = 1", "DELETE FROM digest_changes WHERE digest = 1"} {
		if n, err := s.writer.conn.exec(sql); err != nil || n != 1 {
			t.Errorf("%s: %d, %v", sql, n, err)
		}
	}
	refused("DELETE FROM digests") // the last digest of the archive stays
}
