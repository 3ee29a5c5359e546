package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// Errors of seats. ErrTooFew names every keeper that is gone.
var (
	ErrTooFew = errors.New("keeper: too few keepers are there")
	// ErrStranger: a keeper's directory or address has another keeper than the right one,
	// or a keeper of another quorum.
	ErrStranger = errors.New("keeper: another keeper than the one that belongs there")
)

// IDOf returns the name of a member of a quorum whose keepers are in one process.
func IDOf(member int) ID { return ID(fmt.Sprintf("k%d", member)) }

// Seats are the places of a quorum whose keepers are in this process, each with its own
// directory. A keeper that is missing, or is not the right one, leaves its seat empty;
// the others serve.
type Seats struct {
	shape split.Shape
	dirs  []string
	open  OpenConfig
	seats []*seat

	mu        sync.Mutex
	repairing *Repair // guarded by mu: one at a time
	closed    bool    // guarded by mu: no new repair may begin
	running   sync.WaitGroup
}

// OpenSeats opens the keepers of a quorum; dirs[i] is the directory of member i+1. A
// fault of one keeper alone leaves its seat empty; Enough reports whether the others
// are enough. An error means that nobody may work with the directories: another process
// has one of them (ledger.ErrLeased), others than the owner can read it (ErrMode), or a
// later release wrote it.
func OpenSeats(ctx context.Context, dirs []string, shape split.Shape, c OpenConfig) (_ *Seats, err error) {
	if err := shape.Validate(); err != nil {
		return nil, err
	}
	if len(dirs) != shape.N || c.Logger == nil {
		return nil, fmt.Errorf("keeper: seats need a logger and %d directories", shape.N)
	}
	s := &Seats{shape: shape, dirs: dirs, open: c}
	found := make([]*storedKeeper, shape.N)
	defer func() {
		for _, k := range found {
			if k != nil {
				k.wipe()
			}
		}
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for i := range dirs {
		s.seats = append(s.seats, &seat{id: IDOf(i + 1)})
	}
	for i, dir := range dirs {
		found[i], err = readMember(dir, i+1, shape)
		if err := s.alone(i, err); err != nil {
			return nil, err
		}
	}
	s.leaveOutStrangers(found)
	for i, k := range found {
		if k == nil {
			continue
		}
		n, err := openStored(ctx, dirs[i], k, c, sqlite.MakeNone)
		if err == nil && n.ledger.Poisoned() != nil { // its repair was cut off
			err = errors.Join(n.ledger.Poisoned(), n.Close())
		}
		if err := s.alone(i, err); err != nil {
			return nil, err
		}
		if err == nil {
			s.seats[i].fill(n)
		}
	}
	return s, nil
}

// alone leaves a seat empty if err concerns that keeper alone, and returns every other
// error.
func (s *Seats) alone(i int, err error) error {
	switch {
	case err == nil:
		return nil
	case stops(err):
		return fmt.Errorf("keeper %s: %w", s.seats[i].id, err)
	}
	s.seats[i].empty(err)
	return nil
}

// stops reports whether an error of one directory must stop the work with all
// directories.
func stops(err error) bool {
	return errors.Is(err, ledger.ErrLeased) || errors.Is(err, ErrMode) || errors.Is(err, sqlitefile.ErrTooNew) || errors.Is(err, ErrShareKeys) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// readMember reads the key file of a directory and checks that it belongs to that
// member.
func readMember(dir string, member int, shape split.Shape) (*storedKeeper, error) {
	k, err := readKeeper(dir)
	if errors.Is(err, ErrMode) {
		// A directory that others can enter gives nothing away while it is empty: it
		// may be the mount point of a disk that is not mounted.
		if _, gone := os.Lstat(filepath.Join(dir, keeperFile)); errors.Is(gone, fs.ErrNotExist) {
			err = fmt.Errorf("keeper: %w", gone)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := k.fits(member, shape); err != nil {
		k.wipe()
		return nil, err
	}
	return k, nil
}

// fits checks that a stored keeper belongs to the place in which it was found.
func (k *storedKeeper) fits(member int, shape split.Shape) error {
	r, err := k.ring(nil)
	if err != nil {
		return err
	}
	r.wipe()
	for _, set := range k.KeySets {
		if k.ID != IDOf(member) || set.Member != member || set.T != shape.T || set.N != shape.N {
			return fmt.Errorf("%w: %s, member %d of %d of %d", ErrStranger, k.ID, set.Member, set.T, set.N)
		}
	}
	return nil
}

// leaveOutStrangers empties the seats of keepers whose share keys differ from the
// others'. If it cannot tell which keepers are the strangers, all stay: verdicts depend
// on the keepers' answers anyway.
func (s *Seats) leaveOutStrangers(found []*storedKeeper) {
	strange, unsure := Strangers(len(found), s.shape.T,
		func(i int) bool { return found[i] != nil }, func(i, j int) bool { return sameKeys(found[i], found[j]) })
	if unsure {
		s.open.Logger.Error("keepers hold different share keys, and it cannot be told whose are right")
	}
	for i, k := range found {
		if strange[i] {
			k.wipe()
			found[i] = nil
			s.seats[i].empty(fmt.Errorf("%w: its share keys are not those of the others", ErrStranger))
		}
	}
}

// sameKeys reports whether two keepers have the same key sets, and the same key
// wherever both hold one.
func sameKeys(a, b *storedKeeper) bool {
	if len(a.KeySets) != len(b.KeySets) {
		return false
	}
	for _, x := range a.KeySets {
		at := slices.IndexFunc(b.KeySets, func(y storedKeySet) bool { return y.ID == x.ID })
		if at < 0 {
			return false
		}
		for _, k := range x.Keys {
			if other := b.KeySets[at].share(k.Subset); other != nil && !equalKeys(other, k.Key) {
				return false
			}
		}
	}
	return true
}

// Keepers returns the seats as keepers, in the order of their member numbers.
func (s *Seats) Keepers() []Keeper {
	out := make([]Keeper, len(s.seats))
	for i, seat := range s.seats {
		out[i] = seat
	}
	return out
}

// Nodes returns the keepers in the seats that are not empty.
func (s *Seats) Nodes() (out []*Node) {
	for _, seat := range s.seats {
		if n, err := seat.sits(); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// KeySets lists the key sets that all keepers in the seats hold, rising.
func (s *Seats) KeySets() (common []uint32) {
	for i, n := range s.Nodes() {
		if i == 0 {
			common = n.KeySets()
		}
		common = slices.DeleteFunc(common, func(id uint32) bool { return !slices.Contains(n.KeySets(), id) })
	}
	return common
}

// Enough returns ErrTooFew if too few keepers are present for a verdict.
func (s *Seats) Enough() error {
	var gone []string
	for _, seat := range s.seats {
		if _, err := seat.sits(); err != nil {
			gone = append(gone, fmt.Sprintf("%s: %s", seat.id, strings.TrimPrefix(err.Error(), ErrGone.Error()+": ")))
		}
	}
	if here := len(s.seats) - len(gone); here < s.shape.T {
		return fmt.Errorf("%w: %d of %d, %d are needed (%s)", ErrTooFew, here, s.shape.N, s.shape.T, strings.Join(gone, "; "))
	}
	return nil
}

// Conditions returns each keeper's condition for a caller that has received these
// sequences from them; for a process without a Quorum.
func (s *Seats) Conditions(ctx context.Context, now time.Time, seen map[ID]uint64) []Condition {
	out := make([]Condition, len(s.seats))
	for i, seat := range s.seats {
		out[i] = Condition{ID: seat.id, Sequence: seen[seat.id]}
		if n, err := seat.sits(); err == nil {
			out[i].Sequence = max(out[i].Sequence, n.answer().Sequence)
		}
		if err := s.sound(ctx, i, seen[seat.id]); err != nil {
			out[i].Fault, out[i].Why, out[i].Since = faultOf(err), err, now
		}
	}
	return out
}

// Close stops a repair under way, which can be started again later, and closes the
// keepers.
func (s *Seats) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.repairing != nil {
		s.repairing.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
	var errs []error
	for _, seat := range s.seats {
		if n := seat.empty(ErrClosed); n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// owner returns a value that identifies this keeper's ledger: a hash of the keeper's id
// and of its share keys' fingerprints. A rebuilt key file gives the same value.
func (k *storedKeeper) owner(r *Ring) (out [32]byte, err error) {
	h := sha256.New()
	field := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	field([]byte("liuma/1/ledger-owner"))
	field([]byte(k.ID))
	first := r.sets[r.KeySets()[0]]
	for _, m := range first.Shape.SubsetsOf(first.Member) {
		sum, err := fingerprint(first.ID, m, first.Keys[m])
		if err != nil {
			return out, err
		}
		field(sum[:])
	}
	return [32]byte(h.Sum(nil)), nil
}
