package authority

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Caller is an authenticated client. Only the door that checked its signature
// makes one.
type Caller struct{ Client store.Client }

// Channel is the channel ID of the client.
func (c Caller) Channel() liuma.ChannelID { return liuma.ChannelID(c.Client.ID) }

// Actor is the client's name in the audit record.
func (c Caller) Actor() string { return actorOf(c.Client) }

// Permit checks that the client is a channel registered for the action and, where the
// request names a region, for the region. It refuses acts at a counter: no channel
// may request them.
func (c Caller) Permit(action liuma.Action, region liuma.Region) error {
	if (c.Client.Kind == store.ClientCounter) != (action == liuma.ActionCounter) {
		return liuma.FailField(liuma.CodeForbidden, "action", nil)
	}
	if action == liuma.ActionCounter {
		return nil
	}
	if err := c.PermitChannel(); err != nil {
		return err
	}
	if !slices.Contains(c.Client.Actions, action) {
		return liuma.FailField(liuma.CodeForbidden, "action", nil)
	}
	for _, r := range c.Client.Regions {
		if region == "" || r.Contains(region) {
			return nil
		}
	}
	return liuma.FailField(liuma.CodeForbidden, "region", nil)
}

// PermitChannel checks that the client is a channel and not stopped.
func (c Caller) PermitChannel() error {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return liuma.Fail(liuma.CodeForbidden, nil)
	}
	return nil
}

// Region is the region of a service: the one that the request names or, if it
// names none, the first region that the channel is registered for.
func (c Caller) Region(r liuma.Region) liuma.Region {
	if r == "" && len(c.Client.Regions) > 0 {
		return c.Client.Regions[0]
	}
	return r
}

// PolicyFor is the policy for a client's request in a region.
func (a *Authority) PolicyFor(c Caller, region liuma.Region) policy.Policy {
	return a.policy.For(c.Region(region), c.Channel())
}

// LimitsOf returns the limits of guesses at a card: of the service's rules and the
// rules of the card's own region the stricter, value by value. So a thief does not
// get more tries by asking from a region that allows more.
func (a *Authority) LimitsOf(card store.Card, ch liuma.ChannelID, p policy.Policy) ledger.Limits {
	return p.Limits.Tighten(RulesSince(a.policy, card.Region, ch, p.Began).Limits)
}

// PolicyOf is a request's policy, with every value of the card's own region that is
// stricter. The region of a request is only the channel's claim, so choosing a lax
// one must gain nothing.
func (a *Authority) PolicyOf(card store.Card, ch liuma.ChannelID, p policy.Policy) policy.Policy {
	return p.Stricter(RulesSince(a.policy, card.Region, ch, p.Began))
}

// clients caches registered clients, so that a request with a PIN needs no look-up
// before its own first view. It never holds more clients than are registered.
type clients struct {
	mu    sync.RWMutex
	known map[string]store.Client // guarded by mu
}

func newClients() *clients { return &clients{known: map[string]store.Client{}} }

func (m *clients) get(id string) (store.Client, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, ok := m.known[id]
	return c, ok
}

func (m *clients) put(c store.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[c.ID] = c
}

func (m *clients) drop(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, id)
}

// Client looks up a registered client in the store. Doors call it on every
// request for which Recall is not enough, so that stopping a client takes
// effect at once.
func (a *Authority) Client(ctx context.Context, id string) (store.Client, error) {
	var c store.Client
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.Client(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		a.clients.drop(id)
		return store.Client{}, liuma.Fail(liuma.CodeUnauthenticated, err)
	}
	if err != nil {
		return store.Client{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	a.clients.put(c)
	return c, nil
}

// Recall is Client from the cache, if the client was looked up before. The
// result may be out of date: use it only for requests of acts, because acts
// check it again in their first view (StillRegistered).
func (a *Authority) Recall(ctx context.Context, id string) (store.Client, error) {
	if c, ok := a.clients.get(id); ok {
		return c, nil
	}
	return a.Client(ctx, id)
}

// ErrClientChanged says that the client's registration changed after the
// request was authenticated from the cache. Nothing was done: authenticate
// again, with Client.
var ErrClientChanged = errors.New("authority: the client's registration changed")

// StillRegistered returns ErrClientChanged if the client was stopped, given
// other keys or removed since the door authenticated it.
func (a *Authority) StillRegistered(r store.Reader, c Caller) error {
	now, err := r.Client(c.Client.ID)
	if errors.Is(err, store.ErrNotFound) {
		a.clients.drop(c.Client.ID)
		return liuma.Fail(liuma.CodeUnauthenticated, ErrClientChanged)
	}
	if err != nil {
		return err
	}
	if sameClient(now, c.Client) {
		return nil
	}
	a.clients.put(now)
	return liuma.Fail(liuma.CodeUnauthenticated, ErrClientChanged)
}

// sameClient compares the members that authentication and permission depend on.
func sameClient(a, b store.Client) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Name == b.Name && a.Stopped == b.Stopped && a.Parent == b.Parent && a.StrictAudience == b.StrictAudience && bytes.Equal(a.Keys, b.Keys) &&
		slices.Equal(a.Actions, b.Actions) && slices.Equal(a.Regions, b.Regions) && slices.Equal(a.RedirectURIs, b.RedirectURIs)
}

// UseAssertion counts a request of a channel that signed an assertion for it. It
// marks the jti as used, for longer than the assertion is valid (until, by the wall
// clock). It counts first, so that a flood of requests that are refused later cannot
// write more marks and audit entries than the ration allows. Errors:
// CodeUnauthenticated if the assertion was used before, CodeRationSpent.
func (a *Authority) UseAssertion(ctx context.Context, c Caller, act Act, jti string, until time.Time) (*Taken, error) {
	taken, err := a.Take(ctx, c, act)
	if err != nil {
		return nil, err
	}
	clientID := c.Client.ID
	// The mark is a write of its own, before the audit entry. A crash between them
	// leaves an assertion that is used up although its request never ran.
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, tx.BurnEvidence("assertion:"+clientID, a.vault.Index(vault.IndexEvidence, clientID+"\x00"+jti), a.clock.Read().MarkUntil(until), [32]byte{})
	})
	if err == nil {
		err = a.store.Update(ctx, func(store.Tx) (audit.Entry, error) {
			return a.Entry("channel:"+clientID, audit.AssertionUsed, liuma.CardID{}, "", "ok"), nil
		})
	}
	if err != nil {
		taken.GiveBack() // nothing was written
	}
	if errors.Is(err, store.ErrExists) {
		return nil, liuma.Fail(liuma.CodeUnauthenticated, errors.New("jti used before"))
	}
	return taken, liuma.Outward(err)
}
