// Package testkit is the whole system in one process with a clock that tests
// move: real SQLite files, real keepers, real envelopes and evidence. It
// guarantees that nothing in it is a stand-in but the clock, the pace of
// refusals and the evidence provider, which signs whatever a test asks for.
// Only tests import it.
//
// DESIGN section 6.
package testkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
)

// Start is the time at which every test's clock starts.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// Clock is a clock that only tests move. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// NewClock starts at Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now tells the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Options choose what is built. The zero value is one keeper and 20 people.
type Options struct {
	Shape  string         // "1/1", "2/3", "3/5"; default 1/1
	People int            // default 20
	Policy *policy.Policy // default national
	// Rules, if set, replaces the layers of policy.
	Rules  authority.Rules
	Logger *slog.Logger // default: discard
	// Wait stands in for the timer that paces refusals; default returns at once.
	Wait func(context.Context, time.Duration)
	// Faults, if set, stands between the authority and its store and keepers.
	Faults *Faults
	// Phones, if set, gives the authority an outbox, whose texts Texts reads.
	Phones bool
	// Keeper, if set, stands between the authority and each keeper.
	Keeper func(keeper.Keeper) keeper.Keeper
	// Configure, if set, changes the configuration before the directory is made.
	Configure func(*config.Config)
	// Texts, if set, takes the texts of the real outbox, which runs.
	Texts notify.Driver
}

// Env is a running system.
type Env struct {
	T        testing.TB
	Dir      string
	Clock    *Clock
	System   *server.System
	People   []registry.Facts
	Provider *evidence.Signer
	options  Options
	mu       sync.Mutex
	serial   int // guarded by mu
}

// ProviderID is the registered evidence provider's.
const ProviderID = "test-face"

// New builds a system in a directory of the test's, with a registry and an
// evidence provider, and closes it when the test ends.
func New(t testing.TB, o Options) *Env {
	t.Helper()
	if o.Shape == "" {
		o.Shape = "1/1"
	}
	if o.People == 0 {
		o.People = 20
	}
	if o.Wait == nil {
		o.Wait = func(context.Context, time.Duration) {}
	}
	e := &Env{T: t, Dir: t.TempDir() + "/data", Clock: NewClock(), options: o}
	c := config.Default()
	c.AllowStandIn = true
	c.Keepers.Shape = o.Shape
	shape, err := c.Keepers.SplitShape()
	e.must(err)
	c.Keepers.Directories = config.DefaultDirectories(shape)
	if o.Configure != nil {
		o.Configure(&c)
	}
	e.must(server.Init(context.Background(), e.Dir, c))
	e.Open()
	t.Cleanup(func() {
		if e.System != nil {
			e.must(e.System.Close())
		}
	})
	e.populate()
	return e
}

// Open opens the system, also again after Close.
func (e *Env) Open() {
	e.T.Helper()
	c, err := config.Load(e.Dir)
	e.must(err)
	o := server.Options{Now: e.Clock.Now, Logger: e.options.Logger, Policy: e.options.Policy, Rules: e.options.Rules, Wait: e.options.Wait,
		Texts: e.options.Texts}
	if e.options.Phones {
		o.Outbox = e.newPhones
	}
	o.BetweenKeeper = e.options.Keeper
	if f := e.options.Faults; f != nil {
		o.BetweenStore, o.BetweenKeeper = f.Store, f.Keeper
	}
	e.System, err = server.Open(context.Background(), c, o)
	e.must(err)
}

// Close closes the system; Open opens the same data again.
func (e *Env) Close() {
	e.T.Helper()
	e.must(e.System.Close())
	e.System = nil
}

// Authority is the authority of the open system.
func (e *Env) Authority() server.Front { return e.System.Front() }

func (e *Env) must(err error) {
	e.T.Helper()
	if err != nil {
		e.T.Fatal(err)
	}
}

func (e *Env) populate() {
	e.T.Helper()
	var b bytes.Buffer
	e.must(registry.Sample(&b, e.options.People, 1))
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	e.must(err)
	for _, r := range rows[1:] {
		if r[5] != string(liuma.PhysicalNormal) {
			continue // in the registry, but not among those that stories begin with
		}
		region, err := liuma.ParseRegion(r[4])
		e.must(err)
		e.People = append(e.People, registry.Facts{IDNumber: r[0], Name: r[1], Phone: r[2], CardNo: r[3], Region: region})
	}
	_, err = e.System.Registry.Import(context.Background(), &b, registry.ImportConfig{})
	e.must(err)
	key := e.NewKey()
	e.Provider, err = evidence.NewSigner(ProviderID, key, "k")
	e.must(err)
	e.AddClient(store.Client{ID: ProviderID, Kind: store.ClientProvider, StandIn: true}, key)
}

// NewKey makes an ES256 key.
func (e *Env) NewKey() *ecdsa.PrivateKey {
	e.T.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.must(err)
	return key
}

// AddClient registers a client with the public half of key under kid "k".
func (e *Env) AddClient(c store.Client, key *ecdsa.PrivateKey) store.Client {
	e.T.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	e.must(err)
	c.Keys, c.At = keys, e.Clock.Now().Truncate(time.Millisecond)
	if c.Name == (liuma.Text{}) {
		c.Name = liuma.Text{ZH: "测试 " + c.ID, EN: "Test " + c.ID}
	}
	e.must(e.System.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: e.Clock.Now(), Actor: "operator", Event: audit.ChannelRegistered, Outcome: "ok"}, tx.InsertClient(c)
	}))
	return c
}

// Channel registers a channel for the whole nation and every action.
func (e *Env) Channel(id string) authority.Caller {
	e.T.Helper()
	return authority.Caller{Client: e.AddClient(store.Client{
		ID: id, Kind: store.ClientChannel, Regions: []liuma.Region{""}, Actions: liuma.Actions(),
	}, e.NewKey())}
}

// RegistryClient registers a physical-card registry.
func (e *Env) RegistryClient(id string) authority.Caller {
	e.T.Helper()
	return authority.Caller{Client: e.AddClient(store.Client{ID: id, Kind: store.ClientRegistry}, e.NewKey())}
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
	token, err := e.Provider.Sign(evidence.Statement{
		Audience: e.System.Config.Issuer, Challenge: challenge, IDNumber: f.IDNumber, Name: f.Name,
		Method: "face", IssuedAt: e.Clock.Now(), Expires: e.Clock.Now().Add(5 * time.Minute),
	})
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
