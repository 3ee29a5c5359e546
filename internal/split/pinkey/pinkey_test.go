package pinkey

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/liuma-pin/liuma"
)

func keyOf(b byte) *Key { return New(bytes.Repeat([]byte{b}, SeedSize)) }

func TestSignature(t *testing.T) {
	k := keyOf(1)
	v, s := k.Verifier(), k.Sign([]byte("message"))
	if !ed25519.Verify(v[:], []byte("message"), s[:]) {
		t.Error("the verifier does not verify the key's signature")
	}
}

// TestProof: a proof is of one message and one key.
func TestProof(t *testing.T) {
	k, other := keyOf(1), keyOf(2)
	p, v := k.Prove([]byte("message")), k.Verifier()
	k.Wipe()
	for name, c := range map[string]struct {
		proof    Proof
		verifier liuma.Verifier
		message  string
		want     bool
	}{
		"its own":                       {p, v, "message", true},
		"another message":               {p, v, "massage", false},
		"no message":                    {p, v, "", false},
		"another verifier":              {p, other.Verifier(), "message", false},
		"another key's proof":           {other.Prove([]byte("message")), v, "message", false},
		"no proof":                      {Proof{}, v, "message", false},
		"no proof, and no verifier":     {Proof{}, liuma.Verifier{}, "message", false},
		"a proof for no verifier":       {p, liuma.Verifier{}, "message", false},
		"a proof of nothing, for other": {other.Prove(nil), v, "", false},
	} {
		if got := c.proof.Proves(c.verifier, []byte(c.message)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWipedKeyProvesNothing: neither a signature nor a proof comes of it.
func TestWipedKeyProvesNothing(t *testing.T) {
	for name, act := range map[string]func(*Key){
		"sign":  func(k *Key) { k.Sign([]byte("message")) },
		"prove": func(k *Key) { k.Prove([]byte("message")) },
	} {
		t.Run(name, func(t *testing.T) {
			k := keyOf(1)
			private := k.private
			k.Wipe()
			if !bytes.Equal(private, make([]byte, ed25519.PrivateKeySize)) || !k.Verifier().IsZero() {
				t.Error("the key keeps its bytes after Wipe")
			}
			defer func() {
				if recover() == nil {
					t.Error("a wiped key was used")
				}
			}()
			act(k)
		})
	}
}
