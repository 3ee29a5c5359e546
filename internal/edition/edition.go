// Package edition keeps the policy that the service runs: editions (规则版本) are sets of
// layers that two members of staff approved, beside a running server. It guarantees
// that an edition is read strictly and checked as a whole before anybody is asked to
// approve it; that approving applies exactly what the member was shown, and only to
// the policy that it was compared with; that the approval, its entry in the record and
// the edition are one transaction, before any rule changes (I-8, R-35); and that a
// process uses one whole edition, the last approved one, also after each restart. It
// trusts the caller to say who acts, and the two members to judge a change.
//
// Start here: Editions.
package edition

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/store"
)

// Kind is the kind of proposals for the policy.
const Kind = "policy.change"

// lookEvery is how often a process checks whether another process approved an edition.
// LookLate is how late it may start to use it: a process that cannot use it by then
// decides nothing any more.
const (
	lookEvery = time.Second
	LookLate  = 30 * time.Second
)

// Errors that callers handle. With each of them nothing was changed.
var (
	// ErrSet: the error names every fault, with file and line.
	ErrSet     = errors.New("these layers cannot be the policy")
	ErrSame    = errors.New("this is the policy that runs: nothing would change")
	ErrMoved   = errors.New("the policy that runs is not the one that this was proposed against; withdraw this proposal and propose it again")
	ErrDigest  = errors.New("this is not the digest of the proposal; look at it with 'liuma policy show' and approve with the digest that stands there")
	ErrBounds  = errors.New("who proposed this is bound to a region or an agency by now, and the policy is of the whole service")
	ErrUnknown = errors.New("there is no such edition of the policy")
)

// Config is what Editions need. Files, Regions and Logger are optional.
type Config struct {
	Store     store.Store
	Proposals *proposal.Proposals
	Now       func() time.Time // the database's time
	National  policy.Policy    // the base of all layers
	// Files reads the layers of the configuration, which apply until the first
	// approval. Default: none.
	Files func() ([]policy.File, error)
	// Regions is the list of regions, for warnings about layers of regions that are not
	// in it.
	Regions func() (*directory.Regions, error)
	Logger  *slog.Logger // default: discard
}

// Editions is the policy of one process. Safe for concurrent use.
type Editions struct {
	c       Config
	running *policy.Running // nil: no policy can be used; see fault
	fault   error           // set by Open

	mu      sync.Mutex
	no      uint64    // guarded by mu: the edition that runs; 0: the configuration's files
	sum     string    // guarded by mu: of the policy that runs
	since   time.Time // guarded by mu: when this process began to use it
	files   string    // sum of the configuration's files when they were read; set by Open
	filesIs error     // why they could not be read; set by Open
}

// Open reads the last edition or, before the first one, the files of the configuration.
// If these layers cannot be the policy, Open returns no error, because two members must
// be able to approve others without a server; Running returns the error.
func Open(ctx context.Context, c Config) (*Editions, error) {
	if c.Store == nil || c.Proposals == nil || c.Now == nil {
		return nil, errors.New("edition: config: want Store, Proposals and Now")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Editions{c: c, since: c.Now()}
	first, err := e.first()
	if e.filesIs = err; err == nil {
		e.files = first.Sum()
	}
	var last, before store.Edition
	err = c.Store.View(ctx, func(r store.Reader) (err error) {
		last, before = store.Edition{}, store.Edition{}
		if last, err = r.LastEdition(); err == nil && last.No > 1 {
			before, err = r.Edition(last.No - 1)
		}
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		if e.fault = e.filesIs; e.fault == nil {
			e.running, e.sum = policy.NewRunning(first), first.Sum()
		}
		return e, nil
	case err != nil:
		return nil, err
	}
	e.no, e.sum = last.No, last.Sum
	layers, err := e.layers(last)
	if err != nil {
		e.fault = fmt.Errorf("edition %d of the policy, which was approved on %s: %w", last.No, last.At.UTC().Format(time.DateOnly), err)
		return e, nil
	}
	e.running = policy.NewRunning(layers)
	// Ceremonies that began under the previous edition continue under the stricter of
	// the two.
	if earlier, err := e.layers(before); err == nil && before.No > 0 && c.Now().Sub(last.At) < policy.ActTime {
		e.running = policy.NewRunning(earlier)
		e.running.Swap(layers, last.At.Add(LookLate))
	}
	return e, nil
}

// first returns the layers of the configuration.
func (e *Editions) first() (*policy.Layers, error) {
	if e.c.Files == nil {
		return policy.NewLayers(e.c.National)
	}
	files, err := e.c.Files()
	if err != nil {
		return nil, err
	}
	return policy.NewLayers(e.c.National, files...)
}

// layers applies an edition's files on top of the national rule.
func (e *Editions) layers(of store.Edition) (*policy.Layers, error) {
	files, err := parse(of.Files)
	if err != nil {
		return nil, err
	}
	return policy.NewLayers(e.c.National, files...)
}

// parse reads the files of an edition; the error names the faults of all of them.
func parse(of []store.LayerFile) ([]policy.File, error) {
	var files []policy.File
	var errs []error
	for _, f := range of {
		file, err := policy.ParseFile(f.Name, f.Text)
		files, errs = append(files, file), append(errs, err)
	}
	return files, policy.Gather(errs...)
}

// Running returns the policy that this process uses. Its error says why there is none;
// then a server does not start.
func (e *Editions) Running() (*policy.Running, error) { return e.running, e.fault }

// Look switches to the last edition, if another one runs.
//
// A crash before it leaves the rules of the process that ends; the next start reads the last
// edition, whose entry is in the record.
func (e *Editions) Look(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.fault == nil {
		var next store.Edition
		err := e.c.Store.View(ctx, func(r store.Reader) (err error) {
			if next, err = r.Edition(e.no + 1); errors.Is(err, store.ErrNotFound) && e.no == 0 {
				next, err = store.Edition{}, nil
			}
			return err
		})
		if errors.Is(err, store.ErrNotFound) || err == nil && next.No == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		layers, err := e.layers(next)
		if err != nil {
			return fmt.Errorf("edition %d of the policy: %w", next.No, err)
		}
		now := e.c.Now()
		if next.Sum != e.sum {
			e.running.Swap(layers, now)
		}
		e.no, e.sum, e.since = next.No, next.Sum, now
		if next.Approver != "" {
			e.c.Logger.InfoContext(ctx, "the policy was changed", "edition", next.No, "policy", next.Sum, "by", string(next.By), "approved_by", string(next.Approver))
		}
	}
	return nil
}

// ErrLate is the reason why nothing is decided: for LookLate this process could not use
// the edition that was approved last, or could not check whether there is a new one.
var ErrLate = errors.New("edition: the policy that was approved last does not run here")

// Watch checks for editions that another process approved, until ctx ends. If that has
// failed for LookLate, the running policy does not stand (policy.Running.Standing), so
// that no process goes on with rules that two members have replaced.
func (e *Editions) Watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	failing, since := false, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := e.Look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			e.c.Logger.ErrorContext(ctx, "the policy that was approved last does not run here", "err", err)
		}
		if failing = err != nil; !failing {
			since = time.Now()
		}
		e.late(err, time.Since(since))
	}
}

// late reports that the running policy may be outdated, before time by.
func (e *Editions) late(err error, by time.Duration) {
	switch {
	case e.running == nil:
	case err == nil:
		e.running.Late(nil)
	case by >= LookLate:
		e.running.Late(fmt.Errorf("%w: %w", ErrLate, err))
	}
}

// State describes the policy that a process uses.
type State struct {
	Edition uint64 `json:"edition"` // 0: the files of the configuration
	Sum     string `json:"sum"`     // empty: the national rule alone
	// Since is when this process began to use it, and At when it was approved.
	Since    time.Time     `json:"since"`
	At       time.Time     `json:"at,omitzero"`
	By       liuma.StaffID `json:"by,omitempty"`
	Approver liuma.StaffID `json:"approver,omitempty"`
	Layers   []LayerName   `json:"layers"`
	// Fault says why there is no policy; then a server does not start.
	Fault string `json:"fault,omitempty"`
	// FilesDiffer means that the configuration's files are not the policy that runs,
	// because the approved edition takes precedence. FilesFault is why the files cannot
	// be read.
	FilesDiffer bool   `json:"files_differ,omitempty"`
	FilesFault  string `json:"files_fault,omitempty"`
}

// LayerName names one layer of an edition.
type LayerName struct {
	Layer string `json:"layer"` // "national", "region 3305", "channel ID"
	File  string `json:"file"`
	Sum   string `json:"sum"` // SHA-256 of the file, in hex
}

// State returns the state of the policy that this process uses.
func (e *Editions) State(ctx context.Context) (State, error) {
	_, s := e.now()
	err := e.c.Store.View(ctx, func(r store.Reader) error { return approvedBy(r, &s) })
	return s, err
}

// approvedBy adds the member who approved the edition.
func approvedBy(r store.Reader, s *State) error {
	if s.Edition == 0 {
		return nil
	}
	row, err := r.Edition(s.Edition)
	s.At, s.By, s.Approver = row.At.UTC(), row.By, row.Approver
	return err
}

// now returns the running layers, nil if there are none, and their state in this
// process.
func (e *Editions) now() (*policy.Layers, State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := State{Edition: e.no, Sum: e.sum, Since: e.since.UTC(), Layers: []LayerName{}}
	if e.no > 0 {
		s.FilesDiffer = e.c.Files != nil && e.filesIs == nil && e.files != e.sum
		if e.filesIs != nil {
			s.FilesFault = e.filesIs.Error()
		}
	}
	if e.fault != nil {
		s.Fault = e.fault.Error()
		return nil, s
	}
	layers := e.running.Layers()
	for _, f := range layers.Files() {
		s.Layers = append(s.Layers, LayerName{f.Scope.String(), f.Name, hex.EncodeToString(f.Sum[:])})
	}
	return layers, s
}
