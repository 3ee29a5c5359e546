package main

import (
	"errors"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/vault"
)

// keysAskCmd is "liuma keys ask".
type keysAskCmd struct {
	To string `arg:"" placeholder:"FILE"`
}

// Run makes the file by which another authority of the same database hands its keys to this
// directory. Nothing in it is secret.
func (a *keysAskCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	ask, err := vault.AskToJoin(conf.Vault)
	if err != nil {
		return err
	}
	if err := remote.WriteFile(a.To, ask); err != nil {
		return err
	}
	say := t.shown()
	return errors.Join(t.line(say.KeysAsked(a.To)), t.line("  "+vault.CarriedFingerprint(ask).String()), t.line(say.KeysAskedNext()))
}

// keysInviteCmd is "liuma keys invite".
type keysInviteCmd struct {
	From   string `arg:"" placeholder:"ASKED"`
	To     string `arg:"" placeholder:"FILE"`
	Digits string `required:"" placeholder:"DIGITS"`
}

// Run seals the key file and the heads of this directory to the one who asks. It reads files
// alone, so it works beside the server.
func (a *keysInviteCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	ask, err := diskfile.Read(a.From, vault.MaxCarried)
	if err != nil {
		return err
	}
	sealed, err := vault.Invite(conf.Vault, ask, a.Digits)
	if err != nil {
		return err
	}
	if err := remote.WriteFile(a.To, sealed); err != nil {
		return err
	}
	say := t.shown()
	return errors.Join(t.line(say.KeysInvited(a.To)), t.line("  "+vault.CarriedFingerprint(sealed).String()), t.line(say.KeysInvitedNext()))
}

// keysTakeCmd is "liuma keys take".
type keysTakeCmd struct {
	From   string `arg:"" placeholder:"FILE"`
	Digits string `required:"" placeholder:"DIGITS"`
}

// Run takes what another authority sealed to this directory.
func (a *keysTakeCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	sealed, err := diskfile.Read(a.From, vault.MaxCarried)
	if err != nil {
		return err
	}
	if err := vault.TakeInvitation(conf.Vault, sealed, a.Digits); err != nil {
		return err
	}
	return t.line(t.shown().KeysTaken(conf.Vault))
}
