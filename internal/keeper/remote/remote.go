// Package remote is the authority's side of keepers on other machines: their addresses,
// the admissions with which they are called, whether each is the right keeper, and which
// key set new versions are made with.
//
// It guarantees that a keeper's id comes from the admission with which it is called,
// never from what the keeper sends; that a keeper which claims to be another one, or
// whose share keys differ from the others', gets no requests (each new connection asks
// the keeper again); and that new versions are made with a key set only if all keepers
// that can be reached, and at least a quorum, hold it with the same share keys.
//
// It trusts the files with the admissions and the authority's key. It believes what a
// keeper says about itself only if the other keepers confirm it.
//
// Start here: Open, then Keepers.Look.
package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/split"
)

// ErrSettings: the settings do not make a quorum. The error's text says what is wrong.
var ErrSettings = errors.New("remote: the settings of the keepers do not make a quorum")

// Place is one keeper, as the configuration names it.
type Place struct {
	ID        keeper.ID
	Address   string // host:port
	Admission string // file
}

// Config says which keepers there are. All but KeySet are required.
type Config struct {
	Shape  split.Shape
	Places []Place // all of them, in any order
	Key    string  // file with the authority's key
	// KeySet is the key set to make new versions with; 0: the highest that all hold.
	KeySet uint32
	// Machine identifies this machine's start (clock.Clock.Start). A keeper with the same
	// value cannot be a witness of the time. Zero: no keeper can.
	Machine [clock.StartSize]byte
	// Dial, if set, makes the connections.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger
}

// Keepers are the keepers of a quorum. They are safe for concurrent use.
type Keepers struct {
	c     Config
	posts []*post // by member number

	mu     sync.Mutex
	keySet uint32 // guarded by mu: the one in use; 0: not known yet
}

// post is one keeper.
type post struct {
	Place
	member int
	client *wire.Client

	// The other fields are guarded by Keepers.mu.
	said  *keeper.About // its last report; nil: none, or it claimed to be another keeper
	out   error         // why it gets no requests; nil: it may get them
	here  bool          // it answered the last look
	took  time.Duration // how long that answer took
	until time.Time     // when its admission ends
}

// State is what is known of one keeper in addition to its Condition.
type State struct {
	ID        keeper.ID
	Member    int
	Address   string
	Until     time.Time     // when the admission ends
	RoundTrip time.Duration // of the last look; zero: no answer
	Release   string        // of the keeper's program, as it reports
	KeySets   []uint32      // that it holds, as it reports
}

// Open reads the admissions and the key. It does not connect. Errors: ErrSettings, or an
// error of package admission or of reading a file.
func Open(c Config) (*Keepers, error) {
	if err := c.Shape.Validate(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		return nil, errors.New("remote: want a logger")
	}
	if len(c.Places) != c.Shape.N {
		return nil, fmt.Errorf("%w: %d of %d keepers are named", ErrSettings, len(c.Places), c.Shape.N)
	}
	key, err := ReadKey(c.Key)
	if err != nil {
		return nil, err
	}
	k := &Keepers{c: c, posts: make([]*post, c.Shape.N)}
	for _, at := range c.Places {
		a, err := ReadAdmission(at.Admission)
		if err == nil {
			err = k.place(at, a, key)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("keeper %s: %w", at.ID, err), k.Close())
		}
	}
	return k, nil
}

// place puts a keeper at its member number.
func (k *Keepers) place(at Place, a *admission.Admission, key *ecdsa.PrivateKey) error {
	if err := Fits(a, at.ID, k.c.Shape); err != nil {
		return err
	}
	if k.posts[a.Member-1] != nil {
		return fmt.Errorf("%w: member %d twice", ErrSettings, a.Member)
	}
	if err := a.Check(key.Public(), time.Now()); errors.Is(err, admission.ErrOtherKey) {
		return err // an expired admission can be renewed while the server runs
	}
	p := &post{Place: at, member: a.Member, until: a.Until}
	renew := func() (*tls.Config, error) {
		t, until, err := p.settings(key, k.c.Shape)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", keeper.ErrCertificate, err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		p.until = until
		return t, nil
	}
	var err error
	p.client, err = wire.NewClient(wire.ClientConfig{ID: at.ID, Address: at.Address, Renew: renew, Dial: k.c.Dial, Logger: k.c.Logger,
		Greet: func(a keeper.About) error { return k.heard(p, a) }})
	if err != nil {
		return err
	}
	k.posts[a.Member-1] = p
	return nil
}

// settings reads the admission again, because it may have been renewed.
func (p *post) settings(key *ecdsa.PrivateKey, shape split.Shape) (*tls.Config, time.Time, error) {
	a, err := ReadAdmission(p.Admission)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := Fits(a, p.ID, shape); err != nil {
		return nil, time.Time{}, err
	}
	if a.Member != p.member {
		return nil, time.Time{}, fmt.Errorf("%w: the admission is of member %d, not %d", ErrSettings, a.Member, p.member)
	}
	t, err := a.TLS(key)
	return t, a.Until, err
}

// Fits refuses an admission of another keeper than id, of another shape, or without the
// role authority.
func Fits(a *admission.Admission, id keeper.ID, shape split.Shape) error {
	switch {
	case a.Keeper != id:
		return fmt.Errorf("%w: the admission is of %s", ErrSettings, a.Keeper)
	case a.Shape != shape:
		return fmt.Errorf("%w: the admission is of a keeper of %s, not of %s", ErrSettings, a.Shape, shape)
	case a.Roles&wire.Authority == 0:
		return fmt.Errorf("%w: the admission does not have the role authority", ErrSettings)
	}
	return nil
}

// Close ends all connections.
func (k *Keepers) Close() error {
	var errs []error
	for _, p := range k.posts {
		if p != nil {
			errs = append(errs, p.client.Close())
		}
	}
	return errors.Join(errs...)
}

// Keepers returns all n keepers, in the order of their member numbers.
func (k *Keepers) Keepers() []keeper.Keeper {
	out := make([]keeper.Keeper, len(k.posts))
	for i, p := range k.posts {
		out[i] = p.client
	}
	return out
}

// KeySet returns the key set that new versions are made with; 0 while it is not known.
func (k *Keepers) KeySet() uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keySet
}

// States returns what is known of each keeper, in the order of their member numbers.
func (k *Keepers) States() []State {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]State, len(k.posts))
	for i, p := range k.posts {
		out[i] = State{ID: p.ID, Member: p.member, Address: p.Address, Until: p.until}
		if p.here {
			out[i].RoundTrip = p.took
		}
		if p.said != nil {
			out[i].Release = p.said.Release
			for _, s := range p.said.KeySets {
				out[i].KeySets = append(out[i].KeySets, s.ID)
			}
		}
	}
	return out
}

// Look asks every keeper for its identity and keys, and decides which keepers are left
// out and which key set is in use. It takes as long as the slowest answer, or until ctx
// ends.
func (k *Keepers) Look(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range k.posts {
		all.Go(func() {
			began := time.Now()
			a, err := p.client.About(ctx)
			took := time.Since(began)
			if err == nil {
				err = k.heard(p, a)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			p.here, p.took = err == nil, took
		})
	}
	all.Wait()
	k.choose()
}

// choose takes a higher key set into use, and never returns to a lower one. Existing
// versions need only that a quorum holds their own key set.
func (k *Keepers) choose() {
	k.mu.Lock()
	defer k.mu.Unlock()
	var there []keeper.About
	for _, p := range k.posts {
		if p.here && p.out == nil && p.said != nil {
			there = append(there, *p.said)
		}
	}
	if len(there) < k.c.Shape.Majority() {
		return
	}
	found := common(there, k.c.KeySet)
	if found <= k.keySet {
		return
	}
	k.c.Logger.Info("the key set for new PINs", "key_set", found, "before", k.keySet, "keepers", len(there))
	k.keySet = found
}

// heard handles a keeper's report. If it returns an error, this connection is not used.
// Other keepers that the report shows to be strangers lose their connections.
func (k *Keepers) heard(p *post, a keeper.About) error {
	k.mu.Lock()
	found := k.settle(p, a)
	out := p.out
	k.mu.Unlock()
	for _, o := range found {
		o.client.Drop(keeper.ErrStranger)
	}
	return out
}

// settle records a keeper's report, and returns the keepers that have become strangers
// through it. The caller holds k.mu.
func (k *Keepers) settle(p *post, a keeper.About) (found []*post) {
	p.said = &a
	if a.ID != p.ID || a.Member != p.member || a.Shape != k.c.Shape {
		was := p.out
		p.said = nil
		p.out = fmt.Errorf("%w: it says that it is %s, member %d of %s", keeper.ErrStranger, a.ID, a.Member, a.Shape)
		if was == nil {
			found = append(found, p)
		}
		return found
	}
	said := make([]*keeper.About, len(k.posts))
	for i, o := range k.posts {
		said[i] = o.said
	}
	out := strangers(said, k.c.Shape)
	for i, o := range k.posts {
		if o.said == nil {
			continue // unchanged until it reports something
		}
		was := o.out
		o.out = nil
		if out[i] {
			o.out = fmt.Errorf("%w: its share keys are not those of the others", keeper.ErrStranger)
		}
		if o.out != nil && was == nil {
			found = append(found, o)
		}
	}
	return found
}
