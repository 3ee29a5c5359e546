// Package testkit is a world for tests: the whole system in one process, with a
// clock that tests move, faults that they place, and each of the holder's and
// the channels' acts as one call that ends the test where it fails. It
// guarantees what package world guarantees, and that everything it opened is
// closed when the test ends. The pace of refusals is a stand-in as well, and so
// are the phones of Options.Phones. Only tests import it.
//
// Start here: New, then package world, which it builds on.
package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
	"github.com/liuma-pin/liuma/internal/testkit/world"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Start is the time at which every test's clock starts.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// ProviderID is the registered evidence provider's.
const ProviderID = world.ProviderID

// Clock and Party are the types of package world.
type (
	Clock = world.Clock
	Party = world.Party
)

// NewClock stands still at Start.
func NewClock() *Clock { return world.Still(Start) }

// RunningClock runs ahead of the machine's clock, or behind it.
func RunningClock(ahead time.Duration) *Clock { return world.Running(ahead) }

// NationalChannel is a channel for the whole nation and every action, to be
// registered.
func NationalChannel(id string, redirectURIs ...string) store.Client {
	return world.NationalChannel(id, redirectURIs...)
}

// Options choose the parts of the world. The zero value is one keeper and 20
// people.
type Options struct {
	Dir    string         // which is made; default one of the test's
	Shape  string         // "1/1", "2/3", "3/5"; default 1/1
	People int            // default 20
	Clock  *Clock         // default: NewClock
	Policy *policy.Policy // default national
	// Rules, if set, replaces the layers of policy.
	Rules  authority.Rules
	Logger *slog.Logger // default: discard
	// Wait replaces the timer that paces refusals. By default it returns at once; with a
	// given Clock the default is the real timer.
	Wait func(context.Context, time.Duration)
	// Store and Keeper, if set, wrap the authority's store and each keeper.
	Store  func(store.Store) store.Store
	Keeper func(keeper.Keeper) keeper.Keeper
	// Token, if set, is the token to which the vault's key file is sealed, and which
	// signs.
	Token vault.Token
	// House, if set, has the keepers, behind connections; it replaces Shape.
	House *keepers.House
	// Wired puts each keeper of this process behind a connection of its own. With
	// LIUMA_WIRED in the environment every world has it.
	Wired bool
	// DialKeepers, if set, makes the connections to the keepers of a House.
	DialKeepers func(ctx context.Context, network, address string) (net.Conn, error)
	// Watch is how often keepers in a House are looked at; default 5 s.
	Watch time.Duration
	// LookEvery is the least time between two looks for collectors of numbers; default 5 s.
	LookEvery time.Duration
	// Faults, if set, stands before Store and Keeper.
	Faults *Faults
	// Counts, if set, counts the authority's round trips to its store.
	Counts *Counts
	// Phones, if set, gives the authority an outbox without a sender; Texts
	// reads its messages.
	Phones bool
	// Inbox runs the real outbox and sends to Env.Inbox; Texts sends by that
	// driver instead.
	Inbox bool
	Texts notify.Driver
	// Gateway, if set, wraps Env.Inbox.
	Gateway func(notify.Driver) notify.Driver
	// Configure, if set, changes the configuration before the directory is made.
	Configure func(*config.Config)
	// Listen opens listeners for both doors on 127.0.0.1. They answer from
	// Serve on.
	Listen bool
	// Console opens a listener for the staff console as well; it needs Listen.
	Console bool
}

// Env is a running system. Its World's Open and Close end the test where they
// fail.
type Env struct {
	*world.World
	T      testing.TB
	People []registry.Facts // who have a physical card in use
	mu     sync.Mutex
	serial int              // guarded by mu
	wired  []*keepers.Wired // guarded by mu
}

// New builds a system in a directory of the test's, with a registry and an
// evidence provider, and closes it when the test ends.
func New(t testing.TB, o Options) *Env {
	t.Helper()
	if o.People == 0 {
		o.People = 20
	}
	if o.Clock == nil {
		o.Clock = NewClock()
		if o.Wait == nil {
			o.Wait = func(context.Context, time.Duration) {}
		}
	}
	if o.Dir == "" {
		o.Dir = t.TempDir() + "/data"
	}
	e := &Env{T: t}
	t.Cleanup(e.unwire)
	c := world.Config{Dir: o.Dir, Clock: o.Clock, Shape: o.Shape, Configure: o.configure, Phones: o.Inbox, Gateway: o.Gateway,
		Server: server.Options{Logger: o.Logger, Policy: o.Policy, Rules: o.Rules, Wait: o.Wait, Texts: o.Texts, Token: o.Token, WatchKeepers: o.Watch, DialKeepers: o.DialKeepers, LookEvery: o.LookEvery,
			BetweenStore: o.betweenStore, BetweenKeeper: func(k keeper.Keeper) keeper.Keeper { return e.betweenKeeper(o, k) }}}
	if o.House != nil { // a nil pointer in an interface would not be nil
		c.House = o.House
	}
	if o.Phones {
		c.Server.Outbox = func(off *server.Data) authority.Outbox { return newPhones(t, off, o.Clock.Now) }
	}
	if onServer() {
		dsn := NewDatabase(t)
		c.Configure = func(conf *config.Config) error {
			conf.Database = dsn
			return o.configure(conf)
		}
	} else if o.Configure == nil && o.House == nil {
		if n := worldsOf(t); n < mostPrepared {
			c.Init = func(ctx context.Context, dir string, conf config.Config) error {
				return initPrepared(ctx, n, dir, conf)
			}
		}
	}
	if o.Token != nil {
		c.Init = o.initEnclosed
	}
	var err error
	if o.Listen {
		c.Native, err = world.Loopback()
		e.must(err)
		c.Hosted, err = world.Loopback()
		e.must(err)
	}
	if o.Console {
		c.Console, err = world.Loopback()
		e.must(err)
	}
	e.World, err = world.New(context.Background(), c)
	e.must(err)
	t.Cleanup(func() { e.must(e.World.Close()) })
	people, inUse, err := world.Sample(o.People, 1)
	e.must(err)
	_, err = e.Import(context.Background(), bytes.NewReader(people), nil)
	e.must(err)
	e.People = inUse
	return e
}

func (o Options) configure(c *config.Config) error {
	if o.Configure != nil {
		o.Configure(c)
	}
	return nil
}

// initEnclosed makes a data directory whose key file is sealed to Token.
func (o Options) initEnclosed(ctx context.Context, dir string, c config.Config) error {
	if err := server.Init(ctx, dir, c); err != nil {
		return err
	}
	_, err := vault.KeyFile{Path: filepath.Join(dir, c.Vault), Token: o.Token}.Enclose(nil, o.Clock.Now())
	return err
}

func (o Options) betweenStore(s store.Store) store.Store {
	s = maybeTwice(s)
	if o.Store != nil {
		s = o.Store(s)
	}
	if o.Faults != nil {
		s = o.Faults.Store(s)
	}
	if o.Counts != nil {
		s = o.Counts.Store(s)
	}
	return s
}

func (e *Env) betweenKeeper(o Options, k keeper.Keeper) keeper.Keeper {
	k = e.maybeWired(o, k)
	if o.Keeper != nil {
		k = o.Keeper(k)
	}
	if o.Faults != nil {
		k = o.Faults.Keeper(k)
	}
	return k
}

// Open opens the system again after Close.
func (e *Env) Open() {
	e.T.Helper()
	e.must(e.World.Open(context.Background()))
}

// Close closes the system; Open opens the same data again.
func (e *Env) Close() {
	e.T.Helper()
	e.must(e.World.Close())
}

// Serve opens the doors of a system with listeners.
func (e *Env) Serve() {
	e.T.Helper()
	e.must(e.World.Serve())
}

// Authority is the authority of the open system.
func (e *Env) Authority() server.Front { return e.System.Front() }

func (e *Env) must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

// NewKey makes an ES256 key.
func (e *Env) NewKey() *ecdsa.PrivateKey {
	e.T.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.must(err)
	return key
}

// AddParty registers a client with a fresh key under kid "k".
func (e *Env) AddParty(c store.Client) Party {
	e.T.Helper()
	return e.add(c, e.NewKey())
}

// AddClient registers a client with the public half of key under kid "k".
func (e *Env) AddClient(c store.Client, key *ecdsa.PrivateKey) store.Client {
	e.T.Helper()
	return e.add(c, key).Client
}

func (e *Env) add(c store.Client, key *ecdsa.PrivateKey) Party {
	e.T.Helper()
	p, err := e.RegisterKey(context.Background(), c, admin.KeyPair{Private: key,
		Public: jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}})
	e.must(err)
	return p
}

// Channel registers a channel for the whole nation and every action.
func (e *Env) Channel(id string) authority.Caller {
	e.T.Helper()
	return authority.Caller{Client: e.AddParty(NationalChannel(id)).Client}
}

// RegistryClient registers a physical-card registry.
func (e *Env) RegistryClient(id string) authority.Caller {
	e.T.Helper()
	return authority.Caller{Client: e.AddParty(store.Client{ID: id, Kind: store.ClientRegistry}).Client}
}

// BusinessNo gives a fresh business number.
func (e *Env) BusinessNo() liuma.BusinessNo {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.serial++
	return liuma.BusinessNo(fmt.Sprintf("bn-%06d", e.serial))
}

// Evidence signs evidence about a person for a challenge.
func (e *Env) Evidence(f registry.Facts, challenge string) string {
	e.T.Helper()
	token, err := e.World.Evidence(f, challenge)
	e.must(err)
	return token
}

// Digest stands in for the door's hash of a request.
func Digest(parts ...string) [32]byte { return sha256.Sum256([]byte(strings.Join(parts, "\x00"))) }

// Seal seals a PIN as a device would.
func (e *Env) Seal(ch authority.Challenge, b envelope.Binding, secret string) envelope.Envelope {
	e.T.Helper()
	b.SealKeyID, b.Challenge = ch.SealKeyID, ch.Value
	env, err := envelope.Seal(ch.SealKey, b, []byte(secret))
	e.must(err)
	return env
}

// Challenge asks for a challenge.
func (e *Env) Challenge(c authority.Caller) authority.Challenge {
	e.T.Helper()
	ch, err := e.Authority().Challenge(context.Background(), c)
	e.must(err)
	return ch
}
