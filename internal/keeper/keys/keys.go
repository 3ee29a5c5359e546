// Package keys makes key sets among keepers of several administrations, by files
// that people carry and digits that they read to one another, and brings a lost
// keeper its share keys back.
//
// It guarantees that no process ever holds all share keys of a key set (I-5): each
// is made by one member and sealed to the others; that a keeper takes a key set into
// use only after the digits were typed that another member read, which cover the
// identities of all members, the key set, its shape and the fingerprints of all
// share keys, and seals a key that is in use only to an identity whose digits
// were typed; that a step out of order is refused and names the next one; and that a
// crash between or within steps leaves a directory that goes on or begins anew.
//
// It trusts the people to read and to type what they hear, the voice or the room in
// which they do so, and everyone who can read the keeper's directory. It does not
// trust who carries the files: that one may read, keep back, swap and repeat them.
//
// docs/KEEPERS.md has the runbook; docs/decisions/0062 says why so and how many
// digits.
//
// Start here: Desk, then ceremony.go and replace.go.
package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// Names in a keeper's directory.
const (
	stateFile  = "ceremony.json" // of a ceremony under way; secret
	askFile    = "asking.json"   // of a keeper that asks the others for share keys; secret
	lockFile   = "keys"          // with .lock: one at a time works on the keys
	keeperFile = "keeper.json"

	// CarryDir is where files are put that are to be carried to other members.
	CarryDir = "carry"
)

// Errors of this package, beside those of package keeper.
var (
	// ErrOrder is a step out of order; OrderError names the next one.
	ErrOrder = errors.New("keys: not the next step")
	// ErrFile is a file that is none of a ceremony, or damaged.
	ErrFile = errors.New("keys: not a file of a key ceremony, or damaged")
	// ErrState is a ceremony or an asking of the directory that is damaged: Cancel it.
	ErrState = errors.New("keys: what is under way here is damaged")
	// ErrOther is a file of another ceremony, or one of members that were given other
	// files than this one.
	ErrOther = errors.New("keys: of another ceremony")
	// ErrTwice is a file of a member of whom another one was taken before.
	ErrTwice = errors.New("keys: another file of this member was taken before")
	// ErrSet is a file about another key set or shape than this keeper's.
	ErrSet = errors.New("keys: of another key set or shape")
	// ErrReading are digits that differ from those of this keeper.
	ErrReading = errors.New("keys: other digits than this keeper's")
	// ErrDiffer are members that hold different keys, or say different things of them.
	ErrDiffer = errors.New("keys: members hold different keys")
	// ErrServes: the keeper that is to be replaced still answers.
	ErrServes = errors.New("keys: the keeper that is to be replaced answers")
	// ErrAlone is a shape of one keeper, which has no others to make keys with or to
	// get them from.
	ErrAlone = errors.New("keys: a keeper alone")
	// ErrLacking: no key set came whole.
	ErrLacking = errors.New("keys: share keys are lacking")
	// ErrName is an id that is no name of a keeper.
	ErrName = errors.New("keys: not a name of a keeper")
	// ErrBusy: another process works on the keys of the directory.
	ErrBusy = errors.New("keys: another process works on this directory")
)

// OrderError says where the directory stands, and so what comes next.
type OrderError struct{ Where Where }

// Error implements error.
func (e *OrderError) Error() string {
	return fmt.Sprintf("%s: %s is next", ErrOrder, e.Where.Stage)
}

// Unwrap makes it an ErrOrder.
func (e *OrderError) Unwrap() error { return ErrOrder }

// Stage is how far a directory is. Its text names what the directory waits for.
type Stage string

// The stages.
const (
	Nothing  Stage = "begin"   // no ceremony, and no key set
	Hellos   Stage = "hellos"  // of the other members
	Offers   Stage = "offers"  // of members that make share keys for this one
	Prints   Stage = "prints"  // of the other members
	Reading  Stage = "reading" // the digits are to be compared
	Gifts    Stage = "gifts"   // a lost keeper waits for share keys of the others
	Gathered Stage = "finish"  // and has all of them
	Ready    Stage = "ready"   // key sets, and nothing under way
)

// Where says how a directory stands. Nothing in it is secret.
type Where struct {
	Stage  Stage
	ID     keeper.ID
	KeySet uint32 // of the ceremony under way
	Shape  split.Shape
	Member int
	Waits  []Party  // whose file is waited for
	Others []Party  // the other members
	Carry  []string // files for the other members, by path
	// Digits are to be compared: with Reading and after Finish by all members; with Gifts
	// and after Give they are for the one who gets the file.
	Digits string
	Sets   []keeper.SetInfo // that the keeper holds
	Left   []uint32         // after Finish: key sets that did not come whole
}

// Party is a member; ID is empty while it is not known.
type Party struct {
	Member int
	ID     keeper.ID
}

// Who is a keeper that begins.
type Who struct {
	ID     keeper.ID
	Member int
	Shape  split.Shape
}

// nameForm are the names of keepers: they stand in names of files.
var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (w Who) check() error {
	if err := w.Shape.Validate(); err != nil {
		return err
	}
	if w.Shape.N == 1 {
		return ErrAlone
	}
	if !nameForm.MatchString(string(w.ID)) {
		return fmt.Errorf("%w: %q", ErrName, w.ID)
	}
	if w.Member < 1 || w.Member > w.Shape.N {
		return fmt.Errorf("%w: member %d of %s", ErrSet, w.Member, w.Shape)
	}
	return nil
}

// Desk works on the keys of one keeper's directory.
type Desk struct {
	Dir       string
	Custodian keeper.Custodian // has the share keys; nil: they are in keeper.json
	Disk      diskfile.Disk    // for tests of crashes

	steps int // of hashing before the digits; 0: stretch. Only tests of hundreds of ceremonies take fewer
}

// hold keeps other processes from the directory's keys, and clears away what a crash
// left of a write. Nothing is made or removed in a directory that others can reach: what is
// there may be theirs.
func (d Desk) hold() (release func(), err error) {
	own, err := keeper.OpenPrivate(d.Dir, fs.ModeDir)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	_ = own.Close() // it was only looked at
	free, err := sqlitefile.Hold(filepath.Join(d.Dir, lockFile))
	switch {
	case errors.Is(err, sqlitefile.ErrInUse):
		return nil, fmt.Errorf("%w: %s", ErrBusy, d.Dir)
	case err != nil:
		return nil, fmt.Errorf("keys: %w", err)
	}
	release = func() { _ = free() } // it was only read from
	if err := d.Disk.Sweep(d.Dir, keeperFile, stateFile, askFile); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// within runs f while it holds the directory.
func (d Desk) within(f func() (Where, error)) (Where, error) {
	release, err := d.hold()
	if err != nil {
		return Where{}, err
	}
	defer release()
	return f()
}

// made makes the directory of a keeper without keys, where there is none yet, and runs do
// with its key file.
func (d Desk) made(w Who, do func(*keeper.KeyFile) (Where, error)) (Where, error) {
	if err := w.check(); err != nil {
		return Where{}, err
	}
	if err := keeper.MakePrivate(d.Dir); err != nil {
		return Where{}, err
	}
	return d.within(func() (Where, error) {
		if err := d.free(); err != nil {
			return Where{}, err
		}
		f, err := keeper.MakeKeyFile(d.Disk, d.Dir, w.ID, d.Custodian)
		if err != nil {
			return Where{}, err
		}
		defer f.Wipe()
		return do(f)
	})
}

// opened holds the directory and runs do with the key file that is there; an OrderError if
// there is none.
func (d Desk) opened(do func(*keeper.KeyFile) (Where, error)) (Where, error) {
	return d.within(func() (Where, error) {
		f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
		if errors.Is(err, fs.ErrNotExist) {
			return Where{}, &OrderError{Where{Stage: Nothing}}
		}
		if err != nil {
			return Where{}, err
		}
		defer f.Wipe()
		return do(f)
	})
}

// carry writes a file for the other members. It is for everybody's eyes.
func (d Desk) carry(name string, data []byte) (path string, err error) {
	dir := filepath.Join(d.Dir, CarryDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keys: %w", err)
	}
	if err := d.Disk.Sweep(dir, name); err != nil {
		return "", err
	}
	if err := d.Disk.Write(dir, name, data); err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // what is carried is no secret, and whoever copies it keeps its mode
		return "", fmt.Errorf("keys: %w", err)
	}
	return path, nil
}

// clearCarry removes what was put there to be carried.
func (d Desk) clearCarry() error {
	err := os.RemoveAll(filepath.Join(d.Dir, CarryDir))
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

// Status says how the directory stands, and makes files that are to be carried anew
// where they are missing.
func (d Desk) Status() (Where, error) {
	if _, err := os.Lstat(d.Dir); errors.Is(err, fs.ErrNotExist) {
		return Where{Stage: Nothing}, nil
	}
	return d.within(d.status)
}

func (d Desk) status() (Where, error) {
	f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
	if errors.Is(err, fs.ErrNotExist) {
		return Where{Stage: Nothing}, nil
	}
	if err != nil {
		return Where{}, err
	}
	defer f.Wipe()
	if c, err := d.underWay(f); err != nil || c != nil {
		if err != nil {
			return Where{}, err
		}
		defer c.Wipe()
		return d.where(f, c)
	}
	if a, err := d.asking(f); err != nil || a != nil {
		if err != nil {
			return Where{}, err
		}
		defer a.wipe()
		return d.whereAsking(f, a)
	}
	return quiet(f), nil
}

// quiet is a directory in which nothing is under way.
func quiet(f *keeper.KeyFile) Where {
	w := Where{Stage: Nothing, ID: f.ID(), Sets: f.KeySets()}
	if n := len(w.Sets); n > 0 {
		last := w.Sets[n-1]
		w.Stage, w.Shape, w.Member = Ready, last.Shape, last.Member
		w.Others = others(last.Member, last.Members, last.Shape)
	}
	return w
}

// others are the other members of a shape.
func others(own int, ids []keeper.ID, shape split.Shape) (out []Party) {
	for i := 1; i <= shape.N; i++ {
		if i == own {
			continue
		}
		p := Party{Member: i}
		if i <= len(ids) {
			p.ID = ids[i-1]
		}
		out = append(out, p)
	}
	return out
}

// free is an OrderError while a ceremony is under way, or while the keeper asks the
// others for share keys.
func (d Desk) free() error {
	w, err := d.status()
	if err != nil {
		return err
	}
	if w.Stage != Nothing && w.Stage != Ready {
		return &OrderError{w}
	}
	return nil
}

// outOfOrder is the OrderError that says how the directory stands.
func (d Desk) outOfOrder() error {
	w, err := d.status()
	if err != nil {
		return err
	}
	return &OrderError{w}
}

// Cancel ends what is under way without a result. Share keys that were made for it
// are forgotten; those that are in use stay.
func (d Desk) Cancel() (Where, error) {
	return d.within(func() (Where, error) {
		if err := d.drop(); err != nil {
			return Where{}, err
		}
		for _, name := range []string{stateFile, askFile} {
			if err := d.Disk.Remove(d.Dir, name); err != nil {
				return Where{}, err
			}
		}
		if err := d.clearCarry(); err != nil {
			return Where{}, err
		}
		return d.status()
	})
}

// drop destroys the share keys of a ceremony under way where they are in a device. What
// is damaged names no keys: those that it had made were never used.
func (d Desk) drop() error {
	f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
	if errors.Is(err, keeper.ErrShareKeys) {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // status says it
	}
	defer f.Wipe()
	m, err := d.underWay(f)
	if errors.Is(err, keeper.ErrShareKeys) {
		return err
	}
	if m == nil {
		return nil
	}
	defer m.Wipe()
	return m.Drop()
}

// fileOf is the name of a file that is carried.
func fileOf(id keeper.ID, what string, keySet uint32) string {
	return fmt.Sprintf("%s-%s-%d.json", id, what, keySet)
}

// fileOfAsking is the name of a file that asks or gives.
func fileOfAsking(id keeper.ID, what string) string { return fmt.Sprintf("%s-%s.json", id, what) }
