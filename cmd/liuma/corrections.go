package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// correctCmd is "liuma registry correct".
type correctCmd struct {
	Shorten string `name:"shorten" placeholder:"ID"`
	JSON    bool   `name:"json"`
	reasonFlag
}

// Run reads the numbers from standard input, so that they are neither in the list of
// processes nor in the shell's history.
func (a *correctCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma registry correct")
	if err != nil {
		return err
	}
	if a.Shorten != "" {
		return c.administer(ctx, t, func(adm admin.Administration) error {
			return proposeAct(ctx, adm, t, admin.Act{Kind: admin.ActHasten, ID: a.Shorten, Reason: reason})
		})
	}
	q, err := askCorrection(t)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.CorrectNumber(ctx, q, reason)
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(out)
		}
		return sayCorrection(t, out)
	})
}

func askCorrection(t *terminal) (q admin.NumberCorrection, err error) {
	lines, say := bufio.NewScanner(t.in), t.shown()
	for _, ask := range []struct {
		what string
		to   *string
	}{
		{say.CorrectionNow(), &q.Former},
		{say.CorrectionRight(), &q.Number},
		{say.CorrectionCard(), &q.CardNo},
	} {
		fmt.Fprintf(t.err, "%s: ", ask.what)
		if !lines.Scan() {
			fmt.Fprintln(t.err)
			return q, errors.Join(lines.Err(), refuse(func(w *locale.Words) string { return w.Refused.CorrectionEnded(ask.what) }))
		}
		*ask.to = strings.TrimSpace(lines.Text())
	}
	fmt.Fprintln(t.err)
	return q, nil
}

func sayCorrection(t *terminal, out admin.CorrectedNumber) error {
	say := t.shown()
	switch v := out.Waiting; {
	case v == nil:
		return t.line(say.CorrectionDone())
	case v.State == "waiting" && v.Until != nil:
		return t.line(say.CorrectionUntil(v.ID, v.Name, v.Until.Local().Format(time.DateTime)))
	case v.State == "waiting":
		return t.line(say.CorrectionWaiting(v.ID, v.Name))
	case v.State == "stopped" && v.Why == store.WhyUntold:
		return t.line(say.CorrectionUntold(v.Name, v.ID))
	case v.State == "stopped":
		return t.line(say.CorrectionStopped(v.Name, v.ID, v.Why))
	default:
		return t.line(say.CorrectionReceived(v.Name, v.ID))
	}
}

// correctionsCmd is "liuma registry corrections".
type correctionsCmd struct {
	Cancel string `name:"cancel" placeholder:"ID"`
	GoOn   string `name:"go-on" placeholder:"ID"`
	JSON   bool   `name:"json"`
	Reason string `name:"reason" placeholder:"TEXT"`
}

// Run lists page by page, cancels a correction, or continues one.
func (a *correctionsCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	switch {
	case a.Cancel != "" && a.GoOn != "":
		return wrongUse("liuma registry corrections", func(w *locale.Words) string { return w.Refused.CorrectionExclude() })
	case a.Cancel != "":
		return a.cancel(ctx, c, t)
	case a.GoOn != "":
		return a.goOn(ctx, c, t)
	case a.Reason != "":
		return wrongUse("liuma registry corrections", func(w *locale.Words) string { return w.Refused.CorrectionReason() })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		none, err := inParts(admin.MaxCorrections, func(after string) ([]registry.CorrectionView, error) { return adm.Corrections(ctx, after) },
			func(v registry.CorrectionView) (string, error) { return v.ID, a.print(t, v) })
		if err != nil || !none || a.JSON {
			return err
		}
		return t.line(t.shown().CorrectionNone())
	})
}

func (a *correctionsCmd) cancel(ctx context.Context, c *cli, t *terminal) error {
	reason, err := reasonFlag{Reason: a.Reason}.reason("liuma registry corrections --cancel")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.CancelCorrection(ctx, a.Cancel, reason); err != nil {
			return err
		}
		return t.line(t.shown().CorrectionCancelled())
	})
}

func (a *correctionsCmd) goOn(ctx context.Context, c *cli, t *terminal) error {
	reason, err := reasonFlag{Reason: a.Reason}.reason("liuma registry corrections --go-on")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.GoOnUntold(ctx, a.GoOn, reason)
		if errors.Is(err, admin.ErrTakesTwo) {
			return proposeAct(ctx, adm, t, admin.Act{Kind: admin.ActResume, ID: a.GoOn, Reason: reason})
		}
		if err != nil {
			return err
		}
		return sayCorrection(t, out)
	})
}

func (a *correctionsCmd) print(t *terminal, v registry.CorrectionView) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(v)
	}
	say := t.shown()
	card := say.ConflictNoCard()
	if v.HasCard {
		card = say.ConflictCard()
	}
	when := ""
	switch {
	case v.Why != "":
		when = "  (" + v.Why + ")"
	case v.Until != nil && v.State == "waiting":
		when = "  " + say.CorrectionUntilShort(v.Until.Local().Format(time.DateTime))
	case v.State == "waiting":
		when = "  " + say.CorrectionUntilTold()
	}
	_, err := fmt.Fprintf(t.out, "%s  %s -> %s  %s  %s  %s  %s%s\n", v.ID, v.Former, v.Number, v.Name, card, v.State, say.CorrectionBy(v.By), when)
	return err
}
