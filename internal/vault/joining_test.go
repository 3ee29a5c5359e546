package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/vault"
)

// joined are a directory with keys and heads, and one that is to have the same.
func joined(t *testing.T) (from, to string) {
	t.Helper()
	from, to = filepath.Join(t.TempDir(), "vault.key"), filepath.Join(t.TempDir(), "vault.key")
	noErr(t, vault.Create(from))
	v, err := vault.Open(from)
	noErr(t, err)
	heads, err := vault.CreateHeads(v, filepath.Dir(from))
	noErr(t, err)
	noErr(t, heads.Raise("keyring", 7))
	noErr(t, v.Close())
	return from, to
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	noErr(t, err)
	return content
}

func digits(file []byte) string { return vault.CarriedFingerprint(file).String() }

func missing(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", filepath.Base(path), err)
	}
}

// TestJoining: the key file and the heads get there, closed to others; the private half is
// gone then, and with it what the invitation could be opened with.
func TestJoining(t *testing.T) {
	from, to := joined(t)
	ask, err := vault.AskToJoin(to)
	noErr(t, err)
	again, err := vault.AskToJoin(to)
	if err != nil || !bytes.Equal(ask, again) {
		t.Errorf("asked again it is another: %v", err)
	}
	invitation, err := vault.Invite(from, ask, digits(ask), nil)
	noErr(t, err)
	if keys := read(t, from); bytes.Contains(invitation, keys[20:60]) {
		t.Error("the invitation holds keys in the clear")
	}
	join := filepath.Join(filepath.Dir(to), vault.JoinFile)
	private := read(t, join)
	noErr(t, vault.TakeInvitation(to, invitation, digits(invitation), nothingElse))
	for _, name := range []string{"vault.key", vault.HeadsFile} {
		path := filepath.Join(filepath.Dir(to), name)
		if !bytes.Equal(read(t, path), read(t, filepath.Join(filepath.Dir(from), name))) {
			t.Errorf("%s differs", name)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	missing(t, join)
	v, err := vault.Open(to)
	noErr(t, err)
	defer func() { noErr(t, v.Close()) }()
	heads, err := vault.OpenHeads(v, filepath.Dir(to))
	if err != nil || heads.Get("keyring") != 7 {
		t.Errorf("heads: %v", err)
	}
	if err := vault.TakeInvitation(to, invitation, digits(invitation), nothingElse); !errors.Is(err, vault.ErrHasKeys) {
		t.Errorf("taken twice: %v", err)
	}
	if _, err := vault.AskToJoin(to); !errors.Is(err, vault.ErrHasKeys) {
		t.Errorf("one that has keys asks: %v", err)
	}

	// A crash after the key file was there: the private half goes when it is done again.
	noErr(t, os.WriteFile(join, private, 0o600))
	noErr(t, vault.TakeInvitation(to, invitation, digits(invitation), nothingElse))
	missing(t, join)
}

// TestJoiningAfterACrash: with half of the files there, and without a key file, it is done
// again.
func TestJoiningAfterACrash(t *testing.T) {
	from, to := joined(t)
	dir := filepath.Dir(to)
	ask, err := vault.AskToJoin(to)
	noErr(t, err)
	invitation, err := vault.Invite(from, ask, digits(ask), nil)
	noErr(t, err)
	for _, name := range []string{vault.HeadsFile, ".vault.key.1", ".heads.2"} {
		noErr(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	noErr(t, vault.TakeInvitation(to, invitation, digits(invitation), nothingElse))
	if !bytes.Equal(read(t, filepath.Join(dir, vault.HeadsFile)), read(t, filepath.Join(filepath.Dir(from), vault.HeadsFile))) {
		t.Error("heads are those of the crash")
	}
	missing(t, filepath.Join(dir, ".vault.key.1"))
}

// TestNoKeysWithoutHeads: where the heads cannot be written there is no key file either, and
// the invitation is taken once they can.
func TestNoKeysWithoutHeads(t *testing.T) {
	from, to := joined(t)
	ask, err := vault.AskToJoin(to)
	noErr(t, err)
	invitation, err := vault.Invite(from, ask, digits(ask), nil)
	noErr(t, err)
	inTheWay := filepath.Join(filepath.Dir(to), vault.HeadsFile)
	noErr(t, os.Mkdir(inTheWay, 0o700))
	if err := vault.TakeInvitation(to, invitation, digits(invitation), nothingElse); err == nil {
		t.Fatal("a directory gave way to the heads")
	}
	missing(t, to)
	noErr(t, os.Remove(inTheWay))
	noErr(t, vault.TakeInvitation(to, invitation, digits(invitation), nothingElse))
	if !bytes.Equal(read(t, to), read(t, from)) {
		t.Error("the keys differ")
	}
}

// TestJoiningRefuses: nothing goes to who was not compared, and nothing is taken from them;
// what is out of order is told so.
func TestJoiningRefuses(t *testing.T) {
	from, to := joined(t)
	_, thief := joined(t)
	dir := filepath.Dir(to)
	if err := vault.TakeInvitation(to, []byte("liuma-join-keys 1\n"), "", nothingElse); !errors.Is(err, vault.ErrNotAsked) {
		t.Errorf("taken without asking: %v", err)
	}
	ask, err := vault.AskToJoin(to)
	noErr(t, err)
	other, err := vault.AskToJoin(thief)
	noErr(t, err)

	// The file was exchanged on its way, and the digits are those that were read aloud.
	if _, err := vault.Invite(from, other, digits(ask), nil); !errors.Is(err, vault.ErrCarriedDigits) {
		t.Errorf("keys for a thief: %v", err)
	}
	for name, file := range map[string][]byte{"nothing": nil, "too short": ask[:40], "another file": []byte("liuma-join-key 1\n"), "no point": append(ask[:17:17], make([]byte, 65)...)} {
		if _, err := vault.Invite(from, file, digits(file), nil); !errors.Is(err, vault.ErrAsk) {
			t.Errorf("%s: %v", name, err)
		}
	}
	invitation, err := vault.Invite(from, ask, digits(ask), nil)
	noErr(t, err)
	strangers, _ := joined(t) // a vault of the thief's, with which this one would serve the thief
	forged, err := vault.Invite(strangers, ask, digits(ask), nil)
	noErr(t, err)
	if err := vault.TakeInvitation(to, forged, digits(invitation), nothingElse); !errors.Is(err, vault.ErrCarriedDigits) {
		t.Errorf("keys of a stranger: %v", err)
	}
	altered := bytes.Clone(invitation)
	altered[len(altered)-1] ^= 1
	forThief, err := vault.Invite(from, other, digits(other), nil)
	noErr(t, err)
	for name, file := range map[string][]byte{"altered": altered, "for another": forThief, "a file of who asks": ask, "cut": invitation[:30], "too long": append(bytes.Clone(invitation), make([]byte, vault.MaxCarried)...)} {
		if err := vault.TakeInvitation(to, file, digits(file), nothingElse); !errors.Is(err, vault.ErrInvitation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing(t, to)
	missing(t, filepath.Join(dir, vault.HeadsFile))

	noErr(t, os.Chmod(filepath.Join(dir, vault.JoinFile), 0o644))
	if err := vault.TakeInvitation(to, invitation, digits(invitation), nothingElse); !errors.Is(err, vault.ErrJoinFile) {
		t.Errorf("a private half that others read: %v", err)
	}
	noErr(t, os.Chmod(filepath.Join(dir, vault.JoinFile), 0o600))
	noErr(t, vault.Create(to)) // made meanwhile
	if err := vault.TakeInvitation(to, invitation, digits(invitation), nothingElse); !errors.Is(err, vault.ErrHasKeys) {
		t.Errorf("over keys that are there: %v", err)
	}
}

// nothingElse is for invitations that carry keys alone.
func nothingElse(more []byte) error {
	if more != nil {
		return errors.New("something else came")
	}
	return nil
}
