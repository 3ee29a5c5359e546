package server

import (
	"net/http"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door/console"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// consoleDoor makes the door of the staff console.
func (s *System) consoleDoor() (*http.Server, error) {
	assets, err := web.Load()
	if err != nil {
		return nil, err
	}
	return console.NewServer(console.Config{
		Admin: s.Admin.Guarded(), Staff: s.Admin.Staff(), Assets: assets, Origin: s.Config.ConsoleAddress(), Holder: s.Config.Issuer,
		CheckRedirectURI: oidc.CheckRedirectURI,
		Now:              s.Clock.Wall, Logger: s.options.Logger, InFlight: s.consoleBounds.inFlight, Ready: s.keeps, Hotline: s.Config.Hotline,
		Place: func(w *locale.Words, r liuma.Region) string { return s.Agencies.Listing().Place(w, r) },
	})
}
