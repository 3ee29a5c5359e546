package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/token"
)

// The key file, unless it is sealed to a token (sealedfile.go): magic, format version, index
// root, number of root keys, the root keys oldest first (id, time when it was made, key), in
// nextVersion the index of the root key that seals (from zero; otherwise the last one seals),
// number of signing keys, index of the signing key in use (from zero), the signing keys oldest
// first (P-256 scalar, time), and the first bytes of SHA-256 over everything before that. Numbers
// are big endian, times Unix seconds. The checksum finds damage; it does not stop somebody who
// can write the file.
const (
	magic        = "liuma-vault"
	fileVersion  = 3
	nextVersion  = 5 // has a root key that does not seal yet
	rootSize     = 32
	scalarSize   = 32
	idSize       = 4
	timeSize     = 8
	checksumSize = 8
	indexStart   = len(magic) + 1
	rootsStart   = indexStart + rootSize + 1
	rootKeySize  = idSize + timeSize + rootSize
	keySize      = scalarSize + timeSize
	// maxRootKeys bounds the file: the key that seals, and old keys until all their
	// rows are resealed.
	maxRootKeys = 8
	// maxSigningKeys bounds the file and the published keys: the signing key, the next
	// one, and some old ones.
	maxSigningKeys = 8
	maxFileSize    = rootsStart + maxRootKeys*rootKeySize + 2 + maxSigningKeys*keySize + checksumSize
)

// Errors of a key file that must not be used.
var (
	ErrKeyFileMode    = errors.New("vault: key file can be read or written by others; want mode 0600 or stricter")
	ErrKeyFileFormat  = errors.New("vault: not a vault key file, or damaged")
	ErrKeyFileVersion = errors.New("vault: key file of an unknown version")
)

// KeyFile is the file with an authority's keys.
type KeyFile struct {
	Path string
	// Token opens a file that is sealed to it; nil: the file is not sealed.
	Token Token
}

// rawKeys is the content of a key file.
type rawKeys struct {
	to      []token.WrappingKey // the tokens that the file is sealed to; none: it is not sealed
	index   [rootSize]byte      // for values that are found by their keyed hash; never changes
	roots   []rawRootKey        // oldest first, at least one
	seals   int                 // index in roots of the key that seals
	signing []rawSigningKey     // oldest first, at least one
	signs   int                 // index in signing of the key that signs

	made []string // signing keys that the token made for a change
	gone []string // signing keys that a change removed from the file
}

type rawRootKey struct {
	id   uint32
	made int64 // Unix seconds
	root [rootSize]byte
}

type rawSigningKey struct {
	scalar  [scalarSize]byte // used if the key is not in the token
	inToken tokenKey
	made    int64 // Unix seconds
}

func (r *rawKeys) wipe() {
	clear(r.index[:])
	clear(r.roots)
	clear(r.signing)
}

// newRawSigningKey draws a signing key.
func newRawSigningKey(now time.Time) (rawSigningKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return rawSigningKey{}, err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return rawSigningKey{}, err
	}
	defer clear(scalar)
	raw := rawSigningKey{made: now.Unix()}
	copy(raw.scalar[:], scalar)
	return raw, nil
}

// encode writes the content of a key file; the caller wipes it.
func (r *rawKeys) encode() ([]byte, error) {
	if len(r.to) > 0 {
		return r.seal()
	}
	content := make([]byte, 0, maxFileSize+1)
	content = append(content, magic...)
	content = append(content, r.version(fileVersion, nextVersion))
	content = append(r.appendRoots(content), byte(len(r.signing)), byte(r.signs))
	for i := range r.signing {
		content = append(content, r.signing[i].scalar[:]...)
		content = binary.BigEndian.AppendUint64(content, uint64(r.signing[i].made))
	}
	sum := sha256.Sum256(content)
	return append(content, sum[:checksumSize]...), nil
}

// version returns usual if the newest root key seals (earlier releases can read such a
// file), and next if it does not seal yet.
func (r *rawKeys) version(usual, next byte) byte {
	if r.seals < len(r.roots)-1 {
		return next
	}
	return usual
}

// appendRoots writes the index root and the root keys.
func (r *rawKeys) appendRoots(content []byte) []byte {
	return r.appendRootKeys(append(content, r.index[:]...))
}

func (r *rawKeys) appendRootKeys(content []byte) []byte {
	content = append(content, byte(len(r.roots)))
	for i := range r.roots {
		content = binary.BigEndian.AppendUint32(content, r.roots[i].id)
		content = binary.BigEndian.AppendUint64(content, uint64(r.roots[i].made))
		content = append(content, r.roots[i].root[:]...)
	}
	if r.seals < len(r.roots)-1 {
		content = append(content, byte(r.seals)) //nolint:gosec // at most maxRootKeys
	}
	return content
}

// Create makes a key file with fresh keys, mode 0600. It never replaces a file. An
// error or a crash may leave a short file at path that Open refuses; nothing was sealed
// with it, so it can be deleted.
func Create(path string) (err error) {
	content, err := newKeyFile(time.Now())
	if err != nil {
		return fmt.Errorf("vault: make keys: %w", err)
	}
	defer clear(content)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: create key file: %w", err)
	}
	if err := writeAndClose(f, content); err != nil {
		return fmt.Errorf("vault: write key file: %w", errors.Join(err, os.Remove(path)))
	}
	// If a power cut removed the new file's name, data sealed under its key could never be
	// opened again.
	if err := diskfile.SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("vault: write key file: %w", err)
	}
	return nil
}

// writeAndClose returns nil only when all of content is on disk.
func writeAndClose(f *os.File, content []byte) error {
	_, err := f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func newKeyFile(now time.Time) ([]byte, error) {
	key, err := newRawSigningKey(now)
	if err != nil {
		return nil, err
	}
	raw := &rawKeys{signing: []rawSigningKey{key}, roots: []rawRootKey{{id: firstKey, made: now.Unix()}}}
	defer raw.wipe()
	rand.Read(raw.index[:])
	rand.Read(raw.roots[0].root[:])
	return raw.encode()
}

// read reads a key file. The caller wipes the result.
func (f KeyFile) read() (*rawKeys, fs.FileInfo, error) {
	content, info, err := readPrivate(f.Path)
	if err != nil {
		return nil, nil, err
	}
	defer clear(content)
	raw, err := parseKeyFile(content, f.Token)
	return raw, info, err
}

// readPrivate reads a file that only its owner can access. It checks mode and size on
// the open file, so that nobody can exchange the file in between. The caller wipes the
// result.
func readPrivate(path string) ([]byte, fs.FileInfo, error) {
	f, err := diskfile.Open(path)
	if errors.Is(err, diskfile.ErrNoFile) {
		return nil, nil, ErrKeyFileFormat
	}
	if err != nil {
		return nil, nil, fmt.Errorf("vault: open key file: %w", err)
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("vault: open key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, nil, ErrKeyFileMode
	}
	if info.Size() > maxSealedSize {
		return nil, nil, ErrKeyFileFormat
	}
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil {
		clear(content)
		return nil, nil, fmt.Errorf("vault: read key file: %w", err)
	}
	return content, info, nil
}

// checked checks a key file's checksum and removes it.
func checked(content []byte) (body []byte, err error) {
	if len(content) < indexStart+checksumSize || string(content[:len(magic)]) != magic {
		return nil, ErrKeyFileFormat
	}
	switch content[len(magic)] {
	case fileVersion, nextVersion, sealedVersion, sealedNextVersion:
	default:
		return nil, ErrKeyFileVersion
	}
	body = content[:len(content)-checksumSize]
	sum := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(sum[:checksumSize], content[len(body):]) != 1 {
		return nil, ErrKeyFileFormat
	}
	return body, nil
}

// parseKeyFile copies the keys out; the caller wipes content and result. If the file is
// sealed, the token opens it.
func parseKeyFile(content []byte, t Token) (*rawKeys, error) {
	body, err := checked(content)
	if err != nil {
		return nil, err
	}
	if isSealed(content) {
		return unseal(body, t)
	}
	raw := new(rawKeys)
	rest, ok := raw.parseRoots(body[indexStart:], content[len(magic)] == nextVersion)
	if !ok || !raw.parseSigning(rest) {
		raw.wipe()
		return nil, ErrKeyFileFormat
	}
	return raw, nil
}

// parseRoots reads the index root and the root keys, and returns the rest of the body.
// Ids rise, and the newest key is never dropped, so that no id is used twice. next means
// that the newest key does not seal yet.
func (r *rawKeys) parseRoots(body []byte, next bool) (rest []byte, ok bool) {
	if len(body) < rootSize+1 {
		return nil, false
	}
	copy(r.index[:], body)
	return r.parseRootKeys(body[rootSize:], next)
}

func (r *rawKeys) parseRootKeys(body []byte, next bool) (rest []byte, ok bool) {
	if len(body) < 1 {
		return nil, false
	}
	count := int(body[0])
	body = body[1:]
	if count < 1 || count > maxRootKeys || len(body) < count*rootKeySize {
		return nil, false
	}
	r.roots = make([]rawRootKey, count)
	last := uint32(0)
	for i := range r.roots {
		k := &r.roots[i]
		k.id = binary.BigEndian.Uint32(body)
		k.made = int64(binary.BigEndian.Uint64(body[idSize:]))
		copy(k.root[:], body[idSize+timeSize:])
		if k.id <= last {
			return nil, false
		}
		last = k.id
		body = body[rootKeySize:]
	}
	if r.seals = count - 1; next {
		if len(body) < 1 || int(body[0]) >= count-1 {
			return nil, false
		}
		r.seals, body = int(body[0]), body[1:]
	}
	return body, true
}

// parseSigning reads the signing keys, which are the last part of the body.
func (r *rawKeys) parseSigning(body []byte) bool {
	if len(body) < 2 {
		return false
	}
	count, signs := int(body[0]), int(body[1])
	if count < 1 || count > maxSigningKeys || signs >= count || len(body) != 2+count*keySize {
		return false
	}
	r.signing, r.signs = make([]rawSigningKey, count), signs
	for i := range r.signing {
		at := body[2+i*keySize:]
		copy(r.signing[i].scalar[:], at)
		r.signing[i].made = int64(binary.BigEndian.Uint64(at[scalarSize:]))
	}
	return true
}
