package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// loadRemote is the configuration of a directory whose keepers are on machines of their
// own.
func (c *cli) loadRemote() (config.Config, error) {
	conf, err := c.load()
	if err == nil && !conf.Keepers.AreRemote() {
		err = refuse(func(w *locale.Words) string { return w.Refused.KeeperHere() })
	}
	return conf, err
}

// keeperRequestCmd is "liuma keeper request".
type keeperRequestCmd struct {
	Name string `name:"name" default:"authority"`
	Out  string `name:"out" placeholder:"FILE"`
}

// Run makes the authority's key, if there is none yet, and the request by which keepers are
// asked to admit it. It asks for both roles that an authority needs.
func (a *keeperRequestCmd) Run(c *cli, t *terminal) error {
	conf, err := c.loadRemote()
	if err != nil {
		return err
	}
	key, made, err := remote.MakeKey(conf.Keepers.Key)
	if err != nil {
		return err
	}
	r, err := admission.NewRequest(a.Name, wire.Authority|wire.Closer, key)
	if err != nil {
		return err
	}
	out := a.Out
	if out == "" {
		out = filepath.Join(filepath.Dir(conf.Keepers.Key), a.Name+".request")
	}
	if err := remote.WriteFile(out, r.Encode()); err != nil {
		return err
	}
	say := t.shown()
	if made {
		err = t.line(say.KeeperKeyMade(conf.Keepers.Key))
	}
	return errors.Join(err, t.line(say.KeeperRequested(out)), t.line("  "+r.Fingerprint().String()), t.line(say.KeeperRequestedNext()))
}

// joinHeard rejoins groups of digits behind --heard that were typed apart without quotes;
// liuma-keeper takes them in the same form. A file with such a name must be given as ./1234.
func joinHeard(args []string) (out []string) {
	heard := -1 // index of the value in out
	for i, arg := range args {
		if n := written.Number(arg); heard >= 0 && n != "" && strings.Trim(n, "0123456789") == "" {
			out[heard] += " " + arg
			continue
		}
		out = append(out, arg)
		heard = -1
		if strings.HasPrefix(arg, "--heard=") || i > 0 && args[i-1] == "--heard" {
			heard = len(out) - 1
		}
	}
	return out
}

// heardDigits is how many digits of an admission are read aloud.
const heardDigits = 32

// keeperAddCmd is "liuma keeper add".
type keeperAddCmd struct {
	File  string `arg:""`
	Heard string `name:"heard" placeholder:"DIGITS"`
}

// Run checks an admission, puts it where the configuration names it, and adds the keeper
// there. A crash in between leaves a file that nothing names; repeat the command then.
func (a *keeperAddCmd) Run(c *cli, t *terminal) error {
	conf, err := c.loadRemote()
	if err != nil {
		return err
	}
	adm, err := remote.ReadAdmission(a.File)
	if errors.Is(err, admission.ErrFormat) {
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperNotAdmission(a.File) })
	}
	if err != nil {
		return err
	}
	if err := a.check(conf, adm); err != nil {
		return err
	}
	named := config.RemoteKeeper{ID: string(adm.Keeper), Address: adm.Address, Admission: config.AdmissionFile(string(adm.Keeper))}
	if err := remote.WriteFile(filepath.Join(c.Data, named.Admission), adm.Encode()); err != nil {
		return err
	}
	say := t.shown()
	switch err := config.AddKeeper(c.Data, named); {
	case errors.Is(err, config.ErrEdit):
		return refuse(func(w *locale.Words) string {
			return w.Refused.KeeperEdit(config.FileName, fmt.Sprintf("{id: %s, address: %q, admission: %s}", named.ID, named.Address, named.Admission))
		})
	case err != nil:
		return err
	}
	if conf, err = c.loadRemote(); err != nil {
		return err
	}
	if err := t.line(say.KeeperAdded(named.ID, named.Address, adm.Until.Format(time.DateOnly), num(len(conf.Keepers.Remote)), num(adm.Shape.N))); err != nil {
		return err
	}
	if adm.Roles&wire.Closer == 0 {
		return t.line(say.KeeperNoCloser(named.ID))
	}
	return nil
}

// check refuses an admission that does not fit the configuration, or whose keeper's
// fingerprint was not read aloud.
func (a *keeperAddCmd) check(conf config.Config, adm *admission.Admission) error {
	shape, err := conf.Keepers.SplitShape()
	if err != nil {
		return err
	}
	if adm.Roles&wire.Authority == 0 {
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperRole(adm.Name, string(adm.Keeper)) })
	}
	if err := remote.Fits(adm, adm.Keeper, shape); err != nil {
		return err
	}
	key, err := remote.ReadKey(conf.Keepers.Key)
	if err != nil {
		return err
	}
	err = adm.Check(key.Public(), time.Now())
	if errors.Is(err, admission.ErrOtherKey) {
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperOtherKey(conf.Keepers.Key, string(adm.Keeper)) })
	}
	if err != nil {
		return err
	}
	known := false
	for _, r := range conf.Keepers.Remote {
		there, err := remote.ReadAdmission(r.Admission)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return fmt.Errorf("keeper %s: %w", r.ID, err)
		case r.ID == string(adm.Keeper):
			known = there.Fingerprint() == adm.Fingerprint()
		case there.Member == adm.Member:
			return refuse(func(w *locale.Words) string { return w.Refused.KeeperMember(num(adm.Member), r.ID) })
		}
	}
	return a.heard(adm, known)
}

// heard checks the typed digits against the keeper's issuer, as its administrator read them
// aloud. They are not needed if this authority already uses a keeper of the same issuer.
func (a *keeperAddCmd) heard(adm *admission.Admission, known bool) error {
	given := len([]rune(written.Number(a.Heard)))
	switch {
	case given > 0 && given != heardDigits:
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperDigits(num(given), num(heardDigits)) })
	case a.Heard == "" && !known:
		return refuse(func(w *locale.Words) string { return w.Refused.KeeperUnheard(string(adm.Keeper)) })
	case a.Heard != "" && !adm.Fingerprint().Heard(a.Heard):
		return refuseFor(keeper.ErrStranger, func(w *locale.Words, _ string) string { return w.Refused.KeeperHeard(string(adm.Keeper)) })
	}
	return nil
}
