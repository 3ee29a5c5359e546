package world

import (
	"context"
	"crypto/ecdsa"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// ProviderID is the evidence provider's.
const ProviderID = "stand-in-face"

const evidenceLife = 5 * time.Minute

// Party is a registered client of the authority together with its private key.
type Party struct {
	store.Client // as it stands in the database
	Key          *ecdsa.PrivateKey
	KeyID        string
	world        *World
}

// Register registers a channel, a registry client, a hotline or a provider with
// a key of its own, as an operator does. Of the client ID and Kind are
// required; an empty name is replaced by a made-up one.
func (w *World) Register(ctx context.Context, c store.Client) (Party, error) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		return Party{}, err
	}
	return w.RegisterKey(ctx, c, pair)
}

// RegisterKey is Register with an existing key.
func (w *World) RegisterKey(ctx context.Context, c store.Client, pair admin.KeyPair) (Party, error) {
	if c.Name == (liuma.Text{}) {
		c.Name = liuma.Text{ZH: "测试 " + c.ID, EN: "Test " + c.ID}
	}
	err := w.System.Admin.AddClient(ctx, admin.Client{ID: c.ID, Kind: c.Kind, Name: c.Name, Key: pair.Public,
		Regions: c.Regions, Actions: c.Actions, StandIn: c.StandIn, RedirectURIs: c.RedirectURIs, Parent: c.Parent})
	if err != nil {
		return Party{}, err
	}
	p := Party{Key: pair.Private, KeyID: pair.Public.KeyID, world: w}
	err = w.System.Store.View(ctx, func(r store.Reader) (err error) {
		p.Client, err = r.Client(c.ID)
		return err
	})
	return p, err
}

// NationalChannel is a channel for the whole nation and every action.
func NationalChannel(id string, redirectURIs ...string) store.Client {
	return store.Client{ID: id, Kind: store.ClientChannel, Regions: []liuma.Region{""}, Actions: liuma.Actions(), RedirectURIs: redirectURIs}
}

// Connect makes the SDK client for the native door at an address. h may be nil.
func (p Party) Connect(base string, h *http.Client) (*client.Client, error) {
	return client.New(client.Config{BaseURL: base, Issuer: p.world.issuer, ID: p.ID, KeyID: p.KeyID, Key: p.Key,
		HTTP: h, Now: p.world.Clock.Now})
}

// PrivatePEM is the private key in PKCS #8; the caller wipes it.
func (p Party) PrivatePEM() ([]byte, error) { return admin.KeyPair{Private: p.Key}.PrivatePEM() }

// addProvider registers the evidence provider.
func (w *World) addProvider(ctx context.Context) error {
	p, err := w.Register(ctx, store.Client{ID: ProviderID, Kind: store.ClientProvider, StandIn: true,
		Name: liuma.Text{ZH: "替身实人认证（不作数）", EN: "Stand-in identity check (proves nothing)"}})
	if err != nil {
		return err
	}
	w.Provider, err = evidence.NewSigner(p.ID, p.Key, p.KeyID)
	return err
}

// Evidence returns the provider's evidence about any person for a challenge.
func (w *World) Evidence(f registry.Facts, challenge string) (string, error) {
	now := w.Clock.Now()
	return w.Provider.Sign(evidence.Statement{
		Audience: w.issuer, Challenge: challenge, IDNumber: f.IDNumber, Name: f.Name,
		Method: evidence.MethodStandIn, IssuedAt: now, Expires: now.Add(evidenceLife),
	})
}
