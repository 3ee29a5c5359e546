package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// of is the file of a kind that a directory has for the others.
func (m *members) of(i int, kind string) []byte {
	m.t.Helper()
	for _, data := range m.bag(i) {
		if parsed := must2(parse(data))(m.t); parsed.Kind == kind {
			return data
		}
	}
	m.t.Fatalf("%s has no %s", idOf(i+1), kind)
	return nil
}

// respell writes a file that a thief altered.
func respell(t *testing.T, v any) []byte {
	t.Helper()
	return must2(marshal(v))(t)
}

// TestASwappedHelloIsNoticed: who puts an identity of their own in reads nothing
// unnoticed. Even one who stands between two members on both sides, and gives each
// the other's share key on, has them read different digits.
func TestASwappedHelloIsNoticed(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	thief := newMembers(t, m.shape) // has identities under the same names
	m.begin()
	thief.begin()
	hello := func(of *members, i int) []byte { return of.of(i, kindHello) }
	// Member 1 gets a hello of member 2 that the thief made, and member 2 one of
	// member 1.
	must2(m.desks[0].Take(hello(thief, 1), hello(m, 2)))(t)
	must2(m.desks[1].Take(hello(thief, 0), hello(m, 2)))(t)
	must2(m.desks[2].Take(hello(m, 0), hello(m, 1)))(t)
	// Whoever only swaps is found at the next file.
	if _, err := m.desks[1].Take(m.of(0, kindOffers)); !errors.Is(err, ErrOther) {
		t.Errorf("the offers of another meeting: %v", err)
	}
	if _, err := m.desks[0].Take(hello(m, 1)); !errors.Is(err, ErrTwice) {
		t.Errorf("the true hello after the false one: %v", err)
	}
	// The thief knows both meetings, opens what member 1 sealed to it as member 2, and
	// seals it to member 2 as member 1.
	asTwo := thiefIn(t, m, thief, 1, 0)
	key := must2(asTwo.custody.Open(asTwo.sealed, asTwo.info, keeper.Slot{}))(t)
	asOne := thiefIn(t, m, thief, 0, 1)
	asOne.file.Offers = []offer{
		{Subset: 0b011, To: 2, Sealed: must2(key.Seal(must2(parse(hello(m, 1)))(t).hello.Identity, asOne.info))(t)},
	}
	wantStage(t, must2(m.desks[1].Take(respell(t, asOne.file)))(t), nil, Prints)
	// Fingerprints are the thief's to pass on, each in the meeting of its reader: both
	// hear the same ones of every subset.
	sums := map[split.Subset]keeper.Hash{}
	for _, i := range []int{0, 1} {
		for _, p := range must2(parse(m.of(i, kindPrints)))(t).prints.Prints {
			sums[p.Subset] = p.Sum
		}
	}
	for to, from := range []int{1, 0} {
		meeting := must2(parse(m.of(to, kindPrints)))(t).prints.Meeting
		for _, of := range []int{from, 2} {
			f := printsFile{head: headOf(kindPrints, m.who(of)), KeySet: 1, Meeting: meeting}
			for _, s := range m.shape.SubsetsOf(of + 1) {
				f.Prints = append(f.Prints, shown{Subset: s, Sum: sums[s]})
			}
			must2(m.desks[to].Take(respell(t, f)))(t)
		}
	}
	one, two := must2(m.desks[0].Status())(t), must2(m.desks[1].Status())(t)
	if one.Stage != Reading || two.Stage != Reading {
		t.Fatalf("%s and %s", one.Stage, two.Stage)
	}
	if one.Digits == two.Digits {
		t.Fatal("they read the same digits")
	}
	if _, err := m.desks[0].Finish(t.Context(), two.Digits); !errors.Is(err, ErrReading) {
		t.Errorf("finished: %v", err)
	}
}

// between is what a thief between two members has: the offers that the victim made, and
// an identity under which it is known there.
type between struct {
	custody keeper.Custody
	sealed  []byte
	info    []byte
	file    offersFile
}

// thiefIn is the thief as member as (from 0) in the meeting of member at.
func thiefIn(t *testing.T, m, thief *members, as, at int) (b between) {
	t.Helper()
	f := must2(keeper.OpenKeyFile(diskfile.Disk{}, thief.desks[as].Dir, nil))(t)
	b.custody = f.Custody()
	d := m.desks[at]
	own := must2(keeper.OpenKeyFile(diskfile.Disk{}, d.Dir, nil))(t)
	member := must2(d.underWay(own))(t)
	meeting := must2(member.Meeting())(t)
	b.file = offersFile{head: headOf(kindOffers, m.who(as)), KeySet: 1, Meeting: meeting}
	from, to := min(as, at)+1, max(as, at)+1
	b.info = keeper.OfferInfo(meeting, m.shape, keeper.Offer{KeySet: 1, Subset: 0b011, From: from, To: to})
	if at == 0 {
		for _, o := range must2(parse(m.of(0, kindOffers)))(t).offers.Offers {
			if o.Subset == 0b011 {
				b.sealed = o.Sealed
			}
		}
	}
	return b
}

// TestOldFilesAreNoticed: what was carried in an earlier ceremony of the same key set
// is refused in a later one, whatever it says of itself.
func TestOldFilesAreNoticed(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.begin()
	m.pass()
	old := [][]byte{m.of(0, kindHello), m.of(0, kindOffers), m.of(0, kindPrints)}
	for _, d := range m.desks {
		must2(d.Cancel())(t)
	}
	m.begin()
	// The old hello is taken, since nobody can know; but no file fits any more.
	must2(m.desks[1].Take(old[0], m.of(2, kindHello)))(t)
	must2(m.desks[0].Take(m.of(1, kindHello), m.of(2, kindHello)))(t)
	if _, err := m.desks[1].Take(m.of(0, kindOffers)); !errors.Is(err, ErrOther) {
		t.Errorf("offers after an old hello: %v", err)
	}
	if _, err := m.desks[1].Take(old[1]); !errors.Is(err, ErrOther) {
		t.Errorf("old offers after an old hello: %v", err)
	}
	must2(m.desks[1].Cancel())(t)
	must2(m.desks[1].Begin(m.who(1), 0))(t)
	must2(m.desks[0].Cancel())(t)
	must2(m.desks[0].Begin(m.who(0), 0))(t)
	must2(m.desks[0].Take(m.of(1, kindHello), m.of(2, kindHello)))(t)
	must2(m.desks[1].Take(m.of(0, kindHello), m.of(2, kindHello)))(t)
	if _, err := m.desks[1].Take(old[1]); !errors.Is(err, ErrOther) {
		t.Errorf("old offers: %v", err)
	}
	// With the meeting of today written over it, the seal does not open.
	f := must2(parse(old[1]))(t).offers
	f.Meeting = must2(parse(m.of(0, kindOffers)))(t).offers.Meeting
	if _, err := m.desks[1].Take(respell(t, f)); !errors.Is(err, keeper.ErrCeremony) {
		t.Errorf("old offers with today's meeting: %v", err)
	}
	must2(m.desks[1].Take(m.of(0, kindOffers)))(t)
	if _, err := m.desks[1].Take(old[2]); !errors.Is(err, ErrOther) {
		t.Errorf("old fingerprints: %v", err)
	}
}

// TestMixedCeremoniesAreNoticed: files of another quorum's ceremony at the same time.
func TestMixedCeremoniesAreNoticed(t *testing.T) {
	t.Parallel()
	m, other := newMembers(t, split.Shape{T: 2, N: 3}), newMembers(t, split.Shape{T: 2, N: 3})
	big := newMembers(t, split.Shape{T: 3, N: 5})
	m.begin()
	other.begin()
	big.begin()
	if _, err := m.desks[1].Take(big.of(0, kindHello)); !errors.Is(err, ErrSet) {
		t.Errorf("a hello of 3 of 5: %v", err)
	}
	if _, err := m.desks[1].Take(other.of(1, kindHello)); !errors.Is(err, ErrTwice) {
		t.Errorf("a hello in its own place: %v", err)
	}
	m.pass()
	other.pass()
	for _, kind := range []string{kindOffers, kindPrints} {
		if _, err := m.desks[2].Take(other.of(0, kind)); !errors.Is(err, ErrOther) {
			t.Errorf("the %s of another ceremony: %v", kind, err)
		}
	}
	if _, err := m.desks[2].Take(other.of(0, kindHello)); !errors.Is(err, ErrTwice) {
		t.Errorf("the hello of another ceremony: %v", err)
	}
}

// TestForgedKeysAreNoticed: anybody can seal a key of their own to a member. Where
// the maker's fingerprints come through they show it; where they are forged too, the
// digits do.
func TestForgedKeysAreNoticed(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.begin()
	for i, d := range m.desks {
		for j := range m.desks {
			if i != j {
				must2(d.Take(m.of(j, kindHello)))(t)
			}
		}
	}
	thief := must2(keeper.OpenKeyFile(diskfile.Disk{}, m.desks[2].Dir, nil))(t).Custody()
	forged := must2(parse(m.of(0, kindOffers)))(t).offers
	key := must2(thief.Generate(keeper.Slot{}))(t)
	for i, o := range forged.Offers {
		if o.To == 2 {
			info := keeper.OfferInfo(forged.Meeting, m.shape, keeper.Offer{KeySet: 1, Subset: o.Subset, From: 1, To: 2})
			forged.Offers[i].Sealed = must2(key.Seal(must2(parse(m.of(1, kindHello)))(t).hello.Identity, info))(t)
		}
	}
	must2(m.desks[1].Take(respell(t, forged)))(t)
	if _, err := m.desks[1].Take(m.of(0, kindPrints)); !errors.Is(err, ErrDiffer) {
		t.Errorf("the maker's fingerprints: %v", err)
	}
	prints := must2(parse(m.of(0, kindPrints)))(t).prints
	prints.Prints[0].Sum = must2(keeper.FingerprintOf(1, 0b011, key))(t)
	must2(m.desks[1].Take(respell(t, prints)))(t)
	must2(m.desks[2].Take(m.of(0, kindOffers), m.of(1, kindOffers)))(t)
	must2(m.desks[1].Take(m.of(2, kindPrints)))(t)
	mine := must2(parse(m.of(1, kindPrints)))(t).prints
	if _, err := m.desks[0].Take(m.of(1, kindPrints)); !errors.Is(err, ErrDiffer) {
		t.Errorf("the victim's fingerprints: %v", err)
	}
	mine.Prints[0].Sum = must2(parse(m.of(0, kindPrints)))(t).prints.Prints[0].Sum
	must2(m.desks[0].Take(respell(t, mine), m.of(2, kindPrints)))(t)
	one, two := must2(m.desks[0].Status())(t), must2(m.desks[1].Status())(t)
	if one.Stage != Reading || two.Stage != Reading || one.Digits == two.Digits {
		t.Errorf("%s and %s, the same digits: %t", one.Stage, two.Stage, one.Digits == two.Digits)
	}
}

// TestASwappedAskingIsNoticed: an identity that somebody put in has other digits, and
// so has a gift of somebody else's keys.
func TestASwappedAskingIsNoticed(t *testing.T) {
	t.Parallel()
	m := newMembers(t, split.Shape{T: 2, N: 3})
	m.ceremony()
	ask := must2(deskAt(filepath.Join(t.TempDir(), "new")).Replace(m.who(1)))(t)
	thief := must2(deskAt(filepath.Join(t.TempDir(), "thief")).Replace(m.who(1)))(t)
	if _, err := m.desks[0].Give(t.Context(), file(t, thief), ask.Digits, nil); !errors.Is(err, ErrReading) {
		t.Errorf("a thief's identity: %v", err)
	}
	other := newMembers(t, m.shape)
	other.ceremony()
	newcomer := deskAt(filepath.Dir(filepath.Dir(ask.Carry[0])))
	mine := must2(m.desks[0].Give(t.Context(), file(t, ask), ask.Digits, nil))(t)
	theirs := must2(other.desks[0].Give(t.Context(), file(t, ask), ask.Digits, nil))(t)
	if _, err := newcomer.TakeGift(file(t, theirs), mine.Digits); !errors.Is(err, ErrReading) {
		t.Errorf("a thief's keys: %v", err)
	}
	// A fingerprint that does not fit the key in the seal.
	f := must2(parse(file(t, mine)))(t).gift
	f.Sets[0].Keys[0].Sum[0] ^= 1
	bad := respell(t, f)
	if _, err := newcomer.TakeGift(bad, newcomer.digitsOf(hashOf(giftLabel, bad))); !errors.Is(err, ErrFile) {
		t.Errorf("a fingerprint that does not fit: %v", err)
	}
}

// FuzzParse: whatever is carried is refused or has one spelling.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		var v any
		switch {
		case m.hello != nil:
			v = m.hello
		case m.offers != nil:
			v = m.offers
		case m.prints != nil:
			v = m.prints
		case m.ask != nil:
			v = m.ask
		case m.gift != nil:
			v = m.gift
		}
		if again := respell(t, v); !bytes.Equal(again, data) {
			t.Errorf("two spellings of one file:\n%s\n%s", data, again)
		}
		if err := m.who().check(); err != nil {
			t.Errorf("taken from nobody: %v", err)
		}
	})
}

// FuzzTake: a ceremony under way takes or refuses, and stays whole.
func FuzzTake(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	d := deskAt(filepath.Join(f.TempDir(), "k"))
	if _, err := d.Begin(Who{ID: "k2", Member: 2, Shape: split.Shape{T: 2, N: 3}}, 0); err != nil {
		f.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(d.Dir, stateFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = d.Take(data) // refused or not
		if _, err := d.Status(); err != nil {
			t.Fatal(err)
		}
		must(t, 0, os.WriteFile(filepath.Join(d.Dir, stateFile), state, 0o600))
	})
}

// seeds are files of testdata, one of each kind.
func seeds(f *testing.F) (out [][]byte) {
	f.Helper()
	paths, err := filepath.Glob("testdata/files/*.json")
	if err != nil || len(paths) != 5 {
		f.Fatalf("%d seeds, %v", len(paths), err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// TestFilesHaveOneSpelling: other spellings of a good file are refused.
func TestFilesHaveOneSpelling(t *testing.T) {
	t.Parallel()
	paths := must2(filepath.Glob("testdata/files/*.json"))(t)
	if len(paths) != 5 {
		t.Fatalf("%d files", len(paths))
	}
	for _, p := range paths {
		good := must2(os.ReadFile(p))(t)
		must2(parse(good))(t)
		for name, bad := range map[string][]byte{
			"blanks":          append([]byte(" "), good...),
			"no end":          good[:len(good)-1],
			"more after it":   append(bytes.Clone(good), "{}\n"...),
			"unknown member":  bytes.Replace(good, []byte(`"id"`), []byte(`"x": 1, "id"`), 1),
			"a member twice":  bytes.Replace(good, []byte(`"id"`), []byte(`"id": "k9", "id"`), 1),
			"large name":      bytes.Replace(good, []byte(`"id"`), []byte(`"ID"`), 1),
			"of another form": bytes.Replace(good, []byte(messageFormat), []byte("liuma-key-ceremony/2"), 1),
			"of another kind": bytes.Replace(good, []byte(`"kind": "`), []byte(`"kind": "x`), 1),
			"member 9":        bytes.Replace(good, []byte(`"member": `), []byte(`"member": 9`), 1),
			"a path":          bytes.Replace(good, []byte(`"id": "`), []byte(`"id": "../`), 1),
			"too long":        append(bytes.Clone(good), bytes.Repeat([]byte(" "), maxMessage)...),
			"empty":           nil,
		} {
			if _, err := parse(bad); !errors.Is(err, ErrFile) {
				t.Errorf("%s, %s: %v", p, name, err)
			}
		}
	}
}
