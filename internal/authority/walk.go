package authority

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// saveEvery is how often the position of a walk is saved if a step changed nothing else.
const saveEvery = time.Minute

// walk is this process's position in a walk through all rows of one kind, in small steps. A
// crash leaves the position that was saved last: the rows after it are looked at once more.
type walk struct {
	store store.Store
	read  func(store.Reader) (store.Sweep, error)
	save  func(store.Tx, store.Sweep) error

	mu    sync.Mutex
	at    *store.Sweep // guarded by mu; nil before the first step
	saved time.Time    // guarded by mu: when the position was last saved
}

func newWalk(s store.Store, read func(store.Reader) (store.Sweep, error), save func(store.Tx, store.Sweep) error) *walk {
	return &walk{store: s, read: read, save: save}
}

// forget has the next step begin at the saved position: another process may have gone on
// with the walk.
func (w *walk) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = nil
}

// position is where the next step begins: at first where the saved one says. The caller holds mu.
func (w *walk) position(ctx context.Context) (sw store.Sweep, err error) {
	if w.at != nil {
		return *w.at, nil
	}
	err = w.store.View(ctx, func(r store.Reader) (err error) {
		sw, err = w.read(r)
		return err
	})
	if errors.Is(err, store.ErrSeal) {
		sw, err = store.Sweep{}, nil // its alarm is raised; the walk begins anew
	}
	if err == nil {
		w.at = &sw
	}
	return sw, err
}

// move ends a step. It saves the position at once or, unless now is asked for, after
// saveEvery. The caller holds mu.
func (w *walk) move(ctx context.Context, to store.Sweep, at time.Time, now bool) error {
	w.at = &to
	if !now && at.Sub(w.saved) < saveEvery {
		return nil
	}
	w.saved = at
	return w.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, w.save(tx, to) })
}
