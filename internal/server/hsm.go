package server

import (
	"fmt"
	"log/slog"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/vault"
)

// OpenToken logs in at the token that a configuration names.
func OpenToken(h config.HSM, log *slog.Logger) (token.Token, error) {
	pin, err := config.ReadSecret(h.PINFile)
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	t, err := token.Open(token.Config{Module: h.Module, Label: h.Token, PIN: token.NewPIN(string(pin)), Logger: log})
	if err != nil {
		return nil, fmt.Errorf("hsm: %w", err)
	}
	return t, nil
}

// OpenKeyFile returns the authority's key file, and opens the token if the file
// is sealed to one; shut closes that token.
func OpenKeyFile(c config.Config, log *slog.Logger) (f vault.KeyFile, shut func() error, err error) {
	f = vault.At(c.Vault)
	if !c.HSM.Used() {
		return f, func() error { return nil }, nil
	}
	t, err := OpenToken(c.HSM, log)
	if err != nil {
		return f, nil, err
	}
	f.Token = t
	return f, t.Close, nil
}

// openVault opens the token, if there is one, and then the key file. Both stay open as
// long as the directory.
func (d *Data) openVault(o Options) error {
	file, log := vault.KeyFile{Path: d.Config.Vault, Token: o.Token}, o.Logger
	if o.Token == nil {
		var shut func() error
		var err error
		if file, shut, err = OpenKeyFile(d.Config, log); err != nil {
			return err
		}
		d.closers.add(shut)
	}
	var err error
	if d.Vault, err = file.Open(); err != nil {
		return err
	}
	d.closers.add(d.Vault.Close)
	if file.Token == nil {
		return nil
	}
	if to, err := file.Recipients(); err != nil || len(to) == 0 {
		log.Warn("hsm is configured, and the key file is not sealed to the token: run 'liuma keys vault enclose'", "err", err)
	}
	return nil
}

// openVaultOf opens the vault of a directory of which nothing else is opened.
func openVaultOf(c config.Config, open *closers) (*vault.Vault, error) {
	file, shut, err := OpenKeyFile(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	open.add(shut)
	v, err := file.Open()
	if err != nil {
		return nil, err
	}
	open.add(v.Close)
	return v, nil
}
