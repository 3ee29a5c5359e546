// Package client is the Go SDK for channels, for the physical-card registry and
// for hotlines: seal a PIN, ask for a verification, check a receipt. It
// guarantees that a PIN is sealed to the authority before it is handed on, for
// one request and nothing else, that no attempt is ever sent twice under two
// business numbers, and that a receipt passes only for exactly the request that
// was made. It trusts the key that it is given to sign with, TLS to reach the
// authority, and the authority's published receipt keys.
//
// A PIN belongs on two machines only: the holder's device and the authority. So
// the work is in two halves. The device seals, with a [DeviceRequest] that the
// channel's server sends it; the server passes the [Envelope] on in a request,
// and never sees the PIN. docs/SEALING.md describes the envelope byte by byte,
// for devices that do not run Go; docs/API.md describes the requests.
//
// No method repeats an attempt by itself. When no answer came, the error is a
// [NoAnswerError], and it is unknown whether the attempt was made: ask
// [Client.Verification] by the business number (channels only), or send the
// very same request again. Both are safe, since one business number makes at
// most one attempt.
//
// Start here: Client and DeviceRequest, then example_test.go.
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

// Config says who the client is and where the authority is. ID, BaseURL,
// KeyID and Key are required.
type Config struct {
	// BaseURL is the public address of the native door, for example
	// "https://pin.example.cn".
	BaseURL string
	// Issuer is the authority's name: receipts are issued by it, and tokens are
	// addressed to it with /v1 after it. Default: BaseURL.
	Issuer string
	// ID is the registered id of the channel, the registry or the hotline.
	ID string
	// KeyID and Key are the kid and the private half of a registered key:
	// ECDSA on P-256, in memory or in a device.
	KeyID string
	Key   crypto.Signer
	// HTTP sends the requests. Default: an HTTP client that waits 20 seconds.
	// Redirects are never followed, even if it would follow them.
	HTTP *http.Client
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Client calls the native channel door. It is safe for concurrent use.
type Client struct {
	id     string
	base   string
	issuer string
	http   *http.Client
	now    func() time.Time
	signer jose.Signer // of tokens for the native door
	prover jose.Signer // of client assertions for the hosted door

	tokenMu sync.Mutex
	token   string    // guarded by tokenMu
	renewAt time.Time // guarded by tokenMu

	keysMu    sync.Mutex
	keys      jose.JSONWebKeySet // guarded by keysMu
	fetchedAt time.Time          // guarded by keysMu
}

// New checks the config. It does not call the authority.
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(c.BaseURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.RawQuery != "" {
		return nil, errors.New("client: BaseURL is not an http or https address")
	}
	if c.ID == "" || c.KeyID == "" || c.Key == nil {
		return nil, errors.New("client: ID, KeyID and Key are required")
	}
	if public, ok := c.Key.Public().(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("client: Key is not ECDSA on P-256")
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
	out := &Client{id: c.ID, base: base.String(), issuer: c.Issuer, now: c.Now, signer: signer, prover: prover}
	if out.issuer == "" {
		out.issuer = c.BaseURL
	}
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
