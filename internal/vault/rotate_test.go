package vault

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
)

func states(t *testing.T, path string) []KeyState {
	t.Helper()
	keys, err := At(path).SigningKeys()
	must(t, err)
	var s []KeyState
	for _, k := range keys {
		s = append(s, k.State)
	}
	return s
}

func wantStates(t *testing.T, path string, want ...KeyState) {
	t.Helper()
	if got := states(t, path); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

// kidOf names the key that a vault signs with.
func kidOf(t *testing.T, v *Vault) string {
	t.Helper()
	token, err := v.SignReceipt(receipt())
	must(t, err)
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	kid := jws.Signatures[0].Protected.KeyID
	if said := v.SignsWith(); said != kid {
		t.Errorf("signs with %s and says %s", kid, said)
	}
	return kid
}

func TestRotation(t *testing.T) {
	path := newFile(t)
	wantStates(t, path, KeySigning)
	before, err := open(t, path).SignReceipt(receipt())
	must(t, err)
	firstID := kidOf(t, open(t, path))

	next, err := At(path).PrepareSigningKey(now())
	must(t, err)
	if next.State != KeyNext || !next.Made.Equal(now()) {
		t.Errorf("prepared %+v", next)
	}
	wantStates(t, path, KeySigning, KeyNext)
	prepared := open(t, path)
	if kidOf(t, prepared) != firstID {
		t.Error("the prepared key signs")
	}
	if published := prepared.ReceiptKeys(); len(published.Key(next.ID)) != 1 {
		t.Error("the prepared key is not published")
	}
	if _, err := At(path).PrepareSigningKey(now()); !errors.Is(err, ErrKeyPrepared) {
		t.Errorf("prepared twice: %v", err)
	}
	if err := At(path).DropSigningKey(firstID); !errors.Is(err, ErrKeySigns) {
		t.Errorf("dropped the one that signs: %v", err)
	}

	now2 := now().Add(time.Hour)
	rotated, err := At(path).RotateSigningKey(now2)
	must(t, err)
	if rotated.ID != next.ID || rotated.State != KeySigning || !rotated.Made.Equal(now()) {
		t.Errorf("rotated to %+v, prepared %+v", rotated, next)
	}
	wantStates(t, path, KeyOld, KeySigning)
	after := open(t, path)
	if kidOf(t, after) != next.ID {
		t.Error("the rotated key does not sign")
	}
	// An authority that was not started again can check tokens of those that
	// were.
	token, err := after.SignReceipt(receipt())
	must(t, err)
	if _, err := ParseReceipt(token, prepared.ReceiptKeys(), issuer, "zj-hrss", now()); err != nil {
		t.Errorf("at an authority that still runs with the prepared file: %v", err)
	}
	if _, err := ParseReceipt(before, after.ReceiptKeys(), issuer, "zj-hrss", now()); err != nil {
		t.Errorf("signed before the rotation: %v", err)
	}

	if err := At(path).DropSigningKey("nobody"); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("dropped nobody: %v", err)
	}
	must(t, At(path).DropSigningKey(firstID))
	wantStates(t, path, KeySigning)
	dropped := open(t, path)
	if kidOf(t, dropped) != next.ID {
		t.Error("another key signs after a drop")
	}
	_, err = ParseReceipt(before, dropped.ReceiptKeys(), issuer, "zj-hrss", now())
	wantCode(t, err, liuma.CodeReceiptInvalid)
}

func TestDropOfTheNextKey(t *testing.T) {
	path := newFile(t)
	next, err := At(path).PrepareSigningKey(now())
	must(t, err)
	must(t, At(path).DropSigningKey(next.ID))
	wantStates(t, path, KeySigning)
}

func TestSigningKeysAreBounded(t *testing.T) {
	path := newFile(t)
	for range maxSigningKeys - 1 {
		_, err := At(path).RotateSigningKey(now())
		must(t, err)
	}
	before, err := os.ReadFile(path)
	must(t, err)
	if want := maxFileSize - (maxRootKeys-1)*rootKeySize; len(before) != want {
		t.Errorf("%d bytes, want %d", len(before), want)
	}
	if _, err := At(path).RotateSigningKey(now()); !errors.Is(err, ErrSigningKeys) {
		t.Errorf("one too many: %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("a refused change changed the file")
	}
	if got := len(open(t, path).ReceiptKeys().Keys); got != maxSigningKeys {
		t.Errorf("%d keys published", got)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused change left a file: %v", err)
	}
}

func TestChangeKeepsModeAndLink(t *testing.T) {
	path := newFile(t)
	must(t, os.Chmod(path, 0o400))
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(path, link))
	_, err := At(link).RotateSigningKey(now())
	must(t, err)
	info, err := os.Lstat(path)
	must(t, err)
	if info.Mode() != 0o400 {
		t.Errorf("mode %v, want that of the old file", info.Mode())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	wantStates(t, path, KeyOld, KeySigning)
	must(t, os.Chmod(path, 0o640))
	if _, err := At(path).RotateSigningKey(now()); !errors.Is(err, ErrKeyFileMode) {
		t.Errorf("changed a file that others can read: %v", err)
	}
}

// A change that was cut short must be noticed, and the next change must not
// overwrite its file: it may hold a key that another authority already has.
func TestChangeCutShort(t *testing.T) {
	path := newFile(t)
	must(t, os.WriteFile(path+".new", []byte("half"), 0o600))
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := At(path).RotateSigningKey(now()); !errors.Is(err, ErrKeyFileLocked) {
		t.Errorf("%v, want %v", err, ErrKeyFileLocked)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if left, err := os.ReadFile(path + ".new"); err != nil || string(left) != "half" || !bytes.Equal(before, after) {
		t.Errorf("a file was changed: %q, %v", left, err)
	}
	must(t, open(t, path).Close())
}

// Of changes at the same time, each is kept whole or refused.
func TestChangesAtTheSameTime(t *testing.T) {
	path := newFile(t)
	var wg sync.WaitGroup
	made := make([]SigningKey, maxSigningKeys-1)
	for i := range made {
		wg.Go(func() {
			k, err := At(path).RotateSigningKey(now())
			if err != nil && !errors.Is(err, ErrKeyFileLocked) {
				t.Errorf("rotate: %v", err)
			}
			made[i] = k
		})
	}
	wg.Wait()
	keys, err := At(path).SigningKeys()
	must(t, err)
	known := map[string]bool{}
	for _, k := range keys {
		known[k.ID] = true
	}
	for _, k := range made {
		if k.ID != "" && !known[k.ID] {
			t.Errorf("key %s was made and lost", k.ID)
		}
	}
	if len(keys) < 2 {
		t.Error("no change went through")
	}
}

func TestChangeOfNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.key")
	if _, err := At(path).RotateSigningKey(now()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := At(path).SigningKeys(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	must(t, os.WriteFile(path, []byte("something else"), 0o600))
	if _, err := At(path).RotateSigningKey(now()); !errors.Is(err, ErrKeyFileFormat) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "something else" {
		t.Errorf("%q, %v", b, err)
	}
}
