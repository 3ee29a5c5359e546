package attack

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// keeperState is how one keeper stands, by administration.
func (w *world) keeperState(id string) admin.KeeperState {
	w.t.Helper()
	list, err := w.System.Admin.Keepers(context.Background())
	must(w.t, list, err)
	for _, k := range list {
		if k.ID == id {
			return k
		}
	}
	w.t.Fatalf("no keeper %s", id)
	return admin.KeeperState{}
}

// repaired has a keeper repaired and waits until that has ended.
func (w *world) repaired(id string) admin.KeeperState {
	w.t.Helper()
	w.must(w.System.Admin.RepairKeeper(context.Background(), id, "its disk died"))
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if k := w.keeperState(id); k.State != admin.KeeperRepairing {
			return k
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("the repair does not end")
	return admin.KeeperState{}
}

// readiness is what /readyz says.
func (w *world) readiness() string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, native+"/readyz", http.NoBody)
	must(w.t, r, err)
	resp, err := w.net.RoundTrip(r)
	must(w.t, resp, err)
	var body [512]byte
	n, _ := resp.Body.Read(body[:])
	return strings.TrimSpace(resp.Status + " " + string(body[:n]))
}

// faultsTold counts the entries of the record about a fault of keepers. A request under way
// while the world's clock is moved comes to a keeper with a time that is far off, which
// raises an alarm of its own.
func (w *world) faultsTold(fault string) (n int) {
	w.t.Helper()
	w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		n = 0
		for _, e := range all {
			if e.Event == audit.KeeperAlarm && e.Outcome == fault {
				n++
			}
		}
		return err
	}))
	return n
}

// TestAKeeperThatIsGone: with the directory of one keeper of three lost,
// everything goes on at every door, who looks is told, and once the keeper is
// repaired it is one of three again, a restart included.
func TestAKeeperThatIsGone(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Shape: "2/3"})
	k2 := w.System.Config.Keepers.Directories[1]
	w.restart(func() { w.must(os.RemoveAll(k2)) })

	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Errorf("verify: %q", got)
	}
	if got := w.attempt(wrongPIN, ""); got != "wrong" {
		t.Errorf("verify wrongly: %q", got)
	}
	for range 2 { // a second change finds the first not acknowledged by all
		if got := w.attempt(goodPIN, "627159"); got != "right" {
			t.Errorf("change: %q", got)
		}
		if got := w.attempt("627159", goodPIN); got != "right" {
			t.Errorf("change back: %q", got)
		}
	}
	mine := w.ownCard() // enrols
	_, p := w.ownReset(w.browser(), mine)
	w.shady.redeemed(w.typed(p, "840362"))
	if got := w.shady.tryVerify(mine, "840362"); got != "right" {
		t.Errorf("after a reset: %q", got)
	}
	if got := w.readiness(); !strings.Contains(got, "200") || !strings.Contains(got, `"status":"ready","keepers":"degraded"`) {
		t.Errorf("ready: %s", got)
	}
	why := "k2: no such file or directory"
	if testkit.Wired() {
		why = "keeper: gone" // no words of a keeper come over its connection
	}
	if k := w.keeperState("k2"); k.State != "gone" || k.Since == nil || !strings.HasSuffix(k.Why, why) {
		t.Errorf("k2: %+v", k)
	}
	if got := w.faultsTold("gone"); got != 1 {
		t.Errorf("%d alarms in the record, want one", got)
	}
	w.restart() // it stays away, and nothing makes it appear
	if _, err := os.Lstat(k2); err == nil {
		t.Fatal("a server made the directory anew")
	}

	k := w.repaired("k2")
	if k.State != admin.KeeperWhole || k.Repaired == nil || !k.Repaired.KeyFile || !k.Repaired.NewLedger {
		t.Fatalf("repaired: %+v", k)
	}
	if got := w.readiness(); !strings.Contains(got, `"keepers":"whole"`) {
		t.Errorf("ready: %s", got)
	}
	if got := w.entries(audit.KeeperRepaired); got != 2 { // begun and ended
		t.Errorf("%d entries about the repair", got)
	}
	w.settle()
	s, err := w.System.Admin.Status(context.Background())
	if must(t, s, err); s.OpenIntents != 0 {
		t.Errorf("%d settings of a PIN are still not at every keeper", s.OpenIntents)
	}
	k1, k3 := w.System.Config.Keepers.Directories[0], w.System.Config.Keepers.Directories[2]
	w.restart(func() { // now k2 carries the others
		w.must(os.Rename(k1, k1+".away"))
	})
	if got := w.attempt(goodPIN, ""); got != "right" {
		t.Errorf("with k2 and k3: %q", got)
	}
	w.Close()
	w.must(os.Rename(k3, k3+".away"))
	defer func() { // the world is closed by the test's end
		w.must(os.Rename(k3+".away", k3))
		w.Open()
	}()
	if err := w.World.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "1 of 3") {
		t.Errorf("with k2 alone: %v", err)
	}
}

// TestAPutBackKeeperGivesNoGuessBack: who may write to the directory of one keeper
// puts its ledger back after each wrong guess, before a start and beside the
// server, and has it repaired: there are no more than six guesses.
func TestAPutBackKeeperGivesNoGuessBack(t *testing.T) {
	w := newWorldOf(t, testkit.Options{Shape: "2/3"})
	file := filepath.Join(w.System.Config.Keepers.Directories[1], "ledger.db")
	var old []byte
	w.restart(func() {
		raw, err := os.ReadFile(file)
		old = must(t, raw, err)
	})
	wrong := 0
	for i := range 12 {
		switch got := w.attempt(wrongPIN, ""); got {
		case "wrong":
			wrong++
		case "locked":
		default:
			t.Fatalf("guess %d: %q", i+1, got)
		}
		w.restart(func() {
			for _, name := range glob(file) {
				if !strings.HasSuffix(name, ".lock") {
					w.must(os.Remove(name))
				}
			}
			w.must(os.WriteFile(file, old, 0o600))
		})
		// It has stopped before anybody asked it for anything: its own writes could
		// bring it up to what was seen.
		if _, err := w.System.Keepers[1].Status(context.Background(), w.cardID()); !errors.Is(err, ledger.ErrRolledBack) {
			t.Fatalf("after guess %d the keeper that was put back says: %v", i+1, err)
		}
		if k := w.keeperState("k2"); k.State != "rolled_back" {
			t.Fatalf("after guess %d the keeper that was put back is %+v", i+1, k)
		}
		if i%2 == 1 {
			if k := w.repaired("k2"); k.State != admin.KeeperWhole {
				t.Fatalf("repaired: %+v", k)
			}
		}
	}
	if wrong > 6 {
		t.Errorf("%d guesses", wrong)
	}
	if got := w.attempt(goodPIN, ""); got != "locked" {
		t.Errorf("the right PIN afterwards: %q", got)
	}
}
