package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
)

// TestWhatACrashLeftOfACarriedFileGoes: a machine that joins was killed while it wrote a secret.
// When it takes what was carried again, the half of that secret is gone.
func TestWhatACrashLeftOfACarriedFileGoes(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(from, config.FileName), []byte(`issuer: https://pin.example.cn
database: postgres://liuma@db1.example/liuma?sslmode=verify-full
database_password_file: db.password
keepers:
  shape: 2/3
  key: keepers/authority.key
`), 0o600))
	must(os.WriteFile(filepath.Join(from, "db.password"), []byte("very secret\n"), 0o600))
	c, err := config.Load(from)
	must(err)
	carried, _, err := config.Pack(c)
	must(err)
	left := []string{".database.password.123", ".liuma.yaml.4"}
	for _, name := range left {
		must(os.WriteFile(filepath.Join(to, name), []byte("very s"), 0o600))
	}
	brought, err := config.Unpack(to, carried)
	must(err)
	must(brought.Put())
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(to, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(to, "database.password")); err != nil || string(got) != "very secret\n" {
		t.Errorf("the password is %q, %v", got, err)
	}
}
