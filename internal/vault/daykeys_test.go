package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

func dayKeyFile(v *Vault, id string) string {
	return filepath.Join(filepath.Dir(v.file.Path), DayKeysDir, id+".key")
}

// beside makes the vault of another authority: the same keys in a directory of its own.
func beside(t testing.TB, v *Vault) *Vault {
	t.Helper()
	content, err := os.ReadFile(v.file.Path)
	must(t, err)
	path := filepath.Join(t.TempDir(), "vault.key")
	must(t, os.WriteFile(path, content, 0o600))
	return open(t, path)
}

// again is the same authority after a restart: nothing is in memory.
func again(t testing.TB, v *Vault) *Vault {
	t.Helper()
	return openAt(t, v.file)
}

func made(t testing.TB, v *Vault) SealedKey {
	t.Helper()
	k, err := v.NewSealKey()
	must(t, err)
	return k
}

// TestADestroyedSealKeyIsGone: who has the vault's key file, every row that the
// database ever had, and what is left of the directory does not open a seal key that was
// destroyed; the row is opened before, also after a restart and a rotation of the roots.
func TestADestroyedSealKeyIsGone(t *testing.T) {
	v := newTestVault(t)
	k := made(t, v)
	must(t, again(t, v).Opens(k))
	_, err := v.file.RotateRootKey(now())
	must(t, err)
	must(t, v.file.DropRootKey(1))
	v = again(t, v)
	must(t, v.Opens(k))
	must(t, v.DestroySealKey(k.ID))
	wantError(t, "destroyed", v.Opens(k), ErrNoDayKey)
	wantError(t, "after a restart", again(t, v).Opens(k), ErrNoDayKey)
	left, err := os.ReadDir(v.dayKeysDir())
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	must(t, v.DestroySealKey(k.ID)) // none is no error
}

// TestADayKeyIsOverwritten before it is removed: another name of the file shows noise.
func TestADayKeyIsOverwritten(t *testing.T) {
	v := newTestVault(t)
	k := made(t, v)
	kept := filepath.Join(t.TempDir(), "kept")
	must(t, os.Link(dayKeyFile(v, k.ID), kept))
	before, err := os.ReadFile(kept)
	must(t, err)
	must(t, v.DestroySealKey(k.ID))
	after, err := os.ReadFile(kept)
	must(t, err)
	if len(after) != len(before) || bytes.Contains(after, before[:len(dayKeyMagic)]) || bytes.Contains(after, before[len(before)-16:]) {
		t.Error("the file was removed and not overwritten")
	}
}

// TestASecondAuthority opens nothing that was not wrapped for it, and what was
// wrapped for it with its own day key alone.
func TestASecondAuthority(t *testing.T) {
	v := newTestVault(t)
	other, third := beside(t, v), beside(t, v)
	k := made(t, v)
	wantError(t, "without a day key", other.Opens(k), ErrNoDayKey)
	to, err := other.DayKey(k.ID)
	must(t, err)
	wantError(t, "without a wrap", other.Opens(k), ErrNoWrap)
	same, err := again(t, other).DayKey(k.ID)
	if err != nil || !bytes.Equal(to, same) {
		t.Errorf("another day key after a restart: %v", err)
	}
	k.Wraps = append(k.Wraps, Wrap{To: to})
	wantError(t, "asked", other.Opens(k), ErrNoWrap)
	k.Wraps[1].Given, err = v.WrapFor(k, to)
	must(t, err)
	must(t, other.Opens(k))
	must(t, v.Opens(k))

	_, err = third.WrapFor(k, to)
	wantError(t, "given by one that has none", err, ErrNoDayKey)
	_, err = third.DayKey(k.ID)
	must(t, err)
	wantError(t, "another's wrap", third.Opens(k), ErrNoWrap)
	must(t, v.DestroySealKey(k.ID))
	must(t, again(t, other).Opens(k)) // each destroys its own
	must(t, other.DestroySealKey(k.ID))
	wantError(t, "destroyed", other.Opens(k), ErrNoDayKey)
}

// TestWrapsAreBound to the seal key, its public half and the day key.
func TestWrapsAreBound(t *testing.T) {
	v := newTestVault(t)
	one, two := made(t, v), made(t, v)
	moved := two
	moved.Wraps = []Wrap{{To: two.Wraps[0].To, Given: one.Wraps[0].Given}}
	wantError(t, "of another seal key", v.Opens(moved), ErrUnseal)
	// The same scalar wrapped to the day key of another seal key.
	given, err := v.WrapFor(one, two.Wraps[0].To)
	must(t, err)
	moved.Wraps[0].Given = given
	wantError(t, "under another id", v.Opens(moved), ErrUnseal)
	renamed := moved
	renamed.Public = one.Public // which its scalar fits: only the id is another
	wantError(t, "the same key under another id", v.Opens(renamed), ErrUnseal)
	public := one
	public.Public = two.Public
	wantError(t, "another public half", again(t, v).Opens(public), ErrUnseal)
	for at := range one.Wraps[0].Given {
		altered := one
		altered.Wraps = []Wrap{{To: one.Wraps[0].To, Given: bytes.Clone(one.Wraps[0].Given)}}
		altered.Wraps[0].Given[at] ^= 1
		_, err := v.private(altered)
		wantError(t, fmt.Sprint("byte ", at), err, ErrUnseal)
	}
	for name, to := range map[string][]byte{"none": nil, "short": {4, 1}, "off the curve": append([]byte{4}, make([]byte, 64)...), "no RSA key": {2, 0x30}} {
		_, err := v.WrapFor(one, to)
		wantError(t, name, err, ErrDayKeyKind)
	}
}

// TestBadDayKeys: a file that is damaged, cut short, of another vault or of another seal
// key is no day key, and a new one takes its place; one that others can read is refused.
func TestBadDayKeys(t *testing.T) {
	v, stranger := newTestVault(t), newTestVault(t)
	k, o := made(t, v), made(t, v)
	foreign, err := stranger.sealDayKey(k.ID, &rawDayKey{kind: dayKeyInFile})
	must(t, err)
	path := dayKeyFile(v, k.ID)
	whole, err := os.ReadFile(path)
	must(t, err)
	of, err := os.ReadFile(dayKeyFile(v, o.ID))
	must(t, err)
	altered := bytes.Clone(whole)
	altered[40] ^= 1
	for name, content := range map[string][]byte{"empty": nil, "short": whole[:20], "long": append(bytes.Clone(whole), 0), "altered": altered,
		"another vault's": foreign, "another seal key's": of} {
		must(t, os.WriteFile(path, content, 0o600))
		wantError(t, name, again(t, v).Opens(k), ErrDayKey)
		_, err := again(t, v).DayKey(k.ID)
		must(t, err)
		wantError(t, name+", made anew", again(t, v).Opens(k), ErrNoWrap)
	}
	must(t, os.WriteFile(path, whole, 0o600))
	must(t, again(t, v).Opens(k))
	must(t, os.Chmod(path, 0o644))
	wantError(t, "read by others", again(t, v).Opens(k), ErrKeyFileMode)
	_, err = again(t, v).DayKey(k.ID)
	wantError(t, "made over one that others read", err, ErrKeyFileMode)
	must(t, os.Chmod(path, 0o600))
	must(t, os.Chmod(v.dayKeysDir(), 0o755))
	_, err = v.NewSealKey()
	wantError(t, "a directory that others read", err, ErrDayKeysMode)
	for _, id := range []string{"", "../vault", "AAAA", k.ID + "A", "!!!!!!!!!!!!!!!!!!!!!!"} {
		_, err := v.DayKey(id)
		wantError(t, id, err, errSealKeyID)
	}
}

// TestDayKeyFaults: where an operation on a file fails nothing is wrapped to a key that
// may be lost, nothing counts as destroyed that may be there, and the next try ends it.
func TestDayKeyFaults(t *testing.T) {
	v := newTestVault(t)
	broken := errors.New("broken")
	k := made(t, v)
	for name, disk := range map[string]func(*dayKeyFiles){
		"write": func(d *dayKeyFiles) {
			d.write = func(f *os.File, b []byte) error {
				_, err := f.Write(b[:10]) // as on a full disk
				return errors.Join(broken, err, f.Close())
			}
		},
		"sync": func(d *dayKeyFiles) { d.sync = func(string) error { return broken } },
	} {
		v.disk = onDisk()
		disk(&v.disk)
		_, err := v.NewSealKey()
		wantError(t, "make: "+name, err, broken)
		if ids, err := v.DayKeys(); err != nil || len(ids) != 1 {
			t.Errorf("%s: %d day keys left, %v", name, len(ids), err)
		}
	}
	for name, disk := range map[string]func(*dayKeyFiles){
		"write": func(d *dayKeyFiles) {
			d.write = func(f *os.File, _ []byte) error { return errors.Join(broken, f.Close()) }
		},
		"remove": func(d *dayKeyFiles) { d.remove = func(string) error { return broken } },
		"sync":   func(d *dayKeyFiles) { d.sync = func(string) error { return broken } },
	} {
		k := made(t, again(t, v))
		v.disk = onDisk()
		disk(&v.disk)
		wantError(t, "destroy: "+name, v.DestroySealKey(k.ID), broken)
		v.disk = onDisk()
		must(t, v.DestroySealKey(k.ID))
		if err := again(t, v).Opens(k); !errors.Is(err, ErrNoDayKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, again(t, v).Opens(k))
}

// TestDayKeysInAToken: where the key file is sealed to a token the day key is made
// there, and destroyed there; another authority's may be in a file.
func TestDayKeysInAToken(t *testing.T) {
	path := newFile(t)
	inFile := beside(t, open(t, path))
	soft := tokentest.NewSoft(t, "one")
	f := KeyFile{Path: path, Token: soft}
	_, err := f.Enclose(nil, now())
	must(t, err)
	v := openAt(t, f)
	k := made(t, v)
	if n := soft.Wrapping(); n != 2 {
		t.Fatalf("%d wrapping keys in the token, want its own and the day key", n)
	}
	must(t, again(t, v).Opens(k))
	to, err := inFile.DayKey(k.ID)
	must(t, err)
	given, err := v.WrapFor(k, to)
	must(t, err)
	k.Wraps = append(k.Wraps, Wrap{To: to, Given: given})
	must(t, inFile.Opens(k))
	// And back: the other's wrap for the token.
	k.Wraps[0].Given, err = inFile.WrapFor(k, k.Wraps[0].To)
	must(t, err)
	must(t, again(t, v).Opens(k))

	soft.TakeOut(token.ErrAway)
	v.KeepSealKeys(func(string) bool { return false }) // nothing in memory
	wantError(t, "away", v.Opens(k), token.ErrAway)
	wantError(t, "destroy while it is away", v.DestroySealKey(k.ID), token.ErrAway)
	soft.TakeOut(nil)
	must(t, again(t, v).Opens(k))
	must(t, os.Chmod(dayKeyFile(v, k.ID), 0o644)) // its mode does not save it
	must(t, v.DestroySealKey(k.ID))
	if n := soft.Wrapping(); n != 1 {
		t.Errorf("%d wrapping keys left in the token", n)
	}
	wantError(t, "destroyed", again(t, v).Opens(k), ErrNoDayKey)
}

// TestACrashBeforeTheTokensKey: the file is there and the token has no key of its name.
func TestACrashBeforeTheTokensKey(t *testing.T) {
	path := newFile(t)
	soft := tokentest.NewSoft(t, "one")
	f := KeyFile{Path: path, Token: soft}
	_, err := f.Enclose(nil, now())
	must(t, err)
	v := openAt(t, f)
	id := made(t, newTestVault(t)).ID
	_, err = v.makeDayKey(id)
	must(t, err)
	if n := soft.Wrapping(); n != 1 {
		t.Fatalf("%d wrapping keys", n)
	}
	_, err = again(t, v).DayKey(id)
	must(t, err)
	if n := soft.Wrapping(); n != 2 {
		t.Errorf("%d wrapping keys after the restart", n)
	}
}
