package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/split"
)

// KeyFile gives access to keeper.json for work on a keeper's key sets. One process at a
// time may open it. It holds share keys and is wiped after use.
type KeyFile struct {
	disk    diskfile.Disk
	dir     string
	stored  *storedKeeper
	custody Custody
}

// MakeKeyFile makes a keeper's directory, if there is none, and in it the keeper's
// identity, which has no key set yet. It returns ErrExists if a keeper with key sets,
// or a ledger, is there. An identity without a key set and with another id is replaced:
// nothing depends on it yet.
//
// A crash in here leaves no keeper.json, or one without a key set: begin again.
func MakeKeyFile(d diskfile.Disk, dir string, id ID, c Custodian) (*KeyFile, error) {
	if id == "" {
		return nil, fmt.Errorf("%w: a keeper needs an id", ErrRequest)
	}
	switch f, err := OpenKeyFile(d, dir, c); {
	case err == nil && len(f.stored.KeySets) == 0 && f.ID() == id:
		return f, nil
	case err == nil:
		defer f.Wipe()
		if len(f.stored.KeySets) > 0 {
			return nil, fmt.Errorf("%w: %s", ErrExists, dir)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		if err := prepareDir(dir); err != nil {
			return nil, err
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, ledgerFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%w: %s has a ledger", ErrExists, dir), err)
	}
	custody, err := orMemory(c).Make(id)
	if err != nil {
		return nil, err
	}
	f := &KeyFile{disk: d, dir: dir, custody: custody, stored: &storedKeeper{Format: keeperFormat, ID: id}}
	if f.stored.Identity, err = custody.Save(); err == nil {
		err = f.stored.write(d, dir)
	}
	if err != nil {
		f.Wipe()
		return nil, err
	}
	return f, nil
}

// OpenKeyFile reads keeper.json. It returns fs.ErrNotExist if there is none; then the
// directory also has no secret that others could read. c holds the keys; nil: they are
// in the file.
func OpenKeyFile(d diskfile.Disk, dir string, c Custodian) (*KeyFile, error) {
	if _, err := os.Lstat(filepath.Join(dir, keeperFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	stored, err := readKeeper(dir)
	if err != nil {
		return nil, err
	}
	f := &KeyFile{disk: d, dir: dir, stored: stored}
	if f.custody, err = orMemory(c).Find(stored.Identity); err == nil && len(stored.KeySets) > 0 {
		var r *Ring
		if r, err = stored.ring(c); err == nil { // refuse a file that is not complete
			r.wipe()
		}
	}
	if err != nil {
		f.Wipe()
		return nil, err
	}
	return f, nil
}

// ID returns the keeper's id.
func (f *KeyFile) ID() ID { return f.stored.ID }

// Custody returns the custody of the keeper's identity.
func (f *KeyFile) Custody() Custody { return f.custody }

// BeginReceiving prepares the custody for a ceremony and writes down what changed of the
// identity.
//
// A crash in here leaves a device that can receive and a keeper.json that does not say so:
// begin again.
func (f *KeyFile) BeginReceiving() error {
	next, err := f.custody.BeginReceiving()
	if err != nil {
		return err
	}
	saved, err := next.Save()
	if err != nil {
		return err
	}
	if bytes.Equal(saved, f.stored.Identity) {
		clear(saved)
		f.custody = next
		return nil
	}
	stored := &storedKeeper{Format: f.stored.Format, ID: f.stored.ID, Identity: saved, KeySets: f.stored.KeySets}
	if err := stored.write(f.disk, f.dir); err != nil {
		clear(saved)
		return err
	}
	clear(f.stored.Identity)
	f.stored, f.custody = stored, next
	return nil
}

// Wipe clears the secrets.
func (f *KeyFile) Wipe() { f.stored.wipe() }

// SetInfo describes a key set of which the keeper holds a part; nothing in it is
// secret.
type SetInfo struct {
	ID      uint32
	Shape   split.Shape
	Member  int
	Members []ID // empty if the key set was made within one process
}

// KeySets describes the keeper's key sets, in the order of their numbers.
func (f *KeyFile) KeySets() (out []SetInfo) {
	for _, s := range f.stored.KeySets {
		out = append(out, SetInfo{ID: s.ID, Shape: s.shape(), Member: s.Member, Members: slices.Clone(s.Members)})
	}
	slices.SortFunc(out, func(a, b SetInfo) int { return int(int64(a.ID) - int64(b.ID)) })
	return out
}

// Keys returns the share keys of a key set. The caller wipes them.
func (f *KeyFile) Keys(id uint32) (map[split.Subset]HeldKey, error) {
	s, ok := f.stored.set(id)
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrKeySet, id)
	}
	out := map[split.Subset]HeldKey{}
	for _, k := range s.Keys {
		key, err := f.custody.Load(k.Key)
		if err != nil {
			return nil, ErrFile
		}
		out[k.Subset] = key
	}
	return out, nil
}

// FingerprintOf identifies a share key without revealing anything about it.
func FingerprintOf(keySet uint32, s split.Subset, k split.ShareMAC) (Hash, error) {
	return fingerprint(keySet, s, k)
}

// NewSet is a key set to add to a keeper.
type NewSet struct {
	KeySet
	Members []ID
}

// Add adds key sets, all in one step. It refuses a number that is already used, and a
// member number or shape that differs from the existing key sets.
func (f *KeyFile) Add(sets ...NewSet) error {
	next := &storedKeeper{Format: f.stored.Format, ID: f.stored.ID, Identity: f.stored.Identity, KeySets: slices.Clone(f.stored.KeySets)}
	taken := false
	defer func() {
		for i := len(f.stored.KeySets); !taken && i < len(next.KeySets); i++ {
			for _, k := range next.KeySets[i].Keys {
				clear(k.Key)
			}
		}
	}()
	for _, set := range sets {
		if err := set.validate(); err != nil {
			return err
		}
		for _, have := range next.KeySets {
			if have.ID == set.ID || have.Member != set.Member || have.shape() != set.Shape {
				return fmt.Errorf("%w: key set %d, member %d of %s, beside key set %d", ErrRequest, set.ID, set.Member, set.Shape, have.ID)
			}
		}
		if err := set.lock(); err != nil {
			return err
		}
		s, err := set.stored()
		if err != nil {
			return err
		}
		s.Members = slices.Clone(set.Members)
		next.KeySets = append(next.KeySets, s)
	}
	if err := next.write(f.disk, f.dir); err != nil {
		return err
	}
	f.stored, taken = next, true
	return nil
}

// TakeOver takes in all key sets from another keeper.json of the same keeper, which was
// on a machine that is lost; their share keys are in a device. For each key, move
// brings it into this file's custody by its saved form. It refuses a file of another
// keeper.
//
// A crash in here leaves the keys in the device and none of them in keeper.json: call
// it again.
func (f *KeyFile) TakeOver(other []byte, member int, shape split.Shape, move func(to Custody, saved []byte) (HeldKey, error)) error {
	from, err := parseKeeper(other)
	if err != nil {
		return err
	}
	defer from.wipe()
	if !bytes.HasPrefix(from.Identity, []byte(DeviceMark)) {
		return ErrElsewhere
	}
	if from.ID != f.ID() {
		return fmt.Errorf("%w: keeper.json is of %s", ErrStranger, from.ID)
	}
	if err := f.BeginReceiving(); err != nil {
		return err
	}
	var sets []NewSet
	for _, s := range from.KeySets {
		if s.Member != member || s.shape() != shape {
			return fmt.Errorf("%w: keeper.json is of member %d of %s", ErrStranger, s.Member, s.shape())
		}
		set := NewSet{KeySet: KeySet{ID: s.ID, Shape: s.shape(), Member: s.Member, Keys: map[split.Subset]split.ShareMAC{}}, Members: s.Members}
		for _, share := range s.Keys {
			key, err := move(f.custody, share.Key)
			if err != nil {
				return fmt.Errorf("keeper: key set %d, subset %d: %w", s.ID, share.Subset, err)
			}
			set.Keys[share.Subset] = key
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return ErrNoKeySet
	}
	// A crash before the last step leaves a device that can still receive; the next look at
	// the directory ends that.
	if err := f.Add(sets...); err != nil {
		return err
	}
	return f.custody.EndReceiving()
}

// MakeLedger makes the ledger of a keeper that gets its first key set. A ledger that
// exists stays as it is.
func (f *KeyFile) MakeLedger(ctx context.Context) error {
	b, err := sqlite.Open(ctx, filepath.Join(f.dir, ledgerFile), sqlite.Config{})
	if err != nil {
		return err
	}
	return b.Close()
}

// lock locks every key before keeper.json names it: a key that could still be taken out
// of a device must not be used.
func (s KeySet) lock() error {
	for m, k := range s.Keys {
		held, ok := k.(HeldKey)
		if !ok {
			return errors.New("keeper: a share key that cannot be kept")
		}
		if err := held.Lock(); err != nil {
			return fmt.Errorf("keeper: share key of subset %d: %w", m, err)
		}
	}
	return nil
}

// stored returns the form of the key set that keeper.json stores.
func (s KeySet) stored() (storedKeySet, error) {
	out := storedKeySet{ID: s.ID, T: s.Shape.T, N: s.Shape.N, Member: s.Member}
	for _, m := range slices.Sorted(maps.Keys(s.Keys)) {
		held, ok := s.Keys[m].(HeldKey)
		if !ok {
			return storedKeySet{}, errors.New("keeper: a share key that cannot be kept")
		}
		saved, err := held.Save()
		if err != nil {
			return storedKeySet{}, fmt.Errorf("keeper: share key of subset %d: %w", m, err)
		}
		out.Keys = append(out.Keys, storedShare{Subset: m, Key: saved})
	}
	return out, nil
}

// open finds the share keys of a stored key set.
func (s storedKeySet) open(custody Custody) (KeySet, error) {
	set := KeySet{ID: s.ID, Shape: s.shape(), Member: s.Member, Keys: map[split.Subset]split.ShareMAC{}}
	for _, share := range s.Keys {
		key, err := custody.Load(share.Key)
		if err != nil || set.Keys[share.Subset] != nil {
			return KeySet{}, ErrFile
		}
		if err := key.Check(); err != nil {
			return KeySet{}, fmt.Errorf("keeper: key set %d, subset %d: %w", s.ID, share.Subset, err)
		}
		set.Keys[share.Subset] = key
	}
	return set, nil
}
