package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// Errors of changing the key file.
var (
	// ErrKeyFileLocked means that another change of the key file is running, or
	// that a change was cut short and left the file that the error names.
	ErrKeyFileLocked = errors.New("vault: the key file is being changed, or a change was cut short; if none is under way, delete the file named here")
	ErrSigningKeys   = fmt.Errorf("vault: a key file holds at most %d signing keys; drop an old one first", maxSigningKeys)
	ErrKeySigns      = errors.New("vault: this key signs; rotate first, and drop it when what it signed has expired")
	ErrNoSuchKey     = errors.New("vault: no such signing key")
	ErrKeyPrepared   = errors.New("vault: a next key is prepared already")
)

// KeyState is the use of a signing key.
type KeyState string

// The states, in the order in which a key goes through them.
const (
	KeyNext    KeyState = "next"    // published, so that every client has it before it signs
	KeySigning KeyState = "signing" // signs, and is published
	KeyOld     KeyState = "old"     // published, so that its signatures can still be checked
)

// SigningKey describes a signing key; it holds nothing secret.
type SigningKey struct {
	ID    string // kid
	State KeyState
	Made  time.Time
}

// SigningKeys lists the signing keys of a key file, oldest first.
func (f KeyFile) SigningKeys() ([]SigningKey, error) {
	raw, _, err := f.read()
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	return raw.list()
}

func (r *rawKeys) list() ([]SigningKey, error) {
	keys := make([]SigningKey, len(r.signing))
	for i := range r.signing {
		_, public, err := parseSigningKey(&r.signing[i], nil)
		if err != nil {
			return nil, fmt.Errorf("vault: signing key: %w", err)
		}
		keys[i] = SigningKey{ID: public.KeyID, State: r.state(i), Made: time.Unix(r.signing[i].made, 0).UTC()}
	}
	return keys, nil
}

func (r *rawKeys) state(i int) KeyState {
	switch {
	case i < r.signs:
		return KeyOld
	case i == r.signs:
		return KeySigning
	}
	return KeyNext
}

// PrepareSigningKey adds the key that RotateSigningKey will put into use.
// Running authorities publish it after their next start. It is for sites with
// several authorities: prepare, copy the file to each authority and restart it,
// then rotate. So no authority ever signs with a key that another one does not
// publish.
func (f KeyFile) PrepareSigningKey(now time.Time) (SigningKey, error) {
	var id int
	keys, err := f.change(func(r *rawKeys) error {
		if r.signs != len(r.signing)-1 {
			return ErrKeyPrepared
		}
		id = len(r.signing)
		return f.add(r, now)
	})
	if err != nil {
		return SigningKey{}, err
	}
	return keys[id], nil
}

// RotateSigningKey puts the prepared key into use, or a new one if none is
// prepared. The old signing key stays published until it is dropped. Running
// authorities sign with the new key after their next start.
func (f KeyFile) RotateSigningKey(now time.Time) (SigningKey, error) {
	var id int
	keys, err := f.change(func(r *rawKeys) error {
		if r.signs == len(r.signing)-1 {
			if err := f.add(r, now); err != nil {
				return err
			}
		}
		r.signs++
		id = r.signs
		return nil
	})
	if err != nil {
		return SigningKey{}, err
	}
	return keys[id], nil
}

// add makes a signing key; if the file is sealed to a token, in the token.
func (f KeyFile) add(r *rawKeys, now time.Time) error {
	if len(r.signing) >= maxSigningKeys {
		return ErrSigningKeys
	}
	key, err := f.newSigningKey(r, now)
	if err != nil {
		return fmt.Errorf("vault: make a signing key: %w", err)
	}
	grown := make([]rawSigningKey, len(r.signing), len(r.signing)+1)
	copy(grown, r.signing)
	clear(r.signing) // append would have left a copy of the secrets
	r.signing = append(grown, key)
	return nil
}

func (f KeyFile) newSigningKey(r *rawKeys, now time.Time) (rawSigningKey, error) {
	if len(r.to) == 0 {
		return newRawSigningKey(now)
	}
	key, err := newTokenKey(f.Token)
	if err != nil {
		return rawSigningKey{}, err
	}
	r.made = append(r.made, key.name())
	return rawSigningKey{inToken: key, made: now.Unix()}, nil
}

// DropSigningKey destroys an old or a next signing key, but not the one in use.
// The key's signatures can no longer be checked.
func (f KeyFile) DropSigningKey(id string) error {
	_, err := f.change(func(r *rawKeys) error { return r.dropSigning(id) })
	return err
}

func (r *rawKeys) dropSigning(id string) error {
	keys, err := r.list()
	if err != nil {
		return err
	}
	for i, k := range keys {
		switch {
		case k.ID != id:
			continue
		case k.State == KeySigning:
			return ErrKeySigns
		case i < r.signs:
			r.signs--
		}
		if gone := r.signing[i].inToken; gone.is() {
			r.gone = append(r.gone, gone.name())
		}
		copy(r.signing[i:], r.signing[i+1:])
		last := len(r.signing) - 1
		clear(r.signing[last:])
		r.signing = r.signing[:last]
		return nil
	}
	return ErrNoSuchKey
}

// If the new file does not replace the old one, a key that the token made for this
// change is destroyed in the token; if it does, a removed key is destroyed. A
// crash may leave a key in the token that no file names.
func (f KeyFile) change(change func(*rawKeys) error) (signing []SigningKey, err error) {
	// A symbolic link is followed, so that its target is replaced and not the
	// link itself.
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return nil, fmt.Errorf("vault: open key file: %w", err)
	}
	fresh := path + ".new"
	out, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %s", ErrKeyFileLocked, fresh)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: create key file: %w", err)
	}
	raw, info, err := f.read()
	if err != nil {
		return nil, errors.Join(err, out.Close(), os.Remove(fresh))
	}
	defer raw.wipe()
	if signing, err = f.rewrite(out, raw, info, change); err == nil {
		if err = os.Rename(fresh, path); err != nil {
			err = fmt.Errorf("vault: replace key file: %w", err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(fresh), f.destroy(raw.made))
	}
	if err := diskfile.SyncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("vault: the key file was replaced, but a power cut may undo it: %w", err)
	}
	return signing, f.destroy(raw.gone)
}

// rewrite changes the keys and writes them to the new file, which it closes.
func (f KeyFile) rewrite(out *os.File, raw *rawKeys, info fs.FileInfo, change func(*rawKeys) error) ([]SigningKey, error) {
	if err := change(raw); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	content, err := raw.encode()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	defer clear(content)
	signing, err := f.checkContent(content)
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	if err := errors.Join(keepOwner(out, info), out.Chmod(info.Mode().Perm())); err != nil {
		return nil, errors.Join(fmt.Errorf("vault: write key file: %w", err), out.Close())
	}
	if err := writeAndClose(out, content); err != nil {
		return nil, fmt.Errorf("vault: write key file: %w", err)
	}
	return signing, nil
}

// destroy removes signing keys from the token.
func (f KeyFile) destroy(names []string) error {
	var errs []error
	for _, name := range names {
		if err := f.Token.Destroy(name); err != nil {
			errs = append(errs, fmt.Errorf("vault: the key %q stays in the token; remove it there: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// checkContent opens the new content before it replaces a key file: if the new
// file could not be opened, all sealed data would be lost. The token opens a
// sealed file, to show that it can.
func (f KeyFile) checkContent(content []byte) ([]SigningKey, error) {
	raw, err := parseKeyFile(content, f.Token)
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	if _, err := newSigningKeys(raw, f.Token); err != nil {
		return nil, fmt.Errorf("vault: signing key: %w", err)
	}
	return raw.list()
}
