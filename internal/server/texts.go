package server

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door/gateway"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// openTexts makes the outbox and lets it send until the system is closed. It
// returns the store for the authority, which wakes the outbox after each commit
// that queued a message, and the outbox for the authority: nil if messages are
// not configured.
func (s *System) openTexts() (store.Store, authority.Outbox, error) {
	if s.options.Outbox != nil {
		s.codeWays = []liuma.CodeWay{liuma.ByText, liuma.ByVoice}
		return s.Store, s.options.Outbox(s.Data), nil
	}
	driver, err := s.openDriver()
	if err != nil || driver == nil {
		return s.Store, nil, err
	}
	s.codeWays = notify.Ways(driver)
	texts := s.Config.Texts
	var wordings []notify.Override
	if texts.Wordings != "" {
		if wordings, err = config.ReadWordings(texts.Wordings); err != nil {
			return nil, nil, err
		}
	}
	templates, err := notify.NewTemplates(texts.SenderMark(), s.Config.Hotline, wordings)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", texts.Wordings, err)
	}
	quota := func(q config.Quota) notify.Quota {
		return notify.Quota{PerSecond: q.PerSecond, Concurrent: q.Concurrent}
	}
	s.Outbox, err = notify.New(notify.Config{
		Store: s.Store, Vault: s.Vault, Driver: driver, Templates: templates,
		Codes: quota(texts.Codes), Notices: quota(texts.Notices),
		Drain: max(time.Duration(s.Config.Drain), time.Millisecond), Now: s.Clock.Now, Wall: s.Clock.Wall, Logger: s.options.Logger,
	})
	if err != nil {
		return nil, nil, err
	}
	if s.Config.Gateway.Listen != "" {
		if s.Gateway, err = gateway.NewServer(gateway.Config{
			Driver: driver, Sink: s.Outbox, Path: config.ReceiptPath, Now: s.Clock.Wall, Logger: s.options.Logger,
			InFlight: s.gatewayBounds.inFlight, Ready: s.keeps,
		}); err != nil {
			return nil, nil, err
		}
	}
	s.beside(s.duties.while(store.DutyOutbox, func(ctx context.Context) {
		if err := s.Outbox.Run(ctx); err != nil {
			s.options.Logger.ErrorContext(ctx, "texts are no longer sent", "err", err)
		}
	})...)
	return waking{s.Store, s.Outbox.Wake}, toPhones{s.Outbox}, nil
}

// openDriver makes the configured driver; nil if there is none.
func (s *System) openDriver() (notify.Driver, error) {
	texts := s.Config.Texts
	if s.options.Texts != nil {
		return s.options.Texts, nil
	}
	switch texts.Driver {
	case config.DriverInbox:
		s.Inbox = notify.NewInbox(s.Clock.Wall)
		return s.Inbox, nil
	case config.DriverWebhook:
		return s.openWebhook(texts.Webhook)
	case config.DriverKannel:
		password, err := config.ReadSecret(texts.Kannel.PasswordFile)
		if err != nil {
			return nil, err
		}
		defer clear(password)
		return notify.NewKannel(notify.KannelConfig{
			SendURL: texts.Kannel.URL, Username: texts.Kannel.Username, Password: string(password), From: texts.Kannel.From,
			ReceiptURL: texts.Kannel.ReceiptURL, Vault: s.Vault, Now: s.Clock.Wall,
		})
	}
	return nil, nil
}

func (s *System) openWebhook(w config.Webhook) (notify.Driver, error) {
	secret, err := config.ReadSecret(w.SecretFile)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	var previous []byte
	if w.PreviousFile != "" {
		if previous, err = config.ReadSecret(w.PreviousFile); err != nil {
			return nil, err
		}
		defer clear(previous)
	}
	return notify.NewWebhook(notify.WebhookConfig{
		URL: w.URL, Secret: secret, Previous: previous, Voice: w.Voice, Now: s.Clock.Wall,
	})
}

// toPhones adapts the outbox to the authority's interface.
type toPhones struct{ outbox *notify.Outbox }

func (t toPhones) Queue(tx store.Tx, n authority.Notice) (string, error) {
	id, err := t.outbox.Put(tx, notify.Message{
		Kind: n.Kind, Card: n.Card, Phone: n.Phone, Template: notify.Template(n.Template), Way: n.Way, Language: n.Language,
		Region: n.Region, Params: n.Params, Expires: n.Expires, Dedup: n.Dedup,
	})
	if w, ok := tx.(*wakingTx); ok && err == nil {
		w.queued = true
	}
	return id, err
}

// toPaper adapts the print queue to the authority's interface.
type toPaper struct{ letters *letter.Letters }

func (t toPaper) Knows(template string) bool { return letter.OnPaper(template) }

func (t toPaper) May(r store.Reader, card liuma.CardID, to registry.Facts) (bool, error) {
	return t.letters.May(r, card, to)
}

func (t toPaper) Write(tx store.Tx, l authority.Letter) error {
	return t.letters.Write(tx, letter.Message{Card: l.Card, Template: l.Template, Region: l.Region, ZH: l.ZH, EN: l.EN, Freeze: l.Freeze, Until: l.Until})
}

// waking is a store that wakes the outbox after a commit that queued a message,
// so that it is sent at once. After a crash in between, the outbox finds the
// message the next time it looks.
type waking struct {
	store.Store
	wake func()
}

type wakingTx struct {
	store.Tx
	queued bool
}

func (w waking) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	var run *wakingTx // the last run of f: the one that was committed
	err := w.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		run = &wakingTx{Tx: tx}
		return f(run)
	})
	// An error wakes the outbox too, because the commit may have succeeded;
	// looking once too often does no harm.
	if run != nil && run.queued {
		w.wake()
	}
	return err
}
