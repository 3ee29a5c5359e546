package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// ErrServed: another process serves the directory.
var ErrServed = errors.New("host: this keeper is served by another process")

// Options are what a Host needs in addition to its directory. Logger is required.
type Options struct {
	Logger  *slog.Logger
	Machine clock.Machine // this machine's clocks when nil
	Release string        // of the program, as callers are told
	// Custodian holds the share keys; nil: they are in keeper.json.
	Custodian keeper.Custodian
	// Dial, if set, makes the connections for asking other keepers for their time.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Host is a keeper that serves.
type Host struct {
	dir     *Dir
	log     *slog.Logger
	lines   *book // counts the log lines that were left out
	open    keeper.OpenConfig
	machine clock.Machine
	release string
	dial    dial
	began   time.Time
	seat    *seat
	server  *wire.Server
	root    *x509.Certificate
	place   fs.FileInfo // the directory's identity; set before it is served
	files   atomic.Pointer[files]
	free    func() error    // gives back the lease for serving
	base    context.Context // of repairs; ended by stop
	stop    context.CancelFunc

	mending sync.Mutex // held while a repair runs
	mu      sync.Mutex
	repair  RepairStatus // guarded by mu
	unread  error        // guarded by mu: why changed files were not read
}

// files are read from the directory again while the keeper serves.
type files struct {
	callers admission.Callers
	door    tls.Certificate
	as      []fs.FileInfo // their state when they were read
}

// connections is how many callers may be connected at once: many more than there are
// authorities and peers, because a caller that hangs keeps its place for a while.
const connections = 64

// Start opens the keeper in a directory. A keeper with a missing or useless ledger is
// served as gone, so that it can be repaired. A keeper without keys, or whose ledger
// another process has, is an error.
func Start(ctx context.Context, dir *Dir, o Options) (h *Host, err error) {
	if o.Machine == nil {
		o.Machine = clock.System()
	}
	spares := spare(o.Logger.Handler())
	o.Logger = slog.New(spares)
	h = &Host{
		dir: dir, log: o.Logger, lines: spares.book, machine: o.Machine, release: o.Release, dial: o.Dial, seat: newSeat(dir.Keeper, o.Logger),
		open: keeper.OpenConfig{Machine: o.Machine, Custodian: o.Custodian, Limits: ledger.NationalLimits(), Logger: o.Logger},
	}
	h.open.Wrote = func(spends int) { h.seat.batches.add(float64(spends)) }
	h.base, h.stop = context.WithCancel(context.Background())
	h.began = h.now()
	h.free, err = sqlitefile.Hold(filepath.Join(dir.path, serving))
	if errors.Is(err, sqlitefile.ErrInUse) {
		return nil, ErrServed
	}
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	if err := h.begin(ctx); err != nil {
		return nil, errors.Join(err, h.seat.empty(keeper.ErrClosed), h.free())
	}
	return h, nil
}

// now is this machine's wall clock.
func (h *Host) now() time.Time { return h.machine.Read().Wall }

// begin reads the directory's files and opens the node.
func (h *Host) begin(ctx context.Context) (err error) {
	if h.root, err = h.dir.Root(); err != nil {
		return err
	}
	if err := h.Reload(); err != nil {
		return err
	}
	if err := h.sitDown(ctx); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(h.root)
	h.server, err = wire.NewServer(wire.ServerConfig{
		Keeper: h.seat, Rows: h.seat, Allow: h.allow, Logger: h.log, Release: h.release, Connections: connections,
		TLS: &tls.Config{
			MinVersion: tls.VersionTLS13, ClientCAs: pool, Time: h.now,
			Certificates:   []tls.Certificate{h.files.Load().door},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &h.files.Load().door, nil },
		},
	})
	return err
}

// sitDown opens the node; if the ledger is useless, the seat stays empty.
func (h *Host) sitDown(ctx context.Context) error {
	if err := h.dir.ownKeys(h.open.Custodian); err != nil {
		return err
	}
	n, err := keeper.OpenNode(ctx, h.dir.path, h.open)
	switch {
	case err == nil:
		h.seat.fill(n)
		return nil
	case keeper.Stops(err):
		return err
	}
	h.log.ErrorContext(ctx, "the keeper's ledger is of no use; repair it", "err", err)
	return h.seat.empty(err)
}

// ownKeys refuses a key file that belongs to another keeper: if it stayed here, every
// share key could come into one directory (I-5).
func (d *Dir) ownKeys(c keeper.Custodian) error {
	f, err := keeper.OpenKeyFile(d.disk, d.path, c)
	if errors.Is(err, fs.ErrNotExist) {
		return keeper.ErrNoKeySet
	}
	if err != nil {
		return err
	}
	defer f.Wipe()
	sets := f.KeySets()
	if f.ID() != d.Keeper || slices.ContainsFunc(sets, func(s keeper.SetInfo) bool { return s.Member != d.Member || s.Shape != d.Shape }) {
		return fmt.Errorf("%w: keeper.json is of %s", keeper.ErrStranger, f.ID())
	}
	if len(sets) == 0 {
		return keeper.ErrNoKeySet
	}
	return nil
}

// allow checks the certificate of the other side of a connection against the list of
// callers.
func (h *Host) allow(cert *x509.Certificate) error {
	if err := h.files.Load().callers.Allowed(cert, h.now()); err != nil {
		return fmt.Errorf("%s: %w", cert.Subject.CommonName, err)
	}
	return nil
}

// Reload reads the list of callers and the door's certificate again. A caller who is no
// longer allowed is refused from then on, also on open connections. If a file cannot be
// read, its previous content stays in use.
func (h *Host) Reload() error {
	next, err := h.takeIn()
	h.mu.Lock()
	h.unread = err
	h.mu.Unlock()
	if err != nil {
		return err
	}
	h.files.Store(next)
	h.recheck()
	return nil
}

// ErrReplaced: another directory has taken the place of the served one.
var ErrReplaced = errors.New("host: another directory lies in the keeper's place; put the right one back, or restart")

// takeIn reads the directory's files. It refuses another directory in the same place: the
// ledger still belongs to the one that was opened, and another's list of callers does not
// apply to this keeper.
func (h *Host) takeIn() (*files, error) {
	info, err := os.Stat(h.dir.path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("host: %w", err)
	case h.place == nil:
		h.place = info
	case !os.SameFile(h.place, info):
		return nil, ErrReplaced
	}
	return h.dir.load()
}

// takeKeys takes in key sets that were added while the keeper served. Without a ledger
// there is no node to take them: the node is opened with them once the ledger is
// repaired.
func (h *Host) takeKeys() error {
	n, err := h.seat.sits()
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	came, err := n.TakeKeySets(h.dir.path, h.open.Custodian)
	if err != nil {
		return fmt.Errorf("keeper.json: %w", err)
	}
	if came > 0 {
		h.log.Info("key sets were taken in", "key_sets", n.KeySets())
	}
	return nil
}

// recheck ends the connections of callers that are no longer allowed.
func (h *Host) recheck() {
	if h.server == nil {
		return
	}
	if n := h.server.Recheck(); n > 0 {
		h.log.Info("connections were ended: their callers are not admitted any more", "connections", n)
	}
}

// load reads the files that may change while the keeper serves.
func (d *Dir) load() (f *files, err error) {
	f = &files{}
	if f.as, err = d.stat(); err != nil {
		return nil, err
	}
	if f.callers, err = d.Callers(); err != nil {
		return nil, fmt.Errorf("%s: %w", callersFile, err)
	}
	f.door, err = d.door()
	return f, err
}

// stat returns the state of these files in the directory.
func (d *Dir) stat() (infos []fs.FileInfo, err error) {
	for _, name := range []string{callersFile, doorFile} {
		info, err := os.Stat(filepath.Join(d.path, name))
		if err != nil {
			return nil, fmt.Errorf("host: %w", err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// changed reports whether the files in the directory differ from the ones that were
// read.
func (h *Host) changed() bool {
	infos, err := h.dir.stat()
	if err != nil {
		return true
	}
	for i, was := range h.files.Load().as {
		if is := infos[i]; !os.SameFile(is, was) || !is.ModTime().Equal(was.ModTime()) || is.Size() != was.Size() {
			return true
		}
	}
	return false
}
