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

	"github.com/liuma-pin/liuma"
)

func TestRootKeyRotation(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	value, err := v.Seal(CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	row, err := v.SealRow("card", []byte("row"))
	must(t, err)
	thief := filepath.Join(t.TempDir(), "stolen.key")
	stolen, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(thief, stolen, 0o600))

	made, err := At(path).RotateRootKey(now())
	must(t, err)
	if made != (RootKey{ID: 2, Seals: true, Made: now()}) {
		t.Errorf("made %+v", made)
	}
	if v.SealsWith() != 1 {
		t.Error("the open vault seals under the new key before it was reloaded")
	}
	must(t, v.Reload())
	if v.SealsWith() != 2 {
		t.Errorf("seals under %d after the reload", v.SealsWith())
	}
	// What the old key sealed opens and holds.
	if plain, err := v.Unseal(CardFacts, []byte("id"), value); err != nil || string(plain) != "facts" {
		t.Errorf("sealed before the rotation: %q, %v", plain, err)
	}
	must(t, v.CheckRow(row, "card", []byte("row")))
	// What is sealed now is nothing to the thief of the old file.
	fresh, err := v.Seal(CardFacts, []byte("id"), []byte("later"))
	must(t, err)
	old := open(t, thief)
	if _, err := old.Unseal(CardFacts, []byte("id"), fresh); !errors.Is(err, ErrSealKey) {
		t.Errorf("the old file opens a later value: %v", err)
	}
	freshRow, err := v.SealRow("card", []byte("row"))
	must(t, err)
	if freshRow.Key != 2 {
		t.Errorf("sealed under %d", freshRow.Key)
	}
	if err := old.CheckRow(freshRow, "card", []byte("row")); !errors.Is(err, ErrRowKey) {
		t.Errorf("the old file checks a later row: %v", err)
	}
	// A seal does not pass as one of the other key.
	if err := v.CheckRow(RowSeal{Key: 1, MAC: freshRow.MAC}, "card", []byte("row")); !errors.Is(err, ErrRowSeal) {
		t.Errorf("the key's id was altered: %v", err)
	}
	relabelled := bytes.Clone(fresh)
	relabelled[4] = 1
	if _, err := v.Unseal(CardFacts, []byte("id"), relabelled); !errors.Is(err, ErrUnseal) {
		t.Errorf("the value's key was altered: %v", err)
	}
}

// What rows are found by, what channels know and who signs must outlive a
// rotation.
func TestRotationKeepsIndexHandleAndChallenge(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	card := liuma.NewCardID()
	index, mac, handle, kid := v.Index(IndexIDNumber, "x"), v.RowMAC("code", []byte("x")), v.Handle("zj-hrss", card), v.SignsWith()
	challenge, err := v.NewChallenge("zj-hrss", now(), time.Minute)
	must(t, err)
	_, err = At(path).RotateRootKey(now())
	must(t, err)
	must(t, v.Reload())
	for name, v := range map[string]*Vault{"reloaded": v, "opened": open(t, path)} {
		if v.Index(IndexIDNumber, "x") != index || v.RowMAC("code", []byte("x")) != mac || v.Handle("zj-hrss", card) != handle || v.SignsWith() != kid {
			t.Errorf("%s: something else than the root changed", name)
		}
		must(t, v.CheckChallenge("zj-hrss", challenge, now()))
	}
}

func TestReseal(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	old, err := v.Seal(CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	if same, changed, err := v.Reseal(CardFacts, []byte("id"), old); err != nil || changed || !bytes.Equal(same, old) {
		t.Errorf("under the newest key already: %v, %v", changed, err)
	}
	_, err = At(path).RotateRootKey(now())
	must(t, err)
	must(t, v.Reload())
	fresh, changed, err := v.Reseal(CardFacts, []byte("id"), old)
	must(t, err)
	if !changed || sealedUnder(fresh) != 2 {
		t.Errorf("changed %v, under %d", changed, sealedUnder(fresh))
	}
	must(t, At(path).DropRootKey(1))
	must(t, v.Reload())
	if plain, err := v.Unseal(CardFacts, []byte("id"), fresh); err != nil || string(plain) != "facts" {
		t.Errorf("resealed: %q, %v", plain, err)
	}
	if _, err := v.Unseal(CardFacts, []byte("id"), old); !errors.Is(err, ErrSealKey) {
		t.Errorf("under the dropped key: %v, want %v", err, ErrSealKey)
	}
	// A damaged value is not laundered, and neither is that of another row.
	for name, c := range map[string]struct{ id, sealed []byte }{
		"other row": {[]byte("other"), fresh}, "damaged": {[]byte("id"), append(bytes.Clone(fresh), 0)}, "nothing": {[]byte("id"), nil},
	} {
		if _, _, err := v.Reseal(CardFacts, c.id, c.sealed); !errors.Is(err, ErrUnseal) {
			t.Errorf("%s: %v, want %v", name, err, ErrUnseal)
		}
	}
}

func TestRootKeysListAndDrop(t *testing.T) {
	path := newFile(t)
	keys, err := At(path).RootKeys()
	must(t, err)
	first := keys[0].Made
	if len(keys) != 1 || keys[0].ID != 1 || !keys[0].Seals || first.IsZero() {
		t.Errorf("a new file: %+v", keys)
	}
	if err := At(path).DropRootKey(1); !errors.Is(err, ErrRootSeals) {
		t.Errorf("dropped the one that seals: %v", err)
	}
	later := now().Add(time.Hour)
	for _, at := range []time.Time{now(), later} {
		_, err := At(path).RotateRootKey(at)
		must(t, err)
	}
	if err := At(path).DropRootKey(4); !errors.Is(err, ErrNoRootKey) {
		t.Errorf("dropped nothing: %v", err)
	}
	keys, err = At(path).RootKeys()
	must(t, err)
	want := []RootKey{{ID: 1, Made: first, Until: now()}, {ID: 2, Made: now(), Until: later}, {ID: 3, Seals: true, Made: later}}
	if !slices.Equal(keys, want) {
		t.Errorf("%+v, want %+v", keys, want)
	}
	must(t, At(path).DropRootKey(1))
	must(t, At(path).DropRootKey(2))
	// An id is not given out again.
	if made, err := At(path).RotateRootKey(later); err != nil || made.ID != 4 {
		t.Errorf("%+v, %v, want key 4", made, err)
	}
	must(t, At(path).DropRootKey(3))
	if keys, err := At(path).RootKeys(); err != nil || len(keys) != 1 || keys[0].ID != 4 {
		t.Errorf("left: %+v, %v", keys, err)
	}
}

func TestRootKeysAreBounded(t *testing.T) {
	path := newFile(t)
	for range maxRootKeys - 1 {
		_, err := At(path).RotateRootKey(now())
		must(t, err)
	}
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := At(path).RotateRootKey(now()); !errors.Is(err, ErrRootKeys) {
		t.Errorf("one too many: %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("a refused change changed the file")
	}
	for range maxSigningKeys - 1 {
		_, err := At(path).RotateSigningKey(now())
		must(t, err)
	}
	full, err := os.ReadFile(path)
	must(t, err)
	if len(full) != maxFileSize {
		t.Errorf("%d bytes, want %d", len(full), maxFileSize)
	}
	must(t, open(t, path).Close())
}

func TestReloadRefuses(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	sealed, err := v.Seal(CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	own, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Rename(newFile(t), path))
	if err := v.Reload(); !errors.Is(err, ErrOtherVault) {
		t.Errorf("another vault's file: %v", err)
	}
	must(t, os.Remove(path))
	if err := v.Reload(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	must(t, os.WriteFile(path, own, 0o600))
	if _, err := v.Unseal(CardFacts, []byte("id"), sealed); err != nil {
		t.Errorf("a refused reload changed the vault: %v", err)
	}
	must(t, v.Close())
	if err := v.Reload(); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A rotation under load: whatever was sealed meanwhile opens afterwards.
func TestReloadUnderLoad(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sealed, err := v.Seal(CardFacts, []byte("id"), []byte("facts"))
				if err == nil {
					_, err = v.Unseal(CardFacts, []byte("id"), sealed)
				}
				row, err2 := v.SealRow("card", []byte("row"))
				if err2 == nil {
					err2 = v.CheckRow(row, "card", []byte("row"))
				}
				if err := errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range maxRootKeys - 1 {
		_, err := At(path).RotateRootKey(now())
		must(t, err)
		must(t, v.Reload())
	}
	close(stop)
	wg.Wait()
}
