package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// DigestType is the typ of a digest's signature. It distinguishes digests from
// receipts and ID tokens, which the same key signs.
const DigestType = "liuma-digest+jws"

// Digest describes the whole record at one moment. Digests are numbered, and
// each names the previous one, so that somebody with a later digest can check
// an earlier one. The heads of the streams that grew since the previous digest
// are listed beside it (its changes).
type Digest struct {
	Issuer   string
	Number   uint64 // 1, 2, 3 … without gaps
	At       time.Time
	Previous Hash   // SHA-256 of the previous digest's token; zero for the first
	Streams  uint64 // how many streams the record had
	Entries  uint64 // how many entries they had together
	Changed  uint64 // how many changes there are
	Changes  Hash   // ChangesHash of the changes
	// Faulty counts streams that were left out because their new entries were not
	// an unbroken chain; for these the last digest that lists them still holds.
	Faulty uint64
	Sum    Sum // over the heads of all streams
}

// SignedDigest is a digest with its signature.
type SignedDigest struct {
	Digest
	Token string // compact JWS (ES256), typ DigestType
}

// Hash is the value of Previous in the next digest.
func (d SignedDigest) Hash() Hash { return sha256.Sum256([]byte(d.Token)) }

// leaf returns the SHA-256 of a head; its fields are encoded as in an entry.
func (h Head) leaf() Hash {
	b := make([]byte, 0, 128)
	field := func(value []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	field([]byte("liuma/1/head"))
	field([]byte(h.Stream.Kind.String()))
	field(h.Stream.ID[:])
	field(binary.BigEndian.AppendUint64(nil, h.Number))
	field(h.Hash[:])
	return sha256.Sum256(b)
}

// ChangesHash is the SHA-256 of a label and the leaves of the changes in their
// order.
func ChangesHash(changes []Head) Hash {
	h := sha256.New()
	h.Write([]byte("liuma/1/changes"))
	for _, c := range changes {
		leaf := c.leaf()
		h.Write(leaf[:])
	}
	return Hash(h.Sum(nil))
}

// lanes is the number of 16-bit numbers in a Sum.
const lanes = 1024

// Sum is a hash of a set of heads that can be updated: a head can be added or
// removed without the others (LtHash: each head becomes 1,024 numbers of 16
// bits, which are added modulo 65,536). As far as is known, nobody can find two
// sets with the same Sum. The order of adding does not matter.
type Sum [lanes]uint16

// expand turns a head into the numbers to add.
func expand(h Head) (out Sum) {
	seed := h.leaf()
	var block [len(seed) + 4]byte
	copy(block[:], seed[:])
	for i := range lanes / 16 {
		binary.BigEndian.PutUint32(block[len(seed):], uint32(i))
		b := sha256.Sum256(block[:])
		for j := range 16 {
			out[16*i+j] = binary.BigEndian.Uint16(b[2*j:])
		}
	}
	return out
}

// Add adds a head to the set.
func (s *Sum) Add(h Head) {
	for i, v := range expand(h) {
		s[i] += v
	}
}

// Remove removes a head from the set.
func (s *Sum) Remove(h Head) {
	for i, v := range expand(h) {
		s[i] -= v
	}
}

// MarshalText returns base64url of the numbers, each with its most significant
// byte first.
func (s Sum) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 2*lanes)
	for _, v := range s {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return []byte(base64.RawURLEncoding.EncodeToString(b)), nil
}

// UnmarshalText reads a text that MarshalText wrote.
func (s *Sum) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != 2*lanes {
		return errors.New("audit: not a sum")
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return nil
}

// digestClaims is the signed form. Every member is required.
type digestClaims struct {
	Issuer   string `json:"iss"`
	Number   uint64 `json:"number"`
	At       int64  `json:"at"` // milliseconds since 1970
	Previous Hash   `json:"previous"`
	Streams  uint64 `json:"streams"`
	Entries  uint64 `json:"entries"`
	Changed  uint64 `json:"changed"`
	Changes  Hash   `json:"changes"`
	Faulty   uint64 `json:"faulty"`
	Sum      Sum    `json:"sum"`
}

// Payload returns the bytes that are signed: one JSON object.
func (d Digest) Payload() ([]byte, error) {
	if d.Issuer == "" || d.Number == 0 || d.At.IsZero() || (d.Number == 1) != (d.Previous == Hash{}) {
		return nil, errors.New("audit: digest without issuer, number, time or predecessor")
	}
	return json.Marshal(digestClaims{d.Issuer, d.Number, d.At.UnixMilli(), d.Previous, d.Streams, d.Entries, d.Changed, d.Changes, d.Faulty, d.Sum})
}

// maxToken bounds the length of a digest that is parsed, in bytes.
const maxToken = 8192

// ParseDigest reads a signed digest and checks its signature with keys. Without
// keys (nil) it does not check the signature: then the digest proves something
// only together with a later, checked one.
func ParseDigest(token string, keys *jose.JSONWebKeySet) (SignedDigest, error) {
	payload, err := openToken(token, DigestType, keys)
	if err != nil {
		return SignedDigest{}, fmt.Errorf("audit: digest: %w", err)
	}
	d, err := parseClaims(payload)
	return SignedDigest{Digest: d, Token: token}, err
}

// ErrOtherKey means that none of the given keys can check a digest or archive. It
// is not known whether that is genuine.
var ErrOtherKey = errors.New("signed with a key that is not among those given")

// openToken checks the form and the signature of a digest or archive, and returns
// the signed payload.
func openToken(token, want string, keys *jose.JSONWebKeySet) ([]byte, error) {
	if len(token) > maxToken {
		return nil, errors.New("too long")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a compact JWS with ES256")
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != want {
		return nil, errors.New("wrong type")
	}
	if keys == nil {
		return jws.UnsafePayloadWithoutVerification(), nil
	}
	found := keys.Key(header.KeyID)
	if header.KeyID == "" || len(found) != 1 || header.JSONWebKey != nil {
		return nil, ErrOtherKey
	}
	public, ok := found[0].Key.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("key is not for ES256")
	}
	payload, err := jws.Verify(public)
	if err != nil {
		return nil, errors.New("signature does not verify")
	}
	return payload, nil
}

func parseClaims(payload []byte) (Digest, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	var c digestClaims
	if err := dec.Decode(&c); err != nil {
		return Digest{}, fmt.Errorf("audit: digest: %w", err)
	}
	d := Digest{c.Issuer, c.Number, time.UnixMilli(c.At).UTC(), c.Previous, c.Streams, c.Entries, c.Changed, c.Changes, c.Faulty, c.Sum}
	again, err := d.Payload()
	if err != nil {
		return Digest{}, err
	}
	// A digest has only one accepted encoding, so that all readers of the same
	// bytes agree on its meaning.
	if !bytes.Equal(again, payload) {
		return Digest{}, errors.New("audit: digest: not written as digests are")
	}
	return d, nil
}
