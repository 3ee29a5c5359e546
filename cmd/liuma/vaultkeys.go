package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/vault"
)

// keysVaultCmd is "liuma keys vault".
type keysVaultCmd struct {
	List   keysVaultListCmd   `cmd:"" help:"List them, oldest first."`
	Rotate keysVaultRotateCmd `cmd:"" help:"Make a new root key, which seals from now on; what older ones sealed stays readable."`
	Drop   keysVaultDropCmd   `cmd:"" help:"Destroy an older root key, once everything is sealed anew. With the server stopped everything is sealed anew at once."`
}

// keysVaultListCmd is "liuma keys vault list".
type keysVaultListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// rootKeyView is a root key as the list shows it.
type rootKeyView struct {
	ID    uint32     `json:"id"`
	State string     `json:"state"` // seals or opens
	Made  time.Time  `json:"made"`
	Until *time.Time `json:"sealed_until,omitempty"`
}

// Run lists the keys. It reads the key file only, so it works at any time.
func (a *keysVaultListCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	keys, err := vault.RootKeys(conf.Vault)
	if err != nil {
		return err
	}
	for _, k := range keys {
		v := rootKeyView{ID: k.ID, State: "seals", Made: k.Made}
		line := fmt.Sprintf("%d  seals  made %s", k.ID, k.Made.Format(time.RFC3339))
		if !k.Seals {
			v.State, v.Until = "opens", &k.Until
			line = fmt.Sprintf("%d  opens  made %s, sealed until %s", k.ID, k.Made.Format(time.RFC3339), k.Until.Format(time.RFC3339))
		}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			_, err = fmt.Fprintln(t.out, line)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
			return errors.New("the key file is full; drop an old key first: 'liuma keys vault list' shows them")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "Made the root key %d. It seals from now on; the one before it opens what it sealed. Back the key file up now: without it, what is sealed from now on is lost.\n", key.ID)
		return err
	})
}

// keysVaultDropCmd is "liuma keys vault drop".
type keysVaultDropCmd struct {
	ID uint32 `arg:"" help:"The key's number, as 'liuma keys vault list' shows it."`
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
			return fmt.Errorf("%w. Try again when it has ended; with the server stopped, this command does it at once", err)
		case errors.Is(err, vault.ErrNoRootKey):
			return fmt.Errorf("no root key has the number %d; 'liuma keys vault list' shows them", a.ID)
		case err != nil:
			return err
		}
		if out.Refused > 0 {
			if _, err := fmt.Fprintf(t.out, "%d rows fail their seals and were left as they are: they stay refused. 'row.refused' in the record says in which tables.\n", out.Refused); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(t.out, "Dropped the root key %d. Backups of the database from before open with older copies of the key file only. Back up database and key file now.\n", a.ID)
		return err
	})
}
