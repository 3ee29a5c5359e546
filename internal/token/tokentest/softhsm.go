// Package tokentest makes tokens for tests: tokens of SoftHSM in a temporary directory,
// and tokens in memory, for programs without PKCS#11. It guarantees that the machine's
// own tokens are not touched. It trusts SoftHSM.
//
// Start here: New, NewSoft.
package tokentest

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/token"
)

// PIN is the PIN of every token of this package.
const PIN = "271828"

// SoftHSM holds a test's tokens.
type SoftHSM struct {
	Module string
	Dir    string // where the tokens are
	t      testing.TB
}

// New makes a place for tokens, and makes the process use only that.
func New(t testing.TB) *SoftHSM {
	t.Helper()
	module := ""
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			module = path
			break
		}
	}
	if module == "" {
		t.Fatal("SoftHSM is not installed: make prepare")
	}
	dir := t.TempDir()
	s := &SoftHSM{Module: module, Dir: filepath.Join(dir, "tokens"), t: t}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", s.Dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	return s
}

// Init makes a token.
func (s *SoftHSM) Init(label string) {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "31415926").CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// Config returns the configuration that opens a token.
func (s *SoftHSM) Config(label string) token.Config {
	return token.Config{Module: s.Module, Label: label, PIN: token.NewPIN(PIN), Logger: slog.New(slog.DiscardHandler)}
}

// Open opens a token, and closes it when the test ends.
func (s *SoftHSM) Open(label string) token.Token {
	s.t.Helper()
	tok, err := token.Open(s.Config(label))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return tok
}

// TakeOut removes all tokens from the machine; putBack restores them.
func (s *SoftHSM) TakeOut() (putBack func()) {
	s.t.Helper()
	aside := s.Dir + ".out"
	move := func(from, to string) {
		s.t.Helper()
		if err := os.Rename(from, to); err != nil {
			s.t.Fatal(err)
		}
	}
	move(s.Dir, aside)
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if err := os.RemoveAll(s.Dir); err != nil {
			s.t.Fatal(err)
		}
		move(aside, s.Dir)
	}
}
