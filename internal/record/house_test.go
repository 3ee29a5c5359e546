package record_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/test/printed"
)

const issuer = "https://pin.example.cn"

// house is a database with its digester.
type house struct {
	t        *testing.T
	dir      string
	db       *sqlite.Store
	between  func(store.Store) store.Store // puts faults before the store
	vault    *vault.Vault
	digester *record.Digester
	logged   *printed.Log
	mu       sync.Mutex
	now      time.Time // guarded by mu
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), logged: &printed.Log{}}
	must(t, vault.Create(h.path("vault.key")))
	v, err := vault.Open(h.path("vault.key"))
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	h.vault = v
	h.open()
	t.Cleanup(func() { must(t, h.db.Close()) })
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// open opens the database, as a start of a process does.
func (h *house) open() {
	h.t.Helper()
	db, err := sqlite.Open(h.t.Context(), h.path("liuma.db"), sqlite.Config{Seal: h.vault})
	must(h.t, err)
	h.db = db
	s := store.Store(db)
	if h.between != nil {
		s = h.between(s)
	}
	h.digester, err = record.New(record.Config{Store: s, Signer: h.vault, Issuer: issuer, Now: h.clock,
		Directory: h.path("digests"), Logger: slog.New(slog.NewTextHandler(h.logged, nil))})
	must(h.t, err)
}

func (h *house) restart() {
	h.t.Helper()
	must(h.t, h.db.Close())
	h.open()
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func card(i byte) liuma.CardID { return liuma.CardID{0: 0xCA, 15: i} }

// write records n entries about a card, or about none.
func (h *house) write(c liuma.CardID, n int) {
	h.t.Helper()
	for range n {
		h.wait(time.Second)
		must(h.t, h.db.Update(h.t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: h.clock(), Actor: "channel:zj", Event: audit.AttemptDecided, Card: c, BusinessNo: "B1", Outcome: "right", Note: "version=1"}, ensure(tx, c)
		}))
	}
}

// ensure makes the card that an entry is about, if it is not there.
func ensure(tx store.Tx, c liuma.CardID) error {
	if _, err := tx.Card(c); c.IsZero() || !errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return tx.InsertCard(store.Card{ID: c, Holder: vault.Index{31: c[15]}})
}

// digest makes a digest and returns its number.
func (h *house) digest() uint64 {
	h.t.Helper()
	d, err := h.digester.Digest(h.t.Context())
	must(h.t, err)
	return d.Number
}

func (h *house) export() []byte {
	h.t.Helper()
	var out bytes.Buffer
	must(h.t, h.digester.Export(h.t.Context(), record.Query{}, &out))
	return out.Bytes()
}

// examine examines an export with the authority's keys.
func (h *house) examine(export []byte, shipped ...audit.ShippedDigest) (audit.Examined, error) {
	keys := h.vault.ReceiptKeys()
	return audit.Examine(bytes.NewReader(export), audit.ExamineConfig{Keys: &keys, Shipped: shipped})
}

func (h *house) shipped() []audit.ShippedDigest {
	h.t.Helper()
	all, err := record.ReadDirectory(h.path("digests"))
	must(h.t, err)
	return all
}

// attack writes to the database as somebody does who has its file.
func (h *house) attack(statements ...string) {
	h.t.Helper()
	must(h.t, h.db.Close())
	db, err := sql.Open("sqlite", h.path("liuma.db"))
	must(h.t, err)
	for _, trigger := range []string{"audit_append", "audit_no_update", "audit_no_delete", "digests_no_update", "digests_no_delete", "digest_changes_no_update", "digest_changes_no_delete", "cuts_insert", "cuts_update", "cuts_no_delete", "archives_no_delete"} {
		_, err := db.ExecContext(h.t.Context(), "DROP TRIGGER IF EXISTS "+trigger)
		must(h.t, err)
	}
	for _, s := range statements {
		result, err := db.ExecContext(h.t.Context(), s)
		must(h.t, err)
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			h.t.Fatalf("%s changed nothing (%v)", s, err)
		}
	}
	must(h.t, db.Close())
	h.open()
}

// found wants a finding that says what.
func found(t *testing.T, err error, what string) {
	t.Helper()
	if _, ok := errors.AsType[*audit.Finding](err); !ok || !strings.Contains(err.Error(), what) {
		t.Errorf("found %v, want %q", err, what)
	}
}

// fault wants that alarm in the state, the log and the record.
func (h *house) fault(what string) {
	h.t.Helper()
	if s := h.digester.State(); len(s.Faults) == 0 || !strings.Contains(strings.Join(s.Faults, "\n"), what) {
		h.t.Errorf("faults %q, want %q", s.Faults, what)
	}
	if !strings.Contains(h.logged.String(), what) {
		h.t.Errorf("not logged: %q", what)
	}
	if n := h.count(audit.RecordFault); n == 0 {
		h.t.Error("the fault is not in the record")
	}
}

// count counts the entries of process starts with an event.
func (h *house) count(event audit.Event) (n int) {
	h.t.Helper()
	must(h.t, h.db.View(context.WithoutCancel(h.t.Context()), func(r store.Reader) error {
		n = 0
		heads, err := r.Streams(audit.Stream{Kind: audit.OfProcess}, 100)
		if err != nil {
			return err
		}
		for _, head := range heads {
			all, err := r.Entries(head.Stream, 0, 1000)
			if err != nil {
				return err
			}
			for _, e := range all {
				if e.Event == event {
					n++
				}
			}
		}
		return nil
	}))
	return n
}
