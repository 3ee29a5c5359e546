package client

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	tokenLife = 4 * time.Minute // the door takes at most five
	// tokenSpare is how long before its end a token is replaced, so that no token
	// ends on its way.
	tokenSpare = time.Minute
	// tokenType and tokenPath keep these tokens apart from the client
	// assertions that the same key signs for the hosted door.
	tokenType = "liuma-native+jwt"
	tokenPath = "/v1" // after the issuer, in the audience

	assertionType = "JWT"
	assertionLife = time.Minute // the door takes at most five
)

// Token returns the bearer token for requests to the native door, and its end, for
// programs that send a request by other means than this package (curl, say). It is
// good for any number of requests until then.
func (c *Client) Token() (token string, ends time.Time, err error) {
	c.tokenMu.Lock()
	defer c.tokenMu.Unlock()
	if err := c.renew(); err != nil {
		return "", time.Time{}, err
	}
	return c.token, c.renewAt.Add(tokenSpare), nil
}

// Assertion returns a client assertion (private_key_jwt) for one call of the
// hosted door, and when it ends. The door takes each only once.
func (c *Client) Assertion() (assertion string, ends time.Time, err error) {
	now := c.now().Truncate(time.Second)
	ends = now.Add(assertionLife)
	assertion, err = sign(c.prover, map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": ends.Unix(),
	})
	return assertion, ends, err
}

func sign(with jose.Signer, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	jws, err := with.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("client: sign token: %w", err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	return token, nil
}

// bearer returns a token that is good for some time.
func (c *Client) bearer() (string, error) {
	token, _, err := c.Token()
	return token, err
}

// renew signs a new token when the last is about to end. Its caller holds
// tokenMu.
func (c *Client) renew() error {
	now := c.now()
	// If the clock went back, the cached token has a time in the future.
	if c.token != "" && now.Before(c.renewAt) && !now.Before(c.renewAt.Add(tokenSpare-tokenLife)) {
		return nil
	}
	token, err := sign(c.signer, map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.issuer + tokenPath,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	})
	if err != nil {
		return err
	}
	// iat is in whole seconds, so the token ends up to a second early.
	c.token, c.renewAt = token, now.Truncate(time.Second).Add(tokenLife-tokenSpare)
	return nil
}
