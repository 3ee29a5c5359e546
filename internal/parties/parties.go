// Package parties registers who may knock at the door: channels, registry
// clients, hotlines and evidence providers, each with its public keys. It guarantees
// that only public P-256 keys are kept, that a party always has at least one,
// that an identifier belongs to one party for good, and that every change is
// in the audit record with its kind and identifier (I-8). It trusts the
// operator who runs the command, and the store.
//
// DESIGN sections 5 (I-8) and 7.
package parties

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
)

// Errors that callers act on. After each nothing was changed.
var (
	ErrTaken   = errors.New("identifier is taken")
	ErrUnknown = errors.New("no such party")
	ErrKey     = errors.New("not a public key on P-256")
	ErrLastKey = errors.New("a party needs at least one key")
	ErrParty   = errors.New("party is not filled in")
)

// maxName bounds a registered name, in characters: pages show it on one line.
const maxName = 40

// Config is what a Book needs; all members are required.
type Config struct {
	Store store.Store
	Now   func() time.Time
	// Actor is who the audit record names, for example "operator".
	Actor string
}

// Book is the register of parties. Safe for concurrent use.
type Book struct{ c Config }

// New checks the Config.
func New(c Config) (*Book, error) {
	if c.Store == nil || c.Now == nil || c.Actor == "" {
		return nil, errors.New("parties: config: want Store, Now and Actor")
	}
	return &Book{c: c}, nil
}

// Party is a party to be registered.
type Party struct {
	ID      string
	Kind    store.ClientKind
	Name    liuma.Text
	Key     jose.JSONWebKey
	Regions []liuma.Region // of a channel; at least one, "" being the nation
	Actions []liuma.Action // of a channel; at least one
	StandIn bool           // a provider that proves nothing
	// RedirectURIs are where a channel's hosted ceremonies may go back to,
	// compared byte for byte. The command checks their form.
	RedirectURIs []string
}

// Add registers a party. An identifier is never given out twice, also not
// after its party was stopped: the record would name two by one word.
func (b *Book) Add(ctx context.Context, p Party) error {
	if err := p.validate(); err != nil {
		return err
	}
	keys, err := marshalKeys([]jose.JSONWebKey{p.Key})
	if err != nil {
		return err
	}
	row := store.Client{
		ID: p.ID, Kind: p.Kind, Name: p.Name, Keys: keys,
		Regions: p.Regions, Actions: p.Actions, StandIn: p.StandIn, RedirectURIs: p.RedirectURIs,
	}
	return b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := row
		row.At = b.c.Now().UTC()
		if there, err := tx.Client(p.ID); err == nil {
			return audit.Entry{}, fmt.Errorf("%w: %s is a %s", ErrTaken, p.ID, there.Kind)
		} else if !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		if err := tx.InsertClient(row); err != nil {
			return audit.Entry{}, err
		}
		return b.entry(row, "added"), nil
	})
}

func (p Party) validate() error {
	if _, err := liuma.ParseChannelID(p.ID); err != nil {
		return fmt.Errorf("%w: identifier %q: want 1 to 40 of a-z, 0-9 and inner hyphens", ErrParty, p.ID)
	}
	if !showable(p.Name.ZH) || !showable(p.Name.EN) {
		return fmt.Errorf("%w: want a name in both languages, 1 to %d characters that can be shown", ErrParty, maxName)
	}
	switch p.Kind {
	case store.ClientChannel:
		if len(p.Actions) == 0 || len(p.Regions) == 0 {
			return fmt.Errorf("%w: a channel needs at least one action and one region", ErrParty)
		}
	case store.ClientRegistry, store.ClientProvider, store.ClientHotline:
		if len(p.Actions) > 0 || len(p.Regions) > 0 || len(p.RedirectURIs) > 0 {
			return fmt.Errorf("%w: only a channel has actions, regions and redirect URIs", ErrParty)
		}
	default:
		return fmt.Errorf("%w: kind %q", ErrParty, p.Kind)
	}
	if p.StandIn && p.Kind != store.ClientProvider {
		return fmt.Errorf("%w: only a provider can be a stand-in", ErrParty)
	}
	return nil
}

func showable(s string) bool {
	n := utf8.RuneCountInString(s)
	if n < 1 || n > maxName || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// List returns the parties of a kind, in the order of their identifiers.
func (b *Book) List(ctx context.Context, kind store.ClientKind) ([]store.Client, error) {
	var out []store.Client
	err := b.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Clients()
		out = slices.DeleteFunc(slices.Clone(all), func(c store.Client) bool { return c.Kind != kind })
		return err
	})
	slices.SortFunc(out, func(x, y store.Client) int {
		switch {
		case x.ID < y.ID:
			return -1
		case x.ID > y.ID:
			return 1
		}
		return 0
	})
	return out, err
}

// Stop refuses the party everywhere, from its next request on.
func (b *Book) Stop(ctx context.Context, kind store.ClientKind, id string) error {
	return b.change(ctx, kind, id, "stopped", func(c *store.Client) error { c.Stopped = true; return nil })
}

// Resume lets a stopped party in again.
func (b *Book) Resume(ctx context.Context, kind store.ClientKind, id string) error {
	return b.change(ctx, kind, id, "resumed", func(c *store.Client) error { c.Stopped = false; return nil })
}

// AddKey adds a key beside those that the party has, so that it can change
// over while both are good.
func (b *Book) AddKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error {
	return b.change(ctx, kind, id, "key_added", func(c *store.Client) error {
		set, err := evidence.ParseKeys(c.Keys)
		if err != nil {
			return err
		}
		if len(set.Key(key.KeyID)) > 0 {
			return fmt.Errorf("%w: %s has a key with the kid %s", ErrTaken, id, key.KeyID)
		}
		c.Keys, err = marshalKeys(append(set.Keys, key))
		return err
	})
}

// RemoveKey takes a key out of use, from the next request on. The last one
// stays: a party that shall not call any more is stopped.
func (b *Book) RemoveKey(ctx context.Context, kind store.ClientKind, id, kid string) error {
	return b.change(ctx, kind, id, "key_removed", func(c *store.Client) error {
		set, err := evidence.ParseKeys(c.Keys)
		if err != nil {
			return err
		}
		if len(set.Key(kid)) == 0 {
			return fmt.Errorf("%w: %s has no key with the kid %s", ErrUnknown, id, kid)
		}
		if len(set.Keys) == 1 {
			return ErrLastKey
		}
		rest := slices.DeleteFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
		c.Keys, err = marshalKeys(rest)
		return err
	})
}

func (b *Book) change(ctx context.Context, kind store.ClientKind, id, what string, f func(*store.Client) error) error {
	return b.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := tx.Client(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && row.Kind != kind {
			return audit.Entry{}, fmt.Errorf("%w: %s", ErrUnknown, id)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if err := f(&row); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateClient(row); err != nil {
			return audit.Entry{}, err
		}
		return b.entry(row, what), nil
	})
}

func (b *Book) entry(c store.Client, what string) audit.Entry {
	event := audit.ChannelRegistered
	if c.Kind == store.ClientProvider {
		event = audit.ProviderRegistered
	}
	return audit.Entry{
		At: b.c.Now().UTC(), Actor: b.c.Actor, Event: event, Outcome: "ok",
		Note: fmt.Sprintf("%s %s id=%s", c.Kind, what, c.ID),
	}
}

// KeyIDs lists the kids of a registered party.
func KeyIDs(c store.Client) ([]string, error) {
	set, err := evidence.ParseKeys(c.Keys)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(set.Keys))
	for i, k := range set.Keys {
		out[i] = k.KeyID
	}
	return out, nil
}

// marshalKeys writes the set down and reads it back as the doors will.
func marshalKeys(keys []jose.JSONWebKey) ([]byte, error) {
	for _, k := range keys {
		if _, ok := k.Key.(*ecdsa.PublicKey); !ok {
			return nil, ErrKey
		}
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("parties: keys: %w", err)
	}
	if _, err := evidence.ParseKeys(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return raw, nil
}
