package split

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/split/p256"
)

func shapes() []Shape { return []Shape{{1, 1}, {2, 3}, {3, 5}} }

// quorum holds the share keys of one key set, by subset.
type quorum map[Subset]ShareKey

func newQuorum(shape Shape) quorum {
	q := quorum{}
	for _, m := range shape.Subsets() {
		q[m] = NewShareKey()
	}
	return q
}

// evaluate answers like keeper number member.
func (q quorum) evaluate(t failer, shape Shape, member int, card liuma.CardID, v liuma.Version, p Point) []Share {
	var out []Share
	for _, m := range shape.SubsetsOf(member) {
		k, err := Derive(q[m], Scope{KeySet: 1, Subset: m, Card: card, Version: v})
		if err != nil {
			t.Fatalf("derive: %v", err)
		}
		s, err := k.Evaluate(p)
		if err != nil {
			t.Fatalf("evaluate: %v", err)
		}
		out = append(out, s)
	}
	return out
}

type failer interface{ Fatalf(string, ...any) }

// merge keeps one share per subset.
func merge(shares []Share) []Share {
	slices.SortStableFunc(shares, func(a, b Share) int { return int(a.Subset) - int(b.Subset) })
	return slices.CompactFunc(shares, func(a, b Share) bool { return a.Subset == b.Subset })
}

// verifierOf runs a whole check with the given keepers.
func (q quorum) verifierOf(t failer, shape Shape, members []int, card liuma.CardID, v liuma.Version, secret string) liuma.Verifier {
	g, err := Blind([]byte(secret), rand.Reader)
	if err != nil {
		t.Fatalf("blind: %v", err)
	}
	defer g.Wipe()
	var shares []Share
	for _, i := range members {
		shares = append(shares, q.evaluate(t, shape, i, card, v, g.Blinded())...)
	}
	k, err := g.Finalize(shape, merge(shares))
	if err != nil {
		t.Fatalf("finalize with keepers %v: %v", members, err)
	}
	defer k.Wipe()
	return k.Verifier()
}

func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 1
	}
	return out
}

// TestAnyQuorumGivesTheSameVerifier: any t keepers give the same y for any
// secret, card and version, and every other secret, card or version gives
// another y.
func TestAnyQuorumGivesTheSameVerifier(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SampledFrom(shapes()).Draw(t, "shape")
		q := newQuorum(shape)
		card := liuma.CardID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "card"))
		v := liuma.Version(rapid.Uint32Range(1, 1<<31).Draw(t, "version"))
		secret := rapid.StringMatching(`[0-9]{6}|[a-z ]{8,20}`).Draw(t, "secret")
		members := rapid.Permutation(all(shape.N)).Draw(t, "members")[:shape.T]

		want := q.verifierOf(t, shape, all(shape.N), card, v, secret)
		if got := q.verifierOf(t, shape, members, card, v, secret); got != want {
			t.Fatalf("keepers %v of %s give another verifier than all", members, shape)
		}
		if q.verifierOf(t, shape, members, card, v, secret+"1") == want {
			t.Fatalf("another secret gives the same verifier")
		}
		if q.verifierOf(t, shape, members, card, v+1, secret) == want {
			t.Fatalf("another version gives the same verifier")
		}
		card[0]++
		if q.verifierOf(t, shape, members, card, v, secret) == want {
			t.Fatalf("another card gives the same verifier")
		}
	})
}

// TestFewerThanQuorumMissAShareKey: for every t-1 keepers some subset has none
// of them, and their shares do not finalize (I-5).
func TestFewerThanQuorumMissAShareKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SampledFrom(shapes()).Draw(t, "shape")
		members := rapid.Permutation(all(shape.N)).Draw(t, "members")[:shape.T-1]
		missing := 0
		for _, m := range shape.Subsets() {
			if !slices.ContainsFunc(members, m.Has) {
				missing++
			}
		}
		if missing == 0 {
			t.Fatalf("keepers %v of %s hold every share key", members, shape)
		}
		q := newQuorum(shape)
		g, err := Blind([]byte("123456"), rand.Reader)
		if err != nil {
			t.Fatalf("blind: %v", err)
		}
		var shares []Share
		for _, i := range members {
			shares = append(shares, q.evaluate(t, shape, i, liuma.CardID{1}, 1, g.Blinded())...)
		}
		if _, err := g.Finalize(shape, merge(shares)); !errors.Is(err, ErrShares) {
			t.Fatalf("finalize with keepers %v: %v, want ErrShares", members, err)
		}
	})
}

func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		shape         Shape
		subsets, each int
		size          int
	}{
		{Shape{1, 1}, 1, 1, 1},
		{Shape{2, 3}, 3, 2, 2},
		{Shape{3, 5}, 10, 6, 3},
	} {
		if err := tt.shape.Validate(); err != nil {
			t.Error(err)
		}
		if got := len(tt.shape.Subsets()); got != tt.subsets {
			t.Errorf("%s: %d subsets, want %d", tt.shape, got, tt.subsets)
		}
		for _, m := range tt.shape.Subsets() {
			if m.Size() != tt.size || !m.Has(m.First()) || m >= 1<<tt.shape.N {
				t.Errorf("%s: subset %b has %d members, first %d", tt.shape, m, m.Size(), m.First())
			}
		}
		for i := 1; i <= tt.shape.N; i++ {
			if got := len(tt.shape.SubsetsOf(i)); got != tt.each {
				t.Errorf("%s: keeper %d is in %d subsets, want %d", tt.shape, i, got, tt.each)
			}
		}
		for _, i := range []int{0, -1, tt.shape.N + 1, 9} {
			if got := tt.shape.SubsetsOf(i); got != nil {
				t.Errorf("%s: keeper %d, who is none, is in %v", tt.shape, i, got)
			}
		}
	}
	for _, s := range []Shape{{}, {1, 2}, {2, 2}, {1, 3}, {3, 3}, {4, 5}, {2, 5}, {0, 1}, {-1, 1}, {4, 7}} {
		if err := s.Validate(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v, want ErrShape", s, err)
		}
		if s.Subsets() != nil || s.SubsetsOf(1) != nil {
			t.Errorf("%s: has subsets", s)
		}
	}
}

func TestParsePointRefusesEveryOtherEncoding(t *testing.T) {
	good := somePoint(t).Bytes()
	p, err := ParsePoint(good)
	if err != nil || !bytes.Equal(p.Bytes(), good) {
		t.Fatalf("a compressed point: %x, %v", p.Bytes(), err)
	}
	wide := p.b[:]
	bad := map[string][]byte{
		"empty":           {},
		"identity":        {0},
		"padded identity": make([]byte, PointSize),
		"uncompressed":    wide,
		"hybrid":          append([]byte{6 | good[0]&1}, wide[1:]...),
		"short":           good[:32],
		"long":            append(slices.Clone(good), 0),
		"prefix 4":        append([]byte{4}, good[1:]...),
		"x too large":     append([]byte{2}, elliptic.P256().Params().P.Bytes()...),
		"not on curve":    notOnCurve(t),
	}
	for name, b := range bad {
		if p, err := ParsePoint(b); !errors.Is(err, ErrPoint) || !p.IsZero() {
			t.Errorf("%s: %v, want ErrPoint", name, err)
		}
	}
	if (Point{}).Bytes() != nil {
		t.Error("the zero point has an encoding")
	}
}

func notOnCurve(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, PointSize)
	b[0] = 2
	for i := range 256 {
		b[32] = byte(i)
		if x, _ := elliptic.UnmarshalCompressed(elliptic.P256(), b); x == nil {
			return b
		}
	}
	t.Fatal("every x tried is on the curve")
	return nil
}

func somePoint(t testing.TB) Point {
	t.Helper()
	g, err := Blind([]byte("some point"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return g.Blinded()
}

func TestIdentityIsRefusedAsASum(t *testing.T) {
	g, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape := Shape{2, 3}
	zero := new(big.Int)
	var shares []Share
	for _, k := range splitKey(t, zero, shape.Subsets()) {
		s, err := k.Evaluate(g.Blinded())
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, s)
	}
	if _, err := g.Finalize(shape, shares); !errors.Is(err, ErrZero) {
		t.Errorf("shares that cancel: %v, want ErrZero", err)
	}
	if _, err := fromElement(p256.NewPoint()); !errors.Is(err, ErrPoint) {
		t.Errorf("the identity as a result: %v, want ErrPoint", err)
	}
}

func TestFinalizeWantsOneSharePerSubset(t *testing.T) {
	shape := Shape{2, 3}
	g, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := somePoint(t)
	subsets := shape.Subsets()
	for name, shares := range map[string][]Share{
		"none":       nil,
		"two":        {{subsets[0], p}, {subsets[1], p}},
		"twice":      {{subsets[0], p}, {subsets[1], p}, {subsets[1], p}},
		"four":       {{subsets[0], p}, {subsets[1], p}, {subsets[2], p}, {subsets[2], p}},
		"foreign":    {{subsets[0], p}, {subsets[1], p}, {7, p}},
		"zero point": {{subsets[0], p}, {subsets[1], p}, {subsets[2], Point{}}},
	} {
		if _, err := g.Finalize(shape, shares); !errors.Is(err, ErrShares) && !errors.Is(err, ErrPoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := g.Finalize(Shape{2, 2}, nil); !errors.Is(err, ErrShape) {
		t.Errorf("shape 2 of 2: %v, want ErrShape", err)
	}
}

func TestBlindRefuses(t *testing.T) {
	for name, secret := range map[string][]byte{"empty": nil, "too long": make([]byte, 1<<16)} {
		if _, err := Blind(secret, rand.Reader); !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %v, want ErrSecret", name, err)
		}
	}
	if _, err := Blind([]byte("123456"), bytes.NewReader(make([]byte, 40))); err == nil {
		t.Error("a zero blind was used, or a short read taken for a draw")
	}
	if _, err := Blind([]byte("123456"), bytes.NewReader(bytes.Repeat([]byte{0xff}, 32*maxDraws))); err == nil {
		t.Error("scalars above the order were used")
	}
	// A zero is skipped, not used.
	one := make([]byte, 64)
	one[63] = 1
	g, err := Blind([]byte("123456"), bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	if g.blind.IsZero() {
		t.Error("the blind is zero")
	}
}

func TestBlindedPointsDiffer(t *testing.T) {
	a, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.Blinded() == b.Blinded() {
		t.Error("two guesses of one PIN look the same to a keeper")
	}
}

// TestScopesNeverShareAMessage: each member of a scope changes the input of the
// MAC, even where bytes move from one member to its neighbour.
func TestScopesNeverShareAMessage(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) Scope {
		return Scope{
			KeySet:  rapid.Uint32().Draw(t, "key set"),
			Subset:  Subset(rapid.Byte().Draw(t, "subset")),
			Card:    liuma.CardID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "card")),
			Version: liuma.Version(rapid.Uint32().Draw(t, "version")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if (a == b) != bytes.Equal(a.message(), b.message()) {
			t.Fatalf("%v and %v", a, b)
		}
	})
}

type brokenMAC struct{}

func (brokenMAC) MAC([]byte) ([32]byte, error) { return [32]byte{}, errors.New("module gone") }

func TestDeriveFailsClosed(t *testing.T) {
	if _, err := Derive(brokenMAC{}, Scope{}); err == nil {
		t.Error("a scalar without a MAC")
	}
	k := NewShareKey()
	k.Wipe()
	if _, err := Derive(k, Scope{}); !errors.Is(err, ErrWiped) {
		t.Errorf("a wiped key: %v, want ErrWiped", err)
	}
	if _, err := Derive(ShareKey{}, Scope{}); !errors.Is(err, ErrWiped) {
		t.Errorf("the zero key: %v, want ErrWiped", err)
	}
	if _, err := ParseShareKey(make([]byte, 31)); !errors.Is(err, ErrKeySize) {
		t.Errorf("31 bytes: %v, want ErrKeySize", err)
	}
	if _, err := ParseShareKey(make([]byte, 32)); !errors.Is(err, ErrWiped) {
		t.Errorf("32 zeros: %v, want ErrWiped", err)
	}
}

func TestWipe(t *testing.T) {
	key := NewShareKey()
	other := key
	scalar, err := Derive(key, Scope{Subset: 1})
	if err != nil {
		t.Fatal(err)
	}
	key.Wipe()
	if err := other.Use(func([]byte) error { return nil }); !errors.Is(err, ErrWiped) {
		t.Errorf("a copy of a wiped key: %v, want ErrWiped", err)
	}

	g, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	share, err := scalar.Evaluate(g.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	k, err := g.Finalize(Shape{1, 1}, []Share{share})
	if err != nil {
		t.Fatal(err)
	}
	held := g.secret
	g.Wipe()
	k.Wipe()
	scalar.Wipe()
	if !bytes.Equal(held, make([]byte, 6)) || !g.blind.IsZero() {
		t.Error("the guess keeps its secret or blind after Wipe")
	}
	if !k.Verifier().IsZero() {
		t.Error("the key keeps its bytes after Wipe")
	}
	if _, err := g.Finalize(Shape{1, 1}, []Share{share}); !errors.Is(err, ErrWiped) {
		t.Errorf("a wiped guess: %v, want ErrWiped", err)
	}
	if _, err := scalar.Evaluate(share.Point); !errors.Is(err, ErrWiped) {
		t.Errorf("a wiped scalar: %v, want ErrWiped", err)
	}
}

func TestKeySigns(t *testing.T) {
	q := newQuorum(Shape{1, 1})
	g, err := Blind([]byte("123456"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := g.Finalize(Shape{1, 1}, q.evaluate(t, Shape{1, 1}, 1, liuma.CardID{1}, 1, g.Blinded()))
	if err != nil {
		t.Fatal(err)
	}
	v, sig := k.Verifier(), k.Sign([]byte("message"))
	if !ed25519.Verify(v[:], []byte("message"), sig[:]) {
		t.Error("the verifier does not verify the key's signature")
	}
}

// TestSecretsRedact: no secret type shows its content, by itself or inside
// another value.
func TestSecretsRedact(t *testing.T) {
	key := NewShareKey()
	scalar, err := Derive(key, Scope{Subset: 1})
	if err != nil {
		t.Fatal(err)
	}
	g, err := Blind([]byte("314159"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	share, err := scalar.Evaluate(g.Blinded())
	if err != nil {
		t.Fatal(err)
	}
	k, err := g.Finalize(Shape{1, 1}, []Share{share})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{key, &key, scalar, g, k} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c"} {
			if got := fmt.Sprintf(verb, v); got != hidden {
				t.Errorf("%T under %s: %s", v, verb, got)
			}
		}
		if b, err := json.Marshal(map[string]any{"v": v}); err != nil || string(b) != `{"v":"`+hidden+`"}` {
			t.Errorf("%T as JSON: %s, %v", v, b, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		if !strings.Contains(log.String(), hidden) {
			t.Errorf("%T in a log: %s", v, &log)
		}
		if err := gob.NewEncoder(&log).Encode(v); err == nil {
			t.Errorf("%T went into gob", v)
		}
	}
	var raw string
	if err := key.Use(func(b []byte) error { raw = fmt.Sprintf("%v", b); return nil }); err != nil {
		t.Fatal(err)
	}
	inside := fmt.Sprintf("%+v %#v", struct{ k ShareKey }{key}, struct{ g *Guess }{g})
	if strings.Contains(inside, raw[1:len(raw)-1]) || strings.Contains(inside, "314159") {
		t.Error("a secret shows inside an unexported field")
	}
}
