// Package keepers runs keepers behind connections of the loopback, for trials: each with
// a directory, an issuer and an address of its own, as on a machine of its own, and with
// faults that its user places. It guarantees that what is between authority and keeper is
// the real thing: admissions, TLS and the wire. It trusts its callers: all keepers are in
// this process, so that one look into its memory finds every share key.
//
// It does not import testing, since the bench is part of the program.
//
// Start here: New, then House.Join.
package keepers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// Config describes the keepers. Dir is required.
type Config struct {
	Dir     string        // in which each keeper gets a directory
	Shape   string        // default 2/3
	Host    string        // address at which they answer; default the loopback's
	Machine clock.Machine // default: this machine
	Logger  *slog.Logger  // default: discard
	// Between, if set, stands between a keeper's door and the keeper.
	Between func(keeper.Keeper) keeper.Keeper
	// Says, if set, changes a keeper's statements about itself.
	Says func(keeper.About) keeper.About
}

// House is the keepers of one quorum.
type House struct {
	c     Config
	shape split.Shape
	posts []*Post
}

// Post is one keeper of a House. Its methods may be called concurrently.
type Post struct {
	ID      keeper.ID
	Dir     string
	Address string
	house   *House
	member  int
	issuer  *admission.Issuer
	door    *tls.Config
	gate    gate

	mu      sync.Mutex
	callers admission.Callers // guarded by mu
	node    *keeper.Node      // guarded by mu; nil: it is stopped
	server  *wire.Server      // guarded by mu
	served  chan error        // guarded by mu
}

// New makes the keepers, in new directories, and starts them.
func New(ctx context.Context, c Config) (_ *House, err error) {
	if c.Shape == "" {
		c.Shape = "2/3"
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	h := &House{c: c}
	if h.shape, err = (config.Keepers{Shape: c.Shape}).SplitShape(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	var dirs []string
	for i := range h.shape.N {
		dirs = append(dirs, filepath.Join(c.Dir, string(keeper.IDOf(i+1))))
	}
	if _, err := keeper.CreateQuorum(ctx, dirs, h.shape); err != nil {
		return nil, err
	}
	for i, dir := range dirs {
		p := &Post{ID: keeper.IDOf(i + 1), Dir: dir, Address: net.JoinHostPort(c.Host, "0"), house: h, member: i + 1}
		if err := p.prepare(); err != nil {
			return nil, err
		}
		h.posts = append(h.posts, p)
		if err := p.Start(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// prepare makes the issuer, and the certificate of the keeper's door.
func (p *Post) prepare() (err error) {
	now := time.Now()
	if p.issuer, err = admission.NewIssuer(p.ID, now); err != nil {
		return err
	}
	key, err := admission.NewKey()
	if err != nil {
		return err
	}
	cert, err := p.issuer.Door(key.Public(), now, now.Add(24*time.Hour))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.issuer.Certificate())
	p.door = &tls.Config{MinVersion: tls.VersionTLS13, ClientCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	return nil
}

// Start opens the keeper and its door, at the address that it had before.
func (p *Post) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.node != nil {
		return nil
	}
	n, err := keeper.OpenNode(ctx, p.Dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Machine: p.house.c.Machine, Logger: p.house.c.Logger})
	if err != nil {
		return err
	}
	var k keeper.Keeper = n
	if p.house.c.Between != nil {
		k = p.house.c.Between(k)
	}
	s, err := wire.NewServer(wire.ServerConfig{Keeper: k, Rows: rows{Node: n, says: p.house.c.Says}, TLS: p.door, Allow: p.allow, Logger: p.house.c.Logger, Release: "trial",
		Connections: 64}) // as a keeper on its own machine
	if err != nil {
		return errors.Join(err, n.Close())
	}
	ln, err := net.Listen("tcp", p.Address)
	if err != nil {
		return errors.Join(err, s.Close(), n.Close())
	}
	p.Address = ln.Addr().String()
	p.node, p.server, p.served = n, s, make(chan error, 1)
	go func(served chan<- error) { served <- s.Serve(p.gate.before(ln)) }(p.served)
	return nil
}

// rows are what a keeper gives to its peers, with Config.Says.
type rows struct {
	*keeper.Node
	says func(keeper.About) keeper.About
}

func (r rows) About(ctx context.Context) (keeper.About, error) {
	a, err := r.Node.About(ctx)
	if err == nil && r.says != nil {
		a = r.says(a)
	}
	return a, err
}

func (p *Post) allow(cert *x509.Certificate) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.callers.Allowed(cert, time.Now())
}

// Stop ends the keeper as an orderly end of its process does.
func (p *Post) Stop() error {
	p.mu.Lock()
	n, s, served := p.node, p.server, p.served
	p.node, p.server = nil, nil
	p.mu.Unlock()
	if n == nil {
		return nil
	}
	p.gate.open()
	err := s.Close()
	if ended := <-served; !errors.Is(ended, wire.ErrClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, n.Close())
}

// Hang lets the keeper accept connections and read nothing from them, like a machine that
// has stopped, until Wake.
func (p *Post) Hang() { p.gate.shut() }

// Wake ends Hang.
func (p *Post) Wake() { p.gate.open() }

// Dismiss refuses a caller from now on, on open connections too.
func (p *Post) Dismiss(name string) error {
	p.mu.Lock()
	err := p.callers.Dismiss(name, time.Now())
	s := p.server
	p.mu.Unlock()
	if err == nil && s != nil {
		s.Recheck()
	}
	return err
}

// Admit admits the authority that asks, with the roles that it wants.
func (p *Post) Admit(r *admission.Request) (*admission.Admission, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := admission.Place{Keeper: p.ID, Member: p.member, Shape: p.house.shape, Address: p.Address}
	return p.callers.Admit(p.issuer, at, r, admission.Grant{Roles: r.Wants, Heard: r.Fingerprint().String(), Until: time.Now().Add(time.Hour)}, time.Now())
}

// Posts are the keepers, in the order of their member numbers.
func (h *House) Posts() []*Post { return h.posts }

// Settings are the keepers in the configuration of an authority that has joined.
func (h *House) Settings() config.Keepers {
	c := config.Keepers{Shape: h.c.Shape, Key: config.KeyFile()}
	for _, p := range h.posts {
		c.Remote = append(c.Remote, config.RemoteKeeper{ID: string(p.ID), Address: p.Address, Admission: config.AdmissionFile(string(p.ID))})
	}
	return c
}

// Join admits an authority at every keeper: its key and the admissions are written below
// its data directory, where Settings names them.
func (h *House) Join(dir string) error {
	key, _, err := remote.MakeKey(filepath.Join(dir, config.KeyFile()))
	if err != nil {
		return err
	}
	r, err := admission.NewRequest("authority", wire.Authority|wire.Closer, key)
	if err != nil {
		return err
	}
	for _, p := range h.posts {
		a, err := p.Admit(r)
		if err != nil {
			return fmt.Errorf("keeper %s: %w", p.ID, err)
		}
		if err := remote.WriteFile(filepath.Join(dir, config.AdmissionFile(string(p.ID))), a.Encode()); err != nil {
			return err
		}
	}
	return nil
}

// Close stops all keepers.
func (h *House) Close() error {
	var errs []error
	for _, p := range h.posts {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}
