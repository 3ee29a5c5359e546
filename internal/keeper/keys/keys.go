// Package keys makes key sets among keepers of several administrations, by files that
// people carry and digits that they read to one another. It also brings a lost keeper's
// share keys back.
//
// It guarantees that no process ever holds all share keys of a key set (I-5): each key
// is made by one member and sealed to the others; that a keeper takes a key set into
// use only after somebody typed the digits that another member read, which cover the
// identities of all members, the key set, its shape and the fingerprints of all share
// keys, and seals a key that is in use only to an identity whose digits were
// typed; that a step out of order is refused with the name of the next one; and that a
// crash between or within steps leaves a directory that can continue or begin again.
//
// It trusts the people to read correctly and to type what they hear, the voice or the
// room in which they do so, and everyone who can read the keeper's directory. It does
// not trust the people who carry the files: they may read, keep back, swap and repeat
// them.
//
// docs/KEEPERS.md has the runbook; docs/decisions/0062 gives the reasons and the number
// of digits.
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
	stateFile  = "ceremony.json" // of a running ceremony; secret
	askFile    = "asking.json"   // of a keeper that is asking the others for share keys; secret
	lockFile   = "keys"          // with .lock: one process at a time works on the keys
	keeperFile = "keeper.json"

	// CarryDir holds the files that people must carry to other members.
	CarryDir = "carry"
)

// Errors of this package, beside those of package keeper.
var (
	// ErrOrder: this is not the next step; OrderError names it.
	ErrOrder = errors.New("keys: not the next step")
	// ErrFile: the file is not one of a key ceremony, or is damaged.
	ErrFile = errors.New("keys: not a file of a key ceremony, or damaged")
	// ErrState: the ceremony or the request in the directory is damaged: call Cancel.
	ErrState = errors.New("keys: what is under way here is damaged")
	// ErrOther: the file is of another ceremony, or of members that were given other
	// files than this one.
	ErrOther = errors.New("keys: of another ceremony")
	// ErrTwice: a different file of the same member was taken before.
	ErrTwice = errors.New("keys: another file of this member was taken before")
	// ErrSet: the file is about another key set or shape than this keeper's.
	ErrSet = errors.New("keys: of another key set or shape")
	// ErrReading: the digits differ from this keeper's.
	ErrReading = errors.New("keys: other digits than this keeper's")
	// ErrDiffer: members hold different keys, or give different facts about them.
	ErrDiffer = errors.New("keys: members hold different keys")
	// ErrServes: the keeper that is to be replaced still answers.
	ErrServes = errors.New("keys: the keeper that is to be replaced answers")
	// ErrAlone: in a shape of one keeper there are no others to make keys with or to
	// get them from.
	ErrAlone = errors.New("keys: a keeper alone")
	// ErrLacking: no key set is complete.
	ErrLacking = errors.New("keys: share keys are lacking")
	// ErrName: the id is not a valid name of a keeper.
	ErrName = errors.New("keys: not a name of a keeper")
	// ErrBusy: another process works on the keys of the directory.
	ErrBusy = errors.New("keys: another process works on this directory")
)

// OrderError gives the directory's state, and with it the next step.
type OrderError struct{ Where Where }

// Error implements error.
func (e *OrderError) Error() string {
	return fmt.Sprintf("%s: %s is next", ErrOrder, e.Where.Stage)
}

// Unwrap makes it an ErrOrder.
func (e *OrderError) Unwrap() error { return ErrOrder }

// Stage is the progress of a directory. Its text names what the directory waits for.
type Stage string

// The stages.
const (
	Nothing  Stage = "begin"   // no ceremony and no key set
	Hellos   Stage = "hellos"  // waits for hellos of the other members
	Offers   Stage = "offers"  // waits for offers of the members that make share keys for this one
	Prints   Stage = "prints"  // waits for fingerprints of the other members
	Reading  Stage = "reading" // the digits must be compared
	Gifts    Stage = "gifts"   // a lost keeper waits for the others' share keys
	Gathered Stage = "finish"  // a lost keeper has all of them
	Ready    Stage = "ready"   // has key sets, and nothing is running
)

// Where describes the state of a directory. Nothing in it is secret.
type Where struct {
	Stage  Stage
	ID     keeper.ID
	KeySet uint32 // of the running ceremony
	Shape  split.Shape
	Member int
	Waits  []Party  // the members whose files are still needed
	Others []Party  // the other members
	Carry  []string // files for the other members, by path
	// Digits must be compared: by all members, with Reading and after Finish; by the
	// receiver of the file, with Gifts and after Give.
	Digits string
	Sets   []keeper.SetInfo // the key sets that the keeper holds
	Left   []uint32         // after Finish: incomplete key sets
}

// Party is a member; ID is empty if it is not known yet.
type Party struct {
	Member int
	ID     keeper.ID
}

// Who is a keeper that begins a ceremony or asks for keys.
type Who struct {
	ID     keeper.ID
	Member int
	Shape  split.Shape
}

// nameForm is the form of keepers' names, which are part of file names.
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
	Custodian keeper.Custodian // holds the share keys; nil: they are in keeper.json
	Disk      diskfile.Disk    // for tests of crashes

	steps int // of hashing before the digits; 0: stretch. Only tests of hundreds of ceremonies take fewer
}

// hold keeps other processes away from the directory's keys, and removes the remains of
// writes that a crash cut off. It makes and removes nothing in a directory that others can
// access: the files there may be theirs.
func (d Desk) hold() (release func(), err error) {
	own, err := keeper.OpenPrivate(d.Dir, fs.ModeDir)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	_ = own.Close() // it was only checked
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

// within runs f while it holds the lease on the directory.
func (d Desk) within(f func() (Where, error)) (Where, error) {
	release, err := d.hold()
	if err != nil {
		return Where{}, err
	}
	defer release()
	return f()
}

// made makes the directory of a keeper without keys, if there is none yet, and runs do
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

// opened holds the lease and runs do with the existing key file; it returns an OrderError
// if there is none.
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

// carry writes a file for the other members. It contains no secrets.
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
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // the file is no secret, and copies keep its mode
		return "", fmt.Errorf("keys: %w", err)
	}
	return path, nil
}

// clearCarry removes the files that were waiting to be carried.
func (d Desk) clearCarry() error {
	err := os.RemoveAll(filepath.Join(d.Dir, CarryDir))
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

// Status returns the directory's state, and writes missing files that must be carried
// again.
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
	// What a crash, a ceremony that was given up, or an earlier release left open.
	return quiet(f), f.Custody().EndReceiving()
}

// quiet is the state of a directory in which nothing is running.
func quiet(f *keeper.KeyFile) Where {
	w := Where{Stage: Nothing, ID: f.ID(), Sets: f.KeySets()}
	if n := len(w.Sets); n > 0 {
		last := w.Sets[n-1]
		w.Stage, w.Shape, w.Member = Ready, last.Shape, last.Member
		w.Others = others(last.Member, last.Members, last.Shape)
	}
	return w
}

// others returns the other members of a shape.
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

// free returns an OrderError while a ceremony is running, or while the keeper asks the
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

// outOfOrder returns the OrderError with the directory's state.
func (d Desk) outOfOrder() error {
	w, err := d.status()
	if err != nil {
		return err
	}
	return &OrderError{w}
}

// Cancel ends the running ceremony or request without a result. Share keys that were
// made for it are forgotten; keys in use stay.
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

// drop destroys the share keys of a running ceremony if they are in a device. If the
// ceremony's file is damaged it names no keys, but keys made for it were never used.
func (d Desk) drop() error {
	f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
	if errors.Is(err, keeper.ErrShareKeys) {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // status reports it
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

// fileOf returns the name of a file to be carried.
func fileOf(id keeper.ID, what string, keySet uint32) string {
	return fmt.Sprintf("%s-%s-%d.json", id, what, keySet)
}

// fileOfAsking returns the name of a file that asks for keys or gives them.
func fileOfAsking(id keeper.ID, what string) string { return fmt.Sprintf("%s-%s.json", id, what) }
