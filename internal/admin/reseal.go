package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// resealAfter is how long after a rotation the resealing begins, so that the key file
	// can be backed up first.
	resealAfter = time.Minute
	// resealRows is how many rows one step goes through: it holds up the store's other
	// writes for some tens of milliseconds.
	resealRows = 200
	// resealEvery is how often a server checks whether resealing is due.
	resealEvery = 10 * time.Second
)

// Resealing says how far sealing all rows under the current root key has come. Until it
// has ended and the older keys are dropped, those keys are needed.
type Resealing struct {
	Key     uint32   `json:"key"`   // that seals
	Older   []uint32 `json:"older"` // that still open
	Table   string   `json:"table"` // where it is; empty before it begins
	Rows    uint64   `json:"rows"`  // sealed anew
	Refused uint64   `json:"refused"`
	Ended   bool     `json:"ended"`
}

// Reseal seals all rows again after each rotation, starting a minute after it, until ctx
// ends. The next start continues an unfinished pass.
func (a *Admin) Reseal(ctx context.Context) {
	t := time.NewTicker(resealEvery)
	defer t.Stop()
	for {
		if err := a.ResealOnce(ctx); err != nil && ctx.Err() == nil {
			a.c.Logger.WarnContext(ctx, "not everything was sealed anew; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// ResealOnce is one round of Reseal: nothing if none is due, or a whole pass.
func (a *Admin) ResealOnce(ctx context.Context) error {
	state, err := a.resealing(ctx)
	if err != nil || state == nil || state.Ended {
		return err
	}
	keys, err := a.c.Vault.KeyFile().RootKeys()
	if err != nil {
		return err
	}
	if newest := sealing(keys); newest.ID != state.Key || a.c.Clock.Now().Before(newest.Made.Add(resealAfter)) {
		return nil
	}
	// If another authority seals under an older key, or did until a moment ago, it may
	// write a row under that key behind the pass.
	if since, ok, err := a.c.Keyring.Settled(ctx); err != nil || !ok || a.c.Clock.Now().Before(since.Add(resealAfter)) {
		return err
	}
	_, err = a.reseal(ctx)
	return err
}

// resealing is nil if there is no older key, since then no row can be sealed under one.
func (a *Admin) resealing(ctx context.Context) (*Resealing, error) {
	out := Resealing{Key: a.c.Vault.SealsWith(), Older: a.c.Vault.OpensWith()}
	if len(out.Older) == 0 {
		return nil, nil
	}
	s, err := a.resealed(ctx)
	if err == nil && s.Key == out.Key {
		out.Table, out.Rows, out.Refused, out.Ended = s.Table, s.Rows, s.Refused, s.Ended()
	}
	return &out, err
}

// resealed is the state of the last pass; zero if there was none.
func (a *Admin) resealed(ctx context.Context) (s store.Resealing, err error) {
	err = a.c.Store.View(ctx, func(r store.Reader) (err error) {
		s, err = r.Resealing()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return s, err
}

// reseal goes through all rows, step by step. Between two steps it leaves the
// store to others for as long as the step took.
func (a *Admin) reseal(ctx context.Context) (store.Resealing, error) {
	for {
		began := time.Now()
		s, err := a.resealStep(ctx)
		if err != nil || s.Ended() {
			return s, err
		}
		if a.c.Server == nil {
			continue // there are no others
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
}

// resealStep does one step. The first and the last one are recorded, in their own
// transactions. A crash in between leaves the position that was reached.
func (a *Admin) resealStep(ctx context.Context) (s store.Resealing, err error) {
	err = a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		before, err := tx.Resealing()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		if s, err = tx.ResealStep(a.c.Clock.Now(), resealRows); err != nil {
			return audit.Entry{}, err
		}
		e := audit.Entry{At: a.c.Clock.Now().UTC(), Actor: "system", Event: audit.RowsResealed}
		switch {
		case before.Key != s.Key:
			e.Outcome, e.Note = "begun", keyNote(s.Key)
		case s.Ended() && !before.Ended():
			e.Outcome, e.Note = "ok", fmt.Sprintf("%s rows=%d refused=%d", keyNote(s.Key), s.Rows, s.Refused)
		default:
			return audit.Entry{}, nil
		}
		return e, nil
	})
	return s, err
}
