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

// keysCmd is "liuma keys".
type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List them, oldest first."`
	Rotate keysRotateCmd `cmd:"" help:"Let a new key sign, from the next start of the server on; the old one stays published until it is dropped."`
	Vault  keysVaultCmd  `cmd:"" help:"The root keys of the vault, under which rows and personal data are sealed."`
	Drop   keysDropCmd   `cmd:"" help:"Destroy a key that no longer signs: what it signed can no longer be checked."`
}

// keysListCmd is "liuma keys list".
type keysListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
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
	keys, err := vault.SigningKeys(conf.Vault)
	if err != nil {
		return err
	}
	for _, k := range keys {
		v := keyView{ID: k.ID, State: string(k.State), Made: k.Made}
		if a.JSON {
			err = json.NewEncoder(t.out).Encode(v)
		} else {
			_, err = fmt.Fprintf(t.out, "%s  %-7s  made %s\n", v.ID, v.State, v.Made.Format(time.RFC3339))
		}
		if err != nil {
			return err
		}
	}
	return nil
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
		when := "It signs from the next start of the server on."
		if key.Restart {
			when = "The running server does not know it yet: start it again, and it signs."
		}
		_, err = fmt.Fprintf(t.out, "Made the key %s. %s The key before it stays published; drop it a day after that start: liuma keys drop KID\n", key.KID, when)
		return err
	})
}

// keysDropCmd is "liuma keys drop".
type keysDropCmd struct {
	KID string `arg:"" name:"kid" help:"The kid of the key, as 'liuma keys list' shows it. Put -- before one that starts with a hyphen."`
}

// Run drops a signing key that is not in use.
func (a *keysDropCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		key, err := adm.DropSigningKey(ctx, a.KID)
		switch {
		case errors.Is(err, vault.ErrNoSuchKey):
			return fmt.Errorf("no signing key has the kid %s; 'liuma keys list' shows what there is", a.KID)
		case errors.Is(err, vault.ErrKeySigns):
			return errors.New("this key signs; 'liuma keys rotate' first, and drop it when what it signed has expired")
		case err != nil:
			return err
		}
		until := ""
		if key.Published {
			until = " The running server goes on publishing it until it is started again."
		}
		_, err = fmt.Fprintf(t.out, "Dropped the key %s.%s\n", a.KID, until)
		return err
	})
}
