package vault

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned after Close by methods that return errors. Methods without an
// error (Index, RowMAC, Handle) panic: an index made with a wiped key would be wrong
// but look right.
var ErrClosed = errors.New("vault: closed")

// Vault holds the keys in memory. All methods may be called concurrently.
type Vault struct {
	mu   sync.RWMutex // guards keys: methods read under RLock, Close and Reload wipe under Lock
	keys *keys        // nil after Close

	file     KeyFile // the file that the vault was opened from
	enclosed bool    // the file is sealed to its token, so day keys are made there
	disk     dayKeyFiles
	signing  atomic.Pointer[signingKeys] // each immutable; its signers are built once
	ready    readiness
	// published returns for how long a server has published its keys; nil without a
	// server.
	published func() time.Duration // guarded by mu
	// signed says when each former signing key was replaced, on the clock of published.
	signed map[string]time.Duration // guarded by mu
	pins   sealKeyCache
}

// keys are the derived keys, one for each purpose.
type keys struct {
	// Derived from the index root, which does not rotate, because rows are found by
	// these keys, or values made with them are in use outside.
	index      map[IndexKind][]byte
	lookup     []byte
	handle     []byte
	challenge  []byte
	heads      []byte
	guard      []byte
	access     []byte
	day        []byte   // for the files of day keys
	steady     []byte   // for rows that are read before a newer root key is here
	steadyRows *rowMACs // under steady
	identity   []byte   // for the file of the identity
	// Derived from each root key, by its id.
	roots map[uint32]*rootKeys
	seals uint32 // id of the root key that seals; the others open
}

// rootKeys are the derived keys of one root key.
type rootKeys struct {
	seal map[Purpose][]byte
	row  []byte
	rows *rowMACs // under row
}

func (k *keys) wipe() {
	for _, key := range k.index {
		clear(key)
	}
	for _, root := range k.roots {
		for _, key := range root.seal {
			clear(key)
		}
		clear(root.row)
	}
	clear(k.lookup)
	clear(k.handle)
	clear(k.challenge)
	clear(k.heads)
	clear(k.guard)
	clear(k.access)
	clear(k.day)
	clear(k.steady)
	clear(k.identity)
}

// At names a key file that is not sealed to a token.
func At(path string) KeyFile { return KeyFile{Path: path} }

// Open opens a key file that is not sealed to a token.
func Open(path string) (*Vault, error) { return At(path).Open() }

// Open reads a key file that Create made. It refuses a file that others can read or
// write, and a file of another size, format or version. The token opens a sealed file.
func (f KeyFile) Open() (*Vault, error) {
	raw, _, err := f.read()
	if err != nil {
		return nil, err
	}
	defer raw.wipe()
	return newVault(raw, f)
}

// KeyFile returns the file that the vault was opened from.
func (v *Vault) KeyFile() KeyFile { return v.file }

func newVault(raw *rawKeys, f KeyFile) (*Vault, error) {
	k, err := deriveKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("vault: derive keys: %w", err)
	}
	signing, err := newSigningKeys(raw, f.Token)
	if err != nil {
		k.wipe()
		return nil, fmt.Errorf("vault: signing key: %w", err)
	}
	v := &Vault{keys: k, file: f, enclosed: len(raw.to) > 0, disk: onDisk(), signed: map[string]time.Duration{}}
	v.signing.Store(&signing)
	return v, nil
}

// deriveKeys derives a separate key for each purpose, by HKDF-SHA256 with a label, so
// that the output for one purpose is never valid input for another.
func deriveKeys(raw *rawKeys) (*keys, error) {
	k := &keys{index: make(map[IndexKind][]byte), roots: make(map[uint32]*rootKeys)}
	var errs []error
	derive := func(root []byte, label string) []byte {
		key, err := hkdf.Key(sha256.New, root, nil, "liuma/1/vault/"+label, 32)
		errs = append(errs, err)
		return key
	}
	for _, kind := range []IndexKind{IndexIDNumber, IndexCardNo, IndexEvidence, IndexPhone, IndexTicket, IndexTag, IndexRoute} {
		k.index[kind] = derive(raw.index[:], "index/"+string(kind))
	}
	k.lookup = derive(raw.index[:], "lookup")
	k.handle = derive(raw.index[:], "handle")
	k.challenge = derive(raw.index[:], "challenge")
	k.heads = derive(raw.index[:], "heads")
	k.guard = derive(raw.index[:], "guard")
	k.access = derive(raw.index[:], "access")
	k.day = derive(raw.index[:], "daykey")
	k.steady = derive(raw.index[:], "steady")
	k.steadyRows = newRowMACs(k.steady)
	k.identity = derive(raw.index[:], "identity")
	for i := range raw.roots {
		root := &rootKeys{seal: make(map[Purpose][]byte)}
		for _, p := range []Purpose{CardFacts, PersonFacts, SealKey, CeremonyDetails, ContactPhone, NoticePhone, MessageText, LetterText} {
			root.seal[p] = derive(raw.roots[i].root[:], "seal/"+string(p))
		}
		root.row = derive(raw.roots[i].root[:], "row")
		root.rows = newRowMACs(root.row)
		k.roots[raw.roots[i].id] = root
	}
	k.seals = raw.roots[raw.seals].id
	if err := errors.Join(errs...); err != nil {
		k.wipe()
		return nil, err
	}
	return k, nil
}

// read passes the keys to f. Close waits until f has returned.
func (v *Vault) read(f func(*keys) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return ErrClosed
	}
	return f(v.keys)
}

// mustRead is read for methods that cannot return an error; it panics after Close.
func (v *Vault) mustRead(f func(*keys)) {
	if err := v.read(func(k *keys) error { f(k); return nil }); err != nil {
		panic(err)
	}
}

// Close wipes the derived keys and drops the signing key and the cached seal
// keys. Go has no way to overwrite the inside of an ECDSA or ECDH key, so
// those are left to the garbage collector.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return nil
	}
	v.keys.wipe()
	v.keys = nil
	v.pins.drop()
	return nil
}

const redacted = "[vault]"

// Format prints a placeholder under every verb.
func (v *Vault) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns the placeholder.
func (v *Vault) String() string { return redacted }

// LogValue logs the placeholder.
func (v *Vault) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON writes the placeholder.
func (v *Vault) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
