package keeper

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/ledger/sqlite"
)

// Errors of Seats.BeginRepair.
var (
	ErrNoKeeper = errors.New("keeper: no keeper has this name")
	ErrUnderWay = errors.New("keeper: a keeper is being repaired")
)

// Repair is the repair of one keeper of Seats. Run does it, once. Drop ends it,
// whether Run was called or not.
type Repair struct {
	s      *Seats
	i      int // the keeper's index
	seen   map[ID]uint64
	from   []int // indexes of the peers
	ctx    context.Context
	cancel context.CancelFunc
	node   *Node // guarded by Seats.mu; nil before rows are taken in
}

// Repaired says what a repair did.
type Repaired struct {
	From      []ID   // the keepers whose rows and keys it took
	KeyFile   bool   // keeper.json was rebuilt from the others' share keys
	NewLedger bool   // the ledger was made anew
	Aside     string // name of the directory, in the keeper's directory, to which the old files were moved; may be empty
	Rows      uint64 // rows taken in from other keepers
	Sequence  uint64 // the sequence of the keeper's ledger with which it serves again
}

// BeginRepair prepares the repair of a keeper and changes nothing yet. seen holds
// the highest sequences received from the keepers. It returns ErrPeers if too few
// of the other keepers are present and whole. A keeper that seems whole may be
// repaired too: it takes in the rows that it missed.
func (s *Seats) BeginRepair(ctx context.Context, id ID, seen map[ID]uint64) (*Repair, error) {
	r := &Repair{s: s, i: -1, seen: seen}
	for i, seat := range s.seats {
		if seat.id == id {
			r.i = i
			continue
		}
		if s.sound(ctx, i, seen[seat.id]) == nil {
			r.from = append(r.from, i)
		}
	}
	if r.i < 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoKeeper, id)
	}
	if need := s.shape.N - s.shape.T + 1; s.shape.N == 1 || len(r.from) < need {
		return nil, fmt.Errorf("%w: %d of the others are whole, of %s", ErrPeers, len(r.from), s.shape)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.repairing != nil:
		return nil, fmt.Errorf("%w: %s", ErrUnderWay, s.seats[s.repairing.i].id)
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.repairing = r
	s.running.Add(1)
	return r, nil
}

// sound returns nil if the keeper is present and would serve a sender that has
// seen the sequence seen.
func (s *Seats) sound(ctx context.Context, i int, seen uint64) error {
	n, err := s.seats[i].sits()
	if err != nil {
		return err
	}
	return n.Admit(ctx, Header{Now: n.Times().Wall, Seen: seen})
}

// UnderWay returns the keeper that is being repaired, and how many rows were
// taken in so far; id is empty if none is being repaired.
func (s *Seats) UnderWay() (id ID, rows uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repairing == nil {
		return "", 0
	}
	if n := s.repairing.node; n != nil {
		rows = n.taken.Load()
	}
	return s.seats[s.repairing.i].id, rows
}

// Drop ends the repair; then another one can begin.
func (r *Repair) Drop() {
	r.cancel()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.s.repairing == r {
		r.s.repairing = nil
		r.s.running.Done()
	}
}

// Run restores the keeper. It makes a key file from the other keepers' share
// keys, if it has none; makes a new ledger, if its own is missing, damaged or
// another keeper's; takes in the others' rows, where the highest counts win; and
// gives the ledger a new incarnation and a sequence above every one that was
// seen. Then the keeper serves, and takes in once more what the others have
// counted meanwhile. It serves nobody before that.
//
// A crash in here leaves the keeper gone, in one of these states, and the repair
// is started again: no key file; a key file and no ledger; a ledger that says
// that its repair has not ended.
func (r *Repair) Run() (out Repaired, err error) {
	seat := r.s.seats[r.i]
	if old := seat.empty(ErrUnderWay); old != nil {
		if err := old.Close(); err != nil { // closing a poisoned ledger returns an error
			r.s.open.Logger.Warn("keeper to be repaired not closed well", "keeper", string(seat.id), "error", err)
		}
	}
	defer func() {
		if err != nil {
			seat.empty(fmt.Errorf("not repaired: %w", err))
		}
	}()
	for _, i := range r.from {
		out.From = append(out.From, r.s.seats[i].id)
	}
	stored, err := r.keyFile(&out)
	if err != nil {
		return out, err
	}
	defer stored.wipe()
	node, err := r.ownLedger(stored, &out)
	if errors.Is(err, errOwnLedger) && !stops(err) && !errors.Is(err, ledger.ErrFull) { // its rows contradict the others', or it is damaged
		r.s.open.Logger.Warn("the keeper's own ledger is of no use", "keeper", string(seat.id), "error", err)
		node, err = r.newLedger(stored, &out)
	}
	if err != nil {
		return out, err
	}
	seat.fill(node)
	defer func() { out.Rows, out.Sequence = node.taken.Load(), node.answer().Sequence }()
	if err := node.Level(r.ctx, r.peers()...); err != nil {
		r.s.open.Logger.Warn("the repaired keeper serves, and lacks what was counted meanwhile: repair it once more", "keeper", string(seat.id), "error", err)
	}
	return out, nil
}

// peers returns the other keepers as sources of rows.
func (r *Repair) peers() (out []RowSource) {
	for _, i := range r.from {
		if n, err := r.s.seats[i].sits(); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// keyFile reads the keeper's key file, or rebuilds it. The key file of another
// keeper is left alone: kept beside the new one, it could bring every share key
// into one directory (I-5).
func (r *Repair) keyFile(out *Repaired) (*storedKeeper, error) {
	dir, s := r.s.dirs[r.i], r.s
	var peers []*storedKeeper
	defer func() {
		for _, p := range peers {
			p.wipe()
		}
	}()
	for _, i := range r.from {
		p, err := readMember(s.dirs[i], i+1, s.shape)
		if err != nil {
			return nil, fmt.Errorf("keys of %s: %w", s.seats[i].id, err)
		}
		peers = append(peers, p)
	}
	k, err := readMember(dir, r.i+1, s.shape)
	switch {
	case err == nil:
		for _, p := range peers {
			if !sameKeys(k, p) {
				k.wipe()
				return nil, fmt.Errorf("%w: %s has other share keys than %s; move it out of %s", ErrStranger, keeperFile, p.ID, dir)
			}
		}
		return k, nil
	case errors.Is(err, ErrStranger):
		return nil, fmt.Errorf("%w; move it out of %s", err, dir)
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrFile):
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(dir, dirMode), os.Chmod(dir, dirMode)); err != nil {
		return nil, fmt.Errorf("keeper: make directory: %w", err)
	}
	if k, err = rebuildKeys(r.i+1, peers); err != nil {
		return nil, err
	}
	// A crash before the new file is written leaves the old state: no file, or a
	// damaged one.
	if err := k.write(diskfile.Disk{}, dir); err != nil {
		k.wipe()
		return nil, err
	}
	out.KeyFile = true
	return k, nil
}

// rebuildKeys makes a member's key file from the key files of the others: other
// members hold every share key that it held, and they must agree on each. So the
// keeper gets back exactly the keys that it had (I-5). It gets a new identity,
// which only later key ceremonies need.
func rebuildKeys(member int, peers []*storedKeeper) (*storedKeeper, error) {
	k := &storedKeeper{Format: keeperFormat, ID: IDOf(member)}
	for _, of := range peers[0].KeySets {
		set := storedKeySet{ID: of.ID, T: of.T, N: of.N, Member: member, Members: of.Members}
		for _, m := range set.shape().SubsetsOf(member) {
			var key []byte
			for _, p := range peers {
				at, ok := p.set(of.ID)
				if !ok {
					k.wipe()
					return nil, fmt.Errorf("%w: %s lacks key set %d", ErrPeers, p.ID, of.ID)
				}
				have := at.share(m)
				if have != nil && key != nil && !equalKeys(have, key) {
					k.wipe()
					return nil, fmt.Errorf("%w: they hold different keys of subset %d", ErrPeers, m)
				}
				if have != nil && key == nil {
					key = append([]byte(nil), have...)
				}
			}
			if key == nil {
				k.wipe()
				return nil, fmt.Errorf("%w: none holds the key of subset %d", ErrPeers, m)
			}
			set.Keys = append(set.Keys, storedShare{Subset: m, Key: key})
		}
		k.KeySets = append(k.KeySets, set)
	}
	custody, err := newMemory()
	if err == nil {
		k.Identity, err = custody.Save()
	}
	if err != nil {
		k.wipe()
		return nil, err
	}
	return k, nil
}

func equalKeys(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// ownLedger repairs the existing ledger. errOwnLedger: that ledger is useless.
func (r *Repair) ownLedger(stored *storedKeeper, out *Repaired) (*Node, error) {
	n, err := openStored(r.ctx, r.s.dirs[r.i], stored, r.s.open, sqlite.MakeNone)
	switch {
	case err == nil:
	case stops(err):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", errOwnLedger, err)
	}
	if err := n.examine(r.ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errOwnLedger, err), n.Close())
	}
	return r.takeIn(n, out)
}

// newLedger moves the old ledger aside and repairs an empty one.
func (r *Repair) newLedger(stored *storedKeeper, out *Repaired) (*Node, error) {
	aside, err := setAside(r.s.dirs[r.i])
	if err != nil {
		return nil, err
	}
	out.Aside, out.NewLedger = aside, true
	// A crash from here on leaves no ledger, or one that says that its repair has
	// not ended.
	n, err := openStored(r.ctx, r.s.dirs[r.i], stored, r.s.open, sqlite.MakeRepaired)
	if err != nil {
		return nil, err
	}
	return r.takeIn(n, out)
}

// takeIn fills a node with the rows of the other keepers.
func (r *Repair) takeIn(n *Node, out *Repaired) (*Node, error) {
	r.s.mu.Lock()
	r.node = n
	r.s.mu.Unlock()
	err := n.Repair(r.ctx, r.seen[n.id], r.peers()...)
	for _, i := range r.from {
		if err == nil { // if a peer stopped meanwhile, its rows cannot be relied on
			err = r.s.sound(r.ctx, i, r.seen[r.s.seats[i].id])
		}
	}
	out.Rows = n.taken.Load()
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// setAside moves the files of a ledger into a new directory beside it, and
// returns its name; empty if there were no files. The write-ahead log is moved
// first: a crash in between leaves the ledger as it was at its last checkpoint,
// never a new ledger with an old log.
func setAside(dir string) (name string, err error) {
	var there []string
	for _, file := range []string{ledgerFile + "-wal", ledgerFile + "-shm", ledgerFile} {
		if _, err := os.Lstat(filepath.Join(dir, file)); err == nil {
			there = append(there, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("keeper: set aside: %w", err)
		}
	}
	if len(there) == 0 {
		return "", nil
	}
	aside, err := os.MkdirTemp(dir, "aside-")
	if err != nil {
		return "", fmt.Errorf("keeper: set aside: %w", err)
	}
	for _, file := range there {
		if err := os.Rename(filepath.Join(dir, file), filepath.Join(aside, file)); err != nil {
			return "", fmt.Errorf("keeper: set aside: %w", err)
		}
	}
	if err := errors.Join(diskfile.SyncDir(aside), diskfile.SyncDir(dir)); err != nil {
		return "", fmt.Errorf("keeper: set aside: %w", err)
	}
	return filepath.Base(aside), nil
}

// examine checks the node's whole ledger.
func (n *Node) examine(ctx context.Context) error {
	if b, ok := n.rows.(interface{ Examine(context.Context) error }); ok {
		return b.Examine(ctx)
	}
	return ledger.ErrMissing
}
