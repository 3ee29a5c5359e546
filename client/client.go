// Package client is the Go SDK for channels, for the physical-card registry and for
// hotlines, at both doors: push a request and redeem its code, seal a PIN, ask for a
// verification, check a receipt. It guarantees that a PIN is sealed to the authority
// before it is handed on, for one request and nothing else; that no attempt is ever
// sent twice under two business numbers; and that a receipt or an ID token passes
// only for exactly the request that was made, in the log-in that made it. It trusts
// the key that it is given to sign with, TLS to reach the authority, and the
// authority's published receipt keys.
//
// At the hosted door the authority shows the page. A [HostedRequest] is pushed with a
// [LogIn] that the caller stores, and [Client.Return] checks the answer. All other
// calls are for the native door.
//
// A PIN belongs on two machines only: the holder's device and the authority. So the
// native door's work is in two halves. The device seals, with a [DeviceRequest] that
// the channel's server sends it; the server passes the [Envelope] on in a request,
// and never sees the PIN. docs/SEALING.md describes the envelope byte by byte, for
// devices that do not run Go; docs/API.md describes the requests.
//
// No method repeats an attempt by itself. When no answer came, the error is a
// [NoAnswerError], and it is unknown whether the attempt was made: ask
// [Client.Verification] by the business number (channels only), or send the very same
// request again. Both are safe, since one business number makes at most one attempt.
//
// Start here: Client, HostedRequest and DeviceRequest, then the examples.
package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Config says who the client is and where the authority is. ID, Key, and one of
// Issuer and BaseURL are required.
type Config struct {
	// Issuer is the authority's name and the address of the hosted door, for example
	// "https://pin.example.cn". It issues receipts and ID tokens, and is the audience
	// of client assertions; the audience of native tokens is Issuer with /v1 after
	// it. Default: BaseURL.
	Issuer string
	// BaseURL is the address of the native door. Default: Issuer.
	BaseURL string
	// ID is the registered id of the channel, the registry or the hotline.
	ID string
	// KeyID and Key are the kid and the private half of a registered key: ECDSA on
	// P-256, in memory ([LoadKey]) or in a device. Default of KeyID: the key's
	// thumbprint, which is the kid of a key that was registered without one.
	KeyID string
	Key   crypto.Signer
	// HTTP sends the requests. Default: an HTTP client that waits 20 seconds.
	// Redirects are never followed, even if this client would follow them.
	HTTP *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Client calls both doors of the authority. It is safe for concurrent use.
type Client struct {
	id     string
	base   string
	issuer string
	http   *http.Client
	now    func() time.Time
	plain  bool        // the issuer is no https address: for developers
	signer jose.Signer // of tokens for the native door
	prover jose.Signer // of client assertions for the hosted door

	tokenMu sync.Mutex
	token   string    // guarded by tokenMu
	renewAt time.Time // guarded by tokenMu

	receiptKeys keySet // of the native door
	hostedKeys  keySet
	found       found // the hosted door's endpoints
}

// New checks the config. It does not call the authority.
func New(c Config) (*Client, error) {
	base, issuer, err := c.addresses()
	if err != nil {
		return nil, err
	}
	if c.ID == "" || c.Key == nil {
		return nil, errors.New("client: ID and Key are required")
	}
	if public, ok := c.Key.Public().(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("client: Key is not ECDSA on P-256")
	}
	if c.KeyID == "" {
		if c.KeyID, err = KeyID(c.Key); err != nil {
			return nil, err
		}
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(c.Key)},
		(&jose.SignerOptions{}).WithType(tokenType).WithHeader("kid", c.KeyID))
	if err != nil {
		return nil, fmt.Errorf("client: signer: %w", err)
	}
	prover, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(c.Key)},
		(&jose.SignerOptions{}).WithType(assertionType).WithHeader("kid", c.KeyID))
	if err != nil {
		return nil, fmt.Errorf("client: signer: %w", err)
	}
	out := &Client{id: c.ID, base: base, issuer: issuer, plain: strings.HasPrefix(issuer, "http:"), now: c.Now, signer: signer, prover: prover}
	if out.now == nil {
		out.now = time.Now
	}
	sender := http.Client{Timeout: 20 * time.Second}
	if c.HTTP != nil {
		sender = *c.HTTP
	}
	// A redirect would carry the token and the holder's data elsewhere.
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.http = &sender
	return out, nil
}

// addresses returns the native door's address and the issuer, without a trailing
// slash that a person may have typed: the authority refuses an audience that ends in
// one.
func (c Config) addresses() (base, issuer string, err error) {
	base, issuer = strings.TrimSuffix(c.BaseURL, "/"), strings.TrimSuffix(c.Issuer, "/")
	if base == "" {
		base = issuer
	}
	if issuer == "" {
		issuer = base
	}
	for what, address := range map[string]string{"BaseURL": base, "Issuer": issuer} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" {
			return "", "", fmt.Errorf("client: %s is not an http or https address", what)
		}
	}
	return base, issuer, nil
}
