package client

import (
	"encoding/json"
	"fmt"
	"time"
)

const (
	tokenLife = 4 * time.Minute // the door takes at most five
	// tokenSpare is how long before its end a token is replaced, so that none
	// ends on the way.
	tokenSpare = time.Minute
	// tokenType and tokenPath keep these tokens apart from the client
	// assertions that the same key signs for the hosted door.
	tokenType = "liuma-native+jwt"
	tokenPath = "/v1" // after the issuer, in the audience
)

// bearer returns a token that is good for a while, signing a new one when the
// last is about to end.
func (c *Client) bearer() (string, error) {
	now := c.now()
	c.tokenMu.Lock()
	defer c.tokenMu.Unlock()
	// A clock that went back makes the cached token one from the future.
	if c.token != "" && now.Before(c.renewAt) && !now.Before(c.renewAt.Add(tokenSpare-tokenLife)) {
		return c.token, nil
	}
	payload, err := json.Marshal(map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.issuer + tokenPath,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	jws, err := c.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("client: sign token: %w", err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("client: token: %w", err)
	}
	// iat is in whole seconds, so the token ends up to a second early.
	c.token, c.renewAt = token, now.Truncate(time.Second).Add(tokenLife-tokenSpare)
	return token, nil
}
