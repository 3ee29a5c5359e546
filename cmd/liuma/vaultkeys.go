package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// keysVaultCmd is "liuma keys vault".
type keysVaultCmd struct {
	List   keysVaultListCmd   `cmd:""`
	Rotate keysVaultRotateCmd `cmd:""`
	Drop   keysVaultDropCmd   `cmd:""`

	Enclose keysVaultEncloseCmd `cmd:""`
	Spare   keysVaultSpareCmd   `cmd:""`
}

// keysVaultListCmd is "liuma keys vault list".
type keysVaultListCmd struct {
	JSON bool `name:"json"`
}

// rootKeyView is a root key as the list shows it.
type rootKeyView struct {
	ID    uint32     `json:"id"`
	State string     `json:"state"` // seals, opens or next
	Made  time.Time  `json:"made"`
	Until *time.Time `json:"sealed_until,omitempty"`
}

// Run lists the keys. It reads the key file only, so it works at any time.
func (a *keysVaultListCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	var keys []vault.RootKey
	var to []token.WrappingKey
	err = withKeyFile(conf, t, func(f vault.KeyFile) (err error) {
		if keys, err = f.RootKeys(); err == nil {
			to, err = f.Recipients()
		}
		return err
	})
	if err != nil {
		return err
	}
	say := t.shown()
	for _, k := range keys {
		v := rootKeyView{ID: k.ID, State: "seals", Made: k.Made}
		line := say.VaultSeals() + "  " + say.KeysMadeAt(k.Made.Format(time.RFC3339))
		switch {
		case k.Next:
			v.State = "next"
			line = say.KeysNext() + "  " + say.KeysMadeAt(k.Made.Format(time.RFC3339))
		case !k.Seals:
			v.State, v.Until = "opens", &k.Until
			line = say.VaultOpens() + "  " + say.VaultMadeUntil(k.Made.Format(time.RFC3339), k.Until.Format(time.RFC3339))
		}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			err = t.line(num(k.ID) + "  " + line)
		}
		if err != nil {
			return err
		}
	}
	if a.JSON {
		return nil
	}
	return sayTokens(t, to)
}

// keysVaultRotateCmd is "liuma keys vault rotate".
type keysVaultRotateCmd struct {
	reasonFlag
}

// Run makes a new root key.
func (a *keysVaultRotateCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma keys vault rotate")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		key, err := adm.RotateRootKey(ctx, reason)
		if errors.Is(err, vault.ErrRootKeys) {
			return refuse(func(w *locale.Words) string { return w.Refused.VaultFull() })
		}
		if err != nil {
			return err
		}
		if key.Follows {
			return t.line(t.shown().VaultMadeFollows(num(key.ID)))
		}
		return t.line(t.shown().VaultMade(num(key.ID)))
	})
}

// keysVaultDropCmd is "liuma keys vault drop".
type keysVaultDropCmd struct {
	ID uint32 `arg:""`
	reasonFlag
}

// Run destroys an older root key.
func (a *keysVaultDropCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	reason, err := a.reason("liuma keys vault drop")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.DropRootKey(ctx, a.ID, reason)
		switch {
		case errors.Is(err, admin.ErrResealing):
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.VaultResealing(why) })
		case errors.Is(err, vault.ErrNoRootKey):
			return refuse(func(w *locale.Words) string { return w.Refused.VaultUnknown(num(a.ID)) })
		case err != nil:
			return err
		}
		if out.Refused > 0 {
			if err := t.line(t.shown().VaultRefused(num(out.Refused))); err != nil {
				return err
			}
		}
		return t.line(t.shown().VaultDropped(num(a.ID)))
	})
}
