package attack

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/sqlitefile/mishap"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// attempt verifies, or changes, at the native door under a new business number,
// and gives the verdict or the code of the refusal.
func (w *world) attempt(secret, chosen string) string {
	w.t.Helper()
	ctx := context.Background()
	challenge, err := w.home.native.Challenge(ctx)
	if err != nil {
		return client.CodeOf(err)
	}
	ask := client.DeviceRequest{Channel: w.home.ID, Action: client.Verify, BusinessNo: w.number(), Purpose: purpose,
		Subject: client.Subject{Card: w.card}, Challenge: challenge}
	var v *client.Verification
	if chosen == "" {
		sealed, sealErr := ask.SealPIN([]byte(secret))
		must(w.t, sealed, sealErr)
		v, err = w.home.native.Verify(ctx, client.VerifyRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose,
			Challenge: challenge.Value, PIN: sealed})
	} else {
		ask.Action = client.Change
		old, fresh, sealErr := ask.SealChange([]byte(secret), []byte(chosen))
		must(w.t, old, sealErr)
		v, err = w.home.native.Change(ctx, client.ChangeRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose,
			Challenge: challenge.Value, OldPIN: old, NewPIN: fresh})
	}
	if err != nil {
		return client.CodeOf(err)
	}
	return v.Verdict
}

// untilFull verifies until there is no room, and checks that each answer before
// it is right and what comes then is that the service is unavailable.
func (w *world) untilFull(secret string) {
	w.t.Helper()
	for range 2000 {
		got := w.attempt(secret, "")
		if got == "unavailable" {
			return
		}
		if got != "right" {
			w.t.Fatalf("on a disk that gets full: %q", got)
		}
	}
	w.t.Fatal("the disk did not get full")
}

// TestAFullDiskHeals fills the disk of everything, or of the ledger alone. While
// it is full the doors say that the service is unavailable, no PIN is half
// changed, and with room again the same server serves.
func TestAFullDiskHeals(t *testing.T) {
	testkit.FileOnly(t)
	for name, ledgerOnly := range map[string]bool{"everything": false, "the ledger": true} {
		t.Run(name, func(t *testing.T) {
			disk := mishap.SmallDisk(t, 32)
			o := testkit.Options{Dir: filepath.Join(disk.Dir, "data")}
			if ledgerOnly {
				o.Dir = ""
				o.Configure = func(c *config.Config) { c.Keepers.Directories = []string{filepath.Join(disk.Dir, "k1")} }
			}
			w := newWorldOf(t, o)
			for range 2 {
				disk.Fill()
				w.untilFull(goodPIN)
				if got := w.attempt(goodPIN, thiefPIN); got != "unavailable" {
					t.Errorf("a change on a full disk: %q", got)
				}
				if got := w.attempt(wrongPIN, ""); got != "unavailable" {
					t.Errorf("a wrong PIN on a full disk: %q", got)
				}
				if !ledgerOnly {
					if status, _ := w.home.pushWith(w.home.signed("JWT", hosted)); status != http.StatusServiceUnavailable {
						t.Errorf("a push on a full disk: %d", status)
					}
				}
				disk.Free()
				if got := w.attempt(goodPIN, ""); got != "right" {
					t.Errorf("with room again: %q", got)
				}
				if got := w.attempt(thiefPIN, ""); got != "wrong" {
					t.Errorf("the PIN of a change that was refused: %q", got)
				}
				if got := w.attempt(goodPIN, ""); got != "right" {
					t.Errorf("after a wrong one: %q", got)
				}
			}
			if got := w.home.standing(w.card); got != string(liuma.StandingActive) {
				t.Errorf("standing %q", got)
			}
		})
	}
}
