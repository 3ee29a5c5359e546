package vault

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestAccessTokens: what a token says is read by every vault of the same key file, and
// nothing else is taken for one.
func TestAccessTokens(t *testing.T) {
	path := newFile(t)
	v, other := open(t, path), open(t, path)
	a := Access{Channel: "app", Subject: strings.Repeat("s", 32), Until: time.UnixMilli(1_800_000_000_123).UTC()}
	token, err := v.NewAccess(a)
	must(t, err)
	second, err := v.NewAccess(a)
	must(t, err)
	if token == second {
		t.Error("two tokens are the same")
	}
	for _, of := range []*Vault{v, other} {
		if got, err := of.ReadAccess(token); err != nil || got != a {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := newTestVault(t).ReadAccess(token); !errors.Is(err, ErrAccess) {
		t.Errorf("another vault: %v", err)
	}
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		if _, err := v.ReadAccess(string(changed)); !errors.Is(err, ErrAccess) {
			t.Errorf("character %d changed: %v", i, err)
		}
	}
	for _, s := range []string{"", token[1:], token + "A", token[:len(token)-4], strings.Repeat("A", 60), strings.Repeat("A", 4000)} {
		if _, err := v.ReadAccess(s); !errors.Is(err, ErrAccess) {
			t.Errorf("%d characters: %v", len(s), err)
		}
	}
	for _, bad := range []Access{{Channel: "app"}, {Subject: "s"}, {Channel: "app", Subject: strings.Repeat("s", 256)}} {
		if _, err := v.NewAccess(bad); err == nil {
			t.Errorf("%d characters of a subject are taken", len(bad.Subject))
		}
	}
}
