package admin_test

import (
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
)

func TestAdministration(t *testing.T) {
	admintest.Run(t, func(_ *testing.T, w *admintest.World) admin.Administration { return w.Admin.Guarded() })
}

// TestClockUnserved: the time is not moved without the keepers.
func TestClockUnserved(t *testing.T) { admintest.ClockUnserved(t) }

// Each required member of the Config is asked for.
func TestNewRefuses(t *testing.T) {
	w := admintest.New(t, admintest.Options{Served: true})
	good := w.Config()
	if _, err := admin.New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*admin.Config){
		"store":     func(c *admin.Config) { c.Store = nil },
		"registry":  func(c *admin.Config) { c.Registry = nil },
		"vault":     func(c *admin.Config) { c.Vault = nil },
		"clock":     func(c *admin.Config) { c.Clock = nil },
		"issuer":    func(c *admin.Config) { c.Issuer = "" },
		"shape":     func(c *admin.Config) { c.Shape = "" },
		"driver":    func(c *admin.Config) { c.TextsDriver = "" },
		"since":     func(c *admin.Config) { c.Server.Since = time.Time{} },
		"authority": func(c *admin.Config) { c.Server.Authority = nil },
		"quorum":    func(c *admin.Config) { c.Server.Quorum = nil },
		"keepers":   func(c *admin.Config) { c.Server.Keepers = nil },
	} {
		c := w.Config()
		spoil(&c)
		if _, err := admin.New(c); err == nil {
			t.Errorf("made an Admin without %s", name)
		}
	}
}
