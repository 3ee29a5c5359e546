package server_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/internal/vault"
)

// beside is a world whose database other authorities work with, too.
type beside struct {
	*far
	dsn string
}

func newBeside(t *testing.T) *beside {
	t.Helper()
	return newBetween(t, nil)
}

// newBetween is newBeside with something between each keeper's door and the keeper.
func newBetween(t *testing.T, between func(keeper.Keeper) keeper.Keeper) *beside {
	t.Helper()
	clock := testkit.RunningClock(0)
	house, err := keepers.New(t.Context(), keepers.Config{Dir: t.TempDir(), Machine: clock, Between: between})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &beside{far: &far{house: house}, dsn: testkit.NewDatabase(t)}
	w.Env = testkit.New(t, testkit.Options{House: house, Watch: 200 * time.Millisecond, Clock: clock, Wait: func(context.Context, time.Duration) {},
		Configure: func(c *config.Config) { c.Database = w.dsn }})
	w.channel = w.Channel("app")
	w.card = w.Enroll(w.channel, w.People[0], farPIN)
	return w
}

// directory is a copy of the data directory for another machine.
func (w *beside) directory() string {
	w.T.Helper()
	dir := filepath.Join(w.T.TempDir(), "data")
	from := os.DirFS(w.Dir)
	w.must(fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || path == server.NameFile || !e.IsDir() && !e.Type().IsRegular():
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(dir, path), 0o700)
		}
		content, err := fs.ReadFile(from, path)
		return errors.Join(err, os.WriteFile(filepath.Join(dir, path), content, 0o600))
	}))
	return dir
}

// another opens a further authority, with a clock of its own or the world's.
func (w *beside) another(clock *testkit.Clock) *server.System {
	w.T.Helper()
	if clock == nil {
		clock = w.Clock
	}
	dir := w.directory()
	c, err := config.Load(dir)
	w.must(err)
	s, err := server.Open(w.T.Context(), c, server.Options{Machine: clock, Wait: func(context.Context, time.Duration) {}, WatchKeepers: 200 * time.Millisecond})
	w.must(err)
	w.T.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.T.Error(err)
		}
	})
	return s
}

// guess is one guess at the card, at one of the authorities.
func (w *beside) guess(at *server.System, pin string) (liuma.Verdict, error) {
	v, err := at.Front().Verify(context.Background(), w.channel, w.VerifyRequest(w.channel, w.card, pin))
	return v.Verdict, err
}

// cardID is the card's, by its handle.
func (w *beside) cardID() (id liuma.CardID) {
	w.T.Helper()
	w.must(w.System.Store.View(w.T.Context(), func(r store.Reader) error {
		link, err := r.LinkByHandle("app", w.card)
		id = link.Card
		return err
	}))
	return id
}

// stream is what the record says about the card.
func (w *beside) stream() (out []audit.Event) {
	w.T.Helper()
	w.must(w.System.Store.View(w.T.Context(), func(r store.Reader) error {
		entries, err := r.Entries(audit.CardStream(w.cardID()), 0, 10_000)
		for _, e := range entries {
			out = append(out, e.Event)
		}
		return err
	}))
	return out
}

// oneInFlight checks that no guess was begun before the one before it had ended.
func (w *beside) oneInFlight() {
	w.T.Helper()
	open := false
	for _, e := range w.stream() {
		switch e {
		case audit.AttemptBegun:
			if open {
				w.T.Fatal("two guesses at one card were in flight at once")
			}
			open = true
		case audit.AttemptDecided, audit.AttemptUndecided:
			open = false
		}
	}
}

// TestOneCardAtAllAuthorities: guesses at one card, at three authorities at once, come one
// after the other, and all together get no more than one authority would give.
func TestOneCardAtAllAuthorities(t *testing.T) {
	w := newBeside(t)
	all := []*server.System{w.System, w.another(nil), w.another(nil)}
	for i, s := range all {
		if v, err := w.guess(s, farPIN); err != nil || v != liuma.Right {
			t.Fatalf("authority %d: %v, %v", i, v, err)
		}
	}
	var mu sync.Mutex
	wrong := 0
	var guessing sync.WaitGroup
	for i := range 24 {
		q := w.VerifyRequest(w.channel, w.card, otherPIN)
		guessing.Go(func() {
			v, err := all[i%3].Front().Verify(context.Background(), w.channel, q)
			switch code := liuma.CodeOf(err); {
			case err == nil && v.Verdict == liuma.Wrong:
				mu.Lock()
				wrong++
				mu.Unlock()
			case err == nil && v.Verdict == liuma.Right:
				t.Error("a wrong PIN is right")
			case err != nil && code != liuma.CodeBusy:
				t.Errorf("%v", err)
			}
		})
	}
	guessing.Wait()
	if most := ledger.NationalLimits().Attempts; wrong == 0 || wrong > most {
		t.Errorf("%d wrong guesses, want at most %d", wrong, most)
	}
	w.oneInFlight()
	for _, e := range w.stream() {
		if e == audit.KeeperAlarm {
			t.Error("an alarm about a row that nobody put back")
		}
	}
}

// freezer freezes a card at an authority, and puts the row from before back at once, with its
// place in the record, as whoever may write to the database can.
type freezer struct {
	*beside
	at *server.System
	id liuma.CardID
	db *pgx.Conn
}

func (w *beside) freezer(at *server.System) *freezer {
	w.T.Helper()
	db, err := pgx.Connect(w.T.Context(), w.dsn)
	w.must(err)
	w.T.Cleanup(func() { _ = db.Close(context.Background()) })
	return &freezer{w, at, w.cardID(), db}
}

func (f *freezer) do(text string, args ...any) {
	f.T.Helper()
	_, err := f.db.Exec(f.T.Context(), text, args...)
	f.must(err)
}

// copy keeps what is to be put back.
func (f *freezer) copy() {
	f.do("CREATE TEMP TABLE was AS SELECT * FROM cards WHERE key = $1", f.id[:])
	f.do("CREATE TEMP TABLE noted AS SELECT kind, stream, number FROM audit WHERE stream = $1", f.id[:])
}

// freeze freezes the card, and waits until the keepers have heard of it.
func (f *freezer) freeze() {
	f.T.Helper()
	bn := f.BusinessNo()
	_, err := f.at.Front().Freeze(f.T.Context(), f.channel, authority.Request{BusinessNo: bn, Subject: envelope.Subject{Card: string(f.card)}, Digest: testkit.Digest(string(bn))})
	f.must(err)
	var frozen uint64
	f.must(f.db.QueryRow(f.T.Context(), "SELECT rev FROM cards WHERE key = $1", f.id[:]).Scan(&frozen))
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		heard := 0
		for _, k := range f.at.Keepers {
			if a, err := k.Status(f.T.Context(), f.id); err == nil && a.Row.Head >= frozen {
				heard++
			}
		}
		if heard == len(f.at.Keepers) {
			return
		}
		if time.Now().After(end) {
			f.T.Error("the keepers do not hear of the freeze")
			return
		}
	}
}

// putBack puts back what was kept.
func (f *freezer) putBack() {
	f.do("ALTER TABLE audit DISABLE TRIGGER USER")
	f.do("DELETE FROM audit WHERE stream = $1 AND number > (SELECT max(number) FROM noted)", f.id[:])
	f.do("ALTER TABLE audit ENABLE TRIGGER USER")
	f.do("UPDATE cards AS c SET rev = w.rev, body = w.body, seal_key = w.seal_key, seal = w.seal FROM was AS w WHERE c.key = w.key")
}

// noVerdict checks that a guess with the right PIN at the first authority comes to none.
func (f *freezer) noVerdict() {
	f.T.Helper()
	v, err := f.guess(f.System, farPIN)
	if err == nil && v != liuma.Unavailable || err != nil && liuma.CodeOf(err) != liuma.CodeUnavailable {
		f.T.Errorf("by the row from before the freeze: %v, %v", v, err)
	}
}

// TestAFreezeTakenBack: a holder freezes the card at one authority, and whoever may write to
// the database puts the row from before back at once, with its place in the record. Another
// authority, which left the row there and had it proved a moment ago, gives no verdict by it.
func TestAFreezeTakenBack(t *testing.T) {
	w := newBeside(t)
	f := w.freezer(w.another(nil))
	if v, err := w.guess(w.System, farPIN); err != nil || v != liuma.Right {
		t.Fatal(v, err)
	}
	f.copy()
	f.freeze()
	f.putBack()
	f.noVerdict()
}

// interrupted does something before the first evaluation of a guess.
type interrupted struct {
	keeper.Keeper
	before func()
}

func (k interrupted) Attempt(ctx context.Context, q keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	k.before()
	return k.Keeper.Attempt(ctx, q)
}

// TestAFreezeTakenBackWithinAGuess: the same, after the guess was counted and before any
// keeper evaluates it. The row is the very one that the guess left; the keepers, which have
// heard of the freeze, evaluate nothing, and the card serves nobody from then on.
func TestAFreezeTakenBackWithinAGuess(t *testing.T) {
	var now atomic.Pointer[func()]
	w := newBetween(t, func(k keeper.Keeper) keeper.Keeper {
		return interrupted{k, func() {
			if do := now.Load(); do != nil {
				(*do)()
			}
		}}
	})
	f := w.freezer(w.another(nil))
	within := sync.OnceFunc(func() {
		f.copy()
		f.freeze()
		f.putBack()
	})
	now.Store(&within)
	f.noVerdict()
	f.noVerdict()
}

// TestChangeBesideVerifications: a PIN is changed at one authority while the others verify;
// afterwards the new one is right everywhere, and the old one nowhere.
func TestChangeBesideVerifications(t *testing.T) {
	w := newBeside(t)
	all := []*server.System{w.System, w.another(nil)}
	old, chosen := farPIN, "814937"
	for round := range 4 {
		stop := make(chan struct{})
		var verifying sync.WaitGroup
		verifying.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := w.guess(all[(round+1)%2], old)
				if code := liuma.CodeOf(err); err != nil && code != liuma.CodeBusy && code != liuma.CodeUnavailable && code != liuma.CodeChangeUnderWay {
					t.Error(err)
				}
				if v == liuma.Wrong {
					return
				}
			}
		})
		var v authority.Verification
		var err error
		for try := 0; try < 20; try++ {
			v, err = all[round%2].Front().Change(t.Context(), w.channel, w.ChangeRequest(w.channel, w.card, old, chosen))
			if code := liuma.CodeOf(err); code != liuma.CodeBusy && code != liuma.CodeChangeUnderWay {
				break
			}
		}
		close(stop)
		verifying.Wait()
		if err != nil || v.Verdict != liuma.Right {
			t.Fatalf("round %d: %+v, %v", round, v, err)
		}
		for i, s := range all {
			if v, err := w.guess(s, chosen); err != nil || v != liuma.Right {
				t.Errorf("round %d: the new PIN at authority %d: %v, %v", round, i, v, err)
			}
		}
		if v, err := w.guess(all[(round+1)%2], old); err != nil || v != liuma.Wrong {
			t.Errorf("round %d: the old PIN: %v, %v", round, v, err)
		}
		if v, err := w.guess(all[round%2], chosen); err != nil || v != liuma.Right {
			t.Errorf("round %d: after that: %v, %v", round, v, err)
		}
		old, chosen = chosen, old
	}
	w.oneInFlight()
}

// TestAuthoritiesKnowOneAnother: who serves, and who does what for all, is known to each;
// duties go over when one leaves; clients and the time reach the other's own files and clock.
func TestAuthoritiesKnowOneAnother(t *testing.T) {
	w := newBeside(t)
	clock := testkit.RunningClock(0)
	second := w.another(clock)
	peers, err := second.Store.Peers(t.Context())
	w.must(err)
	if len(peers) != 2 {
		t.Fatalf("there are %+v", peers)
	}
	duties := func(want string) bool {
		there, err := second.Store.Duties(t.Context())
		return err == nil && len(there) == 5 && !slices.ContainsFunc(there, func(d store.DutyState) bool { return d.Process != want })
	}
	if !duties(w.System.Store.Self().Process) {
		t.Error("the first one does not have the duties")
	}
	w.Channel("another")
	var shared uint64
	w.must(w.System.Store.View(t.Context(), func(r store.Reader) (err error) { shared, err = r.Shared(); return err }))
	w.until("the second one's file of heads is as high", func() bool {
		heads, err := vault.OpenHeads(second.Vault, filepath.Dir(second.Config.Vault))
		return err == nil && heads.Get("shared") >= shared
	})
	// The machines were off for an hour, as it were; an operator says so at the first one.
	w.Clock.Step(time.Hour)
	clock.Step(time.Hour)
	state, err := w.System.Clock.Accept()
	w.must(err)
	w.must(w.System.Database.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.ClockAccepted, Outcome: "ok"}, tx.SaveClock(state)
	}))
	w.System.Clock.Adopt(state)
	w.until("the second one has the new time", func() bool { return second.Clock.Read().Lag() < time.Minute })
	if _, err := server.OpenData(t.Context(), w.System.Config, server.Options{}); !errors.Is(err, postgres.ErrInUse) || !strings.Contains(err.Error(), peers[1].Name) {
		t.Errorf("who wants the database alone: %v", err)
	}
	w.Close()
	w.until("the duties went over", func() bool { return duties(second.Store.Self().Process) })
	count := map[audit.Event]int{}
	for _, e := range allEntries(t, second.Store) {
		count[e.Event]++
	}
	if count[audit.AuthorityJoined] != 2 || count[audit.AuthorityLeft] != 1 {
		t.Errorf("the record has %d joined and %d left", count[audit.AuthorityJoined], count[audit.AuthorityLeft])
	}
}

func allEntries(t *testing.T, s store.Store) (out []audit.Recorded) {
	t.Helper()
	if err := s.View(t.Context(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{}, 1000)
		for _, h := range heads {
			entries, e := r.Entries(h.Stream, 0, 10_000)
			out, err = append(out, entries...), errors.Join(err, e)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKeepersInsideAreAlone: an authority with keepers in its own process has the database
// to itself, and says so.
func TestKeepersInsideAreAlone(t *testing.T) {
	w := newBeside(t)
	dir := w.directory()
	c, err := config.Load(dir)
	w.must(err)
	inside := config.Default()
	inside.Database, inside.Issuer = c.Database, c.Issuer
	other := filepath.Join(t.TempDir(), "inside")
	inside.Database = filepath.Join(other, "liuma.db")
	w.must(server.Init(t.Context(), other, config.Default()))
	inside, err = config.Load(other)
	w.must(err)
	inside.Database, inside.Vault = c.Database, c.Vault
	if _, err := server.Open(t.Context(), inside, server.Options{Machine: w.Clock}); !errors.Is(err, server.ErrInside) || !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("keepers inside beside another authority: %v", err)
	}
}
