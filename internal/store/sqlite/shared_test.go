package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// sharedWorld is a store whose head is kept in a file, and somebody who writes
// to its database with SQL and has no key.
type sharedWorld struct {
	t      *testing.T
	path   string
	vault  *vault.Vault
	heads  *vault.Heads
	store  *sqlite.Store
	mu     sync.Mutex
	alarms []error // by mu
}

const sharedHead vault.Head = "shared"

func newSharedWorld(t *testing.T) *sharedWorld {
	t.Helper()
	w := &sharedWorld{t: t, path: filepath.Join(t.TempDir(), "authority.db")}
	w.vault = keys(t, w.path)
	var err error
	w.heads, err = vault.CreateHeads(w.vault, filepath.Dir(w.path))
	w.must(err)
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	w.update(func(tx store.Tx) error {
		return errors.Join(
			tx.InsertClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Keys: []byte(`{"keys":[]}`), At: time.UnixMilli(1)}),
			tx.InsertClient(store.Client{ID: "js-hrss", Kind: store.ClientChannel, Keys: []byte(`{"keys":[]}`), At: time.UnixMilli(1)}),
			tx.InsertSealKey(store.SealKey{ID: "k1", Public: []byte("p"), Sealed: []byte("s"), MadeAt: time.UnixMilli(1)}))
	})
	return w
}

func (w *sharedWorld) open() {
	w.t.Helper()
	var err error
	w.store, err = sqlite.Open(w.t.Context(), w.path, sqlite.Config{Seal: w.vault, Head: w.heads.Of(sharedHead),
		Alarm: func(_ string, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.alarms = append(w.alarms, err)
		}})
	w.must(err)
}

func (w *sharedWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *sharedWorld) try(f func(store.Tx) error) error {
	return w.store.Update(w.t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.UnixMilli(1), Actor: "system", Event: audit.ChannelRegistered, Outcome: "ok"}, f(tx)
	})
}

func (w *sharedWorld) update(f func(store.Tx) error) {
	w.t.Helper()
	w.must(w.try(f))
}

// stop stops a channel, or lets it go on.
func (w *sharedWorld) stop(id string, stopped bool) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		c, err := tx.Client(id)
		c.Stopped = stopped
		return errors.Join(err, tx.UpdateClient(c))
	})
}

func (w *sharedWorld) view(f func(store.Reader) error) error { return w.store.View(w.t.Context(), f) }

func (w *sharedWorld) client(id string) error {
	return w.view(func(r store.Reader) error { _, err := r.Client(id); return err })
}

// sql runs a statement behind the store's back.
func (w *sharedWorld) sql(statement string, args ...any) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.path)
	w.must(err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement, args...)
	w.must(err)
}

// take copies a table's rows aside, and putBack puts them back over what is
// there now.
func (w *sharedWorld) take(table string) {
	w.t.Helper()
	w.sql("CREATE TABLE aside_" + table + " AS SELECT * FROM " + table)
}

func (w *sharedWorld) putBack(table string) {
	w.t.Helper()
	w.sql("DELETE FROM " + table)
	w.sql("INSERT INTO " + table + " SELECT * FROM aside_" + table)
}

// refused wants an error, and an alarm about it.
func (w *sharedWorld) refused(name string, err, want error) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !errors.Is(err, want) || errors.Is(err, store.ErrNotFound) {
		w.t.Errorf("%s: %v, want %v", name, err, want)
	}
	if len(w.alarms) == 0 || !errors.Is(w.alarms[len(w.alarms)-1], want) {
		w.t.Errorf("%s: alarms %v, want %v", name, w.alarms, want)
	}
	w.alarms = nil
}

// listings are the ways to read clients and seal keys.
func (w *sharedWorld) listings() map[string]func() error {
	return map[string]func() error{
		"Client":  func() error { return w.client("zj-hrss") },
		"Clients": func() error { return w.view(func(r store.Reader) error { _, err := r.Clients(); return err }) },
		"UpdateClient": func() error {
			return w.try(func(tx store.Tx) error {
				return tx.UpdateClient(store.Client{ID: "zj-hrss", Kind: store.ClientChannel})
			})
		},
	}
}

func TestAStoppedChannelIsNotPutBack(t *testing.T) {
	w := newSharedWorld(t)
	w.take("clients")
	w.stop("zj-hrss", true)
	w.putBack("clients") // sealed by us, every one of them
	for name, read := range w.listings() {
		w.refused(name, read(), store.ErrSeal)
	}
	if err := w.client("js-hrss"); err != nil {
		t.Errorf("a channel that did not change: %v", err)
	}
}

// A deleted client is a fault, and a client that never was is not there.
func TestAClientIsNotTakenAway(t *testing.T) {
	w := newSharedWorld(t)
	w.sql("DELETE FROM clients WHERE key = ?", []byte("zj-hrss"))
	for name, read := range w.listings() {
		w.refused(name, read(), store.ErrSeal)
	}
	insert := func(id string) error {
		return w.try(func(tx store.Tx) error { return tx.InsertClient(store.Client{ID: id, Kind: store.ClientChannel}) })
	}
	if err := w.client("nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a client that never was: %v", err)
	}
	if err := insert("gd-hrss"); err != nil {
		t.Errorf("a new client: %v", err)
	}
}

func TestADestroyedSealKeyIsNotPutBack(t *testing.T) {
	w := newSharedWorld(t)
	w.take("seal_keys")
	w.update(func(tx store.Tx) error { return tx.DeleteSealKey("k1") })
	sealKeys := func() error { return w.view(func(r store.Reader) error { _, err := r.SealKeys(); return err }) }
	w.must(sealKeys())
	w.putBack("seal_keys")
	w.refused("put back", sealKeys(), store.ErrSeal)
}

// The shared row goes back with the rows that it lists.
func TestTheSharedRowIsNotPutBack(t *testing.T) {
	w := newSharedWorld(t)
	w.take("clients")
	w.take("shared")
	w.stop("zj-hrss", true)
	w.putBack("clients")
	w.putBack("shared")
	for name, read := range w.listings() {
		w.refused(name, read(), store.ErrOldDatabase)
	}
	w.sql("DELETE FROM shared")
	for name, read := range w.listings() {
		w.refused(name+" without a shared row", read(), store.ErrOldDatabase)
	}
}

// An old copy of the whole file is refused, until an operator takes it for good.
// What was written between the copy and the restore stays refused then.
func TestARestoredDatabase(t *testing.T) {
	w := newSharedWorld(t)
	backup := filepath.Join(t.TempDir(), "backup.db")
	w.must(w.store.Backup(t.Context(), backup))
	w.stop("zj-hrss", true)
	later := filepath.Join(t.TempDir(), "later.db")
	w.must(w.store.Backup(t.Context(), later))
	put := func(from string) {
		t.Helper()
		w.must(w.store.Close())
		content, err := os.ReadFile(from)
		w.must(err)
		w.must(os.WriteFile(w.path, content, 0o600))
		w.open()
	}
	put(backup)
	for name, read := range w.listings() {
		w.refused(name, read(), store.ErrOldDatabase)
	}
	was := w.heads.Get(sharedHead)
	w.update(func(tx store.Tx) error { return tx.RaiseShared(was) })
	if now := w.heads.Get(sharedHead); now != was+1 {
		t.Errorf("head %d after the restore was accepted, want %d", now, was+1)
	}
	w.must(w.client("zj-hrss"))
	put(later)
	w.refused("the database from before the restore", w.client("zj-hrss"), store.ErrOldDatabase)
}

// A crash between the commit and the raise leaves the head lower: it is raised
// at the next start.
func TestTheHeadIsRaisedAtOpen(t *testing.T) {
	w := newSharedWorld(t)
	w.must(w.store.Close())
	w.must(os.Remove(filepath.Join(filepath.Dir(w.path), vault.HeadsFile)))
	var err error
	w.heads, err = vault.CreateHeads(w.vault, filepath.Dir(w.path))
	w.must(err)
	w.open()
	if got := w.heads.Get(sharedHead); got != 1 {
		t.Errorf("head %d, want 1", got)
	}
	w.stop("zj-hrss", true)
	if got := w.heads.Get(sharedHead); got != 2 {
		t.Errorf("head %d after a change, want 2", got)
	}
	w.update(func(tx store.Tx) error { return tx.InsertTick(store.Tick{Kind: "x", At: time.UnixMilli(1)}) })
	if got := w.heads.Get(sharedHead); got != 2 {
		t.Errorf("head %d after another table's change, want 2", got)
	}
}

// A head that cannot be written holds up nothing, and is told of.
func TestAHeadThatCannotBeWritten(t *testing.T) {
	w := newSharedWorld(t)
	w.must(w.vault.Close()) // the file's MAC cannot be made; nor can rows be sealed
	if err := w.try(func(tx store.Tx) error { return tx.RaiseShared(0) }); !errors.Is(err, vault.ErrClosed) {
		t.Errorf("sealed with a closed vault: %v", err)
	}
	w = newSharedWorld(t)
	moved := filepath.Dir(w.path) + ".heads"
	w.must(os.Mkdir(moved, 0o700))
	other, err := vault.CreateHeads(w.vault, moved)
	w.must(err)
	w.must(w.store.Close())
	w.heads = other
	w.open()
	w.must(os.RemoveAll(moved))
	w.stop("zj-hrss", true)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.alarms) != 1 {
		t.Errorf("alarms %v, want one", w.alarms)
	}
}

// Views that began before a change see the rows and the version of before it,
// and are no alarm.
func TestViewsBesideChanges(t *testing.T) {
	w := newSharedWorld(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.client("zj-hrss"); err != nil {
					t.Errorf("a view beside a change: %v", err)
					return
				}
			}
		})
	}
	for i := range 50 {
		w.stop("zj-hrss", i%2 == 0)
	}
	close(stop)
	wg.Wait()
	if got := w.heads.Get(sharedHead); got != 51 {
		t.Errorf("head %d, want 51", got)
	}
}

// Several changes of one transaction raise the version once, and one that fails
// not at all.
func TestTheSharedVersionOfATransaction(t *testing.T) {
	w := newSharedWorld(t)
	w.update(func(tx store.Tx) error {
		return errors.Join(tx.InsertClient(store.Client{ID: "a", Kind: store.ClientChannel}),
			tx.UpdateClient(store.Client{ID: "a", Kind: store.ClientChannel, Stopped: true}), tx.DeleteSealKey("k1"))
	})
	failed := errors.New("no")
	if err := w.try(func(tx store.Tx) error { return errors.Join(tx.DeleteSealKey("gone"), failed) }); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	if got := w.heads.Get(sharedHead); got != 2 {
		t.Errorf("head %d, want 2", got)
	}
	w.must(w.client("a"))
}

// An approved policy is not taken away, so that an earlier one would hold.
func TestPoliciesAreNotPutBack(t *testing.T) {
	w := newSharedWorld(t)
	w.update(func(tx store.Tx) error {
		return errors.Join(tx.InsertEdition(store.Edition{No: 1}), tx.InsertEdition(store.Edition{No: 2, Sum: "strict"}))
	})
	last := func(r store.Reader) error { _, err := r.LastEdition(); return err }
	w.must(w.view(last))
	w.sql("DELETE FROM editions WHERE key = x'0000000000000002'")
	w.refused("LastEdition", w.view(last), store.ErrSeal)
}

// A suspended member of staff and a withdrawn proposal stay so, and a member whose row is
// deleted does not become nobody.
func TestStaffIsNotPutBack(t *testing.T) {
	w := newSharedWorld(t)
	member := store.Member{ID: "wang", Name: "王", State: store.MemberActive}
	open := store.Proposal{ID: "p", Kind: "policy.load", State: store.ProposalOpen}
	w.update(func(tx store.Tx) error { return errors.Join(tx.InsertMember(member), tx.InsertProposal(open)) })
	w.take("staff")
	w.take("proposals")
	member.State, open.State = store.MemberSuspended, store.ProposalWithdrawn
	w.update(func(tx store.Tx) error { return errors.Join(tx.UpdateMember(member), tx.UpdateProposal(open)) })
	reads := map[string]func(store.Reader) error{
		"Member":    func(r store.Reader) error { _, err := r.Member("wang"); return err },
		"Members":   func(r store.Reader) error { _, err := r.Members(); return err },
		"Proposal":  func(r store.Reader) error { _, err := r.Proposal("p"); return err },
		"Proposals": func(r store.Reader) error { _, err := r.Proposals(); return err },
	}
	for _, read := range reads {
		w.must(w.view(read))
	}
	w.putBack("staff")
	w.putBack("proposals")
	for name, read := range reads {
		w.refused(name, w.view(read), store.ErrSeal)
	}
	w.sql("DELETE FROM staff")
	w.sql("DELETE FROM proposals")
	for name, read := range reads {
		w.refused(name, w.view(read), store.ErrSeal)
	}
}
