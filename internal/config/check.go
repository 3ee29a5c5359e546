package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

// Needs lists the files and directories that the configuration names and that a server
// does not make itself, except the file of heads.
func (c Config) Needs() []string {
	out := []string{c.Vault}
	if !c.OnServer() {
		out = append(out, c.Database)
	}
	out = append(out, c.Keepers.needs()...)
	for _, f := range []string{
		c.Channel.Certificate, c.Channel.Key, c.Hosted.Certificate, c.Hosted.Key, c.Gateway.Certificate, c.Gateway.Key,
		c.ConsoleDoor.Certificate, c.ConsoleDoor.Key, c.Metrics.Certificate, c.Metrics.Key,
		c.DatabasePassword, c.DomainChecks, c.Policy, c.Consent, c.Texts.Wordings, c.Texts.Webhook.SecretFile, c.Texts.Webhook.PreviousFile, c.Texts.Kannel.PasswordFile,
	} {
		if f != "" {
			out = append(out, f)
		}
	}
	return out
}

// Check reports everything that would keep a server from starting with the
// configuration, or from serving all of it, as far as the named files show: missing
// files, files that others can read, certificates that do not fit their keys, wordings
// that cannot be used. It changes nothing and opens no listener. Load has already
// checked the members themselves.
func (c Config) Check() error {
	var errs []error
	add := func(member string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", member, err))
		}
	}
	for _, path := range c.Needs() {
		if _, err := os.Stat(path); err != nil {
			errs = append(errs, err)
		}
	}
	add("issuer", c.checkIssuer())
	for _, path := range c.secrets() {
		add("vault", private(path))
	}
	if !c.OnServer() {
		add("database", private(c.Database))
	}
	add("keepers", c.Keepers.check())
	for _, d := range []struct {
		name string
		Door
	}{{"channel_door", c.Channel}, {"hosted_door", c.Hosted}, {"gateway_door", c.Gateway}, {"console_door", c.ConsoleDoor}} {
		if d.Certificate != "" {
			_, err := tls.LoadX509KeyPair(d.Certificate, d.Key)
			add(d.name, present(err))
			add(d.name, closed(d.Key))
		}
	}
	if c.Metrics.Certificate != "" {
		_, err := tls.LoadX509KeyPair(c.Metrics.Certificate, c.Metrics.Key)
		add("metrics", present(err))
		add("metrics", closed(c.Metrics.Key))
	}
	c.checkSecrets(add)
	if c.Texts.Wordings != "" {
		list, err := ReadWordings(c.Texts.Wordings)
		if err == nil {
			_, err = notify.NewTemplates(c.Texts.SenderMark(), c.Hotline, list)
		}
		add("texts.wordings", present(err))
	}
	if c.Policy != "" {
		_, err := c.Layers(policy.National())
		add("policy", present(err))
	}
	if c.Consent != "" {
		_, err := consent.Load(c.Consent)
		add("consent", present(err))
	}
	return errors.Join(errs...)
}

// checkSecrets looks at the files of one line.
func (c Config) checkSecrets(add func(member string, err error)) {
	for _, f := range []struct{ name, path string }{
		{"texts.webhook.secret_file", c.Texts.Webhook.SecretFile},
		{"texts.webhook.previous_secret_file", c.Texts.Webhook.PreviousFile},
		{"texts.kannel.password_file", c.Texts.Kannel.PasswordFile},
		{"database_password_file", c.DatabasePassword},
	} {
		if f.path != "" {
			secret, err := ReadSecret(f.path)
			clear(secret)
			add(f.name, present(err))
		}
	}
	if c.HSM.Used() { // not in Needs, because a backup contains no PIN
		secret, err := ReadSecret(c.HSM.PINFile)
		clear(secret)
		add("hsm.pin_file", err)
		_, err = os.Stat(c.HSM.Module)
		add("hsm.module", err)
	}
}

// secrets lists the key file and what the vault keeps beside it. Of the others each is there
// only at times.
func (c Config) secrets() []string {
	out := []string{c.Vault}
	for _, name := range []string{vault.HeadsFile, vault.DayKeysDir, vault.IdentityFile, vault.JoinFile} {
		out = append(out, filepath.Join(filepath.Dir(c.Vault), name))
	}
	return out
}

// Layers reads the layers of policy and applies them on top of the national rule.
func (c Config) Layers(national policy.Policy) (*policy.Layers, error) {
	if c.Policy == "" {
		return policy.NewLayers(national)
	}
	files, err := policy.ReadDirectory(c.Policy)
	if err != nil {
		return nil, err
	}
	return policy.NewLayers(national, files...)
}

// checkIssuer refuses an issuer with the address of the channel door if there is a hosted
// door. init writes that address as long as there is no hosted door; browsers would be
// sent to a door without pages.
func (c Config) checkIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || c.Hosted.Listen == "" || c.Hosted.Listen == c.Channel.Listen || u.Host != c.Channel.Listen {
		return nil //nolint:nilerr // Load has refused an address that is not valid
	}
	return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigIssuerChannel(c.Issuer) })
}

// private refuses a file that anybody except its owner can access.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return present(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigMode(path, fmt.Sprintf("%o", info.Mode().Perm()&0o700))
		})
	}
	return nil
}

// closed refuses the key of a door if everybody can access it. A group may read it,
// because systems that renew certificates for several services hand out keys like that.
func closed(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return present(err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigMode(path, fmt.Sprintf("%o", info.Mode().Perm()&0o770))
		})
	}
	return nil
}

// present ignores the error that a file is missing, which was already reported.
func present(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
