package keeper

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// TestNoSubQuorumHoldsEveryKey (I-5): in every t-1 keeper directories, with
// every file in them, some share key of the quorum is missing, in every
// spelling. Any t directories together hold all.
func TestNoSubQuorumHoldsEveryKey(t *testing.T) {
	for _, shape := range shapes() {
		h := newHarness(t, shape)
		set(t, h.quorum(), liuma.NewCardID(), 1, good)
		keys := map[split.Subset][]byte{}
		dumps := make([][]byte, shape.N)
		for i, dir := range h.dirs {
			stored := readStored(t, dir)
			for _, k := range stored.KeySets[0].Keys {
				if have := keys[k.Subset]; have != nil && !bytes.Equal(have, k.Key) {
					t.Fatalf("%s: two keys for subset %b", shape, k.Subset)
				}
				keys[k.Subset] = k.Key
			}
			dumps[i] = dump(t, dir)
		}
		if len(keys) != len(shape.Subsets()) {
			t.Fatalf("%s: %d share keys, want %d", shape, len(keys), len(shape.Subsets()))
		}
		for members := range uint(1) << shape.N {
			var taken [][]byte
			for i := range dumps {
				if members>>i&1 == 1 {
					taken = append(taken, dumps[i])
				}
			}
			missing := 0
			for _, key := range keys {
				if !slices.ContainsFunc(taken, func(d []byte) bool { return holds(d, key) }) {
					missing++
				}
			}
			switch {
			case len(taken) < shape.T && missing == 0:
				t.Errorf("%s: keepers %b hold every share key", shape, members)
			case len(taken) >= shape.T && missing != 0:
				t.Errorf("%s: keepers %b miss %d share keys", shape, members, missing)
			}
		}
	}
}

func readStored(t *testing.T, dir string) storedKeeper {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, keeperFile))
	if err != nil {
		t.Fatal(err)
	}
	var k storedKeeper
	if err := json.Unmarshal(b, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// dump returns the content of every file in a directory.
func dump(t *testing.T, dir string) (out []byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func holds(dump, key []byte) bool {
	for _, spelling := range []string{
		string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)),
		base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
	} {
		if bytes.Contains(dump, []byte(spelling)) {
			return true
		}
	}
	return false
}

func TestKeeperFilesAreTheirOwners(t *testing.T) {
	h := newHarness(t, split.Shape{T: 2, N: 3})
	for i, dir := range h.dirs {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != dirMode {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) < 2 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil || info.Mode().Perm() != fileMode {
				t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
			}
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("a temporary file is left: %s", e.Name())
			}
		}
		if k := readStored(t, dir); k.ID != ID([]string{"k1", "k2", "k3"}[i]) || k.KeySets[0].Member != i+1 {
			t.Errorf("keeper %d is %s, member %d", i+1, k.ID, k.KeySets[0].Member)
		}
	}
	if _, err := CreateQuorum(t.Context(), h.dirs, h.shape); !errors.Is(err, ErrExists) {
		t.Errorf("a second quorum in the same directories: %v, want ErrExists", err)
	}
	if _, err := CreateQuorum(t.Context(), h.dirs[:2], h.shape); err == nil {
		t.Error("three keepers in two directories")
	}
	if _, err := CreateQuorum(t.Context(), h.dirs[:2], split.Shape{T: 2, N: 2}); !errors.Is(err, split.ErrShape) {
		t.Errorf("2 of 2: %v, want ErrShape", err)
	}
}

func TestOpenNodeRefuses(t *testing.T) {
	open := func(dir string) error {
		n, err := OpenNode(t.Context(), dir, OpenConfig{
			Limits: ledger.NationalLimits(), Logger: slog.New(slog.DiscardHandler),
		})
		if err == nil {
			err = n.Close()
			if err == nil {
				return nil
			}
		}
		return err
	}
	edit := func(f func(*storedKeeper)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			k := readStored(t, dir)
			f(&k)
			b, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			if err := (diskfile.Disk{}).Write(dir, keeperFile, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, keeperFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), fileMode); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(name string, mode os.FileMode) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  error
	}{
		"nothing wrong":     {func(*testing.T, string) {}, nil},
		"group reads file":  {chmod(keeperFile, 0o640), ErrMode},
		"world reads file":  {chmod(keeperFile, 0o604), ErrMode},
		"group enters dir":  {chmod("", 0o710), ErrMode},
		"format":            {edit(func(k *storedKeeper) { k.Format = "liuma-keeper/2" }), ErrFile},
		"no id":             {edit(func(k *storedKeeper) { k.ID = "" }), ErrFile},
		"short identity":    {edit(func(k *storedKeeper) { k.Identity = k.Identity[1:] }), ErrFile},
		"no key set":        {edit(func(k *storedKeeper) { k.KeySets = nil }), ErrNoKeySet},
		"short share key":   {edit(func(k *storedKeeper) { k.KeySets[0].Keys[0].Key = []byte("short") }), ErrFile},
		"zero share key":    {edit(func(k *storedKeeper) { k.KeySets[0].Keys[0].Key = make([]byte, 32) }), ErrFile},
		"subset twice":      {edit(func(k *storedKeeper) { k.KeySets[0].Keys = append(k.KeySets[0].Keys, k.KeySets[0].Keys[0]) }), ErrFile},
		"share key missing": {edit(func(k *storedKeeper) { k.KeySets[0].Keys = nil }), ErrFile},
		"another member":    {edit(func(k *storedKeeper) { k.KeySets[0].Member = 2 }), ErrFile},
		"unknown member":    {replace(`"id"`, `"extra": 1, "id"`), ErrFile},
		"not JSON":          {replace(`{`, ``), ErrFile},
		"more after it":     {replace("\n}\n", "\n}\n{}"), ErrFile},
		"empty":             {func(t *testing.T, dir string) { _ = os.Truncate(filepath.Join(dir, keeperFile), 0) }, ErrFile},
		"huge":              {func(t *testing.T, dir string) { _ = os.Truncate(filepath.Join(dir, keeperFile), 2<<20) }, ErrFile},
		"gone":              {func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, keeperFile)) }, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "k")
			if _, err := CreateQuorum(t.Context(), []string{dir}, split.Shape{T: 1, N: 1}); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, dir)
			err := open(dir)
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	h := newHarness(t, split.Shape{T: 1, N: 1})
	if err := open(h.dirs[0]); !errors.Is(err, ledger.ErrLeased) {
		t.Errorf("a second opener: %v, want ErrLeased", err)
	}
	if _, err := OpenNode(t.Context(), h.dirs[0], OpenConfig{}); err == nil {
		t.Error("opened without a clock")
	}
}

// TestReopenedKeeperKeepsItsCounts: counts and versions survive a restart.
func TestReopenedKeeperKeepsItsCounts(t *testing.T) {
	h := newHarness(t, split.Shape{T: 1, N: 1})
	q := h.quorum()
	target := set(t, q, liuma.NewCardID(), 1, good)
	for range 4 {
		want(t, attemptPIN(t, q, target, bad), liuma.Wrong)
	}
	if err := h.nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	h.nodes[0] = h.open(0)
	q = h.quorumWith(QuorumConfig{Seen: q.Seen()})
	out := attemptPIN(t, q, target, bad)
	want(t, out, liuma.Wrong)
	if out.TriesLeft != 1 {
		t.Errorf("%d tries left, want 1", out.TriesLeft)
	}
	want(t, attemptPIN(t, q, target, good), liuma.Right)
}

func ceremony(t *testing.T) []*Member {
	t.Helper()
	members, err := newMembers(1, split.Shape{T: 2, N: 3})
	if err != nil {
		t.Fatal(err)
	}
	return members
}

func greet(t *testing.T, members []*Member) {
	t.Helper()
	for _, m := range members {
		for _, o := range members {
			if m != o {
				if err := m.Meet(o.Hello()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func offers(t *testing.T, m *Member) []Offer {
	t.Helper()
	list, err := m.Offer()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCeremonyRefuses: a member takes one key per subset, sealed to it, from
// the subset's first member; and is not done before all holders agree.
func TestCeremonyRefuses(t *testing.T) {
	members := ceremony(t)
	if _, err := members[0].Offer(); !errors.Is(err, ErrCeremony) {
		t.Errorf("an offer before all have met: %v", err)
	}
	h := members[1].Hello()
	for name, f := range map[string]func(*Hello){
		"number 0":       func(h *Hello) { h.Member = 0 },
		"number 4":       func(h *Hello) { h.Member = 4 },
		"its own number": func(h *Hello) { h.Member = 1 },
		"its own id":     func(h *Hello) { h.ID = "k1" },
		"no id":          func(h *Hello) { h.ID = "" },
		"bad key":        func(h *Hello) { h.Public = h.Public[1:] },
	} {
		x := h
		f(&x)
		if err := members[0].Meet(x); !errors.Is(err, ErrCeremony) {
			t.Errorf("hello with %s: %v", name, err)
		}
	}
	greet(t, members)
	if err := members[0].Meet(members[1].Hello()); !errors.Is(err, ErrCeremony) {
		t.Errorf("met twice: %v", err)
	}
	list := offers(t, members[0]) // subset {1,2} to 2, {1,3} to 3
	if len(list) != 2 || len(offers(t, members[1])) != 1 || len(offers(t, members[2])) != 0 {
		t.Fatalf("offers: %d of member 1", len(list))
	}
	to2 := list[0]
	for name, f := range map[string]func(*Offer){
		"another key set":      func(o *Offer) { o.KeySet = 2 },
		"another subset":       func(o *Offer) { o.Subset = 6 },
		"a subset of one":      func(o *Offer) { o.Subset = 2 },
		"another sender":       func(o *Offer) { o.From = 3 },
		"another member":       func(o *Offer) { o.To = 3 },
		"another's ciphertext": func(o *Offer) { o.Sealed = list[1].Sealed },
		"a flipped bit":        func(o *Offer) { o.Sealed = bytes.Clone(o.Sealed); o.Sealed[0] ^= 1 },
		"nothing sealed":       func(o *Offer) { o.Sealed = nil },
	} {
		x := to2
		f(&x)
		if err := members[1].Accept(x); !errors.Is(err, ErrCeremony) {
			t.Errorf("offer with %s: %v", name, err)
		}
	}
	if err := members[2].Accept(to2); !errors.Is(err, ErrCeremony) {
		t.Errorf("another member's offer: %v", err)
	}
	if err := members[1].Accept(to2); err != nil {
		t.Fatal(err)
	}
	if err := members[1].Accept(to2); !errors.Is(err, ErrCeremony) {
		t.Errorf("accepted twice: %v", err)
	}
	if _, err := members[2].Fingerprints(); !errors.Is(err, ErrCeremony) {
		t.Errorf("fingerprints before all keys have come: %v", err)
	}
	if _, err := members[1].Done(); !errors.Is(err, ErrCeremony) {
		t.Errorf("done before others agree: %v", err)
	}
}

// TestCeremonyFindsAMemberWithAnotherKey: a first member that sends two members
// different keys is found out before a card depends on it.
func TestCeremonyFindsAMemberWithAnotherKey(t *testing.T) {
	shape := split.Shape{T: 3, N: 5}
	members, err := newMembers(1, shape)
	if err != nil {
		t.Fatal(err)
	}
	greet(t, members)
	for i, m := range members {
		for _, o := range offers(t, m) {
			if i == 0 && o.To == 3 { // member 1 gives member 3 another key than it gave member 2
				m.keys[o.Subset] = memoryKey{split.NewShareKey()}
				o = offerTo(t, m, o.Subset, 3)
			}
			if err := members[o.To-1].Accept(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := 0
	for _, m := range members {
		prints, err := m.Fingerprints()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range prints {
			for _, other := range members {
				if other != m && other.Check(f) != nil {
					found++
				}
			}
		}
	}
	if found == 0 {
		t.Fatal("nobody found the other key")
	}
	done := 0
	for _, m := range members {
		if _, err := m.Done(); err == nil {
			done++
		}
	}
	if done == len(members) {
		t.Error("every member is done, with different keys")
	}
}

func offerTo(t *testing.T, m *Member, s split.Subset, to int) Offer {
	t.Helper()
	for _, o := range offers(t, m) {
		if o.Subset == s && o.To == to {
			return o
		}
	}
	t.Fatalf("no offer of subset %b to %d", s, to)
	return Offer{}
}

func TestCheckRefusesStrangeFingerprints(t *testing.T) {
	members := ceremony(t)
	for _, f := range []Fingerprint{{Member: 0, Subset: 3}, {Member: 1, Subset: 3}, {Member: 4, Subset: 3}, {Member: 2, Subset: 5}} {
		if err := members[0].Check(f); !errors.Is(err, ErrCeremony) {
			t.Errorf("%+v: %v, want ErrCeremony", f, err)
		}
	}
	if err := members[0].Check(Fingerprint{Member: 2, Subset: 6}); err != nil {
		t.Errorf("of a subset that is none of its business: %v", err)
	}
}
