package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
)

// sent is a sender's run of HPKE with every value that another platform may
// want to compare on the way.
type sent struct {
	enc, shared, key, nonce, ct []byte
}

// sendWith is base-mode HPKE's sender, first message only, written out from
// RFC 9180 with a given ephemeral key. The standard library draws that key
// itself, so vectors for senders need this; its result is always checked
// against the standard library's recipient.
func sendWith(t testing.TB, ephemeral, public, info, aad, plain []byte) sent {
	t.Helper()
	skE, err := ecdh.P256().NewPrivateKey(ephemeral)
	must(t, err)
	pkR, err := ecdh.P256().NewPublicKey(public)
	must(t, err)
	dh, err := skE.ECDH(pkR)
	must(t, err)

	kemSuite := []byte("KEM\x00\x10")
	suite := []byte("HPKE\x00\x10\x00\x01\x00\x01")
	s := sent{enc: skE.PublicKey().Bytes()}
	s.shared = labeledExpand(t, kemSuite, labeledExtract(t, kemSuite, nil, "eae_prk", dh),
		"shared_secret", slices.Concat(s.enc, public), 32)
	context := slices.Concat([]byte{0},
		labeledExtract(t, suite, nil, "psk_id_hash", nil),
		labeledExtract(t, suite, nil, "info_hash", info))
	secret := labeledExtract(t, suite, s.shared, "secret", nil)
	s.key = labeledExpand(t, suite, secret, "key", context, 16)
	s.nonce = labeledExpand(t, suite, secret, "base_nonce", context, 12)
	block, err := aes.NewCipher(s.key)
	must(t, err)
	aead, err := cipher.NewGCM(block)
	must(t, err)
	s.ct = aead.Seal(nil, s.nonce, plain, aad)
	return s
}

func labeledExtract(t testing.TB, suite, salt []byte, label string, ikm []byte) []byte {
	t.Helper()
	prk, err := hkdf.Extract(sha256.New, slices.Concat([]byte("HPKE-v1"), suite, []byte(label), ikm), salt)
	must(t, err)
	return prk
}

func labeledExpand(t testing.TB, suite, prk []byte, label string, info []byte, n int) []byte {
	t.Helper()
	full := slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(n)), []byte("HPKE-v1"), suite, []byte(label), info)
	out, err := hkdf.Expand(sha256.New, prk, string(full), n)
	must(t, err)
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
