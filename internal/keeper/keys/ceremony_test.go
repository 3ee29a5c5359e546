package keys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

func shapes() []split.Shape { return []split.Shape{{T: 2, N: 3}, {T: 3, N: 5}} }

// TestCeremony: all members read the same digits, hold the same keys where they
// hold any, and open as keepers of one quorum; a second key set stands beside the
// first.
func TestCeremony(t *testing.T) {
	t.Parallel()
	for _, shape := range shapes() {
		m := newMembers(t, shape)
		m.begin()
		at := m.pass()
		for i, w := range at {
			if w.Stage != Reading || w.Digits != at[0].Digits || len(w.Digits) != 49 {
				t.Fatalf("%s: %s reads %q, %s", shape, idOf(i+1), w.Digits, w.Stage)
			}
		}
		first := at[0].Digits
		m.finish(at)
		m.begin()
		at = m.pass()
		if at[0].Digits == first {
			t.Error("two ceremonies have the same digits")
		}
		m.finish(at)
		var dirs []string
		for set := uint32(1); set <= 2; set++ {
			all := map[split.Subset]string{}
			for i, d := range m.desks {
				for s, k := range m.keysOf(i, set) {
					if all[s] != "" && all[s] != k {
						t.Errorf("%s: two keys of subset %b", shape, s)
					}
					all[s] = k
				}
				if set == 1 {
					dirs = append(dirs, d.Dir)
				}
			}
			if len(all) != len(shape.Subsets()) {
				t.Errorf("%s: %d share keys", shape, len(all))
			}
		}
		seats := must2(keeper.OpenSeats(t.Context(), dirs, shape, keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler)}))(t)
		if err := seats.Enough(); err != nil || len(seats.Nodes()) != shape.N || len(seats.KeySets()) != 2 {
			t.Errorf("%s: %d keepers with key sets %v, %v", shape, len(seats.Nodes()), seats.KeySets(), err)
		}
		must(t, 0, seats.Close())
		for _, dir := range dirs {
			if _, err := os.Lstat(filepath.Join(dir, stateFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is left: %v", stateFile, err)
			}
		}
	}
}

// TestNobodyHoldsEveryKey (I-5): at no moment have t-1 directories, with all that
// was ever carried, every share key.
func TestNobodyHoldsEveryKey(t *testing.T) {
	t.Parallel()
	for _, shape := range shapes() {
		m := newMembers(t, shape)
		dumps := make([]string, shape.N)
		look := func() {
			for i, d := range m.desks {
				dumps[i] += dump(t, d.Dir)
			}
		}
		m.begin()
		look()
		for i := range m.desks { // one round at a time, so that every state is seen
			for j := range m.desks {
				if i != j {
					_, _ = m.desks[j].Take(m.bag(i)...) // some come too early
				}
			}
			look()
		}
		m.finish(m.pass())
		look()
		// A lost member is replaced, and its new directory counts with its old one.
		m.replace(1)
		look()
		keys := map[split.Subset]string{}
		for i := range m.desks {
			for s, k := range m.keysOf(i, 1) {
				keys[s] = k
			}
		}
		carried := string(bytes.Join(m.seen, nil))
		for set := range uint(1) << shape.N {
			all, n := carried, 0
			for i := range dumps {
				if set>>i&1 == 1 {
					all, n = all+dumps[i], n+1
				}
			}
			missing := 0
			for _, k := range keys {
				if !holds(all, k) {
					missing++
				}
			}
			if n < shape.T && missing == 0 {
				t.Errorf("%s: members %b with what was carried hold every share key", shape, set)
			}
			if n >= shape.T && missing != 0 {
				t.Errorf("%s: members %b miss %d share keys", shape, set, missing)
			}
			if n == 0 && missing != len(keys) {
				t.Errorf("%s: %d share keys were carried in the open", shape, len(keys)-missing)
			}
		}
	}
}

func holds(dump, key string) bool {
	for _, spelling := range []string{key, hex.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString([]byte(key)), base64.RawURLEncoding.EncodeToString([]byte(key))} {
		if strings.Contains(dump, spelling) {
			return true
		}
	}
	return false
}

// TestOrder: each step out of order is refused, and the refusal names the next one.
func TestOrder(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	d := m.desks[1]
	wantStage(t, must2(d.Status())(t), nil, Nothing)
	if _, err := d.Take(); err == nil {
		t.Error("files of a directory that is not there")
	}
	wantStage(t, must2(d.Begin(m.who(1), 0))(t), nil, Hellos)
	_, err := d.Begin(m.who(1), 0)
	wantOrder(t, err, Hellos)
	_, err = d.Rotate(0)
	wantOrder(t, err, Hellos)
	_, err = d.Join()
	wantOrder(t, err, Hellos)
	_, err = d.Finish(t.Context(), "1")
	wantOrder(t, err, Hellos)
	_, err = d.Gather()
	wantOrder(t, err, Hellos)
	for _, i := range []int{0, 2} {
		must2(m.desks[i].Begin(m.who(i), 0))(t)
	}
	w := must2(d.Take(m.bag(2)...))(t)
	if w.Stage != Hellos || len(w.Waits) != 1 || w.Waits[0].Member != 1 || w.Others[1].ID != "k3" {
		t.Errorf("%+v", w)
	}
	must2(m.desks[0].Take(append(m.bag(1), m.bag(2)...)...))(t)
	must2(m.desks[2].Take(append(m.bag(0)[:1], m.bag(1)...)...))(t)
	files := m.bag(0) // hello, offers, prints
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	_, err = d.Take(files[1])
	wantOrder(t, err, Hellos)
	wantStage(t, must2(d.Take(files[0]))(t), nil, Offers)
	_, err = d.Take(files[2])
	wantOrder(t, err, Offers)
	_, err = d.Finish(t.Context(), "1")
	wantOrder(t, err, Offers)
	wantStage(t, must2(d.Take(files...))(t), nil, Prints)
	wantStage(t, must2(d.Take(files...))(t), nil, Prints) // again, which changes nothing
	at := m.pass()
	if _, err := d.Finish(t.Context(), "0000"); !errors.Is(err, ErrReading) {
		t.Errorf("other digits: %v", err)
	}
	other := strings.Map(func(r rune) rune {
		if r == '1' {
			return '2'
		}
		return r
	}, at[0].Digits)
	if _, err := d.Finish(t.Context(), other); !errors.Is(err, ErrReading) {
		t.Errorf("other digits: %v", err)
	}
	if _, err := keeper.OpenNode(t.Context(), d.Dir, keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler)}); !errors.Is(err, keeper.ErrNoKeySet) {
		t.Errorf("opened before it was finished: %v", err)
	}
	wide := strings.NewReplacer("0", "０", " ", "-").Replace(at[0].Digits)
	wantStage(t, must2(d.Finish(t.Context(), wide))(t), nil, Ready)
	_, err = d.Finish(t.Context(), at[0].Digits)
	wantOrder(t, err, Ready)
	_, err = d.Take(files...)
	wantOrder(t, err, Ready)
	if _, err := d.Begin(m.who(1), 0); !errors.Is(err, keeper.ErrExists) {
		t.Errorf("a second first ceremony: %v", err)
	}
	if _, err := d.Replace(m.who(1)); !errors.Is(err, keeper.ErrExists) {
		t.Errorf("a keeper takes its own place: %v", err)
	}
	if _, err := d.Rotate(1); !errors.Is(err, ErrSet) {
		t.Errorf("key set 1 twice: %v", err)
	}
}

// TestBeginRefuses: a shape that is none or has one keeper, and names that are none.
func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		who  Who
		want error
	}{
		"2 of 2":       {Who{"k1", 1, split.Shape{T: 2, N: 2}}, split.ErrShape},
		"1 of 1":       {Who{"k1", 1, split.Shape{T: 1, N: 1}}, ErrAlone},
		"member 0":     {Who{"k1", 0, split.Shape{T: 2, N: 3}}, ErrSet},
		"member 4":     {Who{"k1", 4, split.Shape{T: 2, N: 3}}, ErrSet},
		"no name":      {Who{"", 1, split.Shape{T: 2, N: 3}}, ErrName},
		"a path":       {Who{"../k1", 1, split.Shape{T: 2, N: 3}}, ErrName},
		"large":        {Who{"K1", 1, split.Shape{T: 2, N: 3}}, ErrName},
		"too long":     {Who{keeper.ID(strings.Repeat("k", 33)), 1, split.Shape{T: 2, N: 3}}, ErrName},
		"of two lines": {Who{"k1\n", 1, split.Shape{T: 2, N: 3}}, ErrName},
	} {
		dir := filepath.Join(t.TempDir(), "k")
		for _, begin := range []func() (Where, error){
			func() (Where, error) { return deskAt(dir).Begin(tt.who, 0) },
			func() (Where, error) { return deskAt(dir).Replace(tt.who) },
		} {
			if _, err := begin(); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a directory was made", name)
		}
	}
}

// TestCancel: a ceremony that is cancelled leaves an identity to begin anew with, and
// the key sets that are there.
func TestCancel(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.begin()
	m.pass()
	for i, d := range m.desks {
		w := must2(d.Cancel())(t)
		if w.Stage != Nothing {
			t.Errorf("%s", w.Stage)
		}
		if strings.Contains(dump(t, d.Dir), "share_keys\": [\n") {
			t.Errorf("%s: share keys are left", idOf(i+1))
		}
	}
	m.ceremony()
	before := m.keysOf(0, 1)
	m.begin()
	m.pass()
	for _, d := range m.desks {
		wantStage(t, must2(d.Cancel())(t), nil, Ready)
	}
	if after := m.keysOf(0, 1); len(after) != len(before) {
		t.Error("the key set is gone")
	}
	// One that finished alone: the others' next key set has a number above its own.
	m.begin()
	at := m.pass()
	must2(m.desks[0].Finish(t.Context(), at[1].Digits))(t)
	must2(m.desks[1].Cancel())(t)
	must2(m.desks[2].Cancel())(t)
	must2(m.desks[0].Rotate(0))(t)
	must2(m.desks[1].Rotate(0))(t)
	if _, err := m.desks[1].Take(m.bag(0)...); !errors.Is(err, ErrSet) {
		t.Errorf("key set 3 meets 2: %v", err)
	}
	must2(m.desks[1].Cancel())(t)
	must2(m.desks[1].Rotate(3))(t)
	must2(m.desks[2].Rotate(3))(t)
	m.finish(m.pass())
}

// TestFilesAreTheOwners: directories, state and keys are their owner's alone, and a
// state that others can read is not worked with.
func TestFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.begin()
	m.pass()
	d := m.desks[0]
	err := filepath.WalkDir(d.Dir, func(path string, e os.DirEntry, err error) error {
		info := must2(e.Info())(t)
		if filepath.Dir(path) != filepath.Join(d.Dir, CarryDir) && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	must(t, 0, err)
	must(t, 0, os.Chmod(filepath.Join(d.Dir, stateFile), 0o640))
	if _, err := d.Status(); !errors.Is(err, keeper.ErrMode) {
		t.Errorf("a state that others can read: %v", err)
	}
	must(t, 0, os.Chmod(filepath.Join(d.Dir, stateFile), 0o600))
	must(t, 0, os.WriteFile(filepath.Join(d.Dir, stateFile), []byte("{}\n"), 0o600))
	if _, err := d.Status(); !errors.Is(err, ErrState) {
		t.Errorf("a damaged state: %v", err)
	}
	wantStage(t, must2(d.Cancel())(t), nil, Nothing)
	release := must2(d.hold())(t)
	defer release()
	if _, err := d.Status(); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
}
