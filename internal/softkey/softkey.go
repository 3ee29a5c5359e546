// Package softkey is a passkey that a program keeps, with as much of a browser around it
// as makes one and signs with it: for the demo on a machine without an authenticator,
// and for tests. It guarantees that it answers like a browser does, with the origin that
// it was given, and that the private key stays in memory. It proves no device and no
// person; a member with one is marked as such.
//
// Start here: New, then Create and Get.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Key is one passkey. It is for one goroutine.
type Key struct {
	// Origin is that of the page that the browser shows.
	Origin string
	// Unverified leaves out that the person was asked for a finger or a PIN.
	Unverified bool
	// Count is the number of signatures, as the key says it.
	Count uint32

	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte // of whom it was made for
}

// New draws a key.
func New(origin string) (*Key, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails since Go 1.24
	return &Key{Origin: origin, key: key, id: id}, nil
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// The bits of an authenticator's data.
const (
	present  = 1
	verified = 4
	attested = 64
)

// data is the authenticator's data: whose site, what was asked of the person, the count,
// and a new key where one is made.
func (k *Key) data(host string, made []byte) []byte {
	sum := sha256.Sum256([]byte(host))
	flags := byte(present)
	if !k.Unverified {
		flags |= verified
	}
	if made != nil {
		flags |= attested
	}
	out := append(sum[:], flags)
	return append(binary.BigEndian.AppendUint32(out, k.Count), made...)
}

func (k *Key) client(kind, challenge string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": k.Origin, "crossOrigin": false})
}

// Create answers PublicKeyCredentialCreationOptions as a browser does.
func (k *Key) Create(options []byte) ([]byte, error) {
	var o struct {
		Challenge string
		RP        struct{ ID string }
		User      struct{ ID string }
	}
	err := json.Unmarshal(options, &o)
	if err == nil {
		k.handle, err = base64.RawURLEncoding.DecodeString(o.User.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	public, err := k.key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	made := append(make([]byte, 16), binary.BigEndian.AppendUint16(nil, uint16(len(k.id)))...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": k.data(o.RP.ID, slices.Concat(made, k.id, cose))})
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	client, err := k.client("webauthn.create", o.Challenge)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return k.answer(map[string]any{"clientDataJSON": text(client), "attestationObject": text(object)})
}

// Get answers PublicKeyCredentialRequestOptions.
func (k *Key) Get(options []byte) ([]byte, error) {
	var o struct {
		Challenge string
		RPID      string `json:"rpId"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	k.Count++
	client, err := k.client("webauthn.get", o.Challenge)
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	data := k.data(o.RPID, nil)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, k.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("softkey: %w", err)
	}
	return k.answer(map[string]any{"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(sig), "userHandle": text(k.handle)})
}

func (k *Key) answer(response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"id": text(k.id), "rawId": text(k.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
}
