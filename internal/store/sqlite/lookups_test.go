package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestLookUpsThatLeadElsewhere: a thief exchanges what cards are found by: the
// index of holders for one in which they are swapped, or the table for a view
// that finds a row by any key and by any holder, and then shows it as it was
// sealed. A holder's card is not another's, and neither is a card's row (I-13).
func TestLookUpsThatLeadElsewhere(t *testing.T) {
	for name, exchange := range map[string][]string{
		"index": {
			"CREATE TABLE other (key BLOB NOT NULL PRIMARY KEY, holder BLOB NOT NULL UNIQUE) STRICT, WITHOUT ROWID",
			"INSERT INTO other SELECT a.key, b.holder FROM cards a JOIN cards b ON a.key <> b.key",
			"PRAGMA writable_schema = ON",
			`UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'other')
				WHERE type = 'index' AND tbl_name = 'cards'`,
			"PRAGMA writable_schema = RESET",
			"PRAGMA schema_version = 9999",
		},
		"view": {
			"ALTER TABLE cards RENAME TO kept",
			`CREATE VIEW cards AS SELECT iif(random() % 2, key, (SELECT k.key FROM kept k WHERE k.key <> kept.key)) AS key,
				iif(random() % 2, holder, (SELECT k.holder FROM kept k WHERE k.key <> kept.key)) AS holder,
				rev, body, seal_key, seal FROM kept`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "authority.db")
			s, err := sqlite.Open(t.Context(), path, sqlite.Config{Seal: keys(t, path)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			one, two := store.Card{ID: liuma.NewCardID(), Holder: vault.Index{1}}, store.Card{ID: liuma.NewCardID(), Holder: vault.Index{2}}
			err = s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, errors.Join(tx.InsertCard(one), tx.InsertCard(two))
			})
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			for _, statement := range exchange {
				(&thief{t, db}).exec(statement)
			}
			refused := 0
			for range 300 {
				err = s.View(t.Context(), func(r store.Reader) error {
					byHolder, err1 := r.CardByHolder(one.Holder)
					if err1 == nil && byHolder.ID != one.ID {
						return errors.New("the card of another holder")
					}
					return err1
				})
				byID := s.View(t.Context(), func(r store.Reader) error {
					c, err := r.Card(one.ID)
					if err == nil && c.ID != one.ID {
						return errors.New("another card")
					}
					return err
				})
				for _, err := range []error{err, byID} {
					switch {
					case errors.Is(err, store.ErrSeal):
						refused++
					case err != nil && !errors.Is(err, store.ErrNotFound):
						t.Fatal(err)
					}
				}
			}
			if refused == 0 {
				t.Error("nothing was refused")
			}
		})
	}
}
