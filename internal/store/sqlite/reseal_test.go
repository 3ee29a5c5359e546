package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/vault"
)

func TestResealedRows(t *testing.T) { storetest.ResealedRows(t, openResealed) }

func TestDraftsAcrossARotation(t *testing.T) { storetest.DraftsAcrossARotation(t, openResealed) }

func TestResealingGoesOn(t *testing.T) { storetest.ResealingGoesOn(t, openResealed) }

func TestOldValuesComeBackUnderTheNewKey(t *testing.T) {
	storetest.OldValuesComeBackUnderTheNewKey(t, openResealed)
}

func TestResealingLaundersNothing(t *testing.T) {
	storetest.ResealingLaundersNothing(t, func(t testing.TB) storetest.Resealed {
		s := openResealed(t)
		f := s.Thief.(*thief)
		for _, name := range f.names("trigger") { // they are in nobody's way
			f.exec("DROP TRIGGER " + name)
		}
		return s
	})
}

// openResealed leaves the triggers as they are: a seal passes them by itself.
func openResealed(t testing.TB) storetest.Resealed {
	path := filepath.Join(t.TempDir(), "authority.db")
	v := keys(t, path)
	file := filepath.Join(filepath.Dir(path), "vault.key")
	f := &thief{t, nil}
	var alarms atomic.Int64
	var s *sqlite.Store
	reopen := func() store.Store {
		t.Helper()
		if s != nil {
			f.must(s.Close())
		}
		var err error
		s, err = sqlite.Open(t.Context(), path, sqlite.Config{Seal: v, Alarm: func(string, error) { alarms.Add(1) }})
		f.must(err)
		return s
	}
	reopen()
	var err error
	f.db, err = sql.Open("sqlite", path)
	f.must(err)
	t.Cleanup(func() { _, _ = f.db.Close(), s.Close() })
	return storetest.Resealed{
		Sealed: storetest.Sealed{Store: s, Thief: f, Alarms: func() int { return int(alarms.Load()) }},
		Vault:  v, Reopen: reopen,
		Rotate: func() {
			_, err := vault.At(file).RotateRootKey(time.UnixMilli(1))
			f.must(errors.Join(err, v.Reload()))
		},
		Drop: func(id uint32) { f.must(errors.Join(vault.At(file).DropRootKey(id), v.Reload())) },
	}
}

// A client or a seal key that was put back, and a database that is older than
// its head, get no new seal by a pass.
func TestResealingKeepsTheSharedVersion(t *testing.T) {
	w := newSharedWorld(t)
	file := filepath.Join(filepath.Dir(w.path), "vault.key")
	reseal := func() (r store.Resealing, err error) {
		for !r.Ended() && err == nil {
			err = w.store.Update(t.Context(), func(tx store.Tx) (_ audit.Entry, err error) {
				r, err = tx.ResealStep(time.UnixMilli(1), 2)
				return audit.Entry{}, err
			})
		}
		return r, err
	}
	w.take("clients")
	w.stop("zj-hrss", true)
	w.putBack("clients")
	_, err := vault.At(file).RotateRootKey(time.UnixMilli(1))
	w.must(errors.Join(err, w.vault.Reload()))
	r, err := reseal()
	if err != nil || r.Refused != 1 {
		t.Errorf("a client that was put back: %+v, %v", r, err)
	}
	w.refused("a client that was put back", w.client("zj-hrss"), store.ErrSeal)
	w.must(w.client("js-hrss"))
	if got := w.heads.Get(sharedHead); got <= 2 {
		t.Errorf("head %d after the shared row was sealed anew", got)
	}
	w.must(w.heads.Raise(sharedHead, 1000))
	_, err = vault.At(file).RotateRootKey(time.UnixMilli(1))
	w.must(errors.Join(err, w.vault.Reload()))
	_, err = reseal()
	w.refused("a database that was put back", err, store.ErrOldDatabase)
}
