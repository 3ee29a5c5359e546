package ceremony

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/upkeep"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Config holds the parts that Ceremonies works with. Every member without a
// default is required.
type Config struct {
	// Engine makes attempts and sets PINs. New attaches the acts to it.
	Engine *authority.Authority
	// Store, Vault, Policy, Registry, Outbox and Issuer are the engine's own.
	Store    store.Store
	Vault    *vault.Vault
	Policy   authority.Rules
	Registry *registry.Registry
	Counter  *counter.Counter
	Outbox   authority.Outbox // nil: acts that need a one-time code lead to the counter
	CodeWays []liuma.CodeWay  // in which Outbox can send one-time codes; default: by text alone
	Issuer   string
	// Consent is the text that holders agree to; default: the built-in one.
	Consent consent.Text
	// NativeConsent demands the version of that text with an enrolment at the native
	// door.
	NativeConsent bool
	// Keep is how long an ended ceremony is kept. Default Kept; at least KeptLeast.
	Keep   time.Duration
	Logger *slog.Logger // default: discard
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what+" is missing"))
		}
	}
	need(c.Engine != nil, "Engine")
	need(c.Store != nil, "Store")
	need(c.Vault != nil, "Vault")
	need(c.Policy != nil, "Policy")
	need(c.Registry != nil, "Registry")
	need(c.Counter != nil, "Counter")
	need(c.Issuer != "", "Issuer")
	if len(c.CodeWays) == 0 {
		c.CodeWays = []liuma.CodeWay{liuma.ByText}
	}
	if c.Consent.Version == "" {
		text, err := consent.Builtin()
		errs = append(errs, err)
		c.Consent = text
	}
	if c.Keep == 0 {
		c.Keep = Kept
	}
	need(c.Keep >= KeptLeast, "a long enough Keep")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ceremony: config: %w", err)
	}
	return nil
}

// Ceremonies runs the acts. It is safe for concurrent use.
type Ceremonies struct {
	acts          map[liuma.Action]Act // never changed after New
	engine        *authority.Authority
	store         store.Store
	vault         *vault.Vault
	policy        authority.Rules
	registry      *registry.Registry
	counter       *counter.Counter
	outbox        authority.Outbox // nil: no one-time codes, no notices
	ways          []liuma.CodeWay  // never changed after New
	consent       consent.Text     // never changed after New
	demandConsent bool             // at the native door; never changed after New
	keep          time.Duration
	issuer        string
	log           *slog.Logger
	walked        walked // owned by Maintain
}

// New checks the config and attaches the acts to the engine. Start the engine
// after it.
func New(c Config) (*Ceremonies, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := &Ceremonies{
		acts: acts(), engine: c.Engine, store: c.Store, vault: c.Vault, policy: c.Engine.Rules(), registry: c.Registry,
		counter: c.Counter, outbox: c.Outbox, ways: c.CodeWays, issuer: c.Issuer, keep: c.Keep, consent: c.Consent, demandConsent: c.NativeConsent, log: c.Logger,
	}
	s.engine.Attach(s.settingHooks)
	return s, nil
}

// rules is the policy for a ceremony: today's or, value by value where that was stricter,
// any that has held since the push. A push without a region gets the channel's first
// region. So the pad, the keepers and every check between them count the same tries.
func (s *Ceremonies) rules(c store.Ceremony) policy.Policy {
	return authority.RulesSince(s.policy, s.engine.RegionOf(c.Channel, c.Region), c.Channel, c.At)
}

// now is the engine's high-water time. Times that come from other machines are compared
// with its Wall and Latest instead.
func (s *Ceremonies) now() time.Time { return s.engine.Now() }

const (
	// maintainEvery is how often Maintain looks for ceremonies whose time is over.
	maintainEvery = 10 * time.Second
	// duePage is how many of these ceremonies are read at once.
	duePage = 256
	// prunePage is how many ceremonies that ended long ago one transaction deletes, and
	// pruneSteps how many such transactions one round makes.
	prunePage, pruneSteps = 100, 20
	// Kept is the default for how long an ended ceremony is kept, and KeptLeast the
	// shortest time that may be configured.
	Kept, KeptLeast = 7 * 24 * time.Hour, 24 * time.Hour
)

// Maintain ends ceremonies whose time is over and deletes those that ended long ago, until
// ctx ends. Each step may be repeated or lost without harm.
func (s *Ceremonies) Maintain(ctx context.Context) {
	upkeep.Every(ctx, maintainEvery, s.log, "maintenance of ceremonies incomplete", s.MaintainOnce)
}

// MaintainOnce is one round of Maintain, for tests that move the clock.
func (s *Ceremonies) MaintainOnce(ctx context.Context) error {
	return errors.Join(s.endExpired(ctx), s.prune(ctx), s.pruneSooner(ctx))
}

// prune deletes ceremonies that ended long ago, in small steps. Channels can still ask by
// business number: the answer is in the request, which is kept longer.
func (s *Ceremonies) prune(ctx context.Context) error {
	for range pruneSteps {
		n, err := s.pruneSome(ctx)
		if err != nil || n < prunePage {
			return err
		}
	}
	return nil
}

// pruneSome is one step. A ceremony whose new PIN is still being set stays. A crash leaves
// all of a step or none of it.
func (s *Ceremonies) pruneSome(ctx context.Context) (n int, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		n = 0
		ended, err := tx.EndedCeremonies(time.Time{}, s.now().Add(-s.keep), prunePage)
		if err != nil {
			return audit.Entry{}, err
		}
		var e audit.Entry
		n, e, err = s.forget(tx, ended)
		return e, err
	})
	return n, err
}

// forget deletes ceremonies, except those whose new PIN is still being set. It also
// deletes the handles that were claimed for links which these ceremonies never made.
func (s *Ceremonies) forget(tx store.Tx, ended []store.Ceremony) (n int, e audit.Entry, err error) {
	for _, c := range ended {
		under, err := s.engine.Setting(tx, c)
		if err != nil {
			return n, e, err
		}
		if under {
			continue
		}
		if err := errors.Join(s.engine.DropHandle(tx, c), tx.DeleteCeremony(c.ID)); err != nil {
			return n, e, err
		}
		n++
	}
	if n == 0 {
		return 0, audit.Entry{}, nil
	}
	e = s.engine.Entry("system", audit.RowsPruned, liuma.CardID{}, "", "ok")
	e.Note = fmt.Sprintf("ceremonies=%d", n)
	return n, e, nil
}
