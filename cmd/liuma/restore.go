package main

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/locale"
)

// cardCmd is "liuma card".
type cardCmd struct {
	Head cardHeadCmd `cmd:""`
}

// cardHeadCmd is "liuma card head".
type cardHeadCmd struct {
	Card string `required:"" placeholder:"ID"`
	reasonFlag
}

// Run raises the head of one card.
func (a *cardHeadCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	card, err := liuma.ParseCardID(a.Card)
	if err != nil {
		return wrongUseFor("liuma card head", err, func(w *locale.Words, why string) string { return w.Refused.Option("--card", why) })
	}
	reason, err := a.reason("liuma card head")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		raised, err := adm.RaiseHead(ctx, card, reason)
		if errors.Is(err, admin.ErrTakesTwo) {
			return proposeAct(ctx, adm, t, admin.Act{Kind: admin.ActHead, ID: card.String(), Reason: reason})
		}
		if err != nil {
			return err
		}
		return sayRaised(t, raised)
	})
}

func sayRaised(t *terminal, raised authority.Raised) error {
	if raised.Taken {
		return t.line(t.shown().CardRaisedPIN(num(raised.From), num(raised.To), num(raised.Version)))
	}
	return t.line(t.shown().CardRaised(num(raised.From), num(raised.To)))
}

// proposeAct proposes an act that takes two, and prints the next step.
func proposeAct(ctx context.Context, adm admin.Administration, t *terminal, q admin.Act) error {
	p, err := adm.ProposeAct(ctx, q)
	if err != nil {
		return err
	}
	return t.line(t.shown().StaffTakesTwo(string(p.ID), p.Until.Format(time.RFC3339)))
}

// restoreCmd is "liuma restore".
type restoreCmd struct {
	Backup restoreBackupCmd `cmd:"" name:"backup" default:"withargs"`
	Accept restoreAcceptCmd `cmd:""`
}

// restoreAcceptCmd is "liuma restore accept".
type restoreAcceptCmd struct {
	reasonFlag
}

// Run goes through all cards, step by step. After an interruption, start it again:
// the finished cards stay so.
func (a *restoreAcceptCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma restore accept")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		err := acceptAll(t, func(after liuma.CardID) (authority.Accepted, error) { return adm.AcceptRestore(ctx, after, reason) })
		if errors.Is(err, admin.ErrTakesTwo) {
			return proposeAct(ctx, adm, t, admin.Act{Kind: admin.ActRestore, Reason: reason})
		}
		return err
	})
}

// acceptAll goes through all cards, step by step.
func acceptAll(t *terminal, accept func(after liuma.CardID) (authority.Accepted, error)) error {
	var after liuma.CardID
	var cards, raised, failed int64
	for {
		step, err := accept(after)
		if err != nil {
			return err
		}
		cards, raised, failed = cards+step.Cards, raised+step.Raised, failed+step.Failed
		if step.Done || step.Last == after {
			break
		}
		after = step.Last
	}
	if err := t.line(t.shown().RestoreCards(num(cards), num(raised), num(failed))); err != nil {
		return err
	}
	if failed > 0 {
		return refuse(func(w *locale.Words) string { return w.Refused.RestoreSome() })
	}
	return nil
}
