package keys

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// file reads the only file that is to be carried.
func file(t *testing.T, w Where) []byte {
	t.Helper()
	if len(w.Carry) != 1 {
		t.Fatalf("%d files", len(w.Carry))
	}
	return must2(os.ReadFile(w.Carry[0]))(t)
}

// replace loses a member's machine and brings a new one in its place.
func (m *members) replace(i int) {
	m.t.Helper()
	m.desks[i] = deskAt(filepath.Join(m.t.TempDir(), "new"))
	ask := must2(m.desks[i].Replace(m.who(i)))(m.t)
	m.gather(i, ask)
}

// gather carries the asking of a member to the others, and their gifts back.
func (m *members) gather(i int, ask Where) {
	m.t.Helper()
	asking := file(m.t, ask)
	m.seen = append(m.seen, asking)
	for j, d := range m.desks {
		if j == i {
			continue
		}
		gift := must2(d.Give(m.t.Context(), asking, ask.Digits, nil))(m.t)
		m.seen = append(m.seen, file(m.t, gift))
		must2(m.desks[i].TakeGift(file(m.t, gift), gift.Digits))(m.t)
	}
	wantStage(m.t, must2(m.desks[i].Status())(m.t), nil, Gathered)
	wantStage(m.t, must2(m.desks[i].Gather())(m.t), nil, Ready)
}

// TestReplace: a new machine gets the keys that the lost one held, of all key sets,
// and no others.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, shape := range shapes() {
		m := newMembers(t, shape)
		m.ceremony()
		m.ceremony()
		for _, i := range []int{1, 0} {
			var before []map[split.Subset]string
			for set := uint32(1); set <= 2; set++ {
				before = append(before, m.keysOf(i, set))
			}
			m.replace(i)
			for set := uint32(1); set <= 2; set++ {
				if after := m.keysOf(i, set); !maps.Equal(after, before[set-1]) {
					t.Errorf("%s: member %d has other keys of key set %d", shape, i+1, set)
				}
			}
		}
		m.ceremony() // with the new identities
	}
}

// TestJoin: a keeper that was put back to before a rotation gets the key set that it
// missed, and keeps the others.
func TestJoin(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.ceremony()
	file := filepath.Join(m.desks[1].Dir, keeperFile)
	old := must2(os.ReadFile(file))(t)
	m.ceremony()
	first, second := m.keysOf(1, 1), m.keysOf(1, 2)
	must(t, 0, os.WriteFile(file, old, 0o600))
	if _, err := m.desks[1].Rotate(0); err != nil { // it does not know what it missed
		t.Fatal(err)
	}
	must2(m.desks[0].Rotate(0))(t)
	if _, err := m.desks[1].Take(m.bag(0)...); !errors.Is(err, ErrSet) {
		t.Errorf("key set 3 meets 2: %v", err)
	}
	must2(m.desks[0].Cancel())(t)
	must2(m.desks[1].Cancel())(t)
	ask := must2(m.desks[1].Join())(t)
	m.gather(1, ask)
	if !maps.Equal(first, m.keysOf(1, 1)) || !maps.Equal(second, m.keysOf(1, 2)) {
		t.Error("other keys")
	}
	// Once more: there is nothing to join.
	m.gather(1, must2(m.desks[1].Join())(t))
	// What a keeper has and what it is given must be the same.
	other := newMembers(t, m.shape)
	other.ceremony()
	ask = must2(m.desks[1].Join())(t)
	gift := must2(other.desks[0].Give(t.Context(), fileOfWhere(t, ask), ask.Digits, nil))(t)
	if _, err := m.desks[1].TakeGift(fileOfWhere(t, gift), gift.Digits); !errors.Is(err, ErrDiffer) {
		t.Errorf("keys of another quorum: %v", err)
	}
}

func fileOfWhere(t *testing.T, w Where) []byte { t.Helper(); return file(t, w) }

// TestReplaceRefuses: nothing is sealed to an identity that nobody compared, or while
// the old keeper serves, or to one in a giver's own place; nothing is taken that was
// not compared, or of another asking.
func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.ceremony()
	giver := m.desks[0]
	newcomer := deskAt(filepath.Join(t.TempDir(), "new"))
	ask := must2(newcomer.Replace(m.who(1)))(t)
	asking := file(t, ask)
	if _, err := giver.Give(t.Context(), asking, "1234", nil); !errors.Is(err, ErrReading) {
		t.Errorf("other digits: %v", err)
	}
	if _, err := giver.Give(t.Context(), asking, "", nil); !errors.Is(err, ErrReading) {
		t.Errorf("no digits: %v", err)
	}
	serves := func(_ context.Context, id keeper.ID) bool { return id == "k2" }
	if _, err := giver.Give(t.Context(), asking, ask.Digits, serves); !errors.Is(err, ErrServes) {
		t.Errorf("the old one serves: %v", err)
	}
	for name, w := range map[string]Who{
		"the giver's place": {"k9", 1, m.shape}, "the giver's name": {"k1", 2, m.shape}, "another's name": {"k3", 2, m.shape},
		"a new name": {"k9", 2, m.shape}, "another shape": {"k2", 2, split.Shape{T: 3, N: 5}},
	} {
		other := must2(deskAt(filepath.Join(t.TempDir(), "x")).Replace(w))(t)
		if _, err := giver.Give(t.Context(), file(t, other), other.Digits, nil); !errors.Is(err, ErrSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gift := must2(giver.Give(t.Context(), asking, ask.Digits, func(context.Context, keeper.ID) bool { return false }))(t)
	given := file(t, gift)
	if _, err := newcomer.TakeGift(given, ask.Digits); !errors.Is(err, ErrReading) {
		t.Errorf("other digits of a gift: %v", err)
	}
	if _, err := newcomer.TakeGift(asking, ask.Digits); !errors.Is(err, ErrFile) {
		t.Errorf("an asking as a gift: %v", err)
	}
	if _, err := giver.Give(t.Context(), given, gift.Digits, nil); !errors.Is(err, ErrFile) {
		t.Errorf("a gift as an asking: %v", err)
	}
	again := must2(giver.Give(t.Context(), asking, ask.Digits, nil))(t)
	if _, err := newcomer.TakeGift(file(t, again), gift.Digits); !errors.Is(err, ErrReading) {
		t.Errorf("the digits of an earlier gift: %v", err)
	}
	_, err := newcomer.Gather()
	wantOrder(t, err, Gifts)
	must2(newcomer.TakeGift(given, gift.Digits))(t)
	_, err = newcomer.Gather()
	wantOrder(t, err, Gifts)
	if _, err := newcomer.Gather(3); !errors.Is(err, ErrLacking) {
		t.Errorf("a key that nobody gave: %v", err)
	}
	_, err = newcomer.Begin(m.who(1), 0)
	wantOrder(t, err, Gifts)
	_, err = newcomer.Take()
	wantOrder(t, err, Gifts)
	if _, err := newcomer.Take(given); !errors.Is(err, ErrOther) {
		t.Errorf("a gift in a ceremony: %v", err)
	}
	// A new asking takes no gift of an old one.
	must2(newcomer.Cancel())(t)
	must2(newcomer.Replace(m.who(1)))(t)
	if _, err := newcomer.TakeGift(given, gift.Digits); !errors.Is(err, ErrOther) {
		t.Errorf("a gift for an earlier asking: %v", err)
	}
	_, err = m.desks[2].TakeGift(given, gift.Digits)
	wantOrder(t, err, Ready)
}

// TestTwoGiversMustAgree: where two members hold a key, both must give the same one.
func TestTwoGiversMustAgree(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 3, N: 5})
	m.ceremony()
	liar := newMembers(t, m.shape) // has keys of its own, under the same names
	liar.ceremony()
	newcomer := deskAt(filepath.Join(t.TempDir(), "new"))
	ask := must2(newcomer.Replace(m.who(4)))(t)
	for i, d := range []Desk{m.desks[0], liar.desks[1]} {
		gift := must2(d.Give(t.Context(), file(t, ask), ask.Digits, nil))(t)
		_, err := newcomer.TakeGift(file(t, gift), gift.Digits)
		if i == 0 && err != nil || i == 1 && !errors.Is(err, ErrDiffer) {
			t.Fatalf("gift %d: %v", i+1, err)
		}
	}
	for _, i := range []int{1, 2} {
		gift := must2(m.desks[i].Give(t.Context(), file(t, ask), ask.Digits, nil))(t)
		must2(newcomer.TakeGift(file(t, gift), gift.Digits))(t)
	}
	_, err := newcomer.Gather()
	wantOrder(t, err, Gifts)
	// Member 4 is lost as well: every key is held by one of the three.
	w := must2(newcomer.Gather(4))(t)
	if w.Stage != Ready || len(w.Sets) != 1 || len(w.Left) != 0 {
		t.Errorf("%+v", w)
	}
}

// TestWhatDoesNotComeWhole is left out, and said.
func TestWhatDoesNotComeWhole(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.ceremony()
	m.begin()
	at := m.pass()
	must2(m.desks[0].Finish(t.Context(), at[1].Digits))(t) // and nobody else
	must2(m.desks[2].Cancel())(t)
	newcomer := deskAt(filepath.Join(t.TempDir(), "new"))
	ask := must2(newcomer.Replace(m.who(1)))(t)
	for _, i := range []int{0, 2} {
		gift := must2(m.desks[i].Give(t.Context(), file(t, ask), ask.Digits, nil))(t)
		must2(newcomer.TakeGift(file(t, gift), gift.Digits))(t)
	}
	w := must2(newcomer.Gather())(t)
	if len(w.Sets) != 1 || len(w.Left) != 1 || w.Left[0] != 2 {
		t.Errorf("%+v", w)
	}
}
