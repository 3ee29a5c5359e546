package authority

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Quorum is what the authority asks of its keepers; *keeper.Quorum is one.
// Errors and durability are as documented there.
type Quorum interface {
	Attempt(ctx context.Context, t keeper.Target, g keeper.Guess, secret []byte) (keeper.Outcome, error)
	Propose(ctx context.Context, card liuma.CardID, version liuma.Version, secret []byte) (liuma.Verifier, error)
	Commit(ctx context.Context, c ledger.Commitment) (all bool, err error)
	KeySet() uint32
	Seen() map[keeper.ID]uint64
	Ready(ctx context.Context) error
}

// Rules say which policy holds for a region and a channel; *policy.Layers do.
type Rules interface {
	For(liuma.Region, liuma.ChannelID) policy.Policy
}

// Times of the engine. They are bounds on waiting, not policy.
const (
	// busyWait is how long a request waits for another on the same card.
	busyWait = 2 * time.Second
	// attemptTime bounds the keepers' part of an attempt.
	attemptTime = 10 * time.Second
	// decideTime is how long after its business number was taken a request
	// may still be decided. Later it is undecided for good (I-11).
	decideTime = 30 * time.Second
	// intentLease is how long a reserved intent is left to its owner.
	intentLease = 30 * time.Second
	// seenEvery is how often the keepers' sequences are saved.
	seenEvery = time.Second
)

// Config is what an Authority is made of. Every member without a default is
// required.
type Config struct {
	Store    store.Store
	Vault    *vault.Vault
	Quorum   Quorum
	Policy   Rules
	Registry *registry.Registry
	// Issuer is the authority's own name: the audience of callers' tokens and
	// of evidence, the issuer of receipts.
	Issuer string
	// Process names this process among the authorities that share a store;
	// it must differ from that of any process that ran before.
	Process string
	// Alone says that no other authority shares the store, so what an earlier
	// process left can be taken over without waiting for its lease.
	Alone bool
	// Outbox takes codes and notices to phones. Without one no code is asked
	// for and nobody is told, and what needs a code is refused: reset, rebind
	// and unfreeze lead to the counter.
	Outbox Outbox
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Wait waits for d or until ctx ends. Default a timer. It paces refusals.
	Wait   func(ctx context.Context, d time.Duration)
	Logger *slog.Logger // default: discard
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what+" is missing"))
		}
	}
	need(c.Store != nil, "Store")
	need(c.Vault != nil, "Vault")
	need(c.Quorum != nil, "Quorum")
	need(c.Policy != nil, "Policy")
	need(c.Registry != nil, "Registry")
	need(c.Issuer != "", "Issuer")
	need(c.Process != "", "Process")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("authority: config: %w", err)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Authority runs the ceremonies. It is safe for concurrent use.
type Authority struct {
	Config
	slots  *slots
	seals  *sealKeys
	judges *judges

	seenMu sync.Mutex
	seenAt time.Time         // guarded by seenMu: when seen was last handed to a transaction
	seen   map[string]uint64 // guarded by seenMu: what was handed out then
}

// New checks the config and finishes what an earlier process left half done:
// intents that no keeper committed are abandoned, others carried through as
// far as the keepers answer (the rest is Maintain's).
func New(ctx context.Context, c Config) (*Authority, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	a := &Authority{Config: c, slots: newSlots(), seals: &sealKeys{},
		judges: &judges{made: map[pin.Rules]*pin.Judge{}}, seen: map[string]uint64{}}
	if err := a.recoverIntents(ctx); err != nil {
		return nil, fmt.Errorf("authority: recover: %w", err)
	}
	if _, err := a.currentSealKey(ctx); err != nil {
		return nil, fmt.Errorf("authority: seal key: %w", err)
	}
	return a, nil
}

// now is the clock in the precision that the store keeps.
func (a *Authority) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// Ready reports whether a verdict could be given now: the store answers and
// a quorum of keepers serves.
func (a *Authority) Ready(ctx context.Context) error {
	if err := a.Store.View(ctx, func(r store.Reader) error {
		_, err := r.SealKeys()
		return err
	}); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	if err := a.Quorum.Ready(ctx); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return nil
}

// Client looks up a registered client. Doors call it on every request, so a
// stopped client is stopped at once.
func (a *Authority) Client(ctx context.Context, id string) (store.Client, error) {
	var c store.Client
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.Client(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return store.Client{}, liuma.Fail(liuma.CodeUnauthenticated, err)
	}
	if err != nil {
		return store.Client{}, liuma.Fail(liuma.CodeUnavailable, err)
	}
	return c, nil
}

// ReceiptKeys are the public keys that receipts are checked with.
func (a *Authority) ReceiptKeys() jose.JSONWebKeySet { return a.Vault.ReceiptKeys() }

// RecordAlarm writes what a keeper did wrong to the log and the audit record.
// It never fails the request that met the alarm.
func (a *Authority) RecordAlarm(ctx context.Context, al keeper.Alarm) {
	a.Logger.Error("keeper alarm", "keeper", al.Keeper, "what", al.What, "card", al.Card)
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := a.entry("system", audit.KeeperAlarm, al.Card, "", string(al.What))
		e.Note = "keeper=" + string(al.Keeper)
		return e, nil
	})
	if err != nil {
		a.Logger.Error("keeper alarm not recorded", "err", err)
	}
}

func (a *Authority) entry(actor string, ev audit.Event, card liuma.CardID, bn liuma.BusinessNo, outcome string) audit.Entry {
	return audit.Entry{At: a.now(), Actor: actor, Event: ev, Card: card, BusinessNo: bn, Outcome: outcome}
}

func (c Caller) channel() liuma.ChannelID { return liuma.ChannelID(c.Client.ID) }

func (c Caller) actor() string { return string(c.Client.Kind) + ":" + c.Client.ID }

// permit checks that the caller is a channel registered for the action and,
// where the request names one, the region.
func (c Caller) permit(action liuma.Action, region liuma.Region) error {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return liuma.Fail(liuma.CodeForbidden, nil)
	}
	allowed := false
	for _, a := range c.Client.Actions {
		allowed = allowed || a == action
	}
	if !allowed {
		return liuma.FailField(liuma.CodeForbidden, "action", nil)
	}
	for _, r := range c.Client.Regions {
		if region == "" || r.Contains(region) {
			return nil
		}
	}
	return liuma.FailField(liuma.CodeForbidden, "region", nil)
}

// region is where the service takes place: what the request says, else the
// first region that the channel is registered for.
func (c Caller) region(r liuma.Region) liuma.Region {
	if r == "" && len(c.Client.Regions) > 0 {
		return c.Client.Regions[0]
	}
	return r
}

// house turns an error of the rooms below into one that may leave. What is
// not classified is an inability, never a verdict (I-9).
func house(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*liuma.Error](err); ok {
		return err
	}
	return liuma.Fail(liuma.CodeUnavailable, err)
}
