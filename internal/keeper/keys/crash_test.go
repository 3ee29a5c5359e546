package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// errCrash ends a process of a test in the middle of a write.
var errCrash = errors.New("the machine stops here")

// crashing is a Disk that crashes, or fails, at one moment, and counts them.
type crashing struct {
	at, now int
	fail    bool // an error of the disk, which the program sees
	where   string
}

func (c *crashing) moment(file, moment string) error {
	c.now++
	if c.now != c.at {
		return nil
	}
	c.where = file + ", " + moment
	if c.fail {
		return errors.New("no space left on device")
	}
	panic(errCrash)
}

// stride is how many moments are gone on by: errors of the disk, after which the
// program itself goes on, need no look at every one.
func stride(fail bool) int {
	if fail {
		return 5
	}
	return 1
}

// run runs a step; a crash is errCrash.
func run(step func() error) (err error) {
	defer func() {
		switch p := recover(); {
		case p == errCrash: //nolint:errorlint // itself
			err = errCrash
		case p != nil:
			panic(p)
		}
	}()
	return step()
}

// steps goes on from wherever the directory is to the end, as a person does who looks
// at its status and does what is next.
func (m *members) steps(i int, heard func() string) error {
	for range 8 {
		w, err := m.desks[i].Status()
		if err != nil {
			return err
		}
		switch w.Stage {
		case Nothing:
			_, err = m.desks[i].Begin(m.who(i), 0)
		case Hellos, Offers, Prints:
			for j := range m.desks {
				if i != j {
					m.others(i)
					if _, e := m.desks[i].Take(m.bag(j)...); e != nil && !errors.Is(e, ErrOrder) {
						err = errors.Join(err, e)
					}
				}
			}
		case Reading:
			_, err = m.desks[i].Finish(m.t.Context(), heard())
		case Ready:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%s does not come to an end", idOf(i+1))
}

// others has everybody but one take whatever lies there.
func (m *members) others(i int) {
	m.t.Helper()
	for j, d := range m.desks {
		var all [][]byte
		for k := range m.desks {
			if k != j && j != i {
				all = append(all, m.bag(k)...)
			}
		}
		if len(all) == 0 {
			continue
		}
		if _, err := d.Take(all...); err != nil && !errors.Is(err, ErrOrder) {
			m.t.Fatal(err)
		}
	}
}

// TestCrashesInACeremony: a process that ends at any moment of any write of a ceremony,
// or a disk that fails there, leaves a directory that goes on, or that has nothing; and
// it reads the digits of the others in the end.
func TestCrashesInACeremony(t *testing.T) {
	t.Parallel()
	const crasher = 1
	for _, fail := range []bool{false, true} {
		for at, ended := 1, false; !ended; at += stride(fail) {
			m := newMembers(t, split.Shape{T: 2, N: 3})
			for _, i := range []int{0, 2} {
				must2(m.desks[i].Begin(m.who(i), 0))(t)
			}
			c := &crashing{at: at, fail: fail}
			m.desks[crasher].Disk.At = c.moment
			heard := func() string {
				m.others(crasher)
				return must2(m.desks[0].Status())(t).Digits
			}
			err := run(func() error { return m.steps(crasher, heard) })
			if ended = c.where == ""; ended {
				must(t, 0, err)
				if at < 30 {
					t.Errorf("only %d moments", at-1)
				}
				continue
			}
			if err == nil || fail == errors.Is(err, errCrash) {
				t.Fatalf("at %s: %v", c.where, err)
			}
			m.desks[crasher].Disk.At = nil
			if err := m.steps(crasher, heard); err != nil {
				t.Errorf("after %s (fails %t): %v", c.where, fail, err)
				continue
			}
			if left := m.desks[crasher].leftovers(t); left != "" {
				t.Errorf("after %s: %s is left", c.where, left)
			}
		}
	}
}

// TestCrashesInAReplacement: the same of a keeper that gets its share keys back.
func TestCrashesInAReplacement(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.ceremony()
	want := m.keysOf(1, 1)
	for _, fail := range []bool{false, true} {
		for at, ended := 1, false; !ended; at += stride(fail) {
			c := &crashing{at: at, fail: fail}
			m.desks[1] = deskAt(filepath.Join(t.TempDir(), "new"))
			m.desks[1].Disk.At = c.moment
			err := run(m.regain)
			if ended = c.where == ""; ended {
				must(t, 0, err)
				continue
			}
			if err == nil || fail == errors.Is(err, errCrash) {
				t.Fatalf("at %s: %v", c.where, err)
			}
			m.desks[1].Disk.At = nil
			if err := m.regain(); err != nil {
				t.Errorf("after %s (fails %t): %v", c.where, fail, err)
			} else if got := m.keysOf(1, 1); got[0b011] != want[0b011] || got[0b110] != want[0b110] || len(got) != 2 {
				t.Errorf("after %s: other keys", c.where)
			}
		}
	}
}

// regain goes on from wherever the directory of member 2 is.
func (m *members) regain() error {
	d := m.desks[1]
	for range 8 {
		w, err := d.Status()
		if err != nil {
			return err
		}
		switch w.Stage {
		case Nothing:
			_, err = d.Replace(m.who(1))
		case Gifts:
			giver := m.desks[w.Waits[0].Member-1]
			gift := must2(giver.Give(m.t.Context(), file(m.t, w), w.Digits, nil))(m.t)
			_, err = d.TakeGift(file(m.t, gift), gift.Digits)
		case Gathered:
			_, err = d.Gather()
		case Ready:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("it does not come to an end")
}

// TestNothingIsMadeWhereOthersReach: in a directory that another account could put links
// into, no step makes or opens anything.
func TestNothingIsMadeWhereOthersReach(t *testing.T) {
	t.Parallel()
	dir, elsewhere := filepath.Join(t.TempDir(), "k"), filepath.Join(t.TempDir(), "made")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755), os.Symlink(elsewhere, filepath.Join(dir, lockFile+".lock"))); err != nil {
		t.Fatal(err)
	}
	d := deskAt(dir)
	w := Who{ID: "k1", Member: 1, Shape: split.Shape{T: 2, N: 3}}
	for name, step := range map[string]func() error{
		"status":  func() error { _, err := d.Status(); return err },
		"begin":   func() error { _, err := d.Begin(w, 0); return err },
		"replace": func() error { _, err := d.Replace(w); return err },
		"rotate":  func() error { _, err := d.Rotate(0); return err },
		"cancel":  func() error { _, err := d.Cancel(); return err },
	} {
		if err := step(); !errors.Is(err, keeper.ErrMode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(elsewhere); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link was followed: %v", err)
	}
}
