package sqlite

import (
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
