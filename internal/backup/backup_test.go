package backup_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/backup"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// house is a running authority with a card, and a place for its backups.
type house struct {
	*testkit.Env
	to string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	e := testkit.New(t, testkit.Options{Shape: "2/3"})
	return &house{e, filepath.Join(t.TempDir(), "b")}
}

func (h *house) plan() backup.Plan {
	return backup.Plan{Data: h.Dir, Config: h.System.Config, To: h.to, Release: "test", Now: h.Clock.Now}
}

func (h *house) make(change func(*backup.Plan)) backup.Manifest {
	h.T.Helper()
	p := h.plan()
	if change != nil {
		change(&p)
	}
	m, err := backup.Make(h.T.Context(), p)
	if err != nil {
		h.T.Fatal(err)
	}
	return m
}

func (h *house) check() (backup.Report, error) {
	return backup.Check(h.T.Context(), backup.Question{Dir: h.to, Vault: h.System.Config.Vault})
}

// names lists what there is under the backup's parent.
func (h *house) names() (out []string) {
	h.T.Helper()
	root := filepath.Dir(h.to)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return out
}

// TestWhatIsInABackup: no key and no keeper unless it was asked for, never the
// file of heads, and everything its owner's alone.
func TestWhatIsInABackup(t *testing.T) {
	h := newHouse(t)
	h.make(nil)
	if got := strings.Join(h.names(), " "); got != "b/liuma.db b/liuma.yaml b/manifest.json" {
		t.Errorf("by default: %s", got)
	}
	h.to += "-all"
	h.make(func(p *backup.Plan) { p.Vault, p.Keepers = true, true })
	names := h.names()
	if got := strings.Join(names, " "); strings.Contains(got, "heads") || strings.Count(got, "vault.key") != 1 || strings.Count(got, "keeper.json") != 3 || strings.Count(got, "ledger.db") != 3 {
		t.Errorf("with everything: %s", got)
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(filepath.Dir(h.to), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v)", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(h.to); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if r, err := h.check(); err != nil || !r.Sound() || r.Rows == 0 || r.Record.Entries == 0 {
		t.Errorf("the check: %+v, %v", r, err)
	}
}

// TestABackupReplacesNothing: neither a backup, nor a file, nor one that is under
// way or was interrupted.
func TestABackupReplacesNothing(t *testing.T) {
	h := newHouse(t)
	h.make(nil)
	if _, err := backup.Make(t.Context(), h.plan()); !errors.Is(err, backup.ErrExists) {
		t.Errorf("over a backup: %v", err)
	}
	if r, err := h.check(); err != nil || !r.Sound() {
		t.Errorf("the first backup: %v", err)
	}
	h.to += "2"
	if err := os.Mkdir(h.to+".partial", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Make(t.Context(), h.plan()); !errors.Is(err, backup.ErrExists) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("beside another: %v", err)
	}
	if _, err := os.Stat(h.to + ".partial"); err != nil {
		t.Errorf("the other's directory: %v", err)
	}
}

// TestAnInterruptedBackupLooksLikeNone: whatever stops it, nothing has the name of
// a backup; and a directory without its manifest is none.
func TestAnInterruptedBackupLooksLikeNone(t *testing.T) {
	h := newHouse(t)
	called, off := context.WithCancel(t.Context())
	off()
	stops := map[string]func() error{
		"called off": func() error { _, err := backup.Make(called, h.plan()); return err },
		"a keeper is away": func() error {
			p := h.plan()
			p.Keepers, p.Config.Keepers.Directories = true, []string{filepath.Join(t.TempDir(), "gone")}
			_, err := backup.Make(t.Context(), p)
			return err
		},
		"another's vault": func() error {
			p := h.plan()
			p.Config.Vault = filepath.Join(t.TempDir(), "none.key")
			_, err := backup.Make(t.Context(), p)
			return err
		},
	}
	for name, stop := range stops {
		if err := stop(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left := h.names(); len(left) != 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
	h.make(nil)
	if err := os.Remove(filepath.Join(h.to, backup.ManifestFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.check(); !errors.Is(err, backup.ErrNotWhole) {
		t.Errorf("without its manifest: %v", err)
	}
	if _, err := backup.Restore(h.to, filepath.Join(t.TempDir(), "d")); !errors.Is(err, backup.ErrNotWhole) {
		t.Errorf("restored without its manifest: %v", err)
	}
}

// TestADamagedBackupIsNotRestored: a flipped byte, a file that is gone, and a
// manifest that names a path outside.
func TestADamagedBackupIsNotRestored(t *testing.T) {
	for name, harm := range map[string]func(*house){
		"a byte": func(h *house) { h.flip("liuma.db", 5000) },
		"a file": func(h *house) { h.must(os.Remove(filepath.Join(h.to, "liuma.db"))) },
		"cut":    func(h *house) { h.must(os.Truncate(filepath.Join(h.to, "liuma.db"), 4096)) },
		"a path": func(h *house) { // and the sum of the file there is right
			h.must(os.WriteFile(filepath.Join(h.to, "..", "x"), nil, 0o600))
			h.edit(func(m map[string]any) {
				f := m["files"].([]any)
				m["files"] = append(f, map[string]any{"name": "../x", "size": 0, "sha256": hexSum(nil)})
			})
		},
		"no database": func(h *house) { h.edit(func(m map[string]any) { m["files"] = m["files"].([]any)[1:] }) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.make(nil)
			harm(h)
			r, err := h.check()
			if err == nil && r.Sound() || err != nil && !errors.Is(err, backup.ErrNotWhole) {
				t.Errorf("the check: %v, %v", r.Damage, err)
			}
			d := filepath.Join(t.TempDir(), "d")
			if _, err := backup.Restore(h.to, d); !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrNotWhole) {
				t.Errorf("restored: %v", err)
			}
			if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was made (%v)", err)
			}
		})
	}
}

// TestAnAlteredBackupIsFound: by who writes the checksums anew, too. A row that
// was altered fails its seal, an entry that is gone breaks the chain, and a
// manifest that says something else than the database is not believed.
func TestAnAlteredBackupIsFound(t *testing.T) {
	for name, harm := range map[string]struct {
		statements []string
		edit       func(map[string]any)
		found      func(backup.Report) bool
	}{
		"a row": {[]string{"UPDATE clients SET rev = rev + 1"}, nil,
			func(r backup.Report) bool { return len(r.Refused) == 1 && r.Refused[0].Table == "clients" }},
		"a client that is gone": {[]string{"DELETE FROM clients"}, nil,
			func(r backup.Report) bool { return len(r.Refused) == 1 && r.Refused[0].Table == "clients" }},
		"an entry": {[]string{"DROP TRIGGER audit_no_delete", "DELETE FROM audit WHERE number = 2"}, nil,
			func(r backup.Report) bool { return r.Finding != nil }},
		"the manifest": {nil, func(m map[string]any) { m["clients"] = 99 },
			func(r backup.Report) bool { return errors.Is(r.Damage, backup.ErrDamaged) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.make(nil)
			h.write(harm.statements...)
			h.edit(func(m map[string]any) {
				if harm.edit != nil {
					harm.edit(m)
				}
			})
			h.summed()
			if r, err := h.check(); err != nil || r.Sound() || !harm.found(r) {
				t.Errorf("%v %v %v, %v", r.Damage, r.Refused, r.Finding, err)
			}
		})
	}
}

// TestKeepersOlderThanTheDatabase are told: each would stop.
func TestKeepersOlderThanTheDatabase(t *testing.T) {
	h := newHouse(t)
	older := filepath.Join(t.TempDir(), "k2.db")
	h.must(sqlitefile.Snapshot(t.Context(), filepath.Join(h.Dir, "keepers", "k2", "ledger.db"), older))
	h.Enroll(h.Channel("zj-hrss"), h.People[0], "483159")
	seen := map[string]uint64{} // which the server saves every second
	for id, sequence := range h.System.Quorum.Seen() {
		seen[string(id)] = sequence
	}
	h.must(h.System.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: h.Clock.Now(), Actor: "system", Event: audit.KeeperSeen, Outcome: "ok"}, tx.SaveKeepersSeen(seen)
	}))
	h.make(nil)
	h.Close()
	ledger := filepath.Join(h.Dir, "keepers", "k2", "ledger.db")
	h.must(os.Rename(older, ledger))
	h.must(os.RemoveAll(filepath.Join(h.Dir, "keepers", "k3")))
	conf, err := config.Load(h.Dir)
	h.must(err)
	r, err := backup.Check(t.Context(), backup.Question{Dir: h.to, Against: &conf})
	h.must(err)
	if b := r.Beside; b == nil || strings.Join(b.Older, " ") != "k2" || strings.Join(b.Away, " ") != "k3" || b.Keepers != 2 {
		t.Errorf("%+v", b)
	}
}

// TestRestoreReplacesNothing: neither in the directory nor where its
// configuration points.
func TestRestoreReplacesNothing(t *testing.T) {
	h := newHouse(t)
	h.make(func(p *backup.Plan) { p.Keepers, p.Vault = true, true })
	d := t.TempDir()
	h.must(os.WriteFile(filepath.Join(d, "x"), nil, 0o600))
	if _, err := backup.Restore(h.to, d); !errors.Is(err, backup.ErrExists) {
		t.Errorf("beside a file: %v", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.db")
	h.must(os.WriteFile(elsewhere, []byte("mine"), 0o600))
	raw, err := os.ReadFile(filepath.Join(h.to, config.FileName))
	h.must(err)
	h.must(os.WriteFile(filepath.Join(h.to, config.FileName), []byte(strings.Replace(string(raw), "database: liuma.db", "database: "+elsewhere, 1)), 0o600))
	h.summed()
	d = filepath.Join(t.TempDir(), "d")
	if _, err := backup.Restore(h.to, d); !errors.Is(err, backup.ErrExists) {
		t.Errorf("over a file elsewhere: %v", err)
	}
	if got, err := os.ReadFile(elsewhere); err != nil || string(got) != "mine" {
		t.Errorf("the file elsewhere: %q (%v)", got, err)
	}
	if _, err := os.Stat(filepath.Join(d, config.FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the refused directory is a data directory (%v)", err)
	}
}

func (h *house) must(err error) {
	h.T.Helper()
	if err != nil {
		h.T.Fatal(err)
	}
}

// flip changes one byte of a file.
func (h *house) flip(name string, at int) {
	h.T.Helper()
	path := filepath.Join(h.to, name)
	raw, err := os.ReadFile(path)
	h.must(err)
	raw[at] ^= 1
	h.must(os.WriteFile(path, raw, 0o600))
}

// write runs statements on the backup's database.
func (h *house) write(statements ...string) {
	h.T.Helper()
	if len(statements) == 0 {
		return
	}
	path := filepath.Join(h.to, "liuma.db")
	db := sqlitefile.Pool(path, sqlitefile.Settings{}, 1)
	for _, s := range statements {
		_, err := db.ExecContext(h.T.Context(), s)
		h.must(err)
	}
	_, err := db.ExecContext(h.T.Context(), "PRAGMA journal_mode = DELETE")
	h.must(errors.Join(err, db.Close()))
}

// edit changes the manifest.
func (h *house) edit(change func(map[string]any)) {
	h.T.Helper()
	path := filepath.Join(h.to, backup.ManifestFile)
	raw, err := os.ReadFile(path)
	h.must(err)
	m := map[string]any{}
	h.must(json.Unmarshal(raw, &m))
	change(m)
	raw, err = json.Marshal(m)
	h.must(err)
	h.must(os.WriteFile(path, raw, 0o600))
}

// summed writes all checksums anew, as who alters a backup would.
func (h *house) summed() {
	h.T.Helper()
	h.edit(func(m map[string]any) {
		for _, f := range m["files"].([]any) {
			f := f.(map[string]any)
			raw, err := os.ReadFile(filepath.Join(h.to, f["name"].(string)))
			h.must(err)
			f["size"], f["sha256"] = len(raw), hexSum(raw)
		}
	})
}

func hexSum(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
