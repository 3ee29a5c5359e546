package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/testkit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A database without its file of heads is not opened, and is taken for good with
// a reason only, and not beside a server.
func TestHeadsAreAcceptedWithAReason(t *testing.T) {
	e := testkit.New(t, testkit.Options{})
	c, err := config.Load(e.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.AcceptHeads(t.Context(), c, "from tape 7", e.Clock); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("beside a server: %v", err)
	}
	e.Close()
	file := filepath.Join(e.Dir, vault.HeadsFile)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if s, err := server.Open(t.Context(), c, server.Options{Machine: e.Clock}); !errors.Is(err, vault.ErrNoHeads) {
		if err == nil {
			err = s.Close()
		}
		t.Errorf("without the file: %v", err)
	}
	if _, err := server.AcceptHeads(t.Context(), c, " ", e.Clock); !errors.Is(err, audit.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a refusal made the file")
	}
	n, err := server.AcceptHeads(t.Context(), c, "from tape 7", e.Clock)
	if err != nil {
		t.Fatal(err)
	}
	e.Open()
	said := record(t, e.System.Store, audit.HeadsAccepted)
	if len(said) != 1 || !said[0].At.Equal(e.Clock.Now()) || n == 0 {
		t.Errorf("version %d, the record: %+v", n, said)
	}
}
