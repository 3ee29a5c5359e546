package oidc

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/door/doortest"
)

func TestReasonsStandInTheCatalogue(t *testing.T) {
	doortest.ReasonsStandInTheCatalogue(t, reasons(), "reason.oidc.", "reason.next.")
}
