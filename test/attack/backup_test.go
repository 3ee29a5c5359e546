package attack

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/backup"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

const laterPIN = "739518"

// backedUp makes a backup beside the running server.
func (w *world) backedUp(withVault, withKeepers bool) (dir string) {
	w.t.Helper()
	dir = filepath.Join(w.t.TempDir(), "backup")
	m, err := backup.Make(w.t.Context(), backup.Plan{Data: w.Dir, Config: w.System.Config, To: dir,
		Vault: withVault, Keepers: withKeepers, Release: "test", Now: w.Clock.Now})
	must(w.t, m, err)
	return dir
}

// with makes an attempt on another card, by its handle at home.
func (w *world) with(card, secret string) string {
	defer func(was string) { w.card = was }(w.card)
	w.card = card
	return w.attempt(secret, "")
}

// checked examines a backup beside the world's directory, which stays as it is.
func (w *world) checked(dir string) backup.Report {
	w.t.Helper()
	conf, err := config.Load(w.Dir)
	must(w.t, conf, err)
	r, err := backup.Check(w.t.Context(), backup.Question{Dir: dir, Against: &conf})
	if must(w.t, r, err); !r.Sound() {
		w.t.Fatalf("the backup is not sound: %v %v %v", r.Damage, r.Refused, r.Finding)
	}
	return r
}

// restored puts a backup into a new directory and moves there what was not in
// it, as the runbook says. The world works with that directory from now on.
func (w *world) restored(dir string) {
	w.t.Helper()
	fresh := filepath.Join(w.t.TempDir(), "restored")
	r, err := backup.Restore(dir, fresh)
	for _, name := range must(w.t, r, err).Missing {
		rel := must2(filepath.Rel(fresh, name))
		must(w.t, 0, os.MkdirAll(filepath.Dir(name), 0o700))
		must(w.t, 0, os.Rename(filepath.Join(w.Dir, rel), name))
	}
	if err := os.Rename(filepath.Join(w.Dir, vault.HeadsFile), filepath.Join(fresh, vault.HeadsFile)); err != nil {
		w.t.Fatal(err)
	}
	w.Dir = fresh
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// accepted opens the restored directory: refused before an operator accepts it,
// open after.
func (w *world) accepted() {
	w.t.Helper()
	conf, err := config.Load(w.Dir)
	must(w.t, conf, err)
	s, err := server.Open(w.t.Context(), conf, server.Options{Machine: w.Clock, Texts: w.Inbox})
	if !errors.Is(err, store.ErrOldDatabase) {
		w.t.Fatalf("the older database: %v, %v", s, err)
	}
	n, err := server.AcceptHeads(w.t.Context(), conf, "the disk died", w.Clock)
	must(w.t, n, err)
	w.Open()
	w.net.add(hosted, w.System.Hosted.Handler)
	w.net.add(native, w.System.Door.Handler)
}

// TestTheRunbookOfARestoredDatabase: a backup is made beside the server, acts go
// on, the database is lost, and the backup is put beside the newest keepers. What
// the check tells comes true: nothing opens before the heads are accepted, cards
// that changed are refused before the restore is, later PINs count, guesses that
// were used stay used, and a card that was enrolled since comes back frozen
// (I-13).
func TestTheRunbookOfARestoredDatabase(t *testing.T) {
	testkit.FileOnly(t)
	for _, shape := range []string{"1/1", "2/3"} {
		t.Run(shape, func(t *testing.T) {
			w := newWorldOf(t, testkit.Options{Shape: shape})
			untouched := w.enroll(w.home, w.People[3], goodPIN)
			guessed := w.enroll(w.home, w.People[4], goodPIN)
			dir := w.backedUp(false, false)
			if b := w.checked(dir).Beside; b.Since != 0 || b.LaterPIN != 0 || b.Cards != 3 || b.Keepers != len(w.System.Config.Keepers.Directories) {
				t.Errorf("at once: %+v", b)
			}

			if got := w.attempt(goodPIN, laterPIN); got != "right" {
				t.Fatalf("changed: %q", got)
			}
			for range 5 {
				if got := w.with(guessed, wrongPIN); got != "wrong" {
					t.Fatalf("guessed: %q", got)
				}
			}
			w.Clock.Advance(time.Minute)
			since := w.enroll(w.home, w.People[5], goodPIN)
			must(t, 0, w.System.Admin.StopClient(t.Context(), store.ClientChannel, w.watch.ID))
			w.Close()
			r := w.checked(dir)
			if b := r.Beside; b.Head <= r.Manifest.Clients || b.Cards != 3 || b.Behind != 2 || b.LaterPIN != 1 || b.Since != 1 || len(b.Older)+len(b.Away) != 0 {
				t.Errorf("later: %+v, clients %d", b, r.Manifest.Clients)
			}

			for _, name := range glob(filepath.Join(w.Dir, "liuma.db")) {
				must(t, 0, os.Remove(name))
			}
			w.restored(dir)
			w.accepted()
			for name, got := range map[string]string{"later PIN": w.attempt(laterPIN, ""), "older PIN": w.attempt(goodPIN, ""), "guesses": w.with(guessed, goodPIN)} {
				if got != "unavailable" {
					t.Errorf("%s before the restore was accepted: %q", name, got)
				}
			}
			if got := w.with(untouched, goodPIN); got != "right" {
				t.Errorf("a card that did not change: %q", got)
			}
			done, err := w.System.Admin.AcceptRestore(t.Context(), liuma.CardID{}, "the disk died")
			if must(t, done, err); done.Raised != r.Beside.Behind || done.Failed != 0 {
				t.Errorf("accepted: %+v, the check said %d", done, r.Beside.Behind)
			}
			if got := w.attempt(goodPIN, ""); got != "wrong" {
				t.Errorf("the older PIN: %q", got)
			}
			if got := w.attempt(laterPIN, ""); got != "right" {
				t.Errorf("the later PIN: %q", got)
			}
			if got := w.with(guessed, wrongPIN); got != "wrong" {
				t.Errorf("the sixth wrong guess: %q", got)
			}
			if got := w.with(guessed, goodPIN); got != "locked" {
				t.Errorf("after five guesses since the backup and one more: %q", got)
			}
			if got := w.with(since, goodPIN); got == "right" {
				t.Errorf("a card that was enrolled since, by its link: %q", got)
			}
			w.who = w.People[5]
			if got := w.apply(w.shady, thiefPIN); got != "card_restored" {
				t.Errorf("its holder's next application: %q", got)
			}
		})
	}
}

// TestKeepersRestoredWithTheDatabase: everything is of the time of the backup. No
// keeper is behind what the database remembers, PINs are the old ones, and one
// window of guesses comes back: which is why keepers are in no backup by default.
func TestKeepersRestoredWithTheDatabase(t *testing.T) {
	testkit.FileOnly(t)
	w := newWorldOf(t, testkit.Options{Shape: "2/3"})
	for range 5 {
		if got := w.attempt(wrongPIN, ""); got != "wrong" {
			t.Fatal(got)
		}
	}
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Fatal(got)
	}
	dir := w.backedUp(true, true)
	if got := w.attempt(goodPIN, laterPIN); got != "right" {
		t.Fatal(got)
	}
	for range 5 {
		if got := w.attempt(wrongPIN, ""); got != "wrong" {
			t.Fatal(got)
		}
	}
	must(t, 0, w.System.Admin.StopClient(t.Context(), store.ClientChannel, w.watch.ID))
	w.Close()
	own, err := backup.Check(t.Context(), backup.Question{Dir: dir})
	if must(t, own, err); !own.Sound() || !own.Beside.Own || own.Beside.Keepers != 3 || len(own.Beside.Older) != 0 || own.Beside.Behind != 0 {
		t.Errorf("beside its own keepers: %+v", own.Beside)
	}
	w.restored(dir)
	w.accepted()
	for range 5 {
		if got := w.attempt(wrongPIN, ""); got != "wrong" {
			t.Errorf("a guess of the window that came back: %q", got)
		}
	}
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Errorf("the PIN of the time of the backup: %q", got)
	}
}
