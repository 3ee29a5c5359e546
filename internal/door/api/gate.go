package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

const (
	tokenLongest  = 2048 // bytes
	clientLongest = 64   // bytes of a client id
)

// gate authenticates clients by tokens that they sign themselves. It caches only the
// fact that a token was signed by a certain key. It reads anew for every request
// whether that key still belongs to the client, and whether the client is stopped, so
// that stopping a client or replacing its key works at once.
type gate struct {
	clients  *door.Clients
	audience string
	now      func() time.Time
	latest   func() time.Time // the clock by which a token expires
	tokens   *tokenCache
}

func newGate(lookup func(context.Context, string) (store.Client, error), audience string, now func() time.Time, size int) *gate {
	return &gate{clients: door.NewClients(lookup), audience: audience, now: now, latest: now, tokens: newTokenCache(size)}
}

// until returns the gate with another clock for the expiry of tokens.
func (g *gate) until(latest func() time.Time) *gate {
	g.latest = latest
	return g
}

// with returns the gate with another look-up of clients. Both share the cache of
// tokens.
func (g *gate) with(lookup func(context.Context, string) (store.Client, error)) *gate {
	other := *g
	other.clients = door.NewClients(lookup)
	return &other
}

func refuseToken(why reason, cause error) error {
	return door.Unauthenticated(why, "", cause)
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

// again admits a client by a token whose signature was checked before.
func (g *gate) again(ctx context.Context, t checkedToken) (store.Client, error) {
	if err := g.timely(t.claims); err != nil {
		return store.Client{}, err
	}
	client, keys, err := g.find(ctx, t.claims.Issuer)
	if err != nil {
		return store.Client{}, err
	}
	if keys[t.keyID].Print != t.print {
		return store.Client{}, refuseToken(reasonTokenSignature, errors.New("the key is no longer registered"))
	}
	return admit(client)
}

// first checks a token that was not seen before. Until the signature is checked,
// every failure gives the same reason.
func (g *gate) first(ctx context.Context, raw string, sum [sha256.Size]byte) (store.Client, error) {
	var c door.Claims
	token, err := door.ParseToken(raw, &c, door.NativeType)
	if errors.Is(err, door.ErrTokenType) {
		return store.Client{}, refuseToken(reasonTokenType, err)
	}
	if err != nil {
		return store.Client{}, refuseToken(reasonTokenForm, err)
	}
	if token.KeyID == "" {
		return store.Client{}, refuseToken(reasonTokenForm, errors.New("no kid"))
	}
	if c.Issuer == "" || len(c.Issuer) > clientLongest {
		return store.Client{}, refuseToken(reasonTokenSubject, nil)
	}
	client, keys, err := g.find(ctx, c.Issuer)
	if err != nil {
		return store.Client{}, err
	}
	key := keys[token.KeyID]
	if err := token.Verify(key, &c); err != nil {
		return store.Client{}, refuseToken(reasonTokenSignature, err)
	}
	if err := g.proper(c); err != nil {
		return store.Client{}, err
	}
	admitted, err := admit(client)
	if err != nil {
		return store.Client{}, err
	}
	g.tokens.put(sum, checkedToken{claims: c, keyID: token.KeyID, print: key.Print})
	return admitted, nil
}

func admit(client store.Client) (store.Client, error) {
	if client.Stopped {
		return store.Client{}, refuseToken(door.ReasonClientStopped, nil)
	}
	return client, nil
}

// proper checks the claims of a verified token. The audience must be the native
// door alone: another audience could use the token here, and a client assertion,
// which names the issuer, is no bearer token.
func (g *gate) proper(c door.Claims) error {
	if c.Subject != c.Issuer {
		return refuseToken(reasonTokenSubject, nil)
	}
	if len(c.Audience) != 1 || c.Audience[0] != g.audience {
		return refuseToken(reasonTokenAudience, nil)
	}
	if c.IssuedAt == nil || c.Expires == nil {
		return refuseToken(reasonTokenLifetime, nil)
	}
	// Times are compared in whole seconds and never subtracted, because a
	// client chose them and a difference could overflow.
	issued, expires := int64(*c.IssuedAt), int64(*c.Expires)
	if issued <= 0 || expires <= issued || expires > issued+int64(door.TokenLifetime/time.Second) {
		return refuseToken(reasonTokenLifetime, nil)
	}
	return g.timely(c)
}

// timely checks signed claims against the clock.
func (g *gate) timely(c door.Claims) error {
	if c.Expired(g.latest()) {
		return refuseToken(reasonTokenExpired, nil)
	}
	if c.Early(g.now()) {
		return refuseToken(reasonTokenFuture, nil)
	}
	return nil
}

// find looks a client and its keys up. An unknown client is refused like a bad
// signature.
func (g *gate) find(ctx context.Context, id string) (store.Client, door.Keys, error) {
	client, keys, err := g.clients.Find(ctx, id)
	if errors.Is(err, door.ErrNoClient) {
		return store.Client{}, nil, refuseToken(reasonTokenSignature, err)
	}
	return client, keys, err
}
