package backup_test

import (
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestABackupAfterASigningKeyWasDropped: older digests are signed with a key that
// is gone, as after every yearly rotation, and the newest one vouches for them.
func TestABackupAfterASigningKeyWasDropped(t *testing.T) {
	h := newHouse(t)
	file := h.System.Config.Vault
	_, err := h.System.Record.Digest(t.Context())
	h.must(err)
	kept := h.System.Vault.ReceiptKeys()
	old := h.System.Vault.SignsWith()
	_, err = vault.At(file).RotateSigningKey(h.Clock.Now())
	h.must(err)
	v, err := vault.Open(file)
	h.must(err)
	t.Cleanup(func() { h.must(v.Close()) })
	digests, err := record.New(record.Config{Store: h.System.Store, Signer: v, Issuer: h.System.Config.Issuer, Now: h.Clock.Now})
	h.must(err)
	h.must(vault.At(file).DropSigningKey(old))
	h.make(nil)
	if r, err := h.check(); err != nil || r.Finding == nil || r.Finding.Digest != 1 {
		t.Errorf("the key of the newest digest is gone: %v, %v", r.Finding, err)
	}
	h.to += "2"
	_, err = digests.Resume(t.Context(), kept, "operator", audit.Reason("test"))
	h.must(err)
	h.make(nil)
	if r, err := h.check(); err != nil || !r.Sound() {
		t.Errorf("%v %v %v, %v", r.Damage, r.Refused, r.Finding, err)
	}
}
