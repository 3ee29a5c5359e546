package server

import (
	"context"
	"sync"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/counter"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// Front holds the methods that the doors call: of the engine, and of the acts
// that run on it.
type Front struct {
	*authority.Authority
	*ceremony.Ceremonies
	duties *duties
}

// Ready reports whether a verdict could be given now (authority.Authority.Ready), and
// whether this process still hears from the database who has the duties. Without the latter
// it could give verdicts, but perhaps no authority would send codes.
func (f Front) Ready(ctx context.Context) error {
	if err := f.duties.heard(); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return f.Authority.Ready(ctx)
}

// Keeps reports the same for acts that need no keeper.
func (f Front) Keeps(ctx context.Context) error {
	if err := f.duties.heard(); err != nil {
		return liuma.Fail(liuma.CodeUnavailable, err)
	}
	return f.Authority.Keeps(ctx)
}

// openAuthority opens the engine and the acts, and recovers from an earlier
// process's crash.
func (s *System) openAuthority(ctx context.Context) error {
	running, err := s.Policy.Running()
	if err != nil {
		return err
	}
	s.tellPolicy(ctx)
	s.tellReserved(ctx)
	var rules authority.Rules = running
	if s.options.Rules != nil {
		rules = s.options.Rules
	}
	db, outbox, err := s.openTexts()
	if err != nil {
		return err
	}
	db = &timely{Store: db, clock: s.Clock, standing: running.Standing, logger: s.options.Logger}
	s.Authority, err = authority.New(authority.Config{
		Store: db, Vault: s.Vault, Quorum: s.Quorum, Policy: rules, Registry: s.Registry, Outbox: outbox,
		Issuer: s.Config.Issuer, Process: s.Database.Self().Process, Clock: s.Clock, Witnesses: s.witnesses(), Wait: s.options.Wait, Keep: s.Config.Retention.Requests.Duration(),
		KeepCeremonies: s.Config.Retention.Ceremonies.Duration(), KeepLetters: s.Config.Retention.Letters.Duration(), Letters: toPaper{s.Letters},
		Logger: s.options.Logger,
		Ended:  s.Database.Ended, OnDuty: s.duties.has, Shared: s.shared(),
	})
	if err != nil {
		return err
	}
	s.Counter, err = counter.New(counter.Config{
		Store: db, Vault: s.Vault, Registry: s.Registry, Engine: s.Authority, Rules: rules, Now: s.Clock.Now, Logger: s.options.Logger, Teller: s.Authority, Closer: s.Authority,
		SignedIn: func(r store.Reader, m store.Member) (bool, error) { return staff.SignedIn(r, m, s.Clock.Now()) },
	})
	if err != nil {
		return err
	}
	text, err := consent.Load(s.Config.Consent)
	if err != nil {
		return err
	}
	s.Ceremonies, err = ceremony.New(ceremony.Config{
		Counter: s.Counter,
		Consent: text, NativeConsent: s.Config.NativeConsent,
		Engine: s.Authority, Store: db, Vault: s.Vault, Policy: rules, Registry: s.Registry, Outbox: outbox,
		CodeWays: s.codeWays, Issuer: s.Config.Issuer, Keep: s.Config.Retention.Ceremonies.Duration(), Logger: s.options.Logger,
	})
	if err != nil {
		return err
	}
	if err := s.Authority.Start(ctx); err != nil {
		return err
	}
	s.alarmed.Store(s.Authority)
	s.beside(s.Authority.Maintain, s.Policy.Watch, s.Agencies.Watch)
	s.beside(s.duties.while(store.DutyRetention, s.Authority.Retain, s.Authority.TendHandles)...)
	s.beside(s.duties.while(store.DutyUpkeep, s.Ceremonies.Maintain, s.Counter.Maintain)...)
	s.beside(s.duties.while(store.DutyDigests, s.Record.Maintain, s.Record.Retain)...)
	return nil
}

// tellReserved logs a warning if a client that an earlier release registered has an
// identifier that is reserved now. The client goes on working: the counter's own client
// has another identifier.
func (s *System) tellReserved(ctx context.Context) {
	var c store.Client
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.Client(store.ReservedClient)
		return err
	})
	if err == nil && c.Kind != store.ClientCounter {
		s.options.Logger.WarnContext(ctx, "a client is registered under an identifier that is reserved since: it goes on working; in numbers and the record it looks like the service's counter. "+
			"Register it anew under another identifier, let its developers move, then stop it", "id", c.ID, "kind", c.Kind)
	}
}

// beside runs work in the background until the system is closed.
func (s *System) beside(work ...func(context.Context)) {
	background, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, f := range work {
		running.Go(func() { f(background) })
	}
	s.closers.add(func() error { stop(); running.Wait(); return nil })
}

// Front returns the parts that the doors call.
func (s *System) Front() Front { return Front{s.Authority, s.Ceremonies, s.duties} }

// ready and keeps answer the doors' ReadyPath. All callers that ask at the same time, at
// whichever door, share one check.
func (s *System) ready(ctx context.Context) error { return s.readiness.Ask(ctx, s.Front().Ready) }

func (s *System) keeps(ctx context.Context) error { return s.keeping.Ask(ctx, s.Front().Keeps) }
