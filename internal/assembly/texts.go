package assembly

import (
	"context"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// openTexts makes the outbox and lets it send until the system is closed. It
// returns the store that the authority works on, which wakes the outbox after
// each commit that queued a text, and the outbox as the authority sees it: nil
// where texts are not configured.
func (s *System) openTexts() (store.Store, authority.Outbox, error) {
	if s.options.Outbox != nil {
		return s.Store, s.options.Outbox(s.Office), nil
	}
	if s.options.Texts == nil {
		return s.Store, nil, nil
	}
	templates, err := notify.NewTemplates(liuma.Text{}, nil)
	if err != nil {
		return nil, nil, err
	}
	s.Outbox, err = notify.New(notify.Config{
		Store: s.Store, Vault: s.Vault, Driver: s.options.Texts, Templates: templates,
		Drain: time.Duration(s.Config.Drain), Now: s.options.Now, Logger: s.options.Logger,
	})
	if err != nil {
		return nil, nil, err
	}
	background, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Outbox.Run(background); err != nil {
			s.options.Logger.Error("texts are no longer sent", "err", err)
		}
	})
	s.closers.add(func() error { stop(); running.Wait(); return nil })
	return waking{s.Store, s.Outbox.Wake}, toPhones{s.Outbox}, nil
}

// toPhones is the outbox as the authority knows one.
type toPhones struct{ outbox *notify.Outbox }

func (t toPhones) Queue(tx store.Tx, n authority.Notice) error {
	err := t.outbox.Queue(tx, notify.Notice{
		Kind: n.Kind, Card: n.Card, Phone: n.Phone, Template: notify.Template(n.Template), Language: n.Language,
		Region: n.Region, Params: n.Params, Expires: n.Expires, Dedup: n.Dedup,
	})
	if w, ok := tx.(*wakingTx); ok && err == nil {
		w.queued = true
	}
	return err
}

// waking is a store that says when a text was committed, so that it goes out
// at once. Whoever dies between commit and wake has the text found by the
// outbox's next look.
type waking struct {
	store.Store
	wake func()
}

type wakingTx struct {
	store.Tx
	queued bool
}

func (w waking) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	var run *wakingTx // the last one, which is the one that counts
	err := w.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		run = &wakingTx{Tx: tx}
		return f(run)
	})
	// An error wakes as well, for the commit may have come about: a look too
	// many costs nothing.
	if run != nil && run.queued {
		w.wake()
	}
	return err
}
