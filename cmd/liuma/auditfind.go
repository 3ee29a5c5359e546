package main

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/locale"
)

// auditFindCmd is "liuma audit find".
type auditFindCmd struct {
	Actor   string `name:"actor" placeholder:"ACTOR"`
	Event   string `name:"event" placeholder:"EVENT"`
	Outcome string `name:"outcome" placeholder:"WORD"`
	Since   string `name:"since" placeholder:"TIME"`
	Until   string `name:"until" placeholder:"TIME"`
	Cards   bool   `name:"cards"`
	JSON    bool   `name:"json"`
}

// Run goes through the whole record, stream by stream.
func (a *auditFindCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	since, err := moment("--since", a.Since)
	if err != nil {
		return err
	}
	until, err := moment("--until", a.Until)
	if err != nil {
		return err
	}
	seen, found := map[audit.Stream]bool{}, 0
	err = c.lines(ctx, t, record.Query{}, func(l audit.Line) error {
		if l.Entry == nil {
			return nil
		}
		e := l.Entry.Recorded()
		switch {
		case a.Actor != "" && e.Actor != a.Actor, a.Event != "" && string(e.Event) != a.Event,
			a.Outcome != "" && e.Outcome != a.Outcome,
			e.At.Before(since), !until.IsZero() && !e.At.Before(until):
			return nil
		}
		found++
		switch {
		case !a.Cards:
			return showLine(t, l, a.JSON)
		case e.Card.IsZero() || seen[e.Stream]:
			return nil
		}
		seen[e.Stream] = true
		_, err := fmt.Fprintln(t.out, e.Card)
		return err
	})
	if err == nil && found == 0 { // an empty answer would leave it in doubt
		_, err = fmt.Fprintln(t.err, t.shown().AuditNone())
	}
	return err
}

// moment reads the time of a flag; zero if it is empty.
func moment(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return at, wrongUse("liuma audit find", func(w *locale.Words) string { return w.Refused.AuditMoment(flag) })
	}
	return at, nil
}
