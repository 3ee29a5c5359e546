package audit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
)

func TestReason(t *testing.T) {
	for in, want := range map[string]audit.Reason{
		"key stolen": "key stolen", "  值班 2026-11  ": "值班 2026-11", strings.Repeat("失", 200): audit.Reason(strings.Repeat("失", 200)),
	} {
		if got, err := audit.ParseReason(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "   ", "a\nb", "a\x00", "\xff", "a\u202eb", strings.Repeat("失", 201)} {
		if got, err := audit.ParseReason(in); got != "" || !errors.Is(err, audit.ErrReason) {
			t.Errorf("%q: %q, %v, want %v", in, got, err, audit.ErrReason)
		}
	}
	if got := audit.Reason("key stolen").Note("key=2"); got != "key=2 reason=key stolen" {
		t.Errorf("note %q", got)
	}
	if got := audit.Reason("key stolen").Note(""); got != "reason=key stolen" {
		t.Errorf("note %q", got)
	}
}
