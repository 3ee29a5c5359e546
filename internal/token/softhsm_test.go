//go:build pkcs11

package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}

// TestShareKeyLife: a share key is made in one token, travels wrapped to
// another, gives the same MACs in both, and once sealed leaves neither.
func TestShareKeyLife(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	hsm.Init("two")
	one, two := hsm.Open("one"), hsm.Open("two")
	must(t, one.NewShareKey("s"))
	want(t, "the name again", one.NewShareKey("s"), token.ErrExists)
	if _, err := token.OpenShareKey(one, "s"); !errors.Is(err, token.ErrWeakKey) {
		t.Errorf("used before it was sealed: %v", err)
	}
	to, err := two.WrappingKey("wrap")
	must(t, err)
	if to.Hash != crypto.SHA1 { // SoftHSM 2.6 can no other; a later one that can is welcome
		t.Logf("this SoftHSM does OAEP with %s", to.Hash)
	}
	wrapped, err := one.WrapShareKey("s", to)
	must(t, err)
	must(t, two.UnwrapShareKey("s", "wrap", to.Hash, wrapped))
	for _, tok := range []token.Token{one, two} {
		must(t, tok.SealShareKey("s"))
		_, err := tok.WrapShareKey("s", to)
		want(t, "wrapped once sealed", err, token.ErrUnextractable)
		if !strings.Contains(err.Error(), "CKR_KEY_UNEXTRACTABLE") {
			t.Errorf("the token says %v", err)
		}
	}
	a, err := token.OpenShareKey(one, "s")
	must(t, err)
	b, err := token.OpenShareKey(two, "s")
	must(t, err)
	scope := split.Scope{KeySet: 1, Subset: 3, Version: 1}
	for _, k := range []split.ShareMAC{a, b} {
		s, err := split.Derive(k, scope)
		must(t, err)
		s.Wipe()
	}
	x, err := a.MAC([]byte("m"))
	must(t, err)
	y, err := b.MAC([]byte("m"))
	must(t, err)
	if x != y {
		t.Error("two MACs of one key")
	}
	must(t, one.Destroy("s"))
	_, err = a.MAC([]byte("m"))
	want(t, "a destroyed key", err, token.ErrNoKey)
	must(t, one.Destroy("s"))
}

// TestUnwrapRefuses what is not a share key that was wrapped to this token.
func TestUnwrapRefuses(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok := hsm.Open("one")
	to, err := tok.WrappingKey("wrap")
	must(t, err)
	foreign, err := rsa.GenerateKey(rand.Reader, 3072)
	must(t, err)
	other, err := token.WrappingKey{Public: &foreign.PublicKey, Hash: to.Hash}.Encrypt(make([]byte, 32))
	must(t, err)
	for name, b := range map[string][]byte{"to another": other, "nothing": nil, "noise": make([]byte, 384)} {
		if err := tok.UnwrapShareKey("s", "wrap", to.Hash, b); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := tok.Sealed("s"); !errors.Is(err, token.ErrNoKey) {
			t.Errorf("%s: it left a key: %v", name, err)
		}
	}
	known := []byte("0123456789abcdef0123456789abcdef")
	sealed, err := to.Encrypt(known)
	must(t, err)
	must(t, tok.UnwrapShareKey("s", "wrap", to.Hash, sealed))
	got, err := tok.MAC("s", []byte("message"))
	must(t, err)
	mac := hmac.New(sha256.New, known)
	mac.Write([]byte("message"))
	if !hmac.Equal(mac.Sum(nil), got[:]) {
		t.Error("the token's MAC is not HMAC-SHA256")
	}
}

// TestSigningAndDecrypting inside the token.
func TestSigningAndDecrypting(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok := hsm.Open("one")
	public, err := tok.NewSigningKey("sign")
	must(t, err)
	_, err = tok.NewSigningKey("sign")
	want(t, "the name again", err, token.ErrExists)
	digest := sha256.Sum256([]byte("what is signed"))
	signature, err := tok.Sign("sign", digest[:])
	must(t, err)
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(public, digest[:], r, s) {
		t.Error("the signature does not verify")
	}
	_, err = tok.Sign("nobody", digest[:])
	want(t, "an unknown key", err, token.ErrNoKey)
	to, err := tok.WrappingKey("wrap")
	must(t, err)
	again, err := tok.WrappingKey("wrap")
	must(t, err)
	if !again.Public.Equal(to.Public) {
		t.Error("asked again, another key")
	}
	sealed, err := to.Encrypt([]byte("secret"))
	must(t, err)
	opened, err := tok.Decrypt("wrap", to.Hash, sealed)
	if err != nil || string(opened) != "secret" {
		t.Errorf("%q, %v", opened, err)
	}
	sealed[5] ^= 1
	if _, err := tok.Decrypt("wrap", to.Hash, sealed); err == nil {
		t.Error("what was altered was opened")
	}
	must(t, tok.Check())
}

// TestPlantedKeysAreRefused: a key that somebody made with another tool under a name
// of Liuma's, and that can be taken out, is not used.
func TestPlantedKeysAreRefused(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	out, err := exec.CommandContext(t.Context(), "pkcs11-tool", "--module", hsm.Module, "--token-label", "one", "--login", "--pin", tokentest.PIN,
		"--keypairgen", "--key-type", "EC:prime256v1", "--label", "sign", "--extractable").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tok := hsm.Open("one")
	_, err = tok.Sign("sign", make([]byte, 32))
	want(t, "an extractable key", err, token.ErrWeakKey)
}

// TestOpenRefuses what is not there, and gives a wrong PIN once.
func TestOpenRefuses(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	for name, tt := range map[string]struct {
		change func(*token.Config)
		want   error
	}{
		"no module":       {func(c *token.Config) { c.Module = "" }, token.ErrConfig},
		"missing module":  {func(c *token.Config) { c.Module = "/nowhere/lib.so" }, token.ErrModule},
		"no library":      {func(c *token.Config) { c.Module = "/etc/hostname" }, token.ErrModule},
		"another token":   {func(c *token.Config) { c.Label = "two" }, token.ErrNoToken},
		"no PIN":          {func(c *token.Config) { c.PIN = token.NewPIN("") }, token.ErrConfig},
		"a wrong PIN":     {func(c *token.Config) { c.PIN = token.NewPIN("000000") }, token.ErrPIN},
		"no logger":       {func(c *token.Config) { c.Logger = nil }, token.ErrConfig},
		"a PIN too short": {func(c *token.Config) { c.PIN = token.NewPIN("1") }, token.ErrPIN},
	} {
		c := hsm.Config("one")
		tt.change(&c)
		tok, err := token.Open(c)
		want(t, name, err, tt.want)
		if tok != nil {
			t.Errorf("%s: a token", name)
		}
	}
}

// TestTokenAway: a token that was taken out is said to be away, nobody waits for it,
// and it is found again by itself.
func TestTokenAway(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok := hsm.Open("one")
	must(t, tok.NewShareKey("s"))
	must(t, tok.SealShareKey("s"))
	before, err := tok.MAC("s", nil)
	must(t, err)
	putBack := hsm.TakeOut()
	away := func() error { _, err := tok.MAC("s", nil); return err }
	eventually(t, "the token is missed", func() bool { return away() != nil })
	start := time.Now()
	for range 20 {
		if err := away(); !errors.Is(err, token.ErrNoToken) && !errors.Is(err, token.ErrAway) {
			t.Fatalf("away: %v", err)
		}
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("twenty calls waited %s", took)
	}
	putBack()
	eventually(t, "the token is found again", func() bool { return away() == nil })
	after, err := tok.MAC("s", nil)
	if err != nil || after != before {
		t.Errorf("another MAC, %v", err)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	patience.Until(t, what, f)
}

// TestManyAtOnce: more callers than sessions, each gets its own MAC.
func TestManyAtOnce(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok := hsm.Open("one")
	must(t, tok.NewShareKey("s"))
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			message := []byte{byte(i)}
			first, err := tok.MAC("s", message)
			for range 20 {
				again, err2 := tok.MAC("s", message)
				if err != nil || err2 != nil || first != again {
					t.Errorf("%d: %v, %v", i, err, err2)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestClosed answers nothing any more, also twice.
func TestClosed(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok, err := token.Open(hsm.Config("one"))
	must(t, err)
	must(t, tok.Close())
	must(t, tok.Close())
	_, err = tok.MAC("s", nil)
	want(t, "closed", err, token.ErrClosed)
	want(t, "closed", tok.Check(), token.ErrClosed)
}

// TestNoSessionFree: who finds all sessions busy is told so in time, and served again
// once one is free.
func TestNoSessionFree(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	c := hsm.Config("one")
	c.Sessions, c.Wait = 2, 50*time.Millisecond
	tok, err := token.Open(c)
	must(t, err)
	defer func() { must(t, tok.Close()) }()
	must(t, tok.NewShareKey("s"))
	release := token.Hold(tok)
	_, err = tok.MAC("s", []byte("m"))
	want(t, "all sessions used", err, token.ErrBusy)
	release()
	_, err = tok.MAC("s", []byte("m"))
	must(t, err)
}

// TestSessionsLost: a token that forgot all sessions, as after its restart, is logged in
// at again by whoever asks next.
func TestSessionsLost(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Init("one")
	tok := hsm.Open("one")
	must(t, tok.NewShareKey("s"))
	before, err := tok.MAC("s", []byte("m"))
	must(t, err)
	time.Sleep(time.Second) // connections are made once a second at most
	must(t, token.LoseSessions(tok))
	after, err := tok.MAC("s", []byte("m"))
	if err != nil || before != after {
		t.Errorf("the next call: %v", err)
	}
	must(t, tok.Check())
}
