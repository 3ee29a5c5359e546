package admintest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// lastDigestKey: the key that the last digest is checked with is not dropped, and
// kept public keys are taken with a reason only.
func lastDigestKey(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	first := signing(t, w)
	_, err := a.MakeDigest(ctx)
	must(t, err)
	_, err = a.RotateSigningKey(ctx)
	must(t, err)
	before, err := vault.At(w.KeyFile).SigningKeys()
	must(t, err)
	if _, err := a.DropSigningKey(ctx, first); !errors.Is(err, admin.ErrLastDigestKey) || err.Error() != admin.ErrLastDigestKey.Error() {
		t.Errorf("dropped the key of the last digest: %v", err)
	}
	after, err := vault.At(w.KeyFile).SigningKeys()
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Error("a refusal changed the key file:", diff, err)
	}
	kept := w.vault.ReceiptKeys()
	if _, err := a.ResumeDigests(ctx, kept, " "); !errors.Is(err, audit.ErrReason) {
		t.Errorf("resumed without a reason: %v", err)
	}
	made, err := a.ResumeDigests(ctx, kept, "key file put back")
	if made.Number != 2 || made.Token == "" || err != nil {
		t.Errorf("resumed: %+v, %v", made, err)
	}
	w.Broken.Store(true)
	if _, err := a.DropSigningKey(ctx, first); err == nil || errors.Is(err, admin.ErrLastDigestKey) {
		t.Errorf("the record cannot be read: %v", err)
	}
	if left, err := vault.At(w.KeyFile).SigningKeys(); len(left) != 2 || err != nil {
		t.Errorf("a key was dropped although the record could not be read: %d left, %v", len(left), err)
	}
}
