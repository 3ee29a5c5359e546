package main

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/tokenkeys"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/locale"
)

// warnings returns a logger for a command's warnings.
func (c *call) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelError}))
}

// custodian returns the holder of a directory's share keys: the token that host.json
// names, which stays open until the command ends, or nil if the keys are in
// keeper.json.
func (c *call) custodian(d *host.Dir, log *slog.Logger) (keeper.Custodian, error) {
	if d.PKCS11 == nil {
		return nil, nil //nolint:nilnil // nil is a valid custodian: keeper.json
	}
	return c.custodianOf(d.Path(), *d.PKCS11, log)
}

// custodianOf opens a token and reads the public keys of its spare tokens. File names
// are relative to dir unless they are absolute.
func (c *call) custodianOf(dir string, p host.PKCS11, log *slog.Logger) (keeper.Custodian, error) {
	var spares []token.WrappingKey
	for _, name := range p.Spares {
		k, err := readSpare(within(dir, name))
		if err != nil {
			return nil, err
		}
		spares = append(spares, k)
	}
	tok, err := c.openToken(p.Module, p.Token, within(dir, p.PINFile), log)
	if err != nil {
		return nil, err
	}
	return tokenkeys.Custodian{Token: tok, Spares: spares}, nil
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// openToken logs in at a token, until the command ends.
func (c *call) openToken(module, label, pinFile string, log *slog.Logger) (token.Token, error) {
	pin, err := readPIN(pinFile)
	if err != nil {
		return nil, err
	}
	t, err := token.Open(token.Config{Module: module, Label: label, PIN: pin, Logger: log})
	if err != nil {
		return nil, err
	}
	c.shut = append(c.shut, t.Close)
	return t, nil
}

// mostPIN is more than the length of any PIN, in bytes.
const mostPIN = 1 << 10

// readPIN reads the file with a token's PIN: one line, which nobody else can read.
func readPIN(path string) (token.PIN, error) {
	bad := refuse(func(w locale.KeeperCommand) string { return w.NoPINFile(path) })
	f, err := keeper.OpenPrivate(path, 0) // checks the same open file that is then read
	switch {
	case errors.Is(err, keeper.ErrMode), errors.Is(err, keeper.ErrOwner):
		return token.PIN{}, bad
	case err != nil:
		return token.PIN{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostPIN+1))
	if err != nil {
		return token.PIN{}, err
	}
	defer clear(data)
	line := bytes.TrimRight(data, "\r\n")
	if len(line) == 0 || len(data) > mostPIN || bytes.ContainsAny(line, "\r\n") {
		return token.PIN{}, bad
	}
	return token.NewPIN(string(line)), nil
}

func readSpare(path string) (token.WrappingKey, error) {
	data, err := readCarried(path)
	if err != nil {
		return token.WrappingKey{}, err
	}
	return token.ParseWrappingKey(data)
}

// desk returns a Desk for the keys of a directory.
func (c *call) desk(d *host.Dir) (keys.Desk, error) {
	custodian, err := c.custodian(d, c.warnings())
	return keys.Desk{Dir: d.Path(), Custodian: custodian}, err
}

// tokenFlags are the flags of init about a token.
type tokenFlags struct {
	module, label, pinFile, spare *string
	noSpare                       *bool
}

func (f *flags) token() tokenFlags {
	return tokenFlags{
		module: f.text("pkcs11", "", f.say.FlagPkcs11()), label: f.text("token", "", f.say.FlagToken()), pinFile: f.text("pin-file", "", f.say.FlagPINFile()),
		spare: f.text("spare", "", f.say.FlagSpare()), noSpare: f.yes("no-spare", f.say.FlagNoSpare()),
	}
}

// config returns the configuration that the flags give; nil: no token.
func (f tokenFlags) config() (*host.PKCS11, error) {
	if *f.module == "" && *f.label == "" && *f.pinFile == "" && *f.spare == "" && !*f.noSpare {
		return nil, nil //nolint:nilnil // nil is a valid configuration: no token
	}
	if *f.module == "" || *f.label == "" || *f.pinFile == "" || *f.noSpare == (*f.spare != "") {
		return nil, wrong(func(w locale.KeeperCommand) string { return w.NoTokenFlags() })
	}
	module, err1 := filepath.Abs(*f.module)
	pinFile, err2 := filepath.Abs(*f.pinFile)
	p := &host.PKCS11{Module: module, Token: *f.label, PINFile: pinFile, Spares: []string{}}
	if *f.spare != "" {
		p.Spares = strings.Split(*f.spare, ",")
	}
	return p, errors.Join(err1, err2)
}

// keepSpares copies the public keys of spare tokens into the directory that is about to
// be made, and changes their names to those in the directory.
func keepSpares(dir string, p *host.PKCS11) error {
	if _, err := os.Lstat(filepath.Join(dir, "host.json")); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(host.ErrExists, err)
	}
	if err := keeper.MakePrivate(dir); err != nil {
		return err
	}
	for i, name := range p.Spares {
		data, err := readCarried(name)
		if err != nil {
			return err
		}
		p.Spares[i] = fmt.Sprintf("spare-%d.pem", i+1)
		if err := (diskfile.Disk{}).Write(dir, p.Spares[i], data); err != nil {
			return err
		}
	}
	return nil
}

// saidToken says which token has the keys, and which are its spare tokens.
func (c *call) saidToken(d *host.Dir) (string, error) {
	var spares []string
	for _, name := range d.PKCS11.Spares {
		k, err := readSpare(within(d.Path(), name))
		if err != nil {
			return "", err
		}
		spares = append(spares, k.Token+" "+k.Fingerprint())
	}
	if len(spares) == 0 {
		spares = []string{c.say().StatusNone()}
	}
	return c.say().SaidToken(d.PKCS11.Token, strings.Join(spares, ", ")), nil
}

// spare makes the key in a spare token to which share keys are wrapped, if it does not
// exist, and writes its public half. It needs no directory.
func spare(f *flags) runner {
	module := f.text("pkcs11", "", f.say.FlagPkcs11())
	label := f.text("token", "", f.say.FlagToken())
	pinFile := f.text("pin-file", "", f.say.FlagPINFile())
	to := f.text("to", "", f.say.FlagTo())
	return func(_ context.Context, c *call) error {
		for _, want := range []struct{ name, value string }{{"pkcs11", *module}, {"token", *label}, {"pin-file", *pinFile}, {"to", *to}} {
			if want.value == "" {
				return missing("spare", want.name)
			}
		}
		tok, err := c.openToken(*module, *label, *pinFile, c.warnings())
		if err != nil {
			return err
		}
		k, err := toFile(*to, func() (k token.WrappingKey, data []byte, err error) {
			if k, err = tok.WrappingKey(tokenkeys.SpareKeyName); err == nil {
				data, err = k.Encode()
			}
			return k, data, err
		})
		if err != nil {
			return err
		}
		if k.Hash == crypto.SHA1 {
			if err := c.line(c.say().SaidSha1(k.Token)); err != nil {
				return err
			}
		}
		return c.line(c.say().SaidSpare(k.Token, *to, k.Fingerprint()))
	}
}

// takeover moves a lost keeper's share keys from its spare token into the token of this
// directory.
func takeover(f *flags) runner {
	module := f.text("pkcs11", "", f.say.FlagPkcs11())
	label := f.text("token", "", f.say.FlagToken())
	pinFile := f.text("pin-file", "", f.say.FlagPINFile())
	return func(_ context.Context, c *call) error {
		d, err := c.open()
		switch {
		case err != nil:
			return err
		case d.PKCS11 == nil:
			return refuse(func(w locale.KeeperCommand) string { return w.NoTokenUnused() })
		case *label == "":
			return missing("takeover", "token")
		case *pinFile == "":
			return missing("takeover", "pin-file")
		case *module == "":
			*module = d.PKCS11.Module
		}
		lost, err := readCarried(c.args[0])
		if err != nil {
			return err
		}
		defer clear(lost)
		desk, err := c.desk(d)
		if err != nil {
			return err
		}
		tok, err := c.openToken(*module, *label, *pinFile, c.warnings())
		if err != nil {
			return err
		}
		mover, err := tokenkeys.NewMover(tok)
		if err != nil {
			return err
		}
		w, err := desk.TakeOver(who(d), lost, mover.Move)
		if err != nil {
			return err
		}
		return c.line(strings.Join(append(c.gathered(w), c.say().KeysGatheredNext()), "\n"))
	}
}
