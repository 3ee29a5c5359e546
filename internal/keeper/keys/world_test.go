package keys

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// members are the directories of a shape's keepers, and a carrier's bag.
type members struct {
	t     *testing.T
	shape split.Shape
	desks []Desk
	seen  [][]byte // all that was ever carried
}

// deskAt works on a directory. Its digits take few steps: these tests go through hundreds
// of ceremonies, and TestDigits has those of a desk as it comes.
func deskAt(dir string) Desk { return Desk{Dir: dir, steps: 4} }

func newMembers(t *testing.T, shape split.Shape) *members {
	t.Helper()
	m := &members{t: t, shape: shape}
	for i := range shape.N {
		m.desks = append(m.desks, deskAt(filepath.Join(t.TempDir(), idOf(i+1))))
	}
	return m
}

func idOf(member int) string { return "k" + string(rune('0'+member)) }

func (m *members) who(i int) Who {
	return Who{ID: keeper.ID(idOf(i + 1)), Member: i + 1, Shape: m.shape}
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// bag reads all files that a directory has for the others.
func (m *members) bag(i int) (out [][]byte) {
	m.t.Helper()
	paths := must2(filepath.Glob(filepath.Join(m.desks[i].Dir, CarryDir, "*.json")))(m.t)
	slices.SortFunc(paths, func(a, b string) int { return m.rank(a) - m.rank(b) })
	for _, path := range paths {
		out = append(out, must2(os.ReadFile(path))(m.t))
	}
	m.seen = append(m.seen, out...)
	return out
}

func (m *members) rank(path string) int {
	return must2(parse(must2(os.ReadFile(path))(m.t)))(m.t).rank()
}

// begin begins the first ceremony everywhere, or another one.
func (m *members) begin() {
	m.t.Helper()
	for i, d := range m.desks {
		w, err := d.Status()
		if err == nil && w.Stage == Ready {
			_, err = d.Rotate(0)
		} else if err == nil {
			_, err = d.Begin(m.who(i), 0)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// pass carries everything that is there to everybody, until nobody waits for a file.
// It returns how each stands.
func (m *members) pass() []Where {
	m.t.Helper()
	out := make([]Where, len(m.desks))
	for range 4 {
		for j, d := range m.desks {
			for i := range m.desks {
				if i == j || out[j].Stage == Reading {
					continue
				}
				w, err := d.Take(m.bag(i)...)
				if err != nil && !errors.Is(err, ErrOrder) {
					m.t.Fatalf("%s takes %s's: %v", idOf(j+1), idOf(i+1), err)
				}
				out[j] = w
			}
		}
	}
	return out
}

func must2[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T { t.Helper(); return must(t, v, err) }
}

// finish has everybody type what the first one reads, and the first one what the
// second reads.
func (m *members) finish(at []Where) {
	m.t.Helper()
	for i, d := range m.desks {
		heard := at[0].Digits
		if i == 0 {
			heard = at[1].Digits
		}
		if w := must2(d.Finish(m.t.Context(), heard))(m.t); w.Stage != Ready {
			m.t.Fatalf("%s: %s", idOf(i+1), w.Stage)
		}
	}
}

// ceremony goes through one, from beginning to end.
func (m *members) ceremony() {
	m.t.Helper()
	m.begin()
	m.finish(m.pass())
}

// keysOf are the share keys of a key set that a directory holds.
func (m *members) keysOf(i int, keySet uint32) map[split.Subset]string {
	m.t.Helper()
	f := must2(keeper.OpenKeyFile(diskfile.Disk{}, m.desks[i].Dir, nil))(m.t)
	defer f.Wipe()
	out := map[split.Subset]string{}
	for s, k := range must2(f.Keys(keySet))(m.t) {
		out[s] = string(must2(k.Save())(m.t))
	}
	return out
}

// dump is the content of every file below a directory.
func dump(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		b.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func wantStage(t *testing.T, w Where, err error, want Stage) {
	t.Helper()
	if err != nil || w.Stage != want {
		t.Fatalf("%s, %v, want %s", w.Stage, err, want)
	}
}

// wantOrder wants an OrderError that names a stage.
func wantOrder(t *testing.T, err error, want Stage) {
	t.Helper()
	order, ok := errors.AsType[*OrderError](err)
	if !ok || order.Where.Stage != want || !errors.Is(err, ErrOrder) {
		t.Errorf("%v, want an OrderError that names %q", err, want)
	}
}

// leftovers names files of a finished directory that should not be there.
func (d Desk) leftovers(t *testing.T) (out string) {
	t.Helper()
	for _, pattern := range []string{".*", stateFile, askFile, CarryDir + "/.*"} {
		for _, p := range must2(filepath.Glob(filepath.Join(d.Dir, pattern)))(t) {
			out += filepath.Base(p) + " "
		}
	}
	return out
}
