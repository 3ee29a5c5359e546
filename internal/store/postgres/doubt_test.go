package postgres_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// proxy stands between a store and its server, and cuts connections.
type proxy struct {
	dir string // with its socket
	ln  net.Listener
	to  string

	mu    sync.Mutex
	conns []net.Conn        // guarded by mu
	mute  map[net.Conn]bool // guarded by mu: nothing gets through, and nobody is told
	armed bool              // guarded by mu: the next commit meets a cut
	after int               // guarded by mu: bytes of it that pass first, of way
	back  bool              // guarded by mu: what is cut is the answer, and not the question
	cut   bool              // guarded by mu: it was
	shut  atomic.Bool
}

const socketName = ".s.PGSQL.5432"

func newProxy(t *testing.T, c *pgtest.Cluster) *proxy {
	t.Helper()
	p := &proxy{dir: t.TempDir(), to: filepath.Join(c.Socket(), socketName)}
	var err error
	if p.ln, err = net.Listen("unix", filepath.Join(p.dir, socketName)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.ln.Close(); p.cutAll() })
	go func() {
		for {
			from, err := p.ln.Accept()
			if err != nil {
				return
			}
			go p.serve(from)
		}
	}()
	return p
}

func (p *proxy) dsn(name string) string {
	return "postgres://" + pgtest.Role + "@/" + name + "?host=" + p.dir
}

func (p *proxy) serve(from net.Conn) {
	to, err := net.Dial("unix", p.to)
	if err != nil || p.shut.Load() {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, from, to)
	p.mu.Unlock()
	go p.pass(from, to, false)
	p.pass(to, from, true)
}

// pass copies one way. The first write of a transaction is the question with "COMMIT" in
// it, from which on bytes are counted.
func (p *proxy) pass(from, to net.Conn, back bool) {
	defer func() { _ = from.Close(); _ = to.Close() }()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !p.muted(from) {
			pass, cut := p.allow(b[:n], back)
			if _, err := to.Write(b[:pass]); err != nil {
				return
			}
			if cut {
				p.cutAll()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// allow says how many bytes pass, and whether the connection is cut behind them.
func (p *proxy) allow(b []byte, back bool) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed || back != p.back || p.cut {
		return len(b), false
	}
	if p.after > len(b) {
		p.after -= len(b)
		return len(b), false
	}
	p.cut, p.armed = true, false
	return p.after, true
}

func (p *proxy) arm(after int, back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.after, p.back, p.cut = true, after, back, false
}

// silence loses everything on the connections that there are, as a network does that is cut.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = map[net.Conn]bool{}
	for _, c := range p.conns {
		p.mute[c] = true
	}
}

func (p *proxy) muted(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute[c]
}

func (p *proxy) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	return p.cut
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func raise(s store.Store, card liuma.CardID) error {
	return s.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Card(card)
		if err != nil {
			return audit.Entry{}, err
		}
		c.Reserved++
		return audit.Entry{At: time.Unix(1_790_000_000, 0), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok", Card: card}, tx.UpdateCard(c)
	})
}

func add(t *testing.T, s store.Store, card liuma.CardID) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Unix(1_790_000_000, 0), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok", Card: card},
			tx.InsertCard(store.Card{ID: card, Holder: [32]byte(append(card[:], card[:]...))})
	}); err != nil {
		t.Fatal(err)
	}
}

func reserved(t *testing.T, s store.Store, card liuma.CardID) (n int) {
	t.Helper()
	if err := s.View(t.Context(), func(r store.Reader) error {
		c, err := r.Card(card)
		n = int(c.Reserved)
		if err != nil {
			return err
		}
		_, err = storetest.Record(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCutAtEveryByte cuts the connection at points all through a transaction, of what goes
// to the server and of what comes back. Each Update ends well all the same, and is there
// once: where the answer to a commit is lost, its entry is looked up.
func TestCutAtEveryByte(t *testing.T) {
	c := pgtest.Borrow(t)
	c.Make(t, "liuma")
	p := newProxy(t, c)
	s := openAt(t, postgres.Config{DSN: p.dsn("liuma"), Seal: keys(t), Writers: 1, Readers: 1})
	card := liuma.CardID{1}
	add(t, s, card)
	want := 0
	for _, back := range []bool{false, true} {
		step := 313
		if os.Getenv("LIUMA_EVERY_STORY") != "" { // make nightly
			step = 97
		}
		for after := 0; ; after += step {
			if err := raise(s, card); err != nil { // makes the connection, and its statements
				t.Fatal(err)
			}
			p.arm(after, back)
			if err := raise(s, card); err != nil {
				t.Fatalf("cut after %d bytes (of the answer: %v): %v", after, back, err)
			}
			cut := p.wasCut()
			want += 2
			if got := reserved(t, s, card); got != want {
				t.Fatalf("cut after %d bytes (of the answer: %v): %d changes are there, %d were acknowledged", after, back, got, want)
			}
			if !cut {
				break // the whole transaction was shorter
			}
		}
	}
}

// TestNoAnswerIsDoubt takes the server away for good behind a commit: then, and only then,
// the caller gets doubt, and the store serves on once the server is back.
func TestNoAnswerIsDoubt(t *testing.T) {
	c := pgtest.Borrow(t)
	c.Make(t, "liuma")
	p := newProxy(t, c)
	s := openAt(t, postgres.Config{DSN: p.dsn("liuma"), Seal: keys(t), Writers: 1, Readers: 1, Doubt: time.Second, Patience: 5 * time.Second})
	card := liuma.CardID{1}
	add(t, s, card)
	if err := raise(s, card); err != nil {
		t.Fatal(err)
	}
	p.arm(250, true) // within the answer to the batch that ends with the commit
	p.shut.Store(true)
	err := raise(s, card)
	if !errors.Is(err, store.ErrUndecided) && !errors.Is(err, store.ErrUnreachable) {
		t.Fatalf("%v, want doubt, or nothing kept", err)
	}
	p.shut.Store(false)
	if err := raise(s, card); err != nil {
		t.Fatalf("after the server came back: %v", err)
	}
	if n := reserved(t, s, card); n < 2 || n > 3 {
		t.Errorf("%d changes, want 2 and perhaps the one in doubt", n)
	}
}

// load raises cards until stop is closed, and returns how often each was acknowledged, how
// many were in doubt, and whatever else came.
func load(s store.Store, cards int, stop chan struct{}) (acknowledged, doubts []int64, wait func() []error) {
	acknowledged, doubts = make([]int64, cards), make([]int64, cards)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var others []error
	for i := range cards {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch err := raise(s, liuma.CardID{byte(i + 1)}); {
				case err == nil:
					acknowledged[i]++
				case errors.Is(err, store.ErrUndecided):
					doubts[i]++
				case errors.Is(err, store.ErrUnreachable): // nothing was kept
				default:
					mu.Lock()
					others = append(others, err)
					mu.Unlock()
				}
			}
		})
	}
	return acknowledged, doubts, func() []error { wg.Wait(); return others }
}

// TestServerDies ends connections, restarts the server at once and kills its postmaster,
// with fsync, under load. No acknowledged change is lost and none is there twice.
func TestServerDies(t *testing.T) {
	const cards = 4
	c := pgtest.Begin(t)
	dsn := c.Make(t, "liuma")
	s := openAt(t, postgres.Config{DSN: dsn, Seal: keys(t), Patience: 30 * time.Second})
	for i := range cards {
		add(t, s, liuma.CardID{byte(i + 1)})
	}
	stop := make(chan struct{})
	acknowledged, doubts, wait := load(s, cards, stop)
	for round, strike := range []func() error{
		func() error { return endAll(t, dsn) },
		func() error { return endAll(t, dsn) },
		func() error { return errors.Join(c.Stop("immediate"), c.Start()) },
		func() error { return endAll(t, dsn) },
		func() error { return errors.Join(c.Kill(), c.Start()) },
		func() error { return errors.Join(c.Stop("fast"), c.Start()) },
	} {
		time.Sleep(300 * time.Millisecond)
		if err := strike(); err != nil {
			t.Fatalf("strike %d: %v", round, err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	for _, err := range wait() {
		t.Errorf("an Update: %v", err)
	}
	sum := int64(0)
	for i := range cards {
		n := int64(reserved(t, s, liuma.CardID{byte(i + 1)}))
		if n < acknowledged[i] || n > acknowledged[i]+doubts[i] {
			t.Errorf("card %d: %d changes are there, %d were acknowledged, %d in doubt", i, n, acknowledged[i], doubts[i])
		}
		sum += n
	}
	t.Logf("%d changes, in doubt %v", sum, doubts)
}

// endAll ends every connection of the store.
func endAll(t *testing.T, dsn string) error {
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return err
	}
	_, err = c.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	return errors.Join(err, c.Close(t.Context()))
}

// TestCancelledWaitForStandby has the server wait for a standby that is not there, and
// cancels the wait: what it acknowledges then is on one disk only, and is no
// acknowledgement.
func TestCancelledWaitForStandby(t *testing.T) {
	c := pgtest.Borrow(t)
	dsn := c.Make(t, "liuma")
	s := openAt(t, postgres.Config{DSN: dsn, Seal: keys(t), Writers: 2, Readers: 2, Doubt: 2 * time.Second, Timeout: 2 * time.Second})
	card := liuma.CardID{1}
	add(t, s, card)
	admin, err := pgx.Connect(t.Context(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	if _, err := admin.Exec(t.Context(), "SET synchronous_commit = local"); err != nil {
		t.Fatal(err)
	}
	awaitStandby(t, dsn, "nobody")
	stop := make(chan struct{})
	var impatient sync.WaitGroup
	impatient.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			_, _ = admin.Exec(context.Background(), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		}
	})
	err = raise(s, card)
	close(stop)
	impatient.Wait()
	if !errors.Is(err, store.ErrUndecided) {
		t.Fatalf("acknowledged with %v, and no standby has it", err)
	}
	time.Sleep(200 * time.Millisecond)
	awaitStandby(t, dsn, "")
	if err := raise(s, card); err != nil {
		t.Fatalf("the doubt was about more than its transaction: %v", err)
	}
	if n := reserved(t, s, card); n != 2 {
		t.Errorf("%d changes, want 2: the server that has the one in doubt is still the one", n)
	}
}

// TestNobodySeesWhatNoStandbyHas has a commit wait for a standby that is not there until
// its caller gets doubt. Neither that caller's end nor the look-up ends the server's wait,
// which would show the change to everybody, and a failover would take it back.
func TestNobodySeesWhatNoStandbyHas(t *testing.T) {
	c := pgtest.Borrow(t)
	dsn := c.Make(t, "liuma")
	s := openAt(t, postgres.Config{DSN: dsn, Seal: keys(t), Writers: 2, Readers: 2, Doubt: 2 * time.Second, Timeout: time.Second})
	card := liuma.CardID{1}
	add(t, s, card)
	admin, err := pgx.Connect(t.Context(), c.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	exec := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	awaitStandby(t, dsn, "nobody")
	if err := raise(s, card); !errors.Is(err, store.ErrUndecided) {
		t.Fatalf("%v, want doubt: no standby has it", err)
	}
	time.Sleep(300 * time.Millisecond) // for a cancellation that is on its way
	if n := reserved(t, s, card); n != 0 {
		t.Errorf("a change is shown that no standby has")
	}
	exec("ALTER SYSTEM SET synchronous_standby_names = ''")
	exec("SELECT pg_reload_conf()")
	for end := time.Now().Add(2 * time.Minute); reserved(t, s, card) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the change that waited is gone, and the server is still the one")
		}
	}
}

// TestSilentConnections has the connections of a store lose everything, without an error,
// while they are idle, as when a primary is cut off. Callers that wait for ever, as upkeep
// does, get on by others.
func TestSilentConnections(t *testing.T) {
	c := pgtest.Borrow(t)
	c.Make(t, "liuma")
	p := newProxy(t, c)
	s := openAt(t, postgres.Config{DSN: p.dsn("liuma"), Seal: keys(t), Writers: 1, Readers: 1, Timeout: 2 * time.Second, Patience: time.Minute})
	card := liuma.CardID{1}
	add(t, s, card)
	reserved(t, s, card)
	time.Sleep(1500 * time.Millisecond) // after a second an idle connection is asked first
	p.silence()
	defer p.cutAll() // so that whoever waits still is told
	done := make(chan error, 2)
	go func() { done <- raise(s, card) }()
	go func() {
		done <- s.View(context.Background(), func(r store.Reader) error { _, err := r.Card(card); return err })
	}()
	for range 2 {
		if err := patience.Get(t, "a caller that waited for a connection that lost everything is answered", done); err != nil {
			t.Error(err)
		}
	}
}

// TestOneAuthority refuses a second process, and a first one that lost the lease without
// noticing: none of its writes is kept.
func TestOneAuthority(t *testing.T) {
	c := postgres.Config{DSN: database(t), Seal: keys(t)}
	first := openAt(t, c)
	card := liuma.CardID{1}
	add(t, first, card)
	if _, err := postgres.Open(t.Context(), c); !errors.Is(err, postgres.ErrInUse) {
		t.Fatalf("a second one: %v, want %v", err, postgres.ErrInUse)
	}
	// The connection that holds the lock breaks, and another process is faster.
	admin, err := pgx.Connect(t.Context(), c.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'liuma lease'"); err != nil {
		t.Fatal(err)
	}
	second := openAt(t, c)
	if err := raise(second, card); err != nil {
		t.Fatal(err)
	}
	if err := raise(first, card); !errors.Is(err, store.ErrFailed) {
		t.Errorf("the first one writes on: %v", err)
	}
	if err := first.View(t.Context(), func(store.Reader) error { return nil }); !errors.Is(err, store.ErrFailed) {
		t.Errorf("and reads on: %v", err)
	}
	if n := reserved(t, second, card); n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
}

// TestForeignAndLater refuses databases that are not ours or not of this release.
func TestForeignAndLater(t *testing.T) {
	for what, statement := range map[error]string{
		postgres.ErrForeign: "CREATE TABLE invoices (n int)",
		postgres.ErrTooNew:  "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)",
	} {
		dsn := pgtest.New(t, nil)
		if errors.Is(what, postgres.ErrTooNew) {
			dsn = database(t)
		}
		c, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(t.Context(), statement)
		if err := errors.Join(err, c.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if _, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Seal: keys(t)}); !errors.Is(err, what) {
			t.Errorf("%v, want %v", err, what)
		}
	}
}
