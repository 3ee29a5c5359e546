package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// keysMembersCmd is "liuma keys members".
type keysMembersCmd struct {
	JSON bool `name:"json"`
}

// Run lists the authorities that keys are handed to, with the digits of their identities.
func (a *keysMembersCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		s, err := adm.Status(ctx)
		if err != nil {
			return err
		}
		if s.Keyring == nil {
			return refuse(func(w *locale.Words) string { return w.Refused.KeysAlone() })
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(s.Keyring)
		}
		for _, m := range s.Keyring.Members {
			if err := t.line(m.Name + "  " + m.Digits + "  " + memberState(t.shown(), s.Keyring, m) + "; " + memberPresence(t.shown(), m)); err != nil {
				return err
			}
		}
		return printKeyring(t, s.Keyring)
	})
}

// memberState says in words how an authority stands.
func memberState(say locale.Shown, s *keyring.State, m keyring.Member) string {
	switch s.Standing(m) {
	case keyring.Out:
		return say.MemberOut()
	case keyring.Refused:
		return say.MemberRefused(m.Why)
	case keyring.Here:
		return say.MemberHere()
	case keyring.Unconfirmed:
		return say.MemberUnconfirmed()
	case keyring.Unanswered:
		return say.MemberUnanswered()
	case keyring.Behind:
		return say.MemberBehind()
	}
	return say.MemberHas()
}

// memberPresence says in words whether an authority serves, and since when it does or does not.
func memberPresence(say locale.Shown, m keyring.Member) string {
	switch {
	case m.Serves && !m.Since.IsZero():
		return say.MemberServes(m.Since.Format(time.RFC3339))
	case m.Serves:
		return say.MemberServesNow()
	case !m.Seen.IsZero():
		return say.MemberAway(m.Seen.Format(time.RFC3339))
	}
	return say.MemberAwayLong()
}

// printKeyring says what is waited for.
func printKeyring(t *terminal, s *keyring.State) error {
	say := t.shown()
	if s == nil {
		return nil
	}
	var what string
	switch {
	case len(s.Waiting) > 0 && s.Edition > 0:
		what = say.StatusKeysWaiting(strings.Join(s.Waiting, ", "))
	case s.Next == store.KeyringSign:
		what = say.StatusKeysNextSigning(s.NextID, s.From.Format(time.RFC3339))
	case s.Next == store.KeyringSeal:
		what = say.StatusKeysNextRoot(s.NextID)
	default:
		return nil
	}
	return t.row(say.StatusKeys(), what)
}

// keysConfirmCmd is "liuma keys confirm".
type keysConfirmCmd struct {
	Name   string `arg:""`
	Digits string `required:"" placeholder:"DIGITS"`
	reasonFlag
}

// Run gives this authority's word for another.
func (a *keysConfirmCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma keys confirm")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		err := adm.ConfirmAuthority(ctx, admin.AuthorityWord{Name: a.Name, Digits: a.Digits, Reason: reason})
		if errors.Is(err, admin.ErrTakesTwo) {
			return proposeAct(ctx, adm, t, admin.Act{Kind: admin.ActConfirm, ID: a.Name, Digits: a.Digits, Reason: reason})
		}
		if err != nil {
			return err
		}
		return t.line(t.shown().MemberConfirmed(a.Name))
	})
}

// keysDismissCmd is "liuma keys dismiss".
type keysDismissCmd struct {
	Name string `arg:""`
	reasonFlag
}

// Run hands no more keys to an authority.
func (a *keysDismissCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma keys dismiss")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.DismissAuthority(ctx, a.Name, reason); err != nil {
			return err
		}
		return t.line(t.shown().MemberDismissed(a.Name))
	})
}
