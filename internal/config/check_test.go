package config

import (
	"os"
	"path/filepath"
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
