package config

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/locale"
)

// maxSecret bounds a secret, in bytes.
const maxSecret = 4096

// ErrSecretMode is returned for a file with a secret that others can read.
var ErrSecretMode = errors.New("can be read or written by others; want mode 0600 or stricter")

// ReadSecret reads the only line of a file that no other account may be able to
// read. The caller wipes the result.
func ReadSecret(path string) ([]byte, error) {
	wrong := locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigSecret(path, fmt.Sprint(maxSecret)) })
	f, err := diskfile.Open(path)
	if errors.Is(err, diskfile.ErrNoFile) {
		return nil, wrong
	}
	if err != nil {
		return nil, fmt.Errorf("config: secret: %w", err)
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("config: secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("config: secret: %s %w", path, ErrSecretMode)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("config: secret: %w", err)
	}
	secret := bytes.TrimRight(raw, "\r\n")
	if len(secret) == 0 || len(raw) > maxSecret || bytes.ContainsAny(secret, "\r\n\x00") {
		clear(raw)
		return nil, wrong
	}
	return secret, nil
}

// CreateSecret makes a file with a random secret of 256 bits, in hexadecimal,
// that no other account can read. It never replaces a file.
func CreateSecret(path string) error {
	var raw [32]byte
	rand.Read(raw[:])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("config: secret: %w", err)
	}
	_, err = fmt.Fprintf(f, "%x\n", raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("config: secret: %w", err)
	}
	return nil
}

// wording is one entry of a file of wordings.
type wording struct {
	Region   string `yaml:"region"`
	Template string `yaml:"template"`
	Language string `yaml:"language"`
	Text     string `yaml:"text"`
}

// maxWordings bounds a file of wordings, in bytes.
const maxWordings = 4 << 20

// ReadWordings reads a file with regions' own wordings, strictly.
// notify.NewTemplates checks whether each wording can be used.
func ReadWordings(path string) ([]notify.Override, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: wordings: %w", err)
	}
	if len(b) > maxWordings {
		return nil, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigWordingsTooLong(path, fmt.Sprint(maxWordings)) })
	}
	var list []wording
	dec := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("config: wordings %s: %w", path, err)
	}
	out := make([]notify.Override, len(list))
	var errs []error
	for i, w := range list {
		region, err := liuma.ParseRegion(w.Region)
		if err != nil {
			errs = append(errs, fmt.Errorf("config: wordings %s: entry %d: region %q: %w", path, i+1, w.Region, err))
		}
		out[i] = notify.Override{Region: region, Template: notify.Template(w.Template), Language: w.Language, Text: w.Text}
	}
	return out, errors.Join(errs...)
}
