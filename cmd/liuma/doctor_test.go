package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/locale"
)

// TestDoctorBesideOtherAuthorities: one authority of several is down. What the doctor names
// next must not be a command that is refused for the same reason.
func TestDoctorBesideOtherAuthorities(t *testing.T) {
	t.Parallel()
	err := explainOpen("d", fmt.Errorf("open store: %w: authority-b on db, process 7", postgres.ErrInUse))
	if said := err.Error(); !strings.Contains(said, "authority-b on db") || !strings.Contains(said, "start the server") {
		t.Errorf("a command while only others serve: %s", said)
	}
	if next := serviceNext(err, locale.In(locale.English).Shown); strings.Contains(next, "status") || !strings.Contains(next, "liuma serve") {
		t.Errorf("the next step: %s", next)
	}
}
