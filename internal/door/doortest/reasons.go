// Package doortest holds what the doors for programs must all pass. It checks and
// trusts nothing at run time; only tests import it.
//
// Start here: ReasonsStandInTheCatalogue.
package doortest

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
)

// ReasonsStandInTheCatalogue checks that each of a door's reasons has a text in both
// languages, whose English fits an error_description of RFC 6749. Under these
// prefixes the catalogue must explain no reason that the door does not give.
func ReasonsStandInTheCatalogue(t *testing.T, all door.Reasons, prefixes ...string) {
	t.Helper()
	for _, r := range all {
		if r.Text.ZH == "" || r.Text.EN == "" {
			t.Errorf("%s is not explained", r.Reason)
		}
		if strings.ContainsFunc(r.Text.EN, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
			t.Errorf("%s: %s", r.Reason, r.Text.EN)
		}
	}
	for _, k := range locale.Own().Keys() {
		for _, prefix := range prefixes {
			if name, ok := strings.CutPrefix(k.Name, prefix); ok && !all.Has(door.Reason(name)) {
				t.Errorf("nothing says %s", k.Name)
			}
		}
	}
}
