package server_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// far is a world whose three keepers are behind connections.
type far struct {
	*testkit.Env
	house   *keepers.House
	channel authority.Caller
	card    store.Handle
}

const farPIN, otherPIN = "274916", "627159"

func newFar(t *testing.T, change ...func(*keepers.Config)) *far {
	t.Helper()
	clock := testkit.RunningClock(0)
	c := keepers.Config{Dir: t.TempDir(), Machine: clock}
	for _, f := range change {
		f(&c)
	}
	house, err := keepers.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &far{house: house}
	w.Env = testkit.New(t, testkit.Options{House: house, Watch: 200 * time.Millisecond, Clock: clock, Wait: func(context.Context, time.Duration) {}})
	w.channel = w.Channel("app")
	w.card = w.Enroll(w.channel, w.People[0], farPIN)
	return w
}

func (w *far) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// verdict is that of one guess.
func (w *far) verdict(pin string) liuma.Verdict {
	w.T.Helper()
	v, err := w.Authority().Verify(context.Background(), w.channel, w.VerifyRequest(w.channel, w.card, pin))
	if liuma.CodeOf(err) == liuma.CodeUnavailable {
		return liuma.Unavailable
	}
	w.must(err)
	return v.Verdict
}

// until waits for something that comes by itself.
func (w *far) until(what string, is func() bool) {
	w.T.Helper()
	patience.Until(w.T, what, is)
}

func (w *far) ready() bool {
	return w.System.Quorum.Ready(context.Background()) == nil && w.System.Quorum.KeySet() != 0
}

func (w *far) state(id string) admin.KeeperState {
	w.T.Helper()
	list, err := w.System.Admin.Keepers(context.Background())
	w.must(err)
	at := slices.IndexFunc(list, func(k admin.KeeperState) bool { return k.ID == id })
	if at < 0 {
		w.T.Fatalf("no keeper %s", id)
	}
	return list[at]
}

// alarms counts the entries of the record about a keeper and a fault.
func (w *far) alarms(id string, fault keeper.Fault) (n int) {
	w.T.Helper()
	w.must(w.System.Store.View(context.Background(), func(r store.Reader) error {
		streams, err := r.Streams(audit.Stream{}, 1000)
		if err != nil {
			return err
		}
		for _, s := range streams {
			entries, err := r.Entries(s.Stream, 0, 10000)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.Event == audit.KeeperAlarm && e.Outcome == string(fault) && e.Note == "keeper="+id {
					n++
				}
			}
		}
		return nil
	}))
	return n
}

// TestRemoteKeepers: with keepers on machines of their own everything is as with keepers
// inside, a restart of each side included.
func TestRemoteKeepers(t *testing.T) {
	w := newFar(t)
	for pin, want := range map[string]liuma.Verdict{farPIN: liuma.Right, otherPIN: liuma.Wrong} {
		if got := w.verdict(pin); got != want {
			t.Errorf("%s: %s", pin, got)
		}
	}
	w.Change(w.channel, w.card, farPIN, otherPIN)
	w.Close()
	for _, p := range w.house.Posts() {
		w.must(p.Stop())
		w.must(p.Start(t.Context()))
	}
	w.Open()
	if got := w.verdict(otherPIN); got != liuma.Right {
		t.Errorf("after a restart: %s", got)
	}
	for i := 1; i <= 3; i++ {
		k := w.state(fmt.Sprintf("k%d", i))
		if r := k.Remote; k.State != admin.KeeperWhole || k.Sequence == 0 || r == nil || r.Member != i || r.Address != w.house.Posts()[i-1].Address ||
			r.Until == nil || r.Release != "trial" || r.RoundTrip <= 0 || !slices.Equal(r.KeySets, []uint32{1}) || r.InUse != 1 {
			t.Errorf("%+v %+v", k, k.Remote)
		}
	}
	for id, want := range map[string]error{"k2": admin.ErrElsewhere, "k9": admin.ErrNoKeeper} {
		if err := w.System.Admin.RepairKeeper(t.Context(), id, "its disk died"); !errors.Is(err, want) {
			t.Errorf("repair %s: %v", id, err)
		}
	}
}

// TestARemoteKeeperIsAway: one of three changes nothing for holders, whether it is away at
// the start or goes later, and is told of; it heals by itself.
func TestARemoteKeeperIsAway(t *testing.T) {
	w := newFar(t)
	w.must(w.house.Posts()[2].Stop())
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("while it goes: %s", got)
	}
	w.Change(w.channel, w.card, farPIN, otherPIN)
	if k := w.state("k3"); k.State != string(keeper.Silent) || k.Since == nil || !w.System.Quorum.Degraded() {
		t.Errorf("%+v", k)
	}
	w.Close()
	w.Open()
	if !w.ready() || w.verdict(otherPIN) != liuma.Right {
		t.Error("a start without it")
	}
	if n := w.alarms("k3", keeper.Silent); n != 1 {
		t.Errorf("%d alarms on the record", n)
	}
	w.must(w.house.Posts()[2].Start(t.Context()))
	w.until("it is whole", func() bool { return w.state("k3").State == admin.KeeperWhole && !w.System.Quorum.Degraded() })
	// It catches up: with another one away it is needed for the new PIN.
	w.must(w.house.Posts()[0].Stop())
	if got := w.verdict(otherPIN); got != liuma.Right {
		t.Errorf("on the healed one's word: %s", got)
	}
}

// TestTooFewRemoteKeepers: with too few nothing is right or wrong, a server starts all the
// same and is not ready, and it heals by itself.
func TestTooFewRemoteKeepers(t *testing.T) {
	w := newFar(t)
	for _, p := range w.house.Posts()[1:] {
		w.must(p.Stop())
	}
	if got := w.verdict(farPIN); got != liuma.Unavailable {
		t.Errorf("with one of three: %s", got)
	}
	w.Close()
	w.Open()
	if w.ready() {
		t.Error("ready with one of three")
	}
	if _, err := w.Authority().Enroll(t.Context(), w.channel, w.EnrollRequest(w.channel, w.People[1], farPIN)); liuma.CodeOf(err) != liuma.CodeUnavailable {
		t.Errorf("enroll: %v", err)
	}
	w.must(w.house.Posts()[1].Start(t.Context()))
	w.until("it is ready", w.ready)
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("with two of three: %s", got)
	}
	w.Enroll(w.channel, w.People[1], farPIN)
}

// TestARemoteKeeperThatHangs holds nobody up: a right PIN is right at once and a wrong one
// after the quorum's wait, with many at a time too.
func TestARemoteKeeperThatHangs(t *testing.T) {
	w := newFar(t)
	w.house.Posts()[0].Hang()
	defer w.house.Posts()[0].Wake()
	var mu sync.Mutex
	var took []time.Duration // guarded by mu
	var all sync.WaitGroup
	cards := []store.Handle{w.card}
	for _, p := range w.People[1:8] {
		cards = append(cards, w.Enroll(w.channel, p, farPIN))
	}
	for _, card := range cards {
		all.Go(func() {
			for range 10 {
				began := time.Now()
				v, err := w.Authority().Verify(context.Background(), w.channel, w.VerifyRequest(w.channel, card, farPIN))
				if err != nil || v.Verdict != liuma.Right {
					t.Errorf("%s, %v", v.Verdict, err)
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	// Waiting for the one that hangs would take half a second at least.
	// On a busy machine many take that long anyhow.
	if slices.Sort(took); took[len(took)/4] > 400*time.Millisecond {
		t.Errorf("three of four right PINs took longer than %s", took[len(took)/4])
	}
	began := time.Now()
	if got := w.verdict(otherPIN); got != liuma.Wrong || time.Since(began) > 20*time.Second {
		t.Errorf("a wrong one: %s after %s", got, time.Since(began))
	}
	w.house.Posts()[0].Wake()
	w.until("it is whole", func() bool { return w.state("k1").State == admin.KeeperWhole })
}

// lying answers an attempt with the share of another PIN.
type lying struct {
	keeper.Keeper
	lies *atomic.Bool
}

func (k lying) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	a, err := k.Keeper.Attempt(ctx, q)
	if err == nil && k.lies.Load() && k.ID() == "k2" {
		a.Shares = slices.Clone(a.Shares)
		for i := range a.Shares {
			a.Shares[i].Point = q.Blinded
		}
	}
	return a, err
}

func TestARemoteKeeperThatLies(t *testing.T) {
	var lies atomic.Bool
	w := newFar(t, func(c *keepers.Config) { c.Between = func(k keeper.Keeper) keeper.Keeper { return lying{k, &lies} } })
	lies.Store(true)
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("a right PIN: %s", got)
	}
	w.until("it is on the record", func() bool { return w.alarms("k2", keeper.Disagrees) > 0 })
	if got := w.verdict(otherPIN); got != liuma.Wrong {
		t.Errorf("a wrong PIN: %s", got)
	}
}

// TestARemoteKeeperIsRolledBack: an older ledger in its place stops it, although the
// authority was restarted in between.
func TestARemoteKeeperIsRolledBack(t *testing.T) {
	w := newFar(t)
	p := w.house.Posts()[1]
	w.Close() // saves what was seen
	w.must(p.Stop())
	older, err := os.ReadFile(filepath.Join(p.Dir, "ledger.db"))
	w.must(err)
	w.must(p.Start(t.Context()))
	w.Open()
	for range 3 {
		w.verdict(otherPIN)
	}
	time.Sleep(1200 * time.Millisecond) // sequences are saved every second
	w.Close()
	w.must(p.Stop())
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(filepath.Join(p.Dir, "ledger.db"+beside)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	w.must(os.WriteFile(filepath.Join(p.Dir, "ledger.db"), older, 0o600))
	w.must(p.Start(t.Context()))
	w.Open()
	if k := w.state("k2"); k.State != string(keeper.RolledBack) {
		t.Errorf("%+v", k)
	}
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("without it: %s", got)
	}
	if n := w.alarms("k2", keeper.RolledBack); n == 0 {
		t.Error("nothing stands on the record")
	}
}

// TestFaultsBetweenCertificates: a keeper that dismissed the authority, and one that says
// that it is another, each have a fault of their own, on the record once.
func TestFaultsBetweenCertificates(t *testing.T) {
	var another atomic.Bool
	w := newFar(t, func(c *keepers.Config) {
		c.Says = func(a keeper.About) keeper.About {
			if another.Load() && a.Member == 1 {
				a.ID = "k7"
			}
			return a
		}
	})
	w.must(w.house.Posts()[1].Dismiss("authority"))
	w.until("it is told", func() bool { return w.alarms("k2", keeper.CertificateBad) == 1 })
	if k := w.state("k2"); k.State != string(keeper.CertificateBad) || k.Remote.RoundTrip != 0 {
		t.Errorf("dismissed: %+v", k)
	}
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("by the others: %s", got)
	}
	another.Store(true)
	w.until("it is told", func() bool { return w.alarms("k1", keeper.Stranger) == 1 })
	if got := w.verdict(farPIN); got != liuma.Unavailable {
		t.Errorf("with one that is left: %s", got)
	}
	another.Store(false)
	w.until("it is whole", func() bool { return w.state("k1").State == admin.KeeperWhole })
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("when it is itself again: %s", got)
	}
	time.Sleep(600 * time.Millisecond)
	if n := w.alarms("k2", keeper.CertificateBad); n != 1 {
		t.Errorf("%d alarms about k2", n)
	}
}

// TestARotationNeedsNoRestart: new versions go under a new key set once all hold it, and
// those before stay under theirs.
func TestARotationNeedsNoRestart(t *testing.T) {
	var rotated atomic.Int32
	w := newFar(t, func(c *keepers.Config) {
		c.Says = func(a keeper.About) keeper.About {
			if int(rotated.Load()) < a.Member {
				return a
			}
			second := keeper.HeldKeySet{ID: 2}
			for _, s := range (split.Shape{T: 2, N: 3}).SubsetsOf(a.Member) {
				second.Prints = append(second.Prints, keeper.Fingerprint{Member: a.Member, Subset: s, Sum: [32]byte{byte(s)}})
			}
			a.KeySets = append(slices.Clone(a.KeySets), second)
			return a
		}
	})
	rotated.Store(2)
	time.Sleep(600 * time.Millisecond)
	if got := w.System.Quorum.KeySet(); got != 1 {
		t.Errorf("two of three hold it, and key set %d is used", got)
	}
	rotated.Store(3)
	w.until("the new one is used", func() bool { return w.System.Quorum.KeySet() == 2 })
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("a version of the one before: %s", got)
	}
}

// rotate has the keepers make another key set among themselves, as their administrators do
// with files and digits, and start anew with it.
func (w *far) rotate() {
	w.T.Helper()
	posts := w.house.Posts()
	desks, at := make([]keys.Desk, len(posts)), make([]keys.Where, len(posts))
	for i, p := range posts {
		desks[i] = keys.Desk{Dir: p.Dir}
		var err error
		at[i], err = desks[i].Rotate(0)
		w.must(err)
	}
	for range 4 { // each file may lead to the next one
		for j, d := range desks {
			for i := range desks {
				var files [][]byte
				for _, path := range at[i].Carry {
					data, err := os.ReadFile(path)
					w.must(err)
					files = append(files, data)
				}
				if i == j || at[j].Stage == keys.Reading || len(files) == 0 {
					continue
				}
				now, err := d.Take(files...)
				if err != nil && !errors.Is(err, keys.ErrOrder) {
					w.T.Fatal(err)
				}
				if err == nil {
					at[j] = now
				}
			}
		}
	}
	for i, p := range posts {
		w.must(p.Stop())
		_, err := desks[i].Finish(context.Background(), at[(i+1)%len(at)].Digits)
		w.must(err)
		w.must(p.Start(context.Background()))
		if i < len(posts)-1 {
			time.Sleep(time.Second)
			if got := w.System.Quorum.KeySet(); got != 1 {
				w.T.Errorf("%d of 3 have it, and key set %d is used", i+1, got)
			}
		}
	}
}

// TestPINsUnderTwoKeySets: after a rotation those of before are right as they were, and
// those of after are made under the new key set.
func TestPINsUnderTwoKeySets(t *testing.T) {
	w := newFar(t)
	w.rotate()
	w.until("the new key set is used", func() bool { return w.System.Quorum.KeySet() == 2 })
	if got := w.verdict(farPIN); got != liuma.Right {
		t.Errorf("a PIN of before: %s", got)
	}
	w.Change(w.channel, w.card, farPIN, otherPIN)
	w.must(w.System.Store.View(t.Context(), func(r store.Reader) error {
		ids, err := r.CardIDs(liuma.CardID{}, 2)
		if err != nil || len(ids) != 1 {
			return fmt.Errorf("%d cards: %w", len(ids), err)
		}
		card, err := r.Card(ids[0])
		if card.KeySet != 2 {
			t.Errorf("the new PIN is under key set %d", card.KeySet)
		}
		return err
	}))
	for pin, want := range map[string]liuma.Verdict{otherPIN: liuma.Right, farPIN: liuma.Wrong} {
		if got := w.verdict(pin); got != want {
			t.Errorf("after the change, %s: %s", pin, got)
		}
	}
	if r := w.state("k1").Remote; !slices.Equal(r.KeySets, []uint32{1, 2}) || r.InUse != 2 {
		t.Errorf("%+v", r)
	}
}

// TestStatusWithoutAServer: administration asks the keepers itself where nobody serves,
// and says why where the settings cannot be used.
func TestStatusWithoutAServer(t *testing.T) {
	w := newFar(t)
	conf := w.System.Config
	w.Close()
	defer w.Open()
	w.must(w.house.Posts()[2].Stop())
	states := func() []admin.KeeperState {
		t.Helper()
		a, err := server.Administer(t.Context(), server.AdministerConfig{Dir: w.Dir, Config: conf, Machine: w.Clock, Origin: admin.Origin{Account: new(uint32)}})
		w.must(err)
		list, err := a.Keepers(t.Context())
		w.must(errors.Join(err, a.Close()))
		return list
	}
	list := states()
	if len(list) != 3 || list[0].State != admin.KeeperWhole || list[2].State != string(keeper.Silent) || list[1].Remote.RoundTrip <= 0 || list[0].Sequence == 0 {
		t.Errorf("%+v", list)
	}
	key, err := os.ReadFile(conf.Keepers.Key)
	w.must(err)
	w.must(os.Remove(conf.Keepers.Key))
	if list := states(); len(list) != 3 || list[0].State != "" || list[0].Why == "" {
		t.Errorf("without the key: %+v", list)
	}
	if _, err := server.Open(t.Context(), conf, server.Options{Machine: w.Clock}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a server without the key: %v", err)
	}
	w.must(os.WriteFile(conf.Keepers.Key, key, 0o600))
}
