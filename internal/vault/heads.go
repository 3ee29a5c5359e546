package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// HeadsFile is the name of the file of heads, beside the key file.
const HeadsFile = "heads"

const (
	headsTitle   = "liuma-heads 1\n"
	headsMAC     = "mac "
	maxHeads     = 1000
	maxHeadName  = 40
	maxHeadsFile = 65536 // a full file has 62 KiB
)

// Errors of the file of heads.
var (
	// ErrNoHeads means that there is no file of heads.
	ErrNoHeads = errors.New("vault: no file of heads")
	// ErrHeads means that the file is damaged, was altered, or is another
	// vault's.
	ErrHeads = errors.New("vault: the file of heads is damaged, was altered, or is another vault's")
	// ErrHeadsMode means that others than its owner may read or write the file.
	ErrHeadsMode = errors.New("vault: the file of heads can be read or written by others; want mode 0600 or stricter")
	// ErrHeadName means that a head's name is not valid, or that there would be
	// too many heads.
	ErrHeadName = fmt.Errorf("vault: name of a head: want 1 to %d of a-z, 0-9 and hyphen, not mac, and at most %d heads", maxHeadName, maxHeads)
)

// Head names a number that only rises.
type Head string

// Heads are numbers that only rise. Each is the version of something in the
// database, kept in a small file outside of the database. If the database's
// version is below its head, somebody put an old database back. The file is
// text, so that an operator can read it; its last line authenticates it.
//
// One process at a time works with a data directory, and so with this file. All
// methods may be called concurrently.
type Heads struct {
	vault *Vault
	path  string

	writing sync.Mutex      // held from reading numbers until the file is replaced, so that writes do not overlap
	mu      sync.RWMutex    // guards numbers
	numbers map[Head]uint64 // the file's content
}

// CreateHeads makes the file of heads in a directory, with no head in it. It
// never replaces a file: then it returns fs.ErrExist.
func CreateHeads(v *Vault, dir string) (*Heads, error) {
	h := &Heads{vault: v, path: filepath.Join(dir, HeadsFile)}
	if _, err := os.Lstat(h.path); err == nil {
		return nil, fmt.Errorf("vault: create heads: %s: %w", h.path, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("vault: create heads: %w", err)
	}
	if err := h.replace(map[Head]uint64{}); err != nil {
		return nil, err
	}
	return h, nil
}

// OpenHeads reads the file of heads in a directory. It returns ErrNoHeads if
// there is none, and ErrHeads or ErrHeadsMode if the file must not be trusted.
func OpenHeads(v *Vault, dir string) (*Heads, error) {
	h := &Heads{vault: v, path: filepath.Join(dir, HeadsFile)}
	content, err := readHeads(h.path)
	if err != nil {
		return nil, err
	}
	if h.numbers, err = h.parse(content); err != nil {
		return nil, err
	}
	return h, nil
}

// Get returns the number of a head; zero if it was never raised.
func (h *Heads) Get(name Head) uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.numbers[name]
}

// Names lists the heads that were raised, in order.
func (h *Heads) Names() []Head {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Sorted(maps.Keys(h.numbers))
}

// Raise sets a head to n, durably, unless it is already as high. The caller
// commits to the database first and raises the head then: a crash in between
// leaves the head lower than the database, and the next start raises it. If
// Raise fails, the head is unchanged, and the caller tries again.
func (h *Heads) Raise(name Head, n uint64) error {
	if !name.valid() {
		return ErrHeadName
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.RLock()
	numbers := maps.Clone(h.numbers)
	h.mu.RUnlock()
	now, there := numbers[name]
	if n <= now {
		return nil
	}
	if !there && len(numbers) >= maxHeads {
		return ErrHeadName
	}
	numbers[name] = n
	return h.replace(numbers)
}

// Of returns one head of the file as a value of its own.
func (h *Heads) Of(name Head) NamedHead { return NamedHead{heads: h, name: name} }

// NamedHead is one head of a file of heads.
type NamedHead struct {
	heads *Heads
	name  Head
}

// Number is Heads.Get.
func (n NamedHead) Number() uint64 { return n.heads.Get(n.name) }

// Raise is Heads.Raise.
func (n NamedHead) Raise(to uint64) error { return n.heads.Raise(n.name, to) }

func (n Head) valid() bool {
	return n != "" && n != "mac" && len(n) <= maxHeadName && strings.Trim(string(n), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// replace writes the new file beside the old one and renames it into place, so
// that a crash leaves either the old file or the new one whole. It overwrites a
// half-written file that an earlier crash left: that file was never in use. The
// caller holds writing, or nobody else has h.
func (h *Heads) replace(numbers map[Head]uint64) (err error) {
	content, err := h.encode(numbers)
	if err != nil {
		return err
	}
	fresh := h.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("vault: write heads: %w", err)
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: write heads: %w", err)
	}
	if info, err := os.Stat(h.path); err == nil {
		if err := keepOwner(f, info); err != nil {
			return errors.Join(fmt.Errorf("vault: write heads: %w", err), f.Close(), os.Remove(fresh))
		}
	}
	if err := writeAndClose(f, content); err != nil {
		return errors.Join(fmt.Errorf("vault: write heads: %w", err), os.Remove(fresh))
	}
	if err := os.Rename(fresh, h.path); err != nil {
		return errors.Join(fmt.Errorf("vault: write heads: %w", err), os.Remove(fresh))
	}
	h.mu.Lock()
	h.numbers = numbers
	h.mu.Unlock()
	// If this fails, a power cut may bring the old file back, with lower
	// numbers, as after a crash before the rename.
	if err := diskfile.SyncDir(filepath.Dir(h.path)); err != nil {
		return fmt.Errorf("vault: write heads: %w", err)
	}
	return nil
}

func (h *Heads) encode(numbers map[Head]uint64) ([]byte, error) {
	content := []byte(headsTitle)
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		content = append(content, name...)
		content = append(content, ' ')
		content = strconv.AppendUint(content, numbers[name], 10)
		content = append(content, '\n')
	}
	mac, err := h.mac(content)
	if err != nil {
		return nil, err
	}
	content = append(content, headsMAC...)
	content = hex.AppendEncode(content, mac[:])
	return append(content, '\n'), nil
}

func (h *Heads) mac(body []byte) (m MAC, err error) {
	err = h.vault.read(func(k *keys) error {
		mac := hmac.New(sha256.New, k.heads)
		mac.Write(body)
		mac.Sum(m[:0])
		return nil
	})
	return m, err
}

func readHeads(path string) ([]byte, error) {
	f, err := diskfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoHeads, path)
	}
	if errors.Is(err, diskfile.ErrNoFile) {
		return nil, ErrHeads
	}
	if err != nil {
		return nil, fmt.Errorf("vault: open heads: %w", err)
	}
	defer func() { _ = f.Close() }() // closing after reading loses nothing
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("vault: open heads: %w", err)
	}
	if info.Size() > maxHeadsFile {
		return nil, ErrHeads
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, ErrHeadsMode
	}
	content, err := io.ReadAll(io.LimitReader(f, maxHeadsFile))
	if err != nil {
		return nil, fmt.Errorf("vault: read heads: %w", err)
	}
	return content, nil
}

// parse accepts only what encode writes: it encodes the numbers again and
// compares the result, which also compares the MAC.
func (h *Heads) parse(content []byte) (map[Head]uint64, error) {
	body, ok := strings.CutPrefix(string(content), headsTitle)
	if !ok {
		return nil, ErrHeads
	}
	numbers := make(map[Head]uint64)
	for line := range strings.Lines(body) {
		name, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name+" " == headsMAC {
			break
		}
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || !Head(name).valid() || len(numbers) >= maxHeads {
			return nil, ErrHeads
		}
		numbers[Head(name)] = n
	}
	want, err := h.encode(numbers)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(want, content) {
		return nil, ErrHeads
	}
	return numbers, nil
}
