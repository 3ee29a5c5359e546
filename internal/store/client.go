package store

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ClientKind says which doors a client may use.
type ClientKind string

// A channel sends requests on behalf of holders, a registry reports physical
// cards, a provider signs evidence and sends no requests, a hotline may only
// freeze.
const (
	ClientChannel  ClientKind = "channel"
	ClientRegistry ClientKind = "registry"
	ClientProvider ClientKind = "provider"
	ClientHotline  ClientKind = "hotline"
	// ClientCounter is the service's own, under whose name ceremonies at a counter go.
	// There is one, CounterClient. It has no keys, no door takes it for a caller, and it
	// is neither registered, listed nor stopped.
	ClientCounter ClientKind = "counter"
)

// CounterClient is the ID of the one client of ClientCounter: no channel's has such a sign.
// ReservedClient is given to nobody any more: in the record it would be taken for that one.
const (
	CounterClient  = "@counter"
	ReservedClient = "counter"
)

// Client is a registered client with its public keys.
type Client struct {
	ID      string // a channel's is its liuma.ChannelID
	Kind    ClientKind
	Name    liuma.Text // registered name, as pages show it
	Keys    []byte     // JWK set (RFC 7517), public ES256 keys only
	Regions []liuma.Region
	Actions []liuma.Action // of a channel
	// RedirectURIs are where a hosted ceremony may send its holder back to;
	// compared byte for byte. Empty: the channel may not use the hosted door.
	RedirectURIs []string
	StandIn      bool // a provider that only demos may use
	Stopped      bool // refused everywhere
	At           time.Time
	// StrictAudience of a channel: its assertions must name the issuer alone. Rows
	// of 0.1.0 have none, and an endpoint's address is taken there as well.
	StrictAudience bool
	// Parent of a sub-channel is the channel that it works under, which stops it with
	// itself. Empty, as in rows of 0.1.0: none.
	Parent string
}

// SealKey is an envelope key pair (HPKE), given out for a day and kept an hour more.
type SealKey struct {
	ID       string
	Public   []byte // 65 bytes, uncompressed P-256
	Sealed   []byte // of a release before Wraps: private key, vault-sealed and bound to ID
	MadeAt   time.Time
	RetireAt time.Time // not given out after this
	GoneAt   time.Time // deleted after this
	// Wraps are the private key, wrapped for each authority that opens what is sealed to it.
	Wraps []vault.Wrap
}

// Kept is the key as the vault takes it.
func (k SealKey) Kept() vault.SealedKey {
	return vault.SealedKey{ID: k.ID, Public: k.Public, Sealed: k.Sealed, Wraps: k.Wraps}
}
