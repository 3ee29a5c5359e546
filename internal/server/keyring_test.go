package server_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/vault"
)

// digits are those of an authority's identity, as its own machine shows them.
func (w *beside) digits(of *server.System) (name, digits string) {
	w.T.Helper()
	s, err := of.Admin.Status(w.T.Context())
	w.must(err)
	for _, m := range s.Keyring.Members {
		if m.Here {
			return m.Name, m.Digits
		}
	}
	w.T.Fatal("it does not know itself")
	return "", ""
}

func (w *beside) confirm(a, b *server.System) {
	w.T.Helper()
	for _, p := range [][2]*server.System{{a, b}, {b, a}} {
		name, digits := w.digits(p[1])
		w.must(p[0].Admin.ConfirmAuthority(w.T.Context(), admin.AuthorityWord{Name: name, Digits: digits, Reason: "compared"}))
	}
}

// waited waits for something that comes by itself.
func waited(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// TestKeysRotatedByOneReachTheOthers: no copied file, no restart; PINs are right all the
// while, at both, and receipts of each are checked with the keys that either publishes.
func TestKeysRotatedByOneReachTheOthers(t *testing.T) {
	w := newBeside(t)
	first, second := w.System, w.another(nil)
	both := []*server.System{first, second}
	if _, err := first.Admin.RotateSigningKey(t.Context()); err == nil {
		t.Error("rotated beside one that is not confirmed")
	}
	w.confirm(first, second)
	right := func() {
		t.Helper()
		for _, at := range both {
			v, err := at.Front().Verify(t.Context(), w.channel, w.VerifyRequest(w.channel, w.card, farPIN))
			if err != nil || v.Verdict != liuma.Right {
				t.Fatalf("%v, %v", v.Verdict, err)
			}
			for _, reader := range both {
				if _, err := vault.ParseReceipt(v.Receipt, reader.Vault.ReceiptKeys(), reader.Config.Issuer, "app", reader.Clock.Wall()); err != nil {
					t.Fatalf("a receipt: %v", err)
				}
			}
		}
	}
	right()
	root, err := first.Admin.RotateRootKey(t.Context(), "a laptop was stolen")
	w.must(err)
	waited(t, "both seal with the new key", func() bool {
		right()
		return !slices.ContainsFunc(both, func(s *server.System) bool { return s.Vault.SealsWith() != root.ID })
	})
	var key admin.RotatedKey
	waited(t, "the key before is in use", func() (settled bool) {
		key, err = second.Admin.RotateSigningKey(t.Context())
		return !errors.Is(err, keyring.ErrUnderWay)
	})
	w.must(err)
	waited(t, "both publish the new key", func() bool {
		right()
		return !slices.ContainsFunc(both, func(s *server.System) bool { return len(s.Vault.ReceiptKeys().Keys) != 2 })
	})
	if first.Vault.SignsWith() == key.KID || second.Vault.SignsWith() == key.KID {
		t.Error("it signs before clients have it")
	}
	waited(t, "both sign with it", func() bool {
		w.Clock.Advance(time.Minute) // the ten minutes begin when the last one has said that it publishes
		right()
		return !slices.ContainsFunc(both, func(s *server.System) bool { return s.Vault.SignsWith() != key.KID })
	})
	// One that joins with the files of today needs no word to start.
	third := w.another(nil)
	if third.Vault.SignsWith() != key.KID || third.Vault.SealsWith() != root.ID {
		t.Error("one with other keys than all started")
	}
}
