package record_test

import (
	"bytes"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/vault"
)

// rotate lets another key sign from now on, as a start of the server after
// 'liuma keys rotate' does, and returns the kid of the one before.
func (h *house) rotate() (before string) {
	h.t.Helper()
	before = h.vault.SignsWith()
	_, err := vault.At(h.path("vault.key")).RotateSigningKey(h.clock())
	must(h.t, err)
	h.readKeys()
	return before
}

// readKeys opens the vault anew.
func (h *house) readKeys() {
	h.t.Helper()
	must(h.t, h.db.Close())
	must(h.t, h.vault.Close())
	v, err := vault.Open(h.path("vault.key"))
	must(h.t, err)
	h.t.Cleanup(func() { must(h.t, v.Close()) })
	h.vault = v
	h.open()
}

func (h *house) needs(kid string) bool {
	h.t.Helper()
	needs, err := h.digester.Needs(h.t.Context(), kid)
	must(h.t, err)
	return needs
}

// TestKeyOfTheLastDigestIsNeeded: until a digest is signed with another one.
func TestKeyOfTheLastDigestIsNeeded(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	if h.needs(h.vault.SignsWith()) {
		t.Error("needed before the first digest")
	}
	h.digest()
	old := h.rotate()
	if !h.needs(old) || h.needs(h.vault.SignsWith()) || h.needs("nothing") {
		t.Error("needed is the key of the last digest, and no other")
	}
	h.digest()
	if h.needs(old) || !h.needs(h.vault.SignsWith()) {
		t.Error("needed is not the key of the newest digest")
	}
}

// TestAlteredDigestHoldsNoKey: whoever writes to the database cannot keep a
// stolen key from being dropped.
func TestAlteredDigestHoldsNoKey(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	h.digest()
	old := h.rotate()
	h.attack("UPDATE digests SET token = substr(token, 1, length(token) - 6) || 'AAAAAA'")
	if h.needs(old) {
		t.Error("an altered digest keeps the key")
	}
}

// TestDigestsAfterADroppedKey: the key of the last digest is gone, and its public
// half, which the operator kept, lets digests go on.
func TestDigestsAfterADroppedKey(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 2)
	h.digest()
	kept := h.vault.ReceiptKeys()
	must(t, vault.At(h.path("vault.key")).DropSigningKey(h.rotate()))
	h.readKeys()
	h.write(card(1), 1)
	_, err := h.digester.Digest(t.Context())
	found(t, err, "signed with a key that is not among those given; if that key was dropped, 'liuma audit digest --keys FILE' goes on")
	h.fault("not among those given")
	for name, other := range map[string]jose.JSONWebKeySet{"none": {}, "a stranger's": newHouse(t).vault.ReceiptKeys()} {
		if _, err := h.digester.Resume(t.Context(), other, "operator", "dropped too early"); err == nil {
			t.Errorf("went on with keys: %s", name)
		}
	}
	d, err := h.digester.Resume(t.Context(), kept, "operator", "dropped too early")
	must(t, err)
	if d.Number != 2 || len(h.digester.State().Faults) != 0 {
		t.Errorf("digest %d, faults %q", d.Number, h.digester.State().Faults)
	}
	h.write(card(2), 1)
	if n := h.digest(); n != 3 {
		t.Errorf("digest %d after it, want 3", n)
	}
	keys := jose.JSONWebKeySet{Keys: append(kept.Keys, h.vault.ReceiptKeys().Keys...)}
	out, err := audit.Examine(bytes.NewReader(h.export()), audit.ExamineConfig{Keys: &keys, Shipped: h.shipped()})
	if err != nil || out.Digest != 3 || out.Shipped != 3 {
		t.Errorf("examined %+v: %v", out, err)
	}
	if !bytes.Contains(h.export(), []byte(`"digest=2 keys=given reason=dropped too early"`)) {
		t.Error("that keys were given is not in the record")
	}
}

// TestResumeAltered: given keys do not let digests follow one that was altered.
func TestResumeAltered(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	h.digest()
	kept := h.vault.ReceiptKeys()
	must(t, vault.At(h.path("vault.key")).DropSigningKey(h.rotate()))
	h.readKeys()
	h.attack("UPDATE digests SET token = substr(token, 1, length(token) - 6) || 'AAAAAA'")
	_, err := h.digester.Resume(t.Context(), kept, "operator", "dropped too early")
	found(t, err, "signature does not verify")
}
