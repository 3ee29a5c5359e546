package host

import (
	"context"
	"crypto/ecdsa"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/test/printed"
)

// machine is a machine whose wall clock a test sets.
type machine struct {
	mu   sync.Mutex
	wall time.Duration // guarded by mu: how far it is from the true one
	of   keeper.ID     // guarded by mu: each keeper has one of its own
}

func (m *machine) Read() clock.Reading {
	r := clock.System().Read()
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Wall, r.BootID = r.Wall.Add(m.wall), r.BootID+string(m.of)
	return r
}

// shared makes it the machine of another keeper.
func (m *machine) shared(of keeper.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of = of
}

func (m *machine) set(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall = d
}

// shape is that of all keepers of these tests.
func shape() split.Shape { return split.Shape{T: 2, N: 3} }

// dirs are the directories of three keepers with keys.
func dirs(t *testing.T) (out []*Dir) {
	t.Helper()
	base, err := os.MkdirTemp("", "host") // short: a socket's path has bounds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	var paths []string
	for i := 1; i <= 3; i++ {
		paths = append(paths, filepath.Join(base, string(keeper.IDOf(i))))
	}
	if _, err := keeper.CreateQuorum(t.Context(), paths, shape()); err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		d, err := Create(path, conf(t, i+1), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

// addKeySet adds a key set of this keeper alone to its key file.
func addKeySet(t *testing.T, d *Dir, number uint32) {
	t.Helper()
	f, err := keeper.OpenKeyFile(d.disk, d.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Wipe()
	set := keeper.KeySet{ID: number, Shape: d.Shape, Member: d.Member, Keys: map[split.Subset]split.ShareMAC{}}
	for _, s := range d.Shape.SubsetsOf(d.Member) {
		if set.Keys[s], err = f.Custody().Generate(keeper.Slot{KeySet: number, Subset: s}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add(keeper.NewSet{KeySet: set, Members: []keeper.ID{"k1", "k2", "k3"}}); err != nil {
		t.Fatal(err)
	}
}

// conf is that of a keeper on a free port of loopback.
func conf(t *testing.T, member int) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return Config{Place: admission.Place{Keeper: keeper.IDOf(member), Member: member, Shape: shape(), Address: at}, Listen: at}
}

// running is a keeper that serves.
type running struct {
	*Host
	dir     *Dir
	machine *machine
	log     *printed.Log
	at      Addresses
	near    atomic.Bool // its connections to other keepers look like what they are
	end     func() error
}

// run serves a directory until the test ends.
func run(t *testing.T, d *Dir) *running {
	t.Helper()
	r := &running{dir: d, machine: &machine{of: d.Keeper}, log: &printed.Log{}}
	var err error
	r.Host, err = Start(t.Context(), d, Options{Logger: slog.New(slog.NewTextHandler(r.log, nil)), Machine: r.machine, Release: "1.2.3", Dial: r.call})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan Addresses, 1), make(chan error, 1)
	go func() { done <- r.Serve(ctx, func(a Addresses) { ready <- a }) }()
	r.end = sync.OnceValue(func() error { stop(); return <-done })
	t.Cleanup(func() {
		if err := r.end(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	select {
	case r.at = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return r
}

// who is a caller with a key.
type who struct {
	key *ecdsa.PrivateKey
	req *admission.Request
}

func somebody(t *testing.T, name string, wants wire.Role) who {
	t.Helper()
	key, err := admission.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := admission.NewRequest(name, wants, key)
	if err != nil {
		t.Fatal(err)
	}
	return who{key, r}
}

// admit admits somebody, for DefaultTerm.
func (w who) admit(t *testing.T, d *Dir, roles wire.Role) *admission.Admission {
	t.Helper()
	a, err := d.Admit(w.req, admission.Grant{Roles: roles, Heard: w.req.Fingerprint().String()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w who) call(t *testing.T, a *admission.Admission) *wire.Client {
	t.Helper()
	conf, err := a.TLS(w.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire.NewClient(wire.ClientConfig{ID: a.Keeper, Address: a.Address, TLS: conf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	patience.Until(t, what, so)
}

func seen(n uint64) keeper.Header { return keeper.Header{Now: time.Now(), Seen: n} }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
