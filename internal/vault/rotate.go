package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Errors of changing the signing keys.
var (
	// ErrKeyFileLocked says that another change of the key file is under way,
	// or that one was cut short and left the file named in the error behind.
	ErrKeyFileLocked = errors.New("vault: the key file is being changed, or a change was cut short; if none is under way, delete the file named here")
	ErrSigningKeys   = fmt.Errorf("vault: a key file holds at most %d signing keys; drop an old one first", maxSigningKeys)
	ErrKeySigns      = errors.New("vault: this key signs; rotate first, and drop it when what it signed has expired")
	ErrNoSuchKey     = errors.New("vault: no such signing key")
	ErrKeyPrepared   = errors.New("vault: a next key is prepared already")
)

// KeyState is what a signing key is for.
type KeyState string

// The states, in the order in which a key goes through them.
const (
	KeyNext    KeyState = "next"    // published, so that everybody has it when it begins to sign
	KeySigning KeyState = "signing" // signs, and is published
	KeyOld     KeyState = "old"     // published, so that what it signed can be checked
)

// SigningKey tells of a signing key; it holds nothing secret.
type SigningKey struct {
	ID    string // kid
	State KeyState
	Made  time.Time // zero: before key files kept it
}

// SigningKeys lists the signing keys of a key file, oldest first.
func SigningKeys(path string) ([]SigningKey, error) {
	raw, _, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	return raw.list()
}

func (r *rawKeys) list() ([]SigningKey, error) {
	keys := make([]SigningKey, len(r.signing))
	for i := range r.signing {
		_, public, err := parseSigningKey(&r.signing[i])
		if err != nil {
			return nil, fmt.Errorf("vault: signing key: %w", err)
		}
		keys[i] = SigningKey{ID: public.KeyID, State: r.state(i)}
		if made := r.signing[i].made; made != 0 {
			keys[i].Made = time.Unix(made, 0).UTC()
		}
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

// PrepareSigningKey adds the key that RotateSigningKey will let sign. Running
// authorities publish it once they are started again. It is for houses with
// several authorities: prepare, bring the file to each and start it again,
// then rotate; so none ever signs with a key that another does not publish.
func PrepareSigningKey(path string, now time.Time) (SigningKey, error) {
	var id int
	keys, err := changeKeyFile(path, func(r *rawKeys) error {
		if r.signs != len(r.signing)-1 {
			return ErrKeyPrepared
		}
		id = len(r.signing)
		return r.add(now)
	})
	if err != nil {
		return SigningKey{}, err
	}
	return keys[id], nil
}

// RotateSigningKey lets the prepared key sign, or else a new one. The one that
// signed stays published until it is dropped. Running authorities sign with
// the new key once they are started again.
func RotateSigningKey(path string, now time.Time) (SigningKey, error) {
	var id int
	keys, err := changeKeyFile(path, func(r *rawKeys) error {
		if r.signs == len(r.signing)-1 {
			if err := r.add(now); err != nil {
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

func (r *rawKeys) add(now time.Time) error {
	if len(r.signing) >= maxSigningKeys {
		return ErrSigningKeys
	}
	key, err := newRawSigningKey(now)
	if err != nil {
		return fmt.Errorf("vault: make a signing key: %w", err)
	}
	grown := make([]rawSigningKey, len(r.signing), len(r.signing)+1)
	copy(grown, r.signing)
	clear(r.signing) // append would have left a copy behind
	r.signing = append(grown, key)
	return nil
}

// DropSigningKey destroys a key that no longer signs, or does not yet. What it
// signed can no longer be checked.
func DropSigningKey(path, id string) error {
	_, err := changeKeyFile(path, func(r *rawKeys) error {
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
			copy(r.signing[i:], r.signing[i+1:])
			last := len(r.signing) - 1
			clear(r.signing[last:])
			r.signing = r.signing[:last]
			return nil
		}
		return ErrNoSuchKey
	})
	return err
}

// changeKeyFile replaces a key file with a changed one, in one rename: a crash
// leaves the old file or the new one whole, and maybe the half-written file
// beside it, which the next change refuses to touch (ErrKeyFileLocked). That
// file is also what keeps two changes from losing one another's key. The
// secrets of the old file stay on the disk until its blocks are written over.
func changeKeyFile(path string, change func(*rawKeys) error) (keys []SigningKey, err error) {
	// A link is followed, so that the file is replaced and not the link.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("vault: open key file: %w", err)
	}
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %s", ErrKeyFileLocked, fresh)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: create key file: %w", err)
	}
	renamed := false
	defer func() {
		if err != nil && !renamed {
			err = errors.Join(err, os.Remove(fresh))
		}
	}()
	raw, info, err := readKeyFile(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer raw.wipe()
	if err := change(raw); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	content := raw.encode()
	defer clear(content)
	if keys, err = checkContent(content); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	err = errors.Join(keepOwner(f, info), f.Chmod(info.Mode().Perm()))
	if err = errors.Join(err, writeAndClose(f, content)); err != nil {
		return nil, fmt.Errorf("vault: write key file: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("vault: replace key file: %w", err)
	}
	renamed = true
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("vault: the key file was replaced, but a power cut may undo it: %w", err)
	}
	return keys, nil
}

// checkContent opens what is about to replace a key file: a file that could
// not be opened would take everything that was sealed with it.
func checkContent(content []byte) ([]SigningKey, error) {
	raw, err := parseKeyFile(content)
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	if _, err := newSigningKeys(raw); err != nil {
		return nil, fmt.Errorf("vault: signing key: %w", err)
	}
	return raw.list()
}
