package main

import (
	"context"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
)

// auditFindCmd is "liuma audit find".
type auditFindCmd struct {
	Actor   string `name:"actor" placeholder:"ACTOR" help:"Only what this actor did: channel:ID, registry:ID, hotline:ID, holder, operator, system."`
	Event   string `name:"event" placeholder:"EVENT" help:"Only this event, card.frozen say."`
	Outcome string `name:"outcome" placeholder:"WORD" help:"Only this outcome."`
	Since   string `name:"since" placeholder:"TIME" help:"Only from this time on: 2026-11-29T08:00:00Z."`
	Until   string `name:"until" placeholder:"TIME" help:"Only before this time."`
	Cards   bool   `name:"cards" help:"Print only the IDs of the cards concerned, each once."`
	JSON    bool   `name:"json" help:"Print the entries as in an export."`
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
			return showLine(t.out, l, a.JSON)
		case e.Card.IsZero() || seen[e.Stream]:
			return nil
		}
		seen[e.Stream] = true
		_, err := fmt.Fprintln(t.out, e.Card)
		return err
	})
	if err == nil && found == 0 { // which an empty answer would leave in doubt
		_, err = fmt.Fprintln(t.err, "No such entries.")
	}
	return err
}

// moment reads the time of a flag; empty is none.
func moment(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return at, badUsage("liuma audit find", "%s: want a time like 2026-11-29T08:00:00Z", flag)
	}
	return at, nil
}
