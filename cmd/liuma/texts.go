package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// textsCmd is "liuma texts".
type textsCmd struct {
	List  textsListCmd  `cmd:""`
	Retry textsRetryCmd `cmd:""`
	Drop  textsDropCmd  `cmd:""`
	Inbox textsInboxCmd `cmd:""`
}

// textsListCmd is "liuma texts list".
type textsListCmd struct {
	State string `name:"state" enum:"waiting,sent,delivered,dead," default:""`
	JSON  bool   `name:"json"`
}

// Run lists page by page; messages that are queued meanwhile may be listed or
// not.
func (a *textsListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		none, err := inParts(admin.MaxTexts, func(after string) ([]notify.MessageView, error) {
			return adm.Texts(ctx, store.MessageState(a.State), after)
		},
			func(l notify.MessageView) (string, error) { return l.ID, a.print(t, l) })
		if err != nil || !none || a.JSON {
			return err
		}
		if a.State != "" {
			return t.line(t.shown().TextsNoneIn(stateName(t.shown(), store.MessageState(a.State))))
		}
		return t.line(t.shown().TextsNone())
	})
}

func (a *textsListCmd) print(t *terminal, l notify.MessageView) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(l)
	}
	say := t.shown()
	more := "  " + say.TextsTries(num(l.Tries))
	if l.Way == liuma.ByVoice {
		more = "  " + say.TextsCall() + more
	}
	if l.Fault != "" {
		more += "  " + l.Fault
	}
	if l.State == store.MessageWaiting {
		more += "  " + say.TextsNext(l.NextAt.UTC().Format(time.RFC3339))
	}
	if l.State == store.MessageDead && !l.Retriable {
		more += "  " + say.TextsNotAgain()
	}
	_, err := fmt.Fprintf(t.out, "%s  %-9s  %-17s  %s%s\n", l.ID, l.State, l.Template, l.At.UTC().Format(time.RFC3339), more)
	return err
}

// stateName is the word for the state of a text.
func stateName(say locale.Shown, s store.MessageState) string {
	switch s {
	case store.MessageWaiting:
		return say.TextsWaiting()
	case store.MessageSent:
		return say.TextsSent()
	case store.MessageDelivered:
		return say.TextsDelivered()
	}
	return say.TextsDead()
}

// textsRetryCmd is "liuma texts retry".
type textsRetryCmd struct {
	ID string `arg:"" name:"id"`
}

// Run sends it again; the audit record names the operator.
func (a *textsRetryCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		id, err := adm.RetryText(ctx, a.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return refuse(func(w *locale.Words) string { return w.Refused.TextsUnknown(a.ID) })
		case errors.Is(err, notify.ErrNotRetriable):
			return refuse(func(w *locale.Words) string { return w.Refused.TextsOnlyDead() })
		case err != nil:
			return err
		}
		if id != a.ID {
			return t.line(t.shown().TextsAgainAs(a.ID, id))
		}
		return t.line(t.shown().TextsAgain(a.ID))
	})
}

// textsDropCmd is "liuma texts drop".
type textsDropCmd struct {
	ID string `arg:"" name:"id"`
	reasonFlag
}

// Run deletes it; the audit record names the member and the reason.
func (a *textsDropCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma texts drop")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		w := t.words().Terminal
		err := adm.DropText(ctx, a.ID, reason)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return errors.New(w.TextUnknown(a.ID))
		case errors.Is(err, notify.ErrNotDead):
			return errors.New(w.TextNotDead())
		case err != nil:
			return err
		}
		_, err = fmt.Fprintln(t.out, w.TextDropped(a.ID))
		return err
	})
}

// textsInboxCmd is "liuma texts inbox".
type textsInboxCmd struct {
	JSON bool `name:"json"`
}

// Run shows the texts, oldest first.
func (a *textsInboxCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		texts, err := adm.Inbox(ctx)
		if err != nil {
			return err
		}
		if len(texts) == 0 && !a.JSON {
			err = t.line(t.shown().TextsInboxEmpty())
		}
		for _, x := range texts {
			if err != nil {
				return err
			}
			if a.JSON {
				err = json.NewEncoder(t.out).Encode(x)
			} else {
				text := x.Text
				if x.Voice {
					text = t.shown().TextsByCall(text)
				}
				_, err = fmt.Fprintf(t.out, "%s  %s  %s\n", x.At.UTC().Format(time.RFC3339), x.Phone, text)
			}
		}
		return err
	})
}
