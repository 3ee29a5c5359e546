package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// keysCmd is "liuma keys".
type keysCmd struct {
	List   keysListCmd   `cmd:""`
	Rotate keysRotateCmd `cmd:""`
	Vault  keysVaultCmd  `cmd:""`
	Drop   keysDropCmd   `cmd:""`

	Members keysMembersCmd `cmd:""`
	Confirm keysConfirmCmd `cmd:""`
	Dismiss keysDismissCmd `cmd:""`

	Ask    keysAskCmd    `cmd:""`
	Invite keysInviteCmd `cmd:""`
	Take   keysTakeCmd   `cmd:""`
}

// keysListCmd is "liuma keys list".
type keysListCmd struct {
	JSON bool `name:"json"`
}

// keyView is a signing key as the list shows it.
type keyView struct {
	ID    string    `json:"kid"`
	State string    `json:"state"` // next, signing or old
	Made  time.Time `json:"made"`
}

// Run lists the keys. It reads the key file only, so it works at any time.
func (a *keysListCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	var keys []vault.SigningKey
	err = withKeyFile(conf, t, func(f vault.KeyFile) (err error) {
		keys, err = f.SigningKeys()
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		v := keyView{ID: k.ID, State: string(k.State), Made: k.Made}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			err = t.line(v.ID + "  " + padded(keyState(t.shown(), k.State), 7) + "  " + t.shown().KeysMadeAt(v.Made.Format(time.RFC3339)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keyState is the state of a signing key, in words.
func keyState(say locale.Shown, s vault.KeyState) string {
	switch s {
	case vault.KeyNext:
		return say.KeysNext()
	case vault.KeySigning:
		return say.KeysSigning()
	}
	return say.KeysOld()
}

// keysRotateCmd is "liuma keys rotate".
type keysRotateCmd struct{}

// Run makes the next signing key.
func (a *keysRotateCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		key, err := adm.RotateSigningKey(ctx)
		if err != nil {
			return err
		}
		said := t.shown().KeysMade
		switch {
		case key.Restart:
			said = t.shown().KeysMadeRestart
		case key.Follows:
			said = t.shown().KeysMadeFollows
		}
		return t.line(said(key.KID))
	})
}

// keysDropCmd is "liuma keys drop".
type keysDropCmd struct {
	KID string `arg:"" name:"kid"`
}

// Run drops a signing key that is not in use.
func (a *keysDropCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		key, err := adm.DropSigningKey(ctx, a.KID)
		switch {
		case errors.Is(err, vault.ErrNoSuchKey):
			return refuse(func(w *locale.Words) string { return w.Refused.KeysUnknown(a.KID) })
		case errors.Is(err, vault.ErrKeySigns):
			return refuse(func(w *locale.Words) string { return w.Refused.KeysSigns() })
		case err != nil:
			return err
		}
		if key.Published {
			return t.line(t.shown().KeysDroppedPublished(a.KID))
		}
		return t.line(t.shown().KeysDropped(a.KID))
	})
}
