package tokenkeys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/tokenkeys"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// office are three administrations, each with a token and a spare one.
type office struct {
	t      *testing.T
	desks  []keys.Desk
	tokens []*tokentest.Soft
	spares []*tokentest.Soft
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t}
	for i := range 3 {
		tok, spare := tokentest.NewSoft(t, fmt.Sprintf("k%d", i+1)), tokentest.NewSoft(t, fmt.Sprintf("spare%d", i+1))
		o.tokens, o.spares = append(o.tokens, tok), append(o.spares, spare)
		o.desks = append(o.desks, keys.Desk{Dir: filepath.Join(t.TempDir(), fmt.Sprintf("k%d", i+1)), Custodian: o.custodian(tok, spare)})
	}
	return o
}

// anew empties the tokens and takes other directories.
func (o *office) anew() {
	o.t.Helper()
	for i, tok := range o.tokens {
		for _, name := range tok.ShareNames() {
			must(o.t, tok.Destroy(name))
		}
		o.desks[i] = keys.Desk{Dir: filepath.Join(o.t.TempDir(), fmt.Sprintf("k%d", i+1)), Custodian: o.desks[i].Custodian}
	}
}

func (o *office) custodian(tok, spare *tokentest.Soft) tokenkeys.Custodian {
	o.t.Helper()
	k, err := spare.WrappingKey(tokenkeys.SpareKeyName)
	must(o.t, err)
	return tokenkeys.Custodian{Token: tok, Spares: []token.WrappingKey{k}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func who(i int) keys.Who {
	return keys.Who{ID: keeper.IDOf(i + 1), Member: i + 1, Shape: split.Shape{T: 2, N: 3}}
}

// bag are the files that a desk has for the others.
func (o *office) bag(i int) (out [][]byte) {
	o.t.Helper()
	paths, err := filepath.Glob(filepath.Join(o.desks[i].Dir, keys.CarryDir, "*.json"))
	must(o.t, err)
	for _, p := range paths {
		data, err := os.ReadFile(p)
		must(o.t, err)
		out = append(out, data)
	}
	return out
}

// begin begins everywhere, a first key set or another one.
func (o *office) begin() {
	o.t.Helper()
	for i, d := range o.desks {
		w, err := d.Status()
		must(o.t, err)
		if w.Stage == keys.Ready {
			_, err = d.Rotate(0)
		} else {
			_, err = d.Begin(who(i), 0)
		}
		must(o.t, err)
	}
}

// pass carries all files until everybody has digits.
func (o *office) pass() string {
	o.t.Helper()
	var digits [3]string
	for range 4 {
		for j, d := range o.desks {
			for i := range o.desks {
				if i == j || digits[j] != "" {
					continue
				}
				w, err := d.Take(o.bag(i)...)
				if err != nil && !errors.Is(err, keys.ErrOrder) {
					o.t.Fatalf("k%d takes k%d's: %v", j+1, i+1, err)
				}
				digits[j] = w.Digits
			}
		}
	}
	if digits[0] == "" || digits[0] != digits[1] || digits[1] != digits[2] {
		o.t.Fatalf("they read %q", digits)
	}
	return digits[0]
}

func (o *office) finish(digits string) {
	o.t.Helper()
	for i, d := range o.desks {
		if w, err := d.Finish(o.t.Context(), digits); err != nil || w.Stage != keys.Ready {
			o.t.Fatalf("k%d: %s, %v", i+1, w.Stage, err)
		}
	}
}

func (o *office) ceremony() {
	o.t.Helper()
	o.begin()
	o.finish(o.pass())
}

// holdsNone wants no share key's bytes in any file of a directory, whatever the spelling.
func holdsNone(t *testing.T, dir string, secrets [][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			spelt := [][]byte{s, []byte(hex.EncodeToString(s))}
			for cut := range 3 { // base64, wherever the bytes begin
				spelt = append(spelt, []byte(base64.RawStdEncoding.EncodeToString(s[cut:len(s)-(len(s)-cut)%3])))
			}
			for _, f := range spelt {
				if bytes.Contains(data, f) {
					t.Errorf("%s holds a share key", path)
				}
			}
		}
		return err
	})
	must(t, err)
}

// TestCeremonyOfTokens: three keepers make their keys in three tokens. At no step
// does a file hold one; in the end they agree, and none can be taken out any more, not by
// who may log in at the token either. Another key set is made in the same way.
func TestCeremonyOfTokens(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for set := 1; set <= 2; set++ {
		o.begin()
		look := func() {
			t.Helper()
			var secrets [][]byte
			for _, tok := range o.tokens {
				for _, name := range tok.ShareNames() {
					secrets = append(secrets, tok.Bytes(name))
				}
			}
			if len(secrets) == 0 {
				t.Fatal("no share keys")
			}
			for _, d := range o.desks {
				holdsNone(t, d.Dir, secrets)
			}
		}
		look()
		digits := o.pass()
		look()
		o.finish(digits)
		look()
	}
	outside := tokentest.NewSoft(t, "outside")
	to, err := outside.WrappingKey("")
	must(t, err)
	values := map[string]int{}
	for i, tok := range o.tokens {
		names := tok.ShareNames()
		if len(names) != 4 { // two subsets of two key sets
			t.Errorf("k%d has %q", i+1, names)
		}
		for _, name := range names {
			values[string(tok.Bytes(name))]++
			if _, err := tok.WrapShareKey(name, to); !errors.Is(err, token.ErrUnextractable) {
				t.Errorf("%s can still be taken out: %v", name, err)
			}
		}
	}
	for _, n := range values {
		if n != 2 {
			t.Errorf("a share key is in %d tokens, want 2", n)
		}
	}
	if len(values) != 6 {
		t.Errorf("%d share keys, want 6", len(values))
	}
}

// TestCarriedFilesOpenNothingLater: a token opens what others sealed to it while a
// ceremony is under way, and nothing once it has ended: finished, cancelled, cut off before
// its end was written down, or taken over into another token. Each ceremony has another
// wrapping key, and the identity beside it stays the same.
func TestCarriedFilesOpenNothingLater(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	opens := func(what string, want int) {
		t.Helper()
		for i, tok := range o.tokens {
			if got := tok.Wrapping() - 1; got != want { // one belongs to spare tokens
				t.Errorf("%s: k%d has %d wrapping keys, want %d", what, i+1, got, want)
			}
		}
	}
	public := func() string {
		t.Helper()
		f, err := keeper.OpenKeyFile(o.desks[1].Disk, o.desks[1].Dir, o.desks[1].Custodian)
		must(t, err)
		defer f.Wipe()
		return string(f.Custody().Public())
	}
	o.begin()
	first := public()
	opens("under way", 1)
	if digits := o.pass(); public() != first {
		t.Error("another identity in the middle of a ceremony")
	} else {
		o.finish(digits)
	}
	opens("finished", 0)
	o.begin()
	if public() == first {
		t.Error("another ceremony has the same wrapping key")
	}
	for _, d := range o.desks {
		_, err := d.Cancel()
		must(t, err)
	}
	opens("cancelled", 0)
	o.begin()
	crash, removed := errors.New("the machine stops here"), false
	digits := o.pass()
	o.desks[1].Disk.At = func(name, _ string) error {
		if name == "ceremony.json" {
			removed = true
			return crash
		}
		return nil
	}
	_, err := o.desks[1].Finish(t.Context(), digits)
	if o.desks[1].Disk.At = nil; !errors.Is(err, crash) || !removed {
		t.Fatalf("cut off: %v", err)
	}
	if w, err := o.desks[1].Status(); err != nil || w.Stage != keys.Ready {
		t.Errorf("after it was cut off: %s, %v", w.Stage, err)
	}
	for _, i := range []int{0, 2} {
		_, err := o.desks[i].Finish(t.Context(), digits)
		must(t, err)
	}
	opens("cut off", 0)
	lost, err := os.ReadFile(filepath.Join(o.desks[1].Dir, "keeper.json"))
	must(t, err)
	m, err := tokenkeys.NewMover(o.spares[1])
	must(t, err)
	fresh := tokentest.NewSoft(t, "fresh")
	d := keys.Desk{Dir: t.TempDir(), Custodian: o.custodian(fresh, o.spares[0])}
	_, err = d.TakeOver(who(1), lost, m.Move)
	must(t, err)
	if n := fresh.Wrapping() - 1; n != 0 {
		t.Errorf("taken over: %d wrapping keys", n)
	}
}

// TestCarriedKeysAreBound: what a member sealed in one ceremony opens nothing in
// another one, not even for who could take the outer seal off, because the key itself
// vouches for the meeting.
func TestCarriedKeysAreBound(t *testing.T) {
	t.Parallel()
	a, b := tokentest.NewSoft(t, "a"), tokentest.NewSoft(t, "b")
	from, err := tokenkeys.Custodian{Token: a}.Make("k1")
	must(t, err)
	to, err := tokenkeys.Custodian{Token: b}.Make("k2")
	must(t, err)
	slot := keeper.Slot{KeySet: 1, Subset: 3}
	key, err := from.Generate(slot)
	must(t, err)
	sealed, err := key.Seal(to.Public(), []byte("this meeting"))
	must(t, err)
	if _, err := to.Open(sealed, []byte("another meeting"), slot); err == nil {
		t.Error("opened for another meeting")
	}
	again := reseal(t, to, sealed, "this meeting", "another meeting")
	if _, err := to.Open(again, []byte("another meeting"), slot); !errors.Is(err, tokenkeys.ErrUnbound) {
		t.Errorf("sealed anew for another meeting: %v", err)
	}
	if left := b.ShareNames(); len(left) != 0 {
		t.Errorf("a refused key stays in the token: %q", left)
	}
	got, err := to.Open(sealed, []byte("this meeting"), slot)
	must(t, err)
	x, err := key.MAC([]byte("m"))
	must(t, err)
	if y, err := got.MAC([]byte("m")); err != nil || x != y {
		t.Errorf("another key came: %v", err)
	}
	if _, err := to.Open(sealed, []byte("this meeting"), slot); err != nil {
		t.Errorf("after a crash before its place was written down: %v", err)
	}
	must(t, got.Lock())
	if _, err := to.Open(sealed, []byte("this meeting"), slot); !errors.Is(err, tokenkeys.ErrTaken) {
		t.Errorf("over a locked key: %v", err)
	}
	if _, err := to.Generate(slot); !errors.Is(err, tokenkeys.ErrTaken) {
		t.Errorf("made over a locked key: %v", err)
	}
	if _, err := got.Seal(from.Public(), []byte("m")); !errors.Is(err, keeper.ErrKept) {
		t.Errorf("a locked key is sealed: %v", err)
	}
}

// reseal takes the outer seal off, with what keeper.json has, and puts another one around.
func reseal(t *testing.T, c keeper.Custody, sealed []byte, info, other string) []byte {
	t.Helper()
	identity, public := tokenkeys.IdentityOf(t, c)
	within, err := identity.Unseal(sealed, []byte(info))
	must(t, err)
	out, err := keeper.SealTo(public, []byte(other), within)
	must(t, err)
	return out
}

// TestMixedIsRefused: members with tokens and members with files make no key set together,
// whoever begins.
func TestMixedIsRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.desks[1].Custodian = nil
	o.begin()
	for _, pair := range [][2]int{{0, 1}, {1, 0}} {
		if _, err := o.desks[pair[0]].Take(o.bag(pair[1])...); !errors.Is(err, keeper.ErrMixed) {
			t.Errorf("k%d takes the hello of k%d: %v", pair[0]+1, pair[1]+1, err)
		}
	}
	// Nor is a directory opened as one of the other kind.
	o = newOffice(t)
	o.ceremony()
	d := o.desks[0]
	d.Custodian = nil
	if _, err := d.Status(); !errors.Is(err, keeper.ErrElsewhere) {
		t.Errorf("opened as files: %v", err)
	}
	files := keys.Desk{Dir: filepath.Join(t.TempDir(), "k1")}
	_, err := files.Begin(who(0), 0)
	must(t, err)
	files.Custodian = o.desks[0].Custodian
	if _, err := files.Status(); !errors.Is(err, keeper.ErrElsewhere) {
		t.Errorf("opened as a token: %v", err)
	}
}

// TestTokenTrouble: a token that is away or full leaves a ceremony as it was, says so, and
// does not look like a damaged file; cancelling clears the token.
func TestTokenTrouble(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.tokens[0].SetRoom(1)
	if _, err := o.desks[0].Begin(who(0), 0); !errors.Is(err, token.ErrFull) {
		t.Errorf("a full token: %v", err)
	}
	o.tokens[0].SetRoom(-1)
	o.begin()
	o.tokens[1].TakeOut(token.ErrAway)
	_, err := o.desks[1].Take(append(o.bag(0), o.bag(2)...)...)
	if err == nil {
		_, err = o.desks[1].Take(o.bag(0)...)
	}
	if !errors.Is(err, keeper.ErrShareKeys) || !errors.Is(err, token.ErrAway) {
		t.Errorf("away: %v", err)
	}
	o.tokens[1].TakeOut(nil)
	digits := o.pass()
	o.tokens[1].TakeOut(token.ErrAway)
	if _, err := o.desks[1].Cancel(); !errors.Is(err, keeper.ErrShareKeys) {
		t.Errorf("cancelled while the token is away: %v", err)
	}
	o.tokens[1].TakeOut(nil)
	o.finish(digits)
	o.begin()
	for i, d := range o.desks {
		if _, err := d.Cancel(); err != nil {
			t.Errorf("k%d: %v", i+1, err)
		}
		if names := o.tokens[i].ShareNames(); len(names) != 2 {
			t.Errorf("k%d: after cancelling the token has %q", i+1, names)
		}
	}
}

// TestCrashesWithTokens: a process that ends at any moment of a write leaves a ceremony
// that goes on, with no key in the token that can be taken out.
func TestCrashesWithTokens(t *testing.T) {
	t.Parallel()
	crash := errors.New("the machine stops here")
	o := newOffice(t)
	for at := 1; ; at += 5 { // each moment takes a ceremony
		o.anew()
		now := 0
		o.desks[1].Disk.At = func(string, string) error {
			if now++; now == at {
				panic(crash)
			}
			return nil
		}
		stopped := false
		step := func(f func() error) {
			t.Helper()
			defer func() {
				if p := recover(); p == nil {
					return
				} else if p != crash { //nolint:errorlint // itself
					panic(p)
				}
				stopped = true
				must(t, f())
			}()
			if err := f(); err != nil && !errors.Is(err, keys.ErrOrder) {
				t.Fatalf("moment %d: %v", at, err)
			}
		}
		d := func() keys.Desk { return o.desks[1] }
		for _, i := range []int{0, 2} {
			_, err := o.desks[i].Begin(who(i), 0)
			must(t, err)
		}
		step(func() error {
			if w, err := d().Status(); err != nil || w.Stage != keys.Nothing {
				return err
			}
			_, err := d().Begin(who(1), 0)
			return err
		})
		for range 3 {
			for _, i := range []int{0, 2} {
				_, err := o.desks[i].Take(append(o.bag(1), o.bag(2-i)...)...)
				if err != nil && !errors.Is(err, keys.ErrOrder) {
					t.Fatal(err)
				}
				step(func() error {
					_, err := d().Take(o.bag(i)...)
					if errors.Is(err, keys.ErrOrder) {
						return nil
					}
					return err
				})
			}
		}
		w, err := o.desks[0].Status()
		must(t, err)
		step(func() error {
			if now, err := d().Status(); err != nil || now.Stage == keys.Ready {
				return err
			}
			_, err := d().Finish(t.Context(), w.Digits)
			return err
		})
		if s, err := d().Status(); err != nil || s.Stage != keys.Ready {
			t.Fatalf("moment %d: %s, %v", at, s.Stage, err)
		}
		for _, name := range o.tokens[1].ShareNames() {
			if sealed, err := o.tokens[1].Sealed(name); err != nil || !sealed {
				t.Errorf("moment %d: %s is open: %v", at, name, err)
			}
		}
		if n := len(o.tokens[1].ShareNames()); n != 2 {
			t.Errorf("moment %d: %d keys in the token", at, n)
		}
		if !stopped {
			if at < 20 {
				t.Errorf("only %d moments", at)
			}
			return
		}
	}
}

// TestOtherKeysAreNotUsed: a key in the token that can still be taken out, or is not
// the one that keeper.json names, opens no keeper.
func TestOtherKeysAreNotUsed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.ceremony()
	tok := o.tokens[0]
	name := tok.ShareNames()[0]
	must(t, tok.Destroy(name))
	must(t, tok.NewShareKey(name))
	if _, err := o.desks[0].Status(); !errors.Is(err, token.ErrWeakKey) {
		t.Errorf("an open one: %v", err)
	}
	must(t, tok.SealShareKey(name))
	if _, err := o.desks[0].Status(); !errors.Is(err, tokenkeys.ErrOther) {
		t.Errorf("another one: %v", err)
	}
	must(t, tok.Destroy(name))
	if _, err := o.desks[0].Status(); !errors.Is(err, token.ErrNoKey) {
		t.Errorf("none: %v", err)
	}
}

// TestNothingIsGiven: keys in tokens are given to no other keeper, and none asks.
func TestNothingIsGiven(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.ceremony()
	if _, err := o.desks[0].Join(); !errors.Is(err, keeper.ErrKept) {
		t.Errorf("it asks: %v", err)
	}
	fresh := keys.Desk{Dir: filepath.Join(t.TempDir(), "k2")}
	w, err := fresh.Replace(who(1))
	must(t, err)
	ask, err := os.ReadFile(w.Carry[0])
	must(t, err)
	if _, err := o.desks[0].Give(t.Context(), ask, w.Digits, nil); !errors.Is(err, keeper.ErrKept) {
		t.Errorf("it gives: %v", err)
	}
	// Where there is no spare token either, the new machine begins with the next key set.
	next := tokentest.NewSoft(t, "next")
	o.desks[1] = keys.Desk{Dir: filepath.Join(t.TempDir(), "k2"), Custodian: tokenkeys.Custodian{Token: next}}
	_, err = o.desks[1].Begin(who(1), 2)
	must(t, err)
	for _, i := range []int{0, 2} {
		_, err := o.desks[i].Rotate(0)
		must(t, err)
	}
	o.finish(o.pass())
	if names := next.ShareNames(); len(names) != 2 {
		t.Errorf("the new machine has %q", names)
	}
}

// TestTakeOver: a lost keeper's keys come back from its spare token into a new one, with a
// new spare; the same keys, locked again. Another spare token, another keeper and another
// file are refused; a crash, and doing it again, do no harm.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.ceremony()
	o.ceremony()
	lost, err := os.ReadFile(filepath.Join(o.desks[1].Dir, "keeper.json"))
	must(t, err)
	want := map[string][]byte{}
	for _, name := range o.tokens[1].ShareNames() {
		want[name] = o.tokens[1].Bytes(name)
	}
	tok, spare := tokentest.NewSoft(t, "new"), tokentest.NewSoft(t, "new-spare")
	desk := keys.Desk{Dir: t.TempDir(), Custodian: o.custodian(tok, spare)}
	mover := func(s *tokentest.Soft) func(keeper.Custody, []byte) (keeper.HeldKey, error) {
		m, err := tokenkeys.NewMover(s)
		must(t, err)
		return m.Move
	}
	for name, c := range map[string]struct {
		who   keys.Who
		file  []byte
		spare *tokentest.Soft
		want  error
	}{
		"another spare":  {who(1), lost, o.spares[0], tokenkeys.ErrNotSpare},
		"another keeper": {who(0), lost, o.spares[1], keeper.ErrStranger},
		"half a file":    {who(1), lost[:len(lost)/2], o.spares[1], keeper.ErrFile},
	} {
		d := keys.Desk{Dir: t.TempDir(), Custodian: desk.Custodian}
		if _, err := d.TakeOver(c.who, c.file, mover(c.spare)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if len(tok.ShareNames()) != 0 {
			t.Errorf("%s: keys came: %q", name, tok.ShareNames())
		}
	}
	tok.SetRoom(3) // it fills up before the last key
	if _, err := desk.TakeOver(who(1), lost, mover(o.spares[1])); !errors.Is(err, token.ErrFull) {
		t.Errorf("a full token: %v", err)
	}
	tok.SetRoom(-1)
	w, err := desk.TakeOver(who(1), lost, mover(o.spares[1]))
	if err != nil || w.Stage != keys.Ready || len(w.Sets) != 2 {
		t.Fatalf("%+v, %v", w, err)
	}
	if names := tok.ShareNames(); len(names) != len(want) {
		t.Errorf("%q came", names)
	}
	for name, key := range want {
		if sealed, err := tok.Sealed(name); err != nil || !sealed || !bytes.Equal(tok.Bytes(name), key) {
			t.Errorf("%s: sealed %t, %v", name, sealed, err)
		}
	}
	if left := o.spares[1].ShareNames(); len(left) != 0 {
		t.Errorf("left in the spare token: %q", left)
	}
	// The new machine can be lost too: its own spare has everything.
	again, err := os.ReadFile(filepath.Join(desk.Dir, "keeper.json"))
	must(t, err)
	third := keys.Desk{Dir: t.TempDir(), Custodian: o.custodian(tokentest.NewSoft(t, "third"), spare)}
	if w, err := third.TakeOver(who(1), again, mover(spare)); err != nil || w.Stage != keys.Ready {
		t.Errorf("%+v, %v", w, err)
	}
	holdsNone(t, desk.Dir, slices.Collect(func(yield func([]byte) bool) {
		for _, k := range want {
			if !yield(k) {
				return
			}
		}
	}))
}
