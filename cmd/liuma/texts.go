package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// textsCmd is "liuma texts".
type textsCmd struct {
	List  textsListCmd  `cmd:"" help:"List texts to phones and what became of them; never a number, a name or a text."`
	Retry textsRetryCmd `cmd:"" help:"Have a dead notice tried again."`
	Inbox textsInboxCmd `cmd:"" help:"Show the texts of a server whose texts.driver is inbox, which sends nothing. For trying things out."`
}

// textsListCmd is "liuma texts list".
type textsListCmd struct {
	State string `name:"state" enum:"waiting,sent,delivered,dead," default:"" help:"Only those in this state: waiting, sent, delivered or dead."`
	JSON  bool   `name:"json" help:"Print one JSON object a line."`
}

// Run lists page by page; messages that are queued meanwhile may be listed or
// not.
func (a *textsListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		after, none := "", true
		for {
			page, err := adm.Texts(ctx, store.MessageState(a.State), after)
			if err != nil {
				return err
			}
			for _, l := range page {
				if err := a.print(t.out, l); err != nil {
					return err
				}
				after, none = l.ID, false
			}
			if len(page) < admin.MaxTexts {
				break
			}
		}
		if !none || a.JSON {
			return nil
		}
		what := "No text is there."
		if a.State != "" {
			what = "No text is " + a.State + "."
		}
		_, err := fmt.Fprintln(t.out, what)
		return err
	})
}

func (a *textsListCmd) print(w io.Writer, l notify.MessageView) error {
	if a.JSON {
		return json.NewEncoder(w).Encode(l)
	}
	more := fmt.Sprintf("  tries %d", l.Tries)
	if l.Way == liuma.ByVoice {
		more = "  call" + more
	}
	if l.Fault != "" {
		more += "  " + l.Fault
	}
	if l.State == store.MessageWaiting {
		more += "  next " + l.NextAt.UTC().Format(time.RFC3339)
	}
	if l.State == store.MessageDead && !l.Retriable {
		more += "  (not to be tried again)"
	}
	_, err := fmt.Fprintf(w, "%s  %-9s  %-17s  %s%s\n", l.ID, l.State, l.Template, l.At.UTC().Format(time.RFC3339), more)
	return err
}

// textsRetryCmd is "liuma texts retry".
type textsRetryCmd struct {
	ID string `arg:"" name:"id" help:"The ID of the text, as 'liuma texts list' shows it."`
}

// Run has it tried again; the audit record names the operator.
func (a *textsRetryCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		id, err := adm.RetryText(ctx, a.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("no text has the ID %s; 'liuma texts list --state dead' shows what there is", a.ID)
		case errors.Is(err, notify.ErrNotRetriable):
			return errors.New("only dead notices are tried again, each once; who needs a code asks for a new one on the page")
		case err != nil:
			return err
		}
		as := ""
		if id != a.ID {
			as = fmt.Sprintf(" It goes by the new ID %s, since the gateway would drop the old one.", id)
		}
		_, err = fmt.Fprintf(t.out, "%s is tried again.%s\n", a.ID, as)
		return err
	})
}

// textsInboxCmd is "liuma texts inbox".
type textsInboxCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// Run shows the texts, oldest first.
func (a *textsInboxCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		texts, err := adm.Inbox(ctx)
		if err != nil {
			return err
		}
		if len(texts) == 0 && !a.JSON {
			_, err = fmt.Fprintln(t.out, "No text has come since the server was started.")
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
					text = "(call) " + text
				}
				_, err = fmt.Fprintf(t.out, "%s  %s  %s\n", x.At.UTC().Format(time.RFC3339), x.Phone, text)
			}
		}
		return err
	})
}
