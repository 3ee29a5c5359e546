package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

func openAt(t testing.TB, f KeyFile) *Vault {
	t.Helper()
	v, err := f.Open()
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

func wantError(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}

// signsNow reports whether a receipt of v is checked by the keys of other.
func signsNow(t testing.TB, v, other *Vault) {
	t.Helper()
	r := receipt()
	s, err := v.SignReceipt(r)
	must(t, err)
	if _, err := ParseReceipt(s, other.ReceiptKeys(), r.Issuer, r.Channel, r.IssuedAt); err != nil {
		t.Error(err)
	}
}

func publishes(v *Vault, kid string) bool {
	keys := v.ReceiptKeys()
	return len(keys.Key(kid)) == 1
}

// TestEnclosing: a key file that is sealed to a token has no key in the clear,
// opens by that token and by the spare one, opens what was sealed before, and goes on
// with the same published keys and a new one that the token made.
func TestEnclosing(t *testing.T) {
	path := newFile(t)
	plain, err := os.ReadFile(path)
	must(t, err)
	before := open(t, path)
	sealed, err := before.Seal(CardFacts, []byte("id"), []byte("facts"))
	must(t, err)
	one, spare, stranger := tokentest.NewSoft(t, "one"), tokentest.NewSoft(t, "spare"), tokentest.NewSoft(t, "one")
	f := KeyFile{Path: path, Token: one}
	spareKey, err := spare.WrappingKey("")
	must(t, err)
	out, err := f.Enclose([]token.WrappingKey{spareKey}, now())
	must(t, err)
	if len(out.Tokens) != 2 || out.Signing.State != KeySigning || one.Keys() != 1 {
		t.Errorf("%+v, %d keys in the token", out, one.Keys())
	}
	content, err := os.ReadFile(path)
	must(t, err)
	for at := indexStart; at+rootSize < len(plain)-checksumSize; at += 8 {
		if bytes.Contains(content, plain[at:at+16]) {
			t.Fatalf("bytes of the open file at %d stand in the sealed one", at)
		}
	}
	v := openAt(t, f)
	got, err := v.Unseal(CardFacts, []byte("id"), sealed)
	if err != nil || string(got) != "facts" {
		t.Errorf("%q, %v", got, err)
	}
	if old := before.SignsWith(); v.SignsWith() == old || !publishes(v, old) {
		t.Error("the key before is not published, or signs still")
	}
	signsNow(t, v, v)
	signsNow(t, before, v)

	_, err = Open(path)
	wantError(t, "without a token", err, ErrSealed)
	_, err = KeyFile{Path: path, Token: stranger}.Open()
	wantError(t, "another token of that name", err, ErrOtherToken)
	one.TakeOut(token.ErrAway)
	_, err = f.Open()
	wantError(t, "a token that is away", err, token.ErrAway)
	if list, err := At(path).Recipients(); err != nil || len(list) != 2 || list[1].Token != "spare" {
		t.Errorf("%v, %v", list, err)
	}

	// The token is lost: the spare one opens the file, and takes over.
	rescued := KeyFile{Path: path, Token: spare}
	if _, err := openAt(t, rescued).SignReceipt(receipt()); !errors.Is(err, token.ErrNoKey) {
		t.Errorf("signed without the key: %v", err)
	}
	if out, err = rescued.Enclose(nil, now()); err != nil || len(out.Tokens) != 1 || spare.Keys() != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	after := openAt(t, rescued)
	clock := now()
	after.PublishFirst(func() time.Time { return clock }) // the key before it is lost, so it signs at once
	signsNow(t, after, after)
	signsNow(t, before, after)
	if !publishes(after, v.SignsWith()) {
		t.Error("the key of the lost token is published no more")
	}
}

// TestEncloseRefuses what would leave nobody able to open the file, and then changes
// nothing.
func TestEncloseRefuses(t *testing.T) {
	path := newFile(t)
	plain, err := os.ReadFile(path)
	must(t, err)
	one := tokentest.NewSoft(t, "one")
	own, err := one.WrappingKey("")
	must(t, err)
	_, err = At(path).Enclose(nil, now())
	wantError(t, "without a token", err, ErrNoToken)
	if _, err := (KeyFile{Path: path, Token: one}).Enclose([]token.WrappingKey{own}, now()); err == nil {
		t.Error("a token was its own spare")
	}
	lying := tokentest.NewSoft(t, "lying")
	other := tokentest.NewSoft(t, "other")
	swapped := &swappedToken{Soft: lying, shows: other}
	_, err = KeyFile{Path: path, Token: swapped}.Enclose(nil, now())
	wantError(t, "a token that cannot open what is sealed to it", err, ErrOtherToken)
	if lying.Keys() != 0 {
		t.Error("its signing key was left in the token")
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, plain) {
		t.Errorf("a refused change changed the file: %v", err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file behind: %v", err)
	}
}

// swappedToken shows the wrapping key of another token.
type swappedToken struct {
	*tokentest.Soft
	shows *tokentest.Soft
}

func (s *swappedToken) WrappingKey(name string) (token.WrappingKey, error) {
	return s.shows.WrappingKey(name)
}

// TestRotationInAToken: keys are prepared, rotated and dropped as in a file, and a
// dropped one leaves the token.
func TestRotationInAToken(t *testing.T) {
	one := tokentest.NewSoft(t, "one")
	f := KeyFile{Path: newFile(t), Token: one}
	first, err := f.Enclose(nil, now())
	must(t, err)
	next, err := f.PrepareSigningKey(now())
	must(t, err)
	rotated, err := f.RotateSigningKey(now())
	must(t, err)
	if rotated.ID != next.ID || one.Keys() != 2 {
		t.Errorf("%+v, want %+v; %d keys in the token", rotated, next, one.Keys())
	}
	v := openAt(t, f)
	signsNow(t, v, v)
	clock := now()
	v.PublishFirst(func() time.Time { return clock })
	if s, err := v.SignReceipt(receipt()); err != nil || !v.SignedLately(first.Signing.ID) {
		t.Errorf("the elder key does not sign: %s, %v", s, err)
	}
	must(t, f.DropSigningKey(first.Signing.ID))
	if one.Keys() != 1 {
		t.Errorf("%d keys in the token after a drop, want 1", one.Keys())
	}
	wantError(t, "the one that signs", f.DropSigningKey(rotated.ID), ErrKeySigns)
	_, err = f.RotateRootKey(now())
	must(t, err)
	must(t, v.Reload())
	if v.SealsWith() != 2 {
		t.Errorf("seals with %d", v.SealsWith())
	}
	one.TakeOut(token.ErrAway)
	_, err = f.RotateSigningKey(now())
	wantError(t, "away", err, token.ErrAway)
}

// TestTokenAwayAtRunTime: nothing is signed, the vault says that it is not
// ready, what needs no token goes on, and it heals by itself. The token is not asked
// for every request.
func TestTokenAwayAtRunTime(t *testing.T) {
	one := tokentest.NewSoft(t, "one")
	f := KeyFile{Path: newFile(t), Token: one}
	_, err := f.Enclose(nil, now())
	must(t, err)
	v := openAt(t, f)
	must(t, v.Ready())
	asked := one.Asked()
	for range 50 {
		must(t, v.Ready())
	}
	if one.Asked() != asked {
		t.Errorf("asked %d times within a second", one.Asked()-asked)
	}
	one.TakeOut(token.ErrAway)
	_, err = v.SignReceipt(receipt())
	wantError(t, "signing", err, token.ErrAway)
	if liuma.CodeOf(err) != liuma.CodeUnavailable {
		t.Errorf("code %s", liuma.CodeOf(err))
	}
	v.ready.forget()
	if err := v.Ready(); liuma.CodeOf(err) != liuma.CodeUnavailable {
		t.Errorf("ready: %v", err)
	}
	if _, err := v.Seal(CardFacts, []byte("id"), []byte("facts")); err != nil {
		t.Error(err)
	}
	one.TakeOut(nil)
	v.ready.forget()
	must(t, v.Ready())
	signsNow(t, v, v)
	must(t, newTestVault(t).Ready())
}

func (r *readiness) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}

// TestSealedFileAltered: whatever byte is altered, and whatever is cut off, nothing
// opens.
func TestSealedFileAltered(t *testing.T) {
	one := tokentest.NewSoft(t, "one")
	f := KeyFile{Path: newFile(t), Token: one}
	_, err := f.Enclose(nil, now())
	must(t, err)
	good, err := os.ReadFile(f.Path)
	must(t, err)
	bad := KeyFile{Path: filepath.Join(t.TempDir(), "bad.key"), Token: one}
	try := func(what string, at int, content []byte) {
		must(t, os.WriteFile(bad.Path, resummed(content), 0o600))
		if _, err := bad.Open(); err == nil {
			t.Errorf("%s at %d: it opens", what, at)
		}
	}
	for at := len(magic); at < len(good)-checksumSize; at += 7 {
		altered := bytes.Clone(good)
		altered[at] ^= 4
		try("altered", at, altered)
		try("cut", at, good[:at+checksumSize])
	}
}

// resummed gives altered content a checksum that fits, as whoever alters it would.
func resummed(content []byte) []byte {
	body := content[:max(len(content)-checksumSize, 0)]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:checksumSize]...)
}

func FuzzParseSealedKeyFile(f *testing.F) {
	one := tokentest.NewSoft(f, "one")
	file := KeyFile{Path: newFile(f), Token: one}
	_, err := file.Enclose(nil, now())
	must(f, err)
	good, err := os.ReadFile(file.Path)
	must(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, content []byte) {
		content = resummed(content)
		raw, err := parseKeyFile(content, one)
		if err == nil && len(raw.to) > 0 && !bytes.Equal(content, good) {
			t.Error("something else opens")
		}
		if err != nil && raw != nil {
			t.Error("keys beside an error")
		}
	})
}
