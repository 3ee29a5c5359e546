package vault

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// DayKeysDir is the name of the directory of day keys, beside the key file.
const DayKeysDir = "daykeys"

// A day key is this authority's key to which one seal key is wrapped. It lives as long as
// that seal key, and is destroyed with it. So it does no harm if the database keeps old
// rows, in its log and in copies: without the day key nobody can open a seal key from
// them.
//
// It is a P-256 key in a file or, if the key file is sealed to a token, an RSA key in the
// token, whose name is in the file. The file has: magic, version, nonce, and the key
// under XChaCha20-Poly1305 with a key of the vault, bound to the seal key's id.
const (
	dayKeyMagic   = "liuma-daykey"
	dayKeyVersion = 1
	dayKeyEnds    = ".key"
	dayKeyHeader  = len(dayKeyMagic) + 1
	dayKeyPlain   = 1 + scalarSize
	dayKeySize    = dayKeyHeader + chacha20poly1305.NonceSizeX + dayKeyPlain + chacha20poly1305.Overhead
)

// dayKeyKind says where a day key is stored.
type dayKeyKind byte

const (
	dayKeyInFile  dayKeyKind = 1 // its scalar is in the file
	dayKeyInToken dayKeyKind = 2 // the file holds the random part of its name in the token
)

// Errors of day keys.
var (
	// ErrNoDayKey means that this authority has no day key for a seal key.
	ErrNoDayKey = errors.New("vault: no day key for this seal key")
	// ErrDayKey means that a day key's file is damaged, cut short, or another vault's.
	ErrDayKey = errors.New("vault: the day key's file is damaged, or is another vault's")
	// ErrDayKeysMode means that others than its owner can access the directory.
	ErrDayKeysMode = errors.New("vault: the directory of day keys is open to others; want mode 0700")
	errSealKeyID   = errors.New("vault: not the id of a seal key")
)

// rawDayKey is the content of a day key's file.
type rawDayKey struct {
	kind   dayKeyKind
	secret [scalarSize]byte // scalar, or random part of the name
}

// name of a day key in the token.
func (k *rawDayKey) name() string { return fmt.Sprintf("liuma day %x", k.secret[:16]) }

func (k *rawDayKey) wipe() { clear(k.secret[:]) }

// dayKeyFiles are the file operations that day keys need. Tests make them fail.
type dayKeyFiles struct {
	write  func(f *os.File, content []byte) error // also syncs and closes
	remove func(path string) error
	sync   func(dir string) error
}

func onDisk() dayKeyFiles {
	return dayKeyFiles{write: writeAndClose, remove: os.Remove, sync: diskfile.SyncDir}
}

func (v *Vault) dayKeysDir() string { return filepath.Join(filepath.Dir(v.file.Path), DayKeysDir) }

func (v *Vault) dayKeyPath(id string) (string, error) {
	if !isSealKeyID(id) {
		return "", errSealKeyID
	}
	return filepath.Join(v.dayKeysDir(), id+dayKeyEnds), nil
}

// isSealKeyID reports whether NewSealKey could have made this id. No other string is
// used in a file's path.
func isSealKeyID(id string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && len(raw) == 16
}

// DayKeys lists the seal keys for which a day key's file exists, also a damaged one.
func (v *Vault) DayKeys() (ids []string, err error) {
	found, err := os.ReadDir(v.dayKeysDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range found {
		if id, ok := strings.CutSuffix(f.Name(), dayKeyEnds); ok && isSealKeyID(id) {
			ids = append(ids, id)
		}
	}
	if err != nil {
		err = fmt.Errorf("vault: list day keys: %w", err)
	}
	return ids, err
}

// makeDayKey makes the day key of a seal key, durably, unless it exists. A crash leaves no
// file; a short file, which is replaced by the next call; or, if the key is in the token,
// a file whose key does not exist yet, which is made when its public half is asked for.
func (v *Vault) makeDayKey(id string) (*rawDayKey, error) {
	switch k, err := v.readDayKey(id); {
	case errors.Is(err, ErrDayKey):
		if err := v.destroyDayKey(id); err != nil {
			return nil, err
		}
	case !errors.Is(err, ErrNoDayKey):
		return k, err
	}
	owner, err := os.Stat(v.file.Path)
	if err != nil {
		return nil, fmt.Errorf("vault: make day key: %w", err)
	}
	if err := v.openDayKeysDir(owner); err != nil {
		return nil, err
	}
	k := &rawDayKey{kind: dayKeyInFile}
	if v.enclosed {
		k.kind = dayKeyInToken
		rand.Read(k.secret[:16])
	} else if err := k.draw(); err != nil {
		return nil, err
	}
	if err := v.writeDayKey(id, k, owner); err != nil {
		k.wipe()
		return nil, err
	}
	return k, nil
}

// draw generates a P-256 key.
func (k *rawDayKey) draw() error {
	private, err := wrapKEM().GenerateKey()
	if err != nil {
		return fmt.Errorf("vault: make day key: %w", err)
	}
	scalar, err := private.Bytes()
	if err != nil {
		return fmt.Errorf("vault: make day key: %w", err)
	}
	defer clear(scalar)
	copy(k.secret[:], scalar)
	return nil
}

// openDayKeysDir makes the directory if it is missing, with the owner of the key file. It
// refuses a directory that others can access.
func (v *Vault) openDayKeysDir(owner fs.FileInfo) error {
	dir := v.dayKeysDir()
	err := os.Mkdir(dir, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("vault: make directory of day keys: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("vault: open directory of day keys: %w", err)
	}
	defer func() { _ = d.Close() }() // nothing was written through it
	if made {
		if err := errors.Join(keepOwner(d, owner), v.disk.sync(filepath.Dir(dir))); err != nil {
			return fmt.Errorf("vault: make directory of day keys: %w", err)
		}
	}
	info, err := d.Stat()
	if err != nil {
		return fmt.Errorf("vault: open directory of day keys: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return ErrDayKeysMode
	}
	return nil
}

func (v *Vault) writeDayKey(id string, k *rawDayKey, owner fs.FileInfo) (err error) {
	path, err := v.dayKeyPath(id)
	if err != nil {
		return err
	}
	content, err := v.sealDayKey(id, k)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: make day key: %w", err)
	}
	if err := keepOwner(out, owner); err != nil {
		return errors.Join(fmt.Errorf("vault: make day key: %w", err), out.Close(), os.Remove(path))
	}
	// If this fails, nothing is wrapped to this key: the caller did not get it.
	if err := v.disk.write(out, content); err != nil {
		return errors.Join(fmt.Errorf("vault: make day key: %w", err), os.Remove(path))
	}
	if err := v.disk.sync(filepath.Dir(path)); err != nil {
		return errors.Join(fmt.Errorf("vault: make day key: %w", err), os.Remove(path))
	}
	return nil
}

// readDayKey reads the file; the caller wipes the result.
func (v *Vault) readDayKey(id string) (*rawDayKey, error) {
	path, err := v.dayKeyPath(id)
	if err != nil {
		return nil, err
	}
	content, _, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoDayKey
	}
	if errors.Is(err, ErrKeyFileFormat) {
		return nil, ErrDayKey
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return v.unsealDayKey(id, content)
}

func dayKeyAAD(id string) []byte {
	return appendField(appendField(nil, []byte("liuma/1/vault/daykey")), []byte(id))
}

func (v *Vault) sealDayKey(id string, k *rawDayKey) (content []byte, err error) {
	err = v.read(func(keys *keys) error {
		aead, err := chacha20poly1305.NewX(keys.day)
		if err != nil {
			return err
		}
		content = append(make([]byte, 0, dayKeySize), dayKeyMagic...)
		nonce := make([]byte, chacha20poly1305.NonceSizeX)
		rand.Read(nonce)
		content = append(append(content, dayKeyVersion), nonce...)
		plain := append([]byte{byte(k.kind)}, k.secret[:]...)
		defer clear(plain)
		content = aead.Seal(content, nonce, plain, dayKeyAAD(id))
		return nil
	})
	return content, err
}

func (v *Vault) unsealDayKey(id string, content []byte) (k *rawDayKey, err error) {
	if len(content) != dayKeySize || string(content[:len(dayKeyMagic)]) != dayKeyMagic || content[len(dayKeyMagic)] != dayKeyVersion {
		return nil, ErrDayKey
	}
	err = v.read(func(keys *keys) error {
		aead, err := chacha20poly1305.NewX(keys.day)
		if err != nil {
			return err
		}
		nonce := content[dayKeyHeader : dayKeyHeader+chacha20poly1305.NonceSizeX]
		plain, err := aead.Open(nil, nonce, content[dayKeyHeader+len(nonce):], dayKeyAAD(id))
		if err != nil {
			return ErrDayKey
		}
		defer clear(plain)
		k = &rawDayKey{kind: dayKeyKind(plain[0])}
		copy(k.secret[:], plain[1:])
		if k.kind != dayKeyInFile && k.kind != dayKeyInToken {
			return ErrDayKey
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// destroyDayKey destroys the day key of a seal key: the object in the token first, then
// the file, which is overwritten, synced and removed. A crash leaves a file that names a
// destroyed key, a file of random bytes, or no file; destroying it again completes the
// work. If there is no day key, that is no error.
//
// A file system that does not write in place, or a solid state disk, may keep old blocks;
// this program cannot see those (docs/SECURITY.md).
func (v *Vault) destroyDayKey(id string) error {
	path, err := v.dayKeyPath(id)
	if err != nil {
		return nil //nolint:nilerr // not an id of ours: there is no day key
	}
	// Its mode is not checked: the object in the token must be destroyed in any case.
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("vault: destroy day key: %w", err)
	}
	if k, err := v.unsealDayKey(id, content); err == nil && k.kind == dayKeyInToken {
		if v.file.Token == nil {
			return fmt.Errorf("%w: the day key %s is in it", ErrSealed, k.name())
		}
		if err := v.file.Token.Destroy(k.name()); err != nil {
			return fmt.Errorf("vault: destroy day key: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("vault: destroy day key: %w", err)
	}
	noise := make([]byte, dayKeySize)
	rand.Read(noise)
	if err := v.disk.write(f, noise); err != nil {
		return fmt.Errorf("vault: destroy day key: %w", err)
	}
	if err := errors.Join(v.disk.remove(path), v.disk.sync(filepath.Dir(path))); err != nil {
		return fmt.Errorf("vault: destroy day key: %w", err)
	}
	return nil
}
