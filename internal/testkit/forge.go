package testkit

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// noKeys seals as an attacker without the vault's keys would, and ignores seals when
// reading.
type noKeys struct{}

func (noKeys) SealRow(string, ...[]byte) (vault.RowSeal, error) { return vault.RowSeal{Key: 1}, nil }
func (noKeys) CheckRow(vault.RowSeal, string, ...[]byte) error  { return nil }
func (noKeys) RouteOf(string) (vault.Home, bool)                { return vault.Home{}, false }

func (noKeys) SealsWith() uint32 { return 1 }

func (noKeys) SealSteady(string, ...[]byte) (vault.RowSeal, error) { return vault.RowSeal{}, nil }

func (noKeys) Reseal(_ vault.Purpose, _, sealed []byte) ([]byte, bool, error) {
	return sealed, false, nil
}

// Forge changes rows as an attacker does who can write to the database of the running
// system but has none of the vault's keys: write edits a copy, and the rows that it
// changed are put into the live database. No entry is recorded.
func (e *Env) Forge(write func(store.Tx) error) {
	e.T.Helper()
	e.ForgeWith(noKeys{}, write)
}

// ForgeWith is Forge by an attacker who has some keys.
func (e *Env) ForgeWith(seal rows.Sealer, write func(store.Tx) error) {
	e.T.Helper()
	FileOnly(e.T)
	dir := e.T.TempDir()
	before, copied := filepath.Join(dir, "before.db"), filepath.Join(dir, "copy.db")
	e.must(e.System.Backup(e.T.Context(), before))
	raw, err := os.ReadFile(before)
	e.must(errors.Join(err, os.WriteFile(copied, raw, 0o600)))
	s, err := sqlite.Open(e.T.Context(), copied, sqlite.Config{Seal: seal})
	e.must(err)
	err = s.Update(e.T.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: e.Clock.Now(), Actor: "thief", Event: audit.KeeperAlarm, Outcome: "ok"}, write(tx)
	})
	e.must(errors.Join(err, s.Close()))
	statements := []string{fmt.Sprintf("ATTACH '%s' AS before", before), fmt.Sprintf("ATTACH '%s' AS copy", copied)}
	for _, t := range rows.Tables() {
		if t.Name == "starts" { // Forge's own entry
			continue
		}
		statements = append(statements,
			fmt.Sprintf("DELETE FROM main.%[1]s WHERE key IN (SELECT key FROM before.%[1]s EXCEPT SELECT key FROM copy.%[1]s)", t.Name),
			fmt.Sprintf("INSERT OR REPLACE INTO main.%[1]s SELECT * FROM copy.%[1]s EXCEPT SELECT * FROM before.%[1]s", t.Name))
	}
	e.SQL(statements...)
}

// SQL runs statements on the database of the running system, behind its back.
func (e *Env) SQL(statements ...string) {
	e.T.Helper()
	FileOnly(e.T)
	db, err := sql.Open("sqlite", e.System.Config.Database)
	e.must(err)
	db.SetMaxOpenConns(1) // attached databases belong to a connection
	_, err = db.ExecContext(e.T.Context(), "PRAGMA busy_timeout = 5000; "+strings.Join(statements, "; "))
	e.must(errors.Join(err, db.Close()))
}
