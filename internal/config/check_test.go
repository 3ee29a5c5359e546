package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestCheckIssuer: a hosted door that was added later wants another issuer than the address
// of the channel door, which init wrote.
func TestCheckIssuer(t *testing.T) {
	c := Default()
	if err := c.checkIssuer(); err != nil {
		t.Errorf("without a hosted door: %v", err)
	}
	c.Hosted.Listen = "127.0.0.1:8601"
	if err := c.checkIssuer(); err == nil || !strings.Contains(err.Error(), "where the channel door listens") {
		t.Errorf("the channel door's address with a hosted door: %v", err)
	}
	c.Issuer = "http://127.0.0.1:8601"
	if err := c.checkIssuer(); err != nil {
		t.Errorf("the hosted door's address: %v", err)
	}
}

// TestCheckSaysHowKeepersAreJoined: every file that is missing, and the commands that bring them.
func TestCheckSaysHowKeepersAreJoined(t *testing.T) {
	c := remoteConfig()
	c.Keepers.Key = filepath.Join(t.TempDir(), "authority.key")
	c.Keepers.Remote = nil
	for _, id := range []string{"k1", "k2", "k3"} {
		c.Keepers.Remote = append(c.Keepers.Remote, RemoteKeeper{ID: id, Address: id + ".example:7601", Admission: filepath.Join(t.TempDir(), id+".admission")})
	}
	err := c.Check()
	for _, want := range []string{"authority.key", "k1.admission", "k3.admission", "'liuma keeper request' makes the key", "'liuma keeper add' puts"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("files of keepers that are missing: %v, want %q", err, want)
		}
	}
}

// TestCheckLooksAtEveryNamedFile: the PIN of a token and the keys of doors are files that
// the configuration names as well, and others can be let in to them.
func TestCheckLooksAtEveryNamedFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("1234\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := Config{Vault: file("vault.key", 0o600), Database: file("liuma.db", 0o600)}
	c.HSM = HSM{Module: file("lib.so", 0o644), Token: "one", PINFile: file("open.pin", 0o644)}
	c.Channel.Certificate, c.Channel.Key = file("c.pem", 0o644), file("c.key", 0o644)
	err := c.Check()
	if err == nil || !strings.Contains(err.Error(), "hsm.pin_file") || !strings.Contains(err.Error(), "want mode 640") {
		t.Errorf("files that everybody reads: %v", err)
	}
	c.HSM.PINFile, c.HSM.Module = filepath.Join(dir, "none.pin"), filepath.Join(dir, "none.so")
	c.Channel.Key = file("group.key", 0o640)
	err = c.Check()
	if err == nil || !strings.Contains(err.Error(), "hsm.pin_file") || !strings.Contains(err.Error(), "hsm.module") || strings.Contains(err.Error(), "want mode") {
		t.Errorf("files that are missing: %v", err)
	}
	c.HSM.PINFile, c.HSM.Module = file("closed.pin", 0o600), c.Channel.Certificate
	if err = c.Check(); err != nil && strings.Contains(err.Error(), "hsm.") {
		t.Errorf("files that are as they should be: %v", err)
	}
}

// secretMembers lists the members of a configuration that name a file with a secret, by the
// names that such members have: a new one is looked at as soon as it is written.
func secretMembers(v reflect.Value, at string) (out []string) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		name = strings.TrimPrefix(at+"."+name, ".")
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			out = append(out, secretMembers(f, strings.TrimSuffix(name, "."))...)
		case f.Kind() != reflect.String:
		case name == "vault", name == "database", strings.HasSuffix(name, ".key"), strings.HasSuffix(name, "_file"):
			out = append(out, name)
		}
	}
	return out
}

// TestCheckLooksAtTheModeOfEverySecret: of each member that names a file with a secret, and
// of what the vault keeps beside its key file.
func TestCheckLooksAtTheModeOfEverySecret(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := map[string]func(c *Config){
		"vault":                              func(c *Config) { c.Vault = path },
		"database":                           func(c *Config) { c.Database = path },
		"database_password_file":             func(c *Config) { c.DatabasePassword = path },
		"hsm.pin_file":                       func(c *Config) { c.HSM = HSM{Module: path, Token: "one", PINFile: path} },
		"channel_door.key":                   func(c *Config) { c.Channel.Certificate, c.Channel.Key = path, path },
		"hosted_door.key":                    func(c *Config) { c.Hosted.Certificate, c.Hosted.Key = path, path },
		"gateway_door.key":                   func(c *Config) { c.Gateway.Certificate, c.Gateway.Key = path, path },
		"console_door.key":                   func(c *Config) { c.ConsoleDoor.Certificate, c.ConsoleDoor.Key = path, path },
		"metrics.key":                        func(c *Config) { c.Metrics.Certificate, c.Metrics.Key = path, path },
		"keepers.key":                        func(c *Config) { c.Keepers.Key = path },
		"texts.webhook.secret_file":          func(c *Config) { c.Texts.Webhook.SecretFile = path },
		"texts.webhook.previous_secret_file": func(c *Config) { c.Texts.Webhook.PreviousFile = path },
		"texts.kannel.password_file":         func(c *Config) { c.Texts.Kannel.PasswordFile = path },
	}
	for _, member := range secretMembers(reflect.ValueOf(Config{}), "") {
		name, ok := named[member]
		if !ok {
			t.Errorf("%s names a secret, and this test does not try it", member)
			continue
		}
		var c Config
		name(&c)
		for mode, loose := range map[os.FileMode]bool{0o600: false, 0o644: true} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			err := c.Check()
			if said := err != nil && strings.Contains(err.Error(), path+" can be read or written by others"); said != loose {
				t.Errorf("%s with mode %o: %v", member, mode, err)
			}
		}
		delete(named, member)
	}
	for member := range named {
		t.Errorf("no member %s", member)
	}
	for _, name := range []string{"heads", "daykeys", "identity.key", "join.key"} {
		t.Run(name, func(t *testing.T) {
			beside := filepath.Join(t.TempDir(), name)
			c := Config{Vault: filepath.Join(filepath.Dir(beside), "vault.key")}
			if err := c.Check(); err != nil && strings.Contains(err.Error(), beside+" ") {
				t.Errorf("not there: %v", err)
			}
			if err := os.Mkdir(beside, 0o750); err != nil {
				t.Fatal(err)
			}
			if err := c.Check(); err == nil || !strings.Contains(err.Error(), beside+" can be read or written by others") {
				t.Errorf("others can read it: %v", err)
			}
		})
	}
}
