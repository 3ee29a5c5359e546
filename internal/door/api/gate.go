package api

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
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
	tokenLifetime = 5 * time.Minute  // exp may be this long after iat
	tokenLeeway   = 30 * time.Second // between the client's clock and ours
	tokenLongest  = 2048             // bytes
	clientLongest = 64               // bytes of a client id
)

// gate authenticates clients by tokens that they sign themselves. What it
// remembers of a token is only that a certain key signed it; whether that key
// still belongs to the client, and the client may still call, is asked each
// time, so that stopping a client or replacing its key works at once.
type gate struct {
	lookup   func(ctx context.Context, id string) (store.Client, error)
	audience string
	now      func() time.Time
	tokens   *tokenCache

	mu   sync.Mutex
	sets map[string]keySet // by client id; guarded by mu
}

// keySet is a client's registered keys, parsed.
type keySet struct {
	raw  string // the JWK set that it was parsed from
	keys map[string]clientKey
}

type clientKey struct {
	public *ecdsa.PublicKey
	print  keyPrint
}

// keyPrint is a key's RFC 7638 thumbprint.
type keyPrint [sha256.Size]byte

func newGate(lookup func(context.Context, string) (store.Client, error), audience string, now func() time.Time, size int) *gate {
	return &gate{lookup: lookup, audience: audience, now: now, tokens: newTokenCache(size), sets: map[string]keySet{}}
}

func refuseToken(why reason, cause error) error {
	return &liuma.Error{Code: liuma.CodeUnauthenticated, Reason: string(why), Cause: cause}
}

// check returns the client that signed the request's token.
func (g *gate) check(r *http.Request) (store.Client, error) {
	raw, err := bearer(r.Header)
	if err != nil {
		return store.Client{}, err
	}
	sum := sha256.Sum256([]byte(raw))
	if known, ok := g.tokens.get(sum); ok {
		return g.again(r.Context(), known)
	}
	return g.first(r.Context(), raw, sum)
}

// bearer returns the token. More than one header is ambiguous, so refused.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", refuseToken(reasonTokenMissing, nil)
	}
	if len(values) > 1 {
		return "", refuseToken(reasonTokenForm, errors.New("more than one Authorization header"))
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", refuseToken(reasonTokenMissing, nil)
	}
	if len(token) > tokenLongest {
		return "", refuseToken(reasonTokenForm, fmt.Errorf("%d bytes", len(token)))
	}
	return token, nil
}

// again admits a token whose signature was checked before.
func (g *gate) again(ctx context.Context, t checkedToken) (store.Client, error) {
	if err := g.timely(t.claims); err != nil {
		return store.Client{}, err
	}
	client, keys, err := g.client(ctx, t.claims.Issuer)
	if err != nil {
		return store.Client{}, err
	}
	if keys[t.keyID].print != t.print {
		return store.Client{}, refuseToken(reasonTokenSignature, errors.New("the key is no longer registered"))
	}
	return admit(client)
}

// first checks a token that was not seen before. Until the signature is
// checked, every failure is the same reason.
func (g *gate) first(ctx context.Context, raw string, sum [sha256.Size]byte) (store.Client, error) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return store.Client{}, refuseToken(reasonTokenForm, err)
	}
	if len(token.Headers) != 1 || token.Headers[0].KeyID == "" {
		return store.Client{}, refuseToken(reasonTokenForm, errors.New("no kid"))
	}
	if typ, ok := token.Headers[0].ExtraHeaders[jose.HeaderType]; ok && typ != "JWT" {
		return store.Client{}, refuseToken(reasonTokenForm, errors.New("typ is not JWT"))
	}
	var c claims
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		return store.Client{}, refuseToken(reasonTokenForm, err)
	}
	if c.Issuer == "" || len(c.Issuer) > clientLongest {
		return store.Client{}, refuseToken(reasonTokenSubject, nil)
	}
	client, keys, err := g.client(ctx, c.Issuer)
	if err != nil {
		return store.Client{}, err
	}
	key, ok := keys[token.Headers[0].KeyID]
	if !ok {
		return store.Client{}, refuseToken(reasonTokenSignature, errors.New("no such key"))
	}
	if err := token.Claims(key.public, &c); err != nil {
		return store.Client{}, refuseToken(reasonTokenSignature, err)
	}
	if err := g.proper(c); err != nil {
		return store.Client{}, err
	}
	admitted, err := admit(client)
	if err != nil {
		return store.Client{}, err
	}
	g.tokens.put(sum, checkedToken{claims: c, keyID: token.Headers[0].KeyID, print: key.print})
	return admitted, nil
}

func admit(client store.Client) (store.Client, error) {
	if client.Stopped {
		return store.Client{}, refuseToken(reasonClientStopped, nil)
	}
	return client, nil
}

// claims are what the door reads of a token.
type claims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.Audience     `json:"aud"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
	NotBefore *jwt.NumericDate `json:"nbf"`
	Expires   *jwt.NumericDate `json:"exp"`
}

// proper checks signed claims. A second audience would let whoever that is
// use the token here, so there may be none.
func (g *gate) proper(c claims) error {
	if c.Subject != c.Issuer {
		return refuseToken(reasonTokenSubject, nil)
	}
	if len(c.Audience) != 1 || c.Audience[0] != g.audience {
		return refuseToken(reasonTokenAudience, nil)
	}
	if c.IssuedAt == nil || c.Expires == nil {
		return refuseToken(reasonTokenLifetime, nil)
	}
	// Whole seconds, compared without subtracting what a client chose.
	issued, expires := int64(*c.IssuedAt), int64(*c.Expires)
	if issued <= 0 || expires <= issued || expires > issued+int64(tokenLifetime/time.Second) {
		return refuseToken(reasonTokenLifetime, nil)
	}
	return g.timely(c)
}

// timely checks signed claims against the clock. A token is good until its
// exp, and the leeway after that.
func (g *gate) timely(c claims) error {
	now := g.now()
	if !now.Before(c.Expires.Time().Add(tokenLeeway)) {
		return refuseToken(reasonTokenExpired, nil)
	}
	early := now.Add(tokenLeeway)
	if c.IssuedAt.Time().After(early) || c.NotBefore != nil && c.NotBefore.Time().After(early) {
		return refuseToken(reasonTokenFuture, nil)
	}
	return nil
}

// client looks a client and its keys up. An unknown client is refused like a
// bad signature; when the look-up itself fails, so does the request.
func (g *gate) client(ctx context.Context, id string) (store.Client, map[string]clientKey, error) {
	client, err := g.lookup(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err != nil && liuma.CodeOf(err) == liuma.CodeUnauthenticated {
		return store.Client{}, nil, refuseToken(reasonTokenSignature, errors.New("no such client"))
	}
	if err != nil {
		return store.Client{}, nil, fmt.Errorf("look up client: %w", err)
	}
	g.mu.Lock()
	set, ok := g.sets[id]
	g.mu.Unlock()
	if ok && set.raw == string(client.Keys) {
		return client, set.keys, nil
	}
	keys, err := parseKeys(client)
	if err != nil {
		// What was registered cannot be read: nobody's fault but ours, and
		// nobody gets in.
		return store.Client{}, nil, err
	}
	g.mu.Lock()
	g.sets[id] = keySet{raw: string(client.Keys), keys: keys}
	g.mu.Unlock()
	return client, keys, nil
}

// parseKeys reads a client's keys, and their thumbprints.
func parseKeys(client store.Client) (map[string]clientKey, error) {
	public, err := evidence.PublicKeys(client)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]clientKey, len(public))
	for kid, key := range public {
		sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("thumbprint: %w", err)
		}
		keys[kid] = clientKey{public: key, print: keyPrint(sum)}
	}
	return keys, nil
}
