package authority

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/guard"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Quorum holds the calls that the authority makes to its keepers;
// *keeper.Quorum implements it and documents errors and durability.
type Quorum interface {
	Attempt(ctx context.Context, t keeper.Target, g keeper.Guess, secret []byte) (keeper.Outcome, error)
	Propose(ctx context.Context, current keeper.Target, version liuma.Version, keySet uint32, secret []byte) (liuma.Verifier, error)
	Commit(ctx context.Context, c ledger.Commitment, head keeper.Head) (all bool, err error)
	Tagged(ctx context.Context, tag ledger.Tag) (ledger.Row, error)
	Retag(ctx context.Context, current keeper.Target, to ledger.Tag) (all bool, err error)
	Held(ctx context.Context, card liuma.CardID) (ledger.Row, error)
	Retire(ctx context.Context, card liuma.CardID) error
	Proved(ctx context.Context, card liuma.CardID) error
	Lost(card liuma.CardID) uint64
	Written(card liuma.CardID) uint64
	Forget(card liuma.CardID) uint64
	KeySet() uint32
	Seen() map[keeper.ID]uint64
	Ready(ctx context.Context) error
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

// Config holds the parts that an Authority works with. Every member without a
// default is required.
type Config struct {
	Store    store.Store
	Vault    *vault.Vault
	Quorum   Quorum
	Policy   Rules
	Registry *registry.Registry
	// Issuer is the authority's own name: the audience of evidence, the issuer
	// of receipts.
	Issuer string
	// Process names this process among the authorities that share a store. No two
	// processes ever have the same name, also not one after the other.
	Process string
	// Ended reports that the authority process with that name has ended, so that its
	// intents are taken over before their lease ends. It must never report this of a
	// process that may still be running. Default: always false, so that only the lease
	// decides.
	Ended func(process string) bool
	// OnDuty reports whether this process now does a duty that one process does for all
	// that share the store. Default: always.
	OnDuty func(store.Duty) bool
	// Shared says that other authorities may serve on the same store. Then this
	// authority follows their time, and they share seal keys.
	Shared bool
	// Outbox takes messages to phones. Without one no message is sent, and acts
	// that need a one-time code (reset, rebind, unfreeze) are refused and lead to
	// the counter.
	Outbox Outbox
	// Letters is the print queue. Without it no letters are written.
	Letters Letters
	// KeepLetters is how long a letter is kept after it was posted or came back. Default
	// LettersKept.
	KeepLetters time.Duration
	// Clock is the high-water clock whose time the store keeps. Default: this machine's
	// clock, started anew.
	Clock *clock.Clock
	// Witnesses returns the clocks of keepers on other machines, and how many of them
	// must agree with this machine's clock before the high-water time may jump to it.
	// Embedded keepers do not count. Default: no witnesses.
	Witnesses func(context.Context) (clocks []time.Time, quorum int)
	// Wait waits for d or until ctx ends. Default a timer. It paces refusals.
	Wait func(ctx context.Context, d time.Duration)
	// Spraying holds the limits from which a PIN value counts as sprayed. Default
	// guard.DefaultLimits.
	Spraying guard.Limits
	// Keep is how long a request is kept after it last changed. Default RequestsKept;
	// at least RequestsKeptLeast.
	Keep time.Duration
	// KeepCeremonies is how long a ceremony is kept after it ended; a person is erased
	// only after the ceremonies of the card have gone. Default 0.
	KeepCeremonies time.Duration
	Logger         *slog.Logger // default: discard
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
	if c.Keep == 0 {
		c.Keep = RequestsKept
	}
	need(c.Keep >= RequestsKeptLeast, "a long enough Keep")
	if c.KeepLetters == 0 {
		c.KeepLetters = LettersKept
	}
	if c.Ended == nil {
		c.Ended = func(string) bool { return false }
	}
	if c.OnDuty == nil {
		c.OnDuty = func(store.Duty) bool { return true }
	}
	if c.Clock == nil {
		c.Clock = clock.Resume(clock.System(), clock.State{})
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

// Hooks tie an attempt or an intent to its act. The engine calls them in its own
// transactions and knows nothing else about acts.
type Hooks struct {
	// Guard refuses a request that may not go on. It only reads. It runs in the
	// transaction that counts the guess, and again in the one that stores a right
	// verdict, to see changes made while the keepers worked. Its error ends the
	// transaction, which then keeps nothing.
	Guard func(r store.Reader, card store.Card) error
	// After runs in the transaction that stores a decision, before card and row are
	// written. It may change both and write rows of its own. If it makes a right row
	// undecided again, an intent will decide that row later. Unless the decision is
	// right, its changes to the card are dropped, and the card may be zero. It returns
	// the event that names the decision in the audit record; empty means the engine's
	// own event.
	After func(tx store.Tx, card *store.Card, row *store.Request) (audit.Event, error)
}

// guard calls Guard if there is one.
func (h Hooks) guard(r store.Reader, card store.Card) error {
	if h.Guard == nil {
		return nil
	}
	return h.Guard(r, card)
}

// after calls After if there is one; fallback is the engine's own event.
func (h Hooks) after(tx store.Tx, card *store.Card, row *store.Request, fallback audit.Event) (audit.Event, error) {
	if h.After == nil {
		return fallback, nil
	}
	ev, err := h.After(tx, card, row)
	if ev == "" {
		ev = fallback
	}
	return ev, err
}

// Authority is the engine under all acts. It is safe for concurrent use.
type Authority struct {
	store    store.Store
	vault    *vault.Vault
	quorum   Quorum
	policy   under
	registry *registry.Registry
	issuer   string
	process  string
	ended    func(process string) bool
	onDuty   func(store.Duty) bool
	shared   bool    // other authorities may serve on the same store
	outbox   Outbox  // nil: no messages are sent
	letters  Letters // nil: no letters are written
	clock    *clock.Clock
	others   func(context.Context) ([]time.Time, int) // nil: no keeper is on another machine
	wait     func(ctx context.Context, d time.Duration)
	log      *slog.Logger

	// settingHooks finds the hooks of an intent by the request that it belongs
	// to, also after a restart. Set once by Attach, before Start.
	settingHooks func(row store.Request) Hooks

	slots   *slots
	seals   *sealKeys
	judges  *judges
	clients *clients

	guard   *guard.Guard
	sprays  *sprays
	rations *rations
	sharing *sharing // shares the counts in memory with other authorities

	freezeTries *freezeTries

	seen           map[string]uint64 // owned by Maintain: the keepers' sequences that were saved
	walk           *walk             // through old requests
	handles        *walk             // through claims of handles
	keepRequests   time.Duration     // set by New
	keepCeremonies time.Duration     // set by New
	keepLetters    time.Duration     // set by New

	forgets time.Time // owned by Maintain: H at the round before
	done    string    // owned by Maintain: the last correction of the last round
}

// New checks the config. The caller then attaches the acts (Attach) and calls
// Start.
func New(c Config) (*Authority, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	a := &Authority{
		store: c.Store, vault: c.Vault, quorum: c.Quorum, registry: c.Registry,
		issuer: c.Issuer, process: c.Process, ended: c.Ended, onDuty: c.OnDuty, shared: c.Shared, outbox: c.Outbox, letters: c.Letters, keepLetters: c.KeepLetters,
		clock: c.Clock, others: c.Witnesses, wait: c.Wait, log: c.Logger,
		slots: newSlots(), seals: &sealKeys{}, judges: &judges{made: map[pin.Rules]*pin.Judge{}},
		clients: newClients(), seen: map[string]uint64{}, walk: newWalk(c.Store, store.Reader.Sweep, store.Tx.SaveSweep),
		handles: newWalk(c.Store, store.Reader.HandleSweep, store.Tx.SaveHandleSweep), keepRequests: c.Keep, sprays: newSprays(c.Logger), rations: newRations(),
		freezeTries: newFreezeTries(), keepCeremonies: c.KeepCeremonies,
	}
	a.policy = under{of: c.Policy, parent: a.parentOf}
	// A PIN set under an earlier rule may be one that the strong list refuses now. So a
	// guess of such a PIN is not treated as a value that no card can have.
	judge, err := a.judges.of(pin.Floor())
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a.guard, err = guard.New(guard.Config{
		Key: func(span guard.Span, epoch int64) (guard.Key, error) { return a.vault.GuardKey(string(span), epoch) },
		Now: a.Now, Judge: judge, Alarm: a.sprays.raise, Limits: c.Spraying,
	})
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a.sharing = newSharing(a.guard.Origin(), valuesCounted{a.guard})
	return a, nil
}

// Attach sets the function that finds the hooks of an intent by its request. It
// is called once, before Start.
func (a *Authority) Attach(settingHooks func(row store.Request) Hooks) { a.settingHooks = settingHooks }

// Start finishes the intents that an earlier process left. Those that no keeper was
// asked to commit are abandoned; the others are carried through if the keepers answer
// (Maintain does the rest). It refuses to run without the acts: an intent carried
// through without its act's hooks would set the PIN and lose the changes that belong to
// it (I-7).
func (a *Authority) Start(ctx context.Context) error {
	if a.settingHooks == nil {
		return errors.New("authority: no acts are attached")
	}
	if err := a.clock.Check(); err != nil {
		// Until the clock is right, nothing is served. Then Maintain does the rest, and
		// every attempt finishes its card's intent first (I-7).
		a.log.ErrorContext(ctx, "not serving", "err", err)
		return nil
	}
	if err := a.finishIntents(ctx); err != nil {
		return fmt.Errorf("authority: recover: %w", err)
	}
	if _, err := a.SealKey(ctx); err != nil {
		return fmt.Errorf("authority: seal key: %w", err)
	}
	// So a spray that the previous process saw is known at once.
	return a.readSums(ctx)
}

// Ready reports whether a verdict could be given now. It checks the same as an attempt:
// what Keeps checks, and that a quorum of keepers would serve a request with this
// header.
func (a *Authority) Ready(ctx context.Context) error {
	if err := a.Keeps(ctx); err != nil {
		return err
	}
	if err := a.vault.Ready(); err != nil {
		return err
	}
	if err := a.quorum.Ready(ctx); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return nil
}

// Keeps reports whether an act that needs no keeper could be stored now: the clocks
// agree, and the store answers and takes a write.
func (a *Authority) Keeps(ctx context.Context) error {
	if err := a.timely(); err != nil {
		return err
	}
	if err := a.store.View(ctx, func(r store.Reader) error {
		_, err := r.SealKeys()
		return err
	}); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	if err := a.keepTime(ctx); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return nil
}

// ReceiptKeys are the public keys that receipts are checked with.
func (a *Authority) ReceiptKeys() jose.JSONWebKeySet { return a.vault.ReceiptKeys() }

// RecordAlarm writes a keeper's fault to the log and the audit record. It never
// fails the request in which the fault was seen.
func (a *Authority) RecordAlarm(ctx context.Context, al keeper.Alarm) {
	if al.Fault == keeper.RowBehind {
		a.rowBehind(ctx, al)
		return
	}
	a.log.ErrorContext(ctx, "keeper alarm", "keeper", al.Keeper, "what", al.Fault, "card", al.Card)
	err := a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		e := a.Entry("system", audit.KeeperAlarm, al.Card, "", string(al.Fault))
		e.Note = "keeper=" + string(al.Keeper)
		return e, nil
	})
	if err != nil {
		a.log.ErrorContext(ctx, "keeper alarm not recorded", "err", err)
	}
}

// Entry starts an entry of the audit record, dated now.
func (a *Authority) Entry(actor string, ev audit.Event, card liuma.CardID, bn liuma.BusinessNo, outcome string) audit.Entry {
	return audit.Entry{At: a.Now(), Actor: actor, Event: ev, Card: card, BusinessNo: bn, Outcome: outcome}
}
