package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// joining is where the key file of a directory that joins is going to be: where its
// configuration says, if it has one yet.
func (c *cli) joining() (keyFile string, err error) {
	conf, err := config.Load(c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(c.Data, config.Default().Vault), nil
	}
	if err != nil {
		return "", refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DataConfig(why) })
	}
	return conf.Vault, nil
}

// keysAskCmd is "liuma keys ask".
type keysAskCmd struct {
	To string `arg:"" placeholder:"FILE"`
}

// Run makes the file by which another authority of the same database hands its keys to this
// directory. Nothing in it is secret.
func (a *keysAskCmd) Run(c *cli, t *terminal) error {
	keyFile, err := c.joining()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	ask, err := vault.AskToJoin(keyFile)
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

// Run seals the key file and the heads of this directory to the one who asks, with the
// configuration where others can share it. It reads files alone, so it works beside the server.
func (a *keysInviteCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	ask, err := diskfile.Read(a.From, vault.MaxAsk)
	if err != nil {
		return err
	}
	var more []byte
	var what config.Packed
	if conf.OnServer() && conf.Keepers.AreRemote() { // nobody else joins a database otherwise
		if more, what, err = config.Pack(conf); err != nil {
			return carriedSaid(err)
		}
		defer clear(more)
	}
	sealed, err := vault.Invite(conf.Vault, ask, a.Digits, more)
	if err != nil {
		return carriedSaid(err)
	}
	if err := remote.WriteFile(a.To, sealed); err != nil {
		return err
	}
	say := t.shown()
	err = errors.Join(t.line(say.KeysInvited(a.To)), t.line("  "+vault.CarriedFingerprint(sealed).String()), t.line(say.KeysInvitedNext()))
	if more == nil {
		return err
	}
	members := make([]string, len(what.Own))
	for i, o := range what.Own {
		members[i] = o.Member
	}
	return errors.Join(err, t.line(say.KeysCarries(strings.Join(append([]string{config.FileName}, what.Files...), ", "))), t.line(say.KeysCarriesNot(strings.Join(members, ", "))))
}

// keysTakeCmd is "liuma keys take".
type keysTakeCmd struct {
	From   string `arg:"" placeholder:"FILE"`
	Digits string `required:"" placeholder:"DIGITS"`
}

// Run takes what another authority sealed to this directory, and says what this machine has to
// have of its own.
func (a *keysTakeCmd) Run(c *cli, t *terminal) error {
	keyFile, err := c.joining()
	if err != nil {
		return err
	}
	sealed, err := diskfile.Read(a.From, vault.MaxCarried)
	if err != nil {
		return err
	}
	var brought *config.Unpacked
	err = vault.TakeInvitation(keyFile, sealed, a.Digits, func(more []byte) (err error) {
		if more == nil {
			return nil
		}
		if brought, err = config.Unpack(c.Data, more); err != nil {
			return err
		}
		defer brought.Wipe()
		return brought.Put()
	})
	if err != nil {
		return carriedSaid(err)
	}
	say := t.shown()
	err = t.line(say.KeysTaken(keyFile))
	if brought == nil || !brought.Wrote() {
		return err
	}
	err = errors.Join(err, t.line(say.KeysBrought(strings.Join(append([]string{config.FileName}, brought.Files...), ", "))), t.line(say.KeysLeft()))
	for _, o := range brought.Own {
		err = errors.Join(err, t.line("  "+leftToSet(say, o)))
	}
	return err
}

// leftToSet says what a machine has to have of its own, and what the other one has there.
func leftToSet(say locale.Shown, o config.Own) string {
	switch {
	case o.Member == "authority.id":
		return say.KeysLeftName()
	case o.Member == "keepers.key":
		return say.KeysLeftKeeperKey()
	case strings.HasPrefix(o.Member, "keepers.remote "):
		return say.KeysLeftAdmission(strings.TrimSuffix(strings.TrimPrefix(o.Member, "keepers.remote "), ".admission"))
	}
	return say.KeysLeftMember(o.Member, o.There)
}

// carriedSaid has the sentence of an error about what is carried with the keys.
func carriedSaid(err error) error {
	differs, is := errors.AsType[*config.Differs](err)
	switch {
	case is:
		return refuseFor(err, func(w *locale.Words, _ string) string { return w.Refused.KeysDiffers(strings.Join(differs.What, ", ")) })
	case errors.Is(err, config.ErrCarried):
		return refuseFor(err, func(w *locale.Words, _ string) string { return w.Refused.KeysCarried() })
	case errors.Is(err, config.ErrCarriedTooMuch), errors.Is(err, vault.ErrCarriedTooMuch):
		return refuseFor(err, func(w *locale.Words, _ string) string { return w.Refused.KeysTooMuch() })
	}
	return err
}
