package main

import (
	"crypto"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// withKeyFile runs f on the authority's key file, with the token that it may be sealed to.
func withKeyFile(conf config.Config, t *terminal, f func(vault.KeyFile) error) (err error) {
	file, shut, err := server.OpenKeyFile(conf, t.warnings())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut()) }()
	return f(file)
}

// warnings is a logger for a command's warnings.
func (t *terminal) warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// keysVaultEncloseCmd is "liuma keys vault enclose".
type keysVaultEncloseCmd struct {
	Spare   []string `name:"spare" placeholder:"FILE"`
	NoSpare bool     `name:"no-spare"`
}

// Run seals the key file to the token of the configuration and to spare ones.
func (a *keysVaultEncloseCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	switch {
	case !conf.HSM.Used():
		return refuse(func(w *locale.Words) string { return w.Refused.HsmNone(config.FileName) })
	case a.NoSpare == (len(a.Spare) > 0):
		return wrongUse("liuma keys vault enclose", func(w *locale.Words) string { return w.Refused.HsmSpare() })
	}
	var spares []token.WrappingKey
	for _, name := range a.Spare {
		k, err := readWrappingKey(name)
		if err != nil {
			return err
		}
		spares = append(spares, k)
	}
	return withKeyFile(conf, t, func(f vault.KeyFile) error {
		out, err := f.Enclose(spares, time.Now())
		if err != nil {
			return err
		}
		if err := sayTokens(t, out.Tokens); err != nil {
			return err
		}
		if kid := out.Signing.ID; kid != "" {
			if err := t.line(t.shown().HsmSigns(kid)); err != nil {
				return err
			}
		}
		return t.line(t.shown().HsmEnclosed())
	})
}

// maxWrappingKey is the largest file of a token's public key, in bytes.
const maxWrappingKey = 16 << 10

func readWrappingKey(name string) (token.WrappingKey, error) {
	f, err := os.Open(name)
	if err != nil {
		return token.WrappingKey{}, err
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	b, err := io.ReadAll(io.LimitReader(f, maxWrappingKey))
	if err != nil {
		return token.WrappingKey{}, err
	}
	k, err := token.ParseWrappingKey(b)
	if err != nil {
		return token.WrappingKey{}, refuse(func(w *locale.Words) string { return w.Refused.HsmNoKey(name) })
	}
	return k, nil
}

// sayTokens lists the tokens to which a key file is sealed; nothing if it is not sealed.
func sayTokens(t *terminal, to []token.WrappingKey) error {
	for i, k := range to {
		said := t.shown().HsmSealed
		if i > 0 {
			said = t.shown().HsmSealedSpare
		}
		if err := t.line(said(k.Token, k.Fingerprint(), k.Hash.String())); err != nil {
			return err
		}
	}
	return nil
}

// keysVaultSpareCmd is "liuma keys vault spare".
type keysVaultSpareCmd struct {
	Module  string `name:"module" required:"" placeholder:"FILE"`
	Token   string `name:"token" required:"" placeholder:"LABEL"`
	PINFile string `name:"pin-file" required:"" placeholder:"FILE"`
	To      string `name:"to" required:"" placeholder:"FILE"`
}

// Run makes the key in a spare token to which key files can be sealed, if it is not there,
// and writes its public half. It needs no data directory.
func (a *keysVaultSpareCmd) Run(t *terminal) (err error) {
	spare, err := server.OpenToken(config.HSM{Module: a.Module, Token: a.Token, PINFile: a.PINFile}, t.warnings())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spare.Close()) }()
	k, err := spare.WrappingKey(vault.WrappingKeyName)
	if err != nil {
		return err
	}
	b, err := k.Encode()
	if err != nil {
		return err
	}
	f, done, err := create(a.To, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = done(err); err != nil {
		return err
	}
	if k.Hash == crypto.SHA1 {
		if err := t.line(t.shown().HsmSha1(k.Token)); err != nil {
			return err
		}
	}
	return t.line(t.shown().HsmSpare(k.Token, a.To, k.Fingerprint()))
}
