package door

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	// TokenLifetime is the longest life of a token that a client signed.
	TokenLifetime = 5 * time.Minute
	// TokenLeeway is how far a client's clock may be from ours.
	TokenLeeway = 30 * time.Second
	// NativeType is the typ of a bearer token for the native door, and of
	// nothing else.
	NativeType = "liuma-native+jwt"
)

// AssertionTypes are the accepted typs of a client assertion for the hosted door:
// those that OpenID Connect libraries write, and a missing typ.
func AssertionTypes() []string { return []string{"", "JWT", "client-authentication+jwt"} }

// NativeAudience is the audience of bearer tokens for the native door. A client
// assertion names the issuer or one of the hosted door's endpoints, so neither
// kind of token passes for the other, by its audience or by its typ.
func NativeAudience(issuer string) string { return issuer + "/v1" }

// Clients finds registered clients and their keys. It reads the registration each
// time, so that stopping a client or replacing its key works at once; only the parsed
// form of a set of keys is cached.
type Clients struct {
	lookup func(ctx context.Context, id string) (store.Client, error)

	mu   sync.Mutex
	sets map[string]keySet // by client id; guarded by mu
}

// keySet is a client's registered keys, parsed.
type keySet struct {
	raw  string // the JWK set that it was parsed from
	keys Keys
}

// Keys are a client's keys by kid.
type Keys map[string]Key

// Key is one key of a client. The zero Key verifies nothing.
type Key struct {
	public *ecdsa.PublicKey
	Print  KeyPrint
}

// KeyPrint is a key's RFC 7638 thumbprint.
type KeyPrint [sha256.Size]byte

// Errors that doors act on.
var (
	// ErrNoClient says that nobody is registered under an id.
	ErrNoClient = errors.New("no such client")
	// ErrTokenType says that the door does not take tokens of this typ.
	ErrTokenType = errors.New("typ is of another kind of token")
)

// NewClients makes a Clients that asks lookup for the registration. An unknown
// client is store.ErrNotFound or CodeUnauthenticated there.
func NewClients(lookup func(ctx context.Context, id string) (store.Client, error)) *Clients {
	return &Clients{lookup: lookup, sets: map[string]keySet{}}
}

// Find looks a client and its keys up. A door must answer ErrNoClient like a bad
// signature; any other error fails the request. A stopped client is found too: the
// door says that it is stopped only after it has checked the signature.
func (c *Clients) Find(ctx context.Context, id string) (store.Client, Keys, error) {
	client, err := c.lookup(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err != nil && liuma.CodeOf(err) == liuma.CodeUnauthenticated {
		return store.Client{}, nil, ErrNoClient
	}
	if err != nil {
		return store.Client{}, nil, fmt.Errorf("look up client: %w", err)
	}
	c.mu.Lock()
	set, ok := c.sets[id]
	c.mu.Unlock()
	if ok && set.raw == string(client.Keys) {
		return client, set.keys, nil
	}
	keys, err := readKeys(client)
	if err != nil {
		// The registered keys cannot be read. That is a fault of this server;
		// the request is refused.
		return store.Client{}, nil, err
	}
	c.mu.Lock()
	c.sets[id] = keySet{raw: string(client.Keys), keys: keys}
	c.mu.Unlock()
	return client, keys, nil
}

// readKeys parses a client's keys and takes their thumbprints.
func readKeys(client store.Client) (Keys, error) {
	public, err := evidence.PublicKeys(client)
	if err != nil {
		return nil, err
	}
	keys := make(Keys, len(public))
	for kid, key := range public {
		sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("thumbprint: %w", err)
		}
		keys[kid] = Key{public: key, Print: KeyPrint(sum)}
	}
	return keys, nil
}

// Only returns the key of a client that has exactly one.
func (k Keys) Only() (Key, bool) {
	if len(k) == 1 {
		for _, key := range k {
			return key, true
		}
	}
	return Key{}, false
}

// Token is a JWT by which a client authenticates itself: a bearer token that it
// signed, or a client assertion. Its content is unproven until Verify.
type Token struct {
	KeyID string // empty if the token names none
	jws   *jwt.JSONWebToken
}

// Claims are the claims that every door reads. Doors embed it to read more.
type Claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.Audience     `json:"aud"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	Expires   *jwt.NumericDate `json:"exp"`
}

// ParseToken reads a token without trusting it; claims points to where its claims go.
// Only ES256 is parsed, so neither "none" nor a MAC under a public key gets any
// further; a key inside the token is never used. The typ must be one of types:
// NativeType is compared byte for byte, all others as media types; "" among them
// stands for a missing typ. Otherwise the error is ErrTokenType.
func ParseToken(raw string, claims any, types ...string) (*Token, error) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	if len(token.Headers) != 1 {
		return nil, errors.New("not one signature")
	}
	typ, has := token.Headers[0].ExtraHeaders[jose.HeaderType]
	if !has {
		typ = ""
	}
	text, ok := typ.(string)
	if !ok || !slices.ContainsFunc(types, func(of string) bool { return sameType(text, of) }) {
		return nil, ErrTokenType
	}
	if err := token.UnsafeClaimsWithoutVerification(claims); err != nil {
		return nil, err
	}
	return &Token{KeyID: token.Headers[0].KeyID, jws: token}, nil
}

// sameType compares a typ with one that a door takes. Typs that libraries write are
// compared as media types: case does not count, and "application/" may be written out
// (RFC 7515, 4.1.9). NativeType is written only by this project's clients, and has
// one spelling.
func sameType(typ, of string) bool {
	const prefix = "application/"
	if of == NativeType {
		return typ == of
	}
	if of != "" && len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, of)
}

// Verify checks that key signed the token, and reads the claims from the
// verified payload.
func (t *Token) Verify(key Key, claims any) error {
	if key.public == nil {
		return errors.New("no such key")
	}
	return t.jws.Claims(key.public, claims)
}

// Expired reports whether the claims have expired: at exp plus the leeway, or always
// if there is no exp. Times are compared in whole seconds, never subtracted: a client
// chose them, and a difference could overflow.
func (c Claims) Expired(now time.Time) bool {
	return c.Expires == nil || int64(*c.Expires) <= now.Unix()-int64(TokenLeeway/time.Second)
}

// Early reports whether the claims are from the future.
func (c Claims) Early(now time.Time) bool {
	for _, from := range []*jwt.NumericDate{c.IssuedAt, c.NotBefore} {
		if from != nil && int64(*from) > now.Unix()+int64(TokenLeeway/time.Second) {
			return true
		}
	}
	return false
}
