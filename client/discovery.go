package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// metadataFresh is how long the discovery document is kept.
const metadataFresh = 5 * time.Minute

// metadata is the discovery document of the hosted door.
type metadata struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	PAR           string `json:"pushed_authorization_request_endpoint"`
	Keys          string `json:"jwks_uri"`
}

// found is the last discovery document.
type found struct {
	mu sync.Mutex
	at *metadata // guarded by mu; nil before the first
	on time.Time // guarded by mu
}

// discover returns the hosted door's endpoints, from the issuer's own address. While
// the authority cannot be reached, the last known endpoints stay in use.
func (c *Client) discover(ctx context.Context) (*metadata, error) {
	c.found.mu.Lock()
	defer c.found.mu.Unlock()
	age := c.now().Sub(c.found.on)
	if c.found.at != nil && age >= 0 && age < metadataFresh {
		return c.found.at, nil
	}
	fresh, err := c.fetchMetadata(ctx)
	if err != nil {
		if c.found.at != nil {
			return c.found.at, nil
		}
		return nil, err
	}
	c.found.at, c.found.on = fresh, c.now()
	return fresh, nil
}

func (c *Client) fetchMetadata(ctx context.Context) (*metadata, error) {
	m := &metadata{}
	if err := c.fetch(ctx, c.issuer+"/.well-known/openid-configuration", m); err != nil {
		return nil, fmt.Errorf("client: discovery: %w", err)
	}
	// A document that names another issuer belongs to another authority (a mix-up
	// attack).
	if m.Issuer != c.issuer {
		return nil, fmt.Errorf("client: discovery: the document is about issuer %q, not %q", m.Issuer, c.issuer)
	}
	for _, endpoint := range []string{m.Authorization, m.Token, m.PAR, m.Keys} {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !c.plain) {
			return nil, errors.New("client: discovery: an endpoint is missing, or is no https address")
		}
	}
	return m, nil
}

// fetch reads a public JSON document.
func (c *Client) fetch(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal(raw, into)
}
