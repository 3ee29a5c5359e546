package admin

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// Errors that callers act on. With each of them nothing was changed.
var (
	ErrTaken    = errors.New("identifier is taken")
	ErrReserved = errors.New("the identifier counter is kept for the service itself")
	ErrUnknown  = errors.New("no such party")
	ErrKey      = errors.New("not a public key on P-256")
	ErrLastKey  = errors.New("a party needs at least one key")
	ErrClient   = errors.New("party is not filled in")
)

// maxName is the longest registered name, in characters: pages show it on one line.
const maxName = 40

// Client is a client to be registered: a channel, a registry client, a hotline
// or an evidence provider.
type Client struct {
	ID      string
	Kind    store.ClientKind
	Name    liuma.Text
	Key     jose.JSONWebKey
	Regions []liuma.Region // of a channel; at least one, "" being the nation
	Actions []liuma.Action // of a channel; at least one
	StandIn bool           // for a provider: its evidence proves nothing
	// RedirectURIs are the addresses that a channel's hosted ceremonies may go
	// back to, compared byte for byte. The command checks their form.
	RedirectURIs []string
	// StrictAudience, for a channel, says that its assertions must name the issuer
	// alone.
	StrictAudience bool
	// Parent, for a sub-channel, is the channel that it works under.
	Parent string
}

// AddClient registers a client. An identifier is never used again, not even
// after its client was stopped: the audit record would have one name for two
// clients.
func (a *Admin) AddClient(ctx context.Context, c Client) error {
	if err := c.validate(); err != nil {
		return err
	}
	if c.ID == store.ReservedClient {
		return ErrReserved
	}
	keys, err := marshalKeys([]jose.JSONWebKey{c.Key})
	if err != nil {
		return err
	}
	row := store.Client{
		ID: c.ID, Kind: c.Kind, Name: c.Name, Keys: keys,
		Regions: c.Regions, Actions: c.Actions, StandIn: c.StandIn, RedirectURIs: c.RedirectURIs,
		StrictAudience: c.StrictAudience, Parent: c.Parent,
	}
	return a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := row
		row.At = a.c.Clock.Now()
		if there, err := tx.Client(c.ID); err == nil {
			return audit.Entry{}, locale.RefuseFor(ErrTaken, func(w *locale.Words, why string) string { return w.Refused.AdminTakenBy(why, c.ID, string(there.Kind)) })
		} else if !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		if err := underParent(tx, row); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.InsertClient(row); err != nil {
			return audit.Entry{}, err
		}
		return a.clientEntry(ctx, row, "added"), nil
	})
}

func (c Client) validate() error {
	if _, err := liuma.ParseChannelID(c.ID); err != nil {
		return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminIdentifier(why, strconv.Quote(c.ID)) })
	}
	if !showable(c.Name.ZH) || !showable(c.Name.EN) {
		return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminNames(why, fmt.Sprint(maxName)) })
	}
	switch c.Kind {
	case store.ClientChannel:
		if len(c.Actions) == 0 || len(c.Regions) == 0 {
			return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminChannelEmpty(why) })
		}
	case store.ClientRegistry, store.ClientProvider, store.ClientHotline:
		if len(c.Actions) > 0 || len(c.Regions) > 0 || len(c.RedirectURIs) > 0 {
			return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminOnlyChannel(why) })
		}
	default:
		return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string {
			return w.Refused.AdminKind(why, strconv.Quote(string(c.Kind)))
		})
	}
	if c.Parent != "" && c.Kind != store.ClientChannel {
		return fmt.Errorf("%w: only a channel works under another", ErrClient)
	}
	if c.StrictAudience && c.Kind != store.ClientChannel {
		return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminOnlyAudience(why) })
	}
	if c.StandIn && c.Kind != store.ClientProvider {
		return locale.RefuseFor(ErrClient, func(w *locale.Words, why string) string { return w.Refused.AdminOnlyProvider(why) })
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

// Clients returns the clients of a kind, in the order of their identifiers.
func (a *Admin) Clients(ctx context.Context, kind store.ClientKind) ([]store.Client, error) {
	var out []store.Client
	err := a.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Clients()
		out = slices.DeleteFunc(slices.Clone(all), func(c store.Client) bool { return c.Kind != kind || c.Kind == store.ClientCounter })
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

// SetAudience says whether a channel's assertions must name the issuer alone, from
// its next request on. By default they may name an endpoint.
func (a *Admin) SetAudience(ctx context.Context, id string, strict bool) error {
	what := "audience_any"
	if strict {
		what = "audience_strict"
	}
	return a.changeClient(ctx, store.ClientChannel, id, what, func(c *store.Client) error { c.StrictAudience = strict; return nil })
}

// AddClientKey adds a key to a client's keys, so that the client can change
// over while both are valid.
func (a *Admin) AddClientKey(ctx context.Context, kind store.ClientKind, id string, key jose.JSONWebKey) error {
	return a.changeClient(ctx, kind, id, "key_added", func(c *store.Client) error {
		set, err := evidence.ParseKeys(c.Keys)
		if err != nil {
			return err
		}
		if len(set.Key(key.KeyID)) > 0 {
			return locale.RefuseFor(ErrTaken, func(w *locale.Words, why string) string { return w.Refused.AdminKeyThere(why, id, key.KeyID) })
		}
		c.Keys, err = marshalKeys(append(set.Keys, key))
		return err
	})
}

// RemoveClientKey removes a key, from the client's next request on. The last
// key cannot be removed: stop the client instead.
func (a *Admin) RemoveClientKey(ctx context.Context, kind store.ClientKind, id, kid string) error {
	return a.changeClient(ctx, kind, id, "key_removed", func(c *store.Client) error {
		set, err := evidence.ParseKeys(c.Keys)
		if err != nil {
			return err
		}
		if len(set.Key(kid)) == 0 {
			return locale.RefuseFor(ErrUnknown, func(w *locale.Words, why string) string { return w.Refused.AdminKeyMissing(why, id, kid) })
		}
		if len(set.Keys) == 1 {
			return ErrLastKey
		}
		rest := slices.DeleteFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
		c.Keys, err = marshalKeys(rest)
		return err
	})
}

func (a *Admin) changeClient(ctx context.Context, kind store.ClientKind, id, what string, f func(*store.Client) error) error {
	return a.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := clientOf(tx, kind, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if err := f(&row); err != nil {
			return audit.Entry{}, err
		}
		if err := tx.UpdateClient(row); err != nil {
			return audit.Entry{}, err
		}
		return a.clientEntry(ctx, row, what), nil
	})
}

func (a *Admin) clientEntry(ctx context.Context, c store.Client, what string) audit.Entry {
	event := audit.ChannelRegistered
	if c.Kind == store.ClientProvider {
		event = audit.ProviderRegistered
	}
	return audit.Entry{
		At: a.c.Clock.Now(), Actor: ActorOf(ctx), Event: event, Outcome: "ok",
		Note: fmt.Sprintf("%s %s id=%s", c.Kind, what, c.ID),
	}
}

// KeyIDs lists the kids of a registered client.
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

// marshalKeys encodes a key set and reads it back in the way the doors will read it.
func marshalKeys(keys []jose.JSONWebKey) ([]byte, error) {
	for _, k := range keys {
		if _, ok := k.Key.(*ecdsa.PublicKey); !ok {
			return nil, ErrKey
		}
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		return nil, fmt.Errorf("admin: keys: %w", err)
	}
	if _, err := evidence.ParseKeys(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return raw, nil
}
