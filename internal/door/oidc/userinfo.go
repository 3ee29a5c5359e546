package oidc

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
)

const (
	// grantsMost bounds the access tokens that are known at once: twice what a
	// thousand redemptions a second make in a minute. Those beyond show nothing.
	grantsMost = 120_000
	// bearer is the scheme of an access token (RFC 6750).
	bearer = "Bearer"
)

// grants knows, by their hashes, the access tokens of the last minute. It is not
// durable: after a restart each of them is refused, and the ID token, which says
// the same and more, is not concerned.
type grants struct {
	now func() time.Time // never falls while the process runs

	mu    sync.Mutex
	known map[[sha256.Size]byte]grant // guarded by mu
	swept time.Time                   // guarded by mu
}

// grant is what an access token shows, to whom it was given.
type grant struct {
	channel liuma.ChannelID
	subject string
	until   time.Time
}

func newGrants(now func() time.Time) *grants {
	return &grants{now: now, known: map[[sha256.Size]byte]grant{}}
}

// keep makes an access token known. Where there are too many it stays unknown.
func (g *grants) keep(access string, channel liuma.ChannelID, subject string, left time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Sub(g.swept) >= time.Second { // so that sweeping costs each token little
		for hash, old := range g.known {
			if !now.Before(old.until) {
				delete(g.known, hash)
			}
		}
		g.swept = now
	}
	if len(g.known) < grantsMost {
		g.known[sha256.Sum256([]byte(access))] = grant{channel, subject, now.Add(left)}
	}
}

// of returns what an access token shows.
func (g *grants) of(access string) (grant, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found, ok := g.known[sha256.Sum256([]byte(access))]
	return found, ok && g.now().Before(found.until)
}

// userinfoAnswer is OpenID Connect Core, 5.3.2. There is nothing else in it: what
// a channel may know of a card is in the ID token, which it got with the code.
type userinfoAnswer struct {
	Subject string `json:"sub"`
}

// userinfo is for stock middleware, which finishes a log-in only when it was
// answered here. It shows the pairwise subject to whoever has the access token,
// for as long as the token's answer said, while its channel is registered.
func (d *Door) userinfo(v *door.Visit, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		v.Header().Set("Allow", "GET, POST")
		return refuse(reasonMethod, "")
	}
	challenge := bearer + ` realm="` + d.issuer + `"`
	v.Header().Set("WWW-Authenticate", challenge) // of a 401; taken back below
	access, ok := bearerToken(r.Header)
	if !ok {
		return refuse(reasonAccessMissing, "")
	}
	v.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
	found, ok := d.grants.of(access)
	if !ok {
		return refuse(reasonAccessInvalid, "")
	}
	client, _, err := d.gate.clients.Find(r.Context(), string(found.channel))
	if errors.Is(err, door.ErrNoClient) || err == nil && client.Stopped {
		return refuse(reasonAccessInvalid, "")
	}
	if err != nil {
		return err
	}
	if err := v.Admit(client.ID); err != nil {
		return err
	}
	v.Header().Del("WWW-Authenticate")
	return answer(v, http.StatusOK, userinfoAnswer{Subject: found.subject})
}

// bearerToken returns the access token of a request: from its header, once, and
// never from the address or the body, which are logged and kept elsewhere.
func bearerToken(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, bearer) && token != ""
}
