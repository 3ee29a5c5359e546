package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/split"
)

// A keeper directory (mode 0700) holds
//
// |	keeper.json mode 0600: the keeper's id, its identity key, its key sets
// |	ledger.db the counts, with SQLite's own files beside it
//
// Everyone who can read keeper.json can evaluate with its share keys without
// counting.
const (
	keeperFile   = "keeper.json"
	ledgerFile   = "ledger.db"
	keeperFormat = "liuma-keeper/1"

	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600

	maxKeeperFile = 1 << 20
)

// Errors of keeper directories.
var (
	ErrExists = errors.New("keeper: the directory has a keeper already")
	ErrMode   = errors.New("keeper: readable by others than its owner")
	ErrFile   = errors.New("keeper: keeper.json is damaged or of another version")
	// ErrNoKeySet: the keeper has an identity but no key set yet, because its key
	// ceremony is not finished.
	ErrNoKeySet = errors.New("keeper: no key set yet")
)

// storedKeeper is keeper.json. Byte members are base64 in JSON.
type storedKeeper struct {
	Format   string         `json:"format"`
	ID       ID             `json:"id"`
	Identity []byte         `json:"identity"` // HPKE private key, MLKEM768-X25519
	KeySets  []storedKeySet `json:"key_sets"`
}

type storedKeySet struct {
	ID     uint32        `json:"id"`
	T      int           `json:"t"`
	N      int           `json:"n"`
	Member int           `json:"member"`
	Keys   []storedShare `json:"share_keys"`
	// Members are the ids of all members, in the order of their numbers; absent if the
	// key set was made within one process.
	Members []ID `json:"members,omitempty"`
}

type storedShare struct {
	Subset split.Subset `json:"subset"` // bit i-1 is member i
	Key    []byte       `json:"key"`
}

func (s storedKeySet) shape() split.Shape { return split.Shape{T: s.T, N: s.N} }

// share returns the share key of a subset, or nil if this keeper does not hold it.
func (s storedKeySet) share(m split.Subset) []byte {
	for _, k := range s.Keys {
		if k.Subset == m {
			return k.Key
		}
	}
	return nil
}

// set finds a key set.
func (k *storedKeeper) set(id uint32) (storedKeySet, bool) {
	for _, s := range k.KeySets {
		if s.ID == id {
			return s, true
		}
	}
	return storedKeySet{}, false
}

// write writes keeper.json.
func (k *storedKeeper) write(d diskfile.Disk, dir string) error {
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return fmt.Errorf("keeper: encode: %w", err)
	}
	defer clear(data)
	return d.Write(dir, keeperFile, append(data, '\n'))
}

func (k *storedKeeper) wipe() {
	clear(k.Identity)
	for _, s := range k.KeySets {
		for _, share := range s.Keys {
			clear(share.Key)
		}
	}
}

// CreateQuorum makes a directory for each member of the shape and, by a key ceremony,
// their first key set. It returns the number of the key set. Keeper i is named "k" and
// i. No directory may have a keeper in it. All members run in this process, so it sees
// every share key once; keepers under several administrations exchange the same
// messages between machines.
//
// A crash in here leaves directories without keeper.json, or some with one. No PIN was
// ever set with them, so delete all directories and begin again.
func CreateQuorum(ctx context.Context, dirs []string, shape split.Shape) (keySet uint32, err error) {
	if err := shape.Validate(); err != nil {
		return 0, err
	}
	if len(dirs) != shape.N {
		return 0, fmt.Errorf("keeper: %d directories for %s", len(dirs), shape)
	}
	for _, dir := range dirs {
		if err := prepareDir(dir); err != nil {
			return 0, err
		}
	}
	const first = 1
	members, err := newMembers(first, shape)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, m := range members {
			m.Wipe()
		}
	}()
	if err := meet(members); err != nil {
		return 0, err
	}
	for i, m := range members {
		b, err := sqlite.Open(ctx, filepath.Join(dirs[i], ledgerFile), sqlite.Config{})
		if err != nil {
			return 0, err
		}
		if err := b.Close(); err != nil {
			return 0, err
		}
		// Written last: a directory is complete when it has this file.
		if err := m.save(dirs[i]); err != nil {
			return 0, err
		}
	}
	return first, nil
}

func newMembers(keySet uint32, shape split.Shape) ([]*Member, error) {
	var members []*Member
	for i := 1; i <= shape.N; i++ {
		custody, err := newMemory()
		if err != nil {
			return nil, err
		}
		m, err := NewMember(keySet, shape, i, IDOf(i), custody)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// meet carries the key ceremony's messages between members in one process.
func meet(members []*Member) error {
	for _, m := range members {
		for _, other := range members {
			if m == other {
				continue
			}
			if err := m.Meet(other.Hello()); err != nil {
				return err
			}
		}
	}
	for _, m := range members {
		offers, err := m.Offer()
		if err != nil {
			return err
		}
		for _, o := range offers {
			if err := members[o.To-1].Accept(o); err != nil {
				return err
			}
		}
	}
	for _, m := range members {
		prints, err := m.Fingerprints()
		if err != nil {
			return err
		}
		for _, other := range members {
			for _, f := range prints {
				if m == other {
					continue
				}
				if err := other.Check(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// save writes the member's identity and part of the key set.
func (m *Member) save(dir string) error {
	set, err := m.Done()
	if err != nil {
		return err
	}
	stored := &storedKeeper{Format: keeperFormat, ID: m.hello.ID}
	defer stored.wipe()
	if stored.Identity, err = m.custody.Save(); err != nil {
		return fmt.Errorf("keeper: identity: %w", err)
	}
	ks, err := set.stored()
	if err != nil {
		return err
	}
	stored.KeySets = []storedKeySet{ks}
	return stored.write(diskfile.Disk{}, dir)
}

// prepareDir makes a directory for a new keeper.
func prepareDir(dir string) error {
	if err := MakePrivate(dir); err != nil {
		return err
	}
	switch _, err := os.Lstat(filepath.Join(dir, keeperFile)); {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrExists, dir)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("keeper: look into directory: %w", err)
	}
	return nil
}

// readKeeper reads keeper.json. It refuses a directory or file that anyone but the
// owner can access, unknown JSON members, and other format versions.
func readKeeper(dir string) (*storedKeeper, error) {
	d, err := OpenPrivate(dir, fs.ModeDir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	f, err := OpenPrivate(filepath.Join(dir, keeperFile), 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeeperFile+1))
	defer clear(data)
	if err != nil {
		return nil, fmt.Errorf("keeper: read: %w", err)
	}
	return parseKeeper(data)
}

// parseKeeper reads the content of keeper.json.
func parseKeeper(data []byte) (*storedKeeper, error) {
	if len(data) > maxKeeperFile {
		return nil, ErrFile
	}
	var k storedKeeper
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&k); err != nil {
		k.wipe()
		return nil, ErrFile // the cause could quote a key
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || k.Format != keeperFormat || k.ID == "" {
		k.wipe()
		return nil, ErrFile
	}
	return &k, nil
}

// ring builds the ring of a stored keeper; c holds its share keys.
func (k *storedKeeper) ring(c Custodian) (*Ring, error) {
	// The identity is needed only in later key ceremonies, but damage to it should show
	// now.
	custody, err := orMemory(c).Find(k.Identity)
	if err != nil {
		return nil, err
	}
	if len(k.KeySets) == 0 {
		return nil, ErrNoKeySet
	}
	var sets []KeySet
	for _, s := range k.KeySets {
		set, err := s.open(custody)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	r, err := NewRing(sets...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return r, nil
}

// OpenConfig holds the values that OpenNode needs besides the directory. Limits and
// Logger are required.
type OpenConfig struct {
	Machine            clock.Machine // this machine's clocks when nil
	Custodian          Custodian     // holds the share keys; nil: they are in keeper.json
	Limits             ledger.Limits // the keeper's own; requests can only tighten them
	Logger             *slog.Logger
	SQLite             sqlite.Config
	CommitsPerHour     int // see NodeConfig
	ProposalsPerHour   int
	RetirementsPerHour int
	Wrote              func(spends int) // see ledger.Config
}

// OpenNode opens the keeper in a directory and takes its ledger's lease
// (ledger.ErrLeased if another process has it). If the ledger is missing, OpenNode
// returns ledger.ErrMissing; it does not start an empty one. The caller closes the
// node.
func OpenNode(ctx context.Context, dir string, c OpenConfig) (*Node, error) {
	if c.Logger == nil {
		return nil, errors.New("keeper: a node needs a logger")
	}
	stored, err := readKeeper(dir)
	if err != nil {
		return nil, err
	}
	defer stored.wipe()
	return openStored(ctx, dir, stored, c, sqlite.MakeNone)
}

// openStored opens the ledger of a keeper whose key file was read.
func openStored(ctx context.Context, dir string, stored *storedKeeper, c OpenConfig, how sqlite.Make) (*Node, error) {
	ring, err := stored.ring(c.Custodian)
	if err != nil {
		return nil, err
	}
	owner, err := stored.owner(ring)
	if err != nil {
		ring.wipe()
		return nil, err
	}
	c.SQLite.Make = how
	backend, err := sqlite.Open(ctx, filepath.Join(dir, ledgerFile), c.SQLite)
	if err != nil {
		ring.wipe()
		return nil, err
	}
	l, err := ledger.Open(ctx, ledger.Config{
		Keeper: string(stored.ID), Owner: owner, Backend: backend, Limits: c.Limits, Machine: c.Machine, Logger: c.Logger, Wrote: c.Wrote,
	})
	if err != nil {
		ring.wipe()
		return nil, errors.Join(err, backend.Close())
	}
	n, err := NewNode(NodeConfig{
		ID: stored.ID, Ledger: l, Ring: ring, Rows: backend, Logger: c.Logger,
		CommitsPerHour: c.CommitsPerHour, ProposalsPerHour: c.ProposalsPerHour, RetirementsPerHour: c.RetirementsPerHour,
	})
	if err != nil {
		ring.wipe()
		return nil, errors.Join(err, l.Close())
	}
	return n, nil
}
