package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// healFor is how long a keeper may take to come back and to catch up.
const healFor = 2 * time.Minute

// keeperWho is a keeper as a speaker.
func keeperWho(id keeper.ID) who {
	return who(both(func(w words) string { return w.WhoKeeper(string(id)) }))
}

// openKeepers starts three keepers, if they were asked for.
func (s *stage) openKeepers(ctx context.Context, p *play) (err error) {
	if p.c.Keepers != 3 {
		return nil
	}
	dir := s.path("keepers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p.Note(both(words.ThreeProcesses))
	s.house, err = posts.Open(ctx, posts.Config{Dir: dir, Clock: s.clock, Program: p.c.Program, Log: p.c.KeepersLog, Tell: p.tellKeepers})
	return err
}

// tellKeepers prints what was done while the keepers were made.
func (p *play) tellKeepers(s posts.Step) {
	switch s.What {
	case posts.Began:
		p.Do(keeperWho(s.Keeper), both(func(w words) string { return w.KeeperBegan(fmt.Sprint(s.PID), s.Dir) }))
	case posts.Compared:
		p.Note(both(func(w words) string { return w.KeepersCompared(s.Digits) }))
	case posts.Admitted:
		p.Say(authorityWho(), keeperWho(s.Keeper), both(func(w words) string { return w.KeeperAdmits(s.Digits) }))
	case posts.Serves:
		p.Do(keeperWho(s.Keeper), both(words.KeeperServes))
	}
}

// sceneKeepers has keepers fail: killed, cut off, and healed again.
func sceneKeepers(ctx context.Context, p *play) error {
	ch, h := p.stage.national, p.cast.second
	k1, k2, k3 := p.stage.house.Posts()[0], p.stage.house.Posts()[1], p.stage.house.Posts()[2]

	before := k3.Ask(ctx).Own
	if before == nil {
		return want("an answer of the keeper", "none")
	}
	k3.Kill()
	p.Do(keeperWho(k3.ID), both(words.KeeperKilled))
	if _, err := p.right(ctx, ch, h, purposeYears()); err != nil {
		return err
	}
	p.Note(both(words.TwoAreEnough))
	if err := p.changeWithTwo(ctx, ch, h); err != nil {
		return err
	}

	if err := k3.Heal(ctx); err != nil {
		return err
	}
	if after := k3.Ask(ctx).Own; after == nil || after.Sequence < before.Sequence || after.Incarnation != before.Incarnation {
		return want("the keeper with all that it had counted", after)
	}
	version, err := p.stage.caughtUp(ctx, k3, h)
	if err != nil {
		return err
	}
	p.Do(keeperWho(k3.ID), both(func(w words) string { return w.KeeperHealed(fmt.Sprint(version)) }))

	k1.Cut()
	p.Do(keeperWho(k1.ID), both(words.KeeperCut))
	if _, err := p.right(ctx, ch, h, purposeCertificate()); err != nil {
		return err
	}
	p.Note(both(words.HealedCounts))

	k2.Kill()
	p.Do(keeperWho(k2.ID), both(words.KeeperKilled))
	if err := p.unavailable(ctx, ch, h); err != nil {
		return err
	}
	if err := errors.Join(k1.Heal(ctx), k2.Heal(ctx)); err != nil {
		return err
	}
	if err := p.stage.allWhole(ctx); err != nil {
		return err
	}
	p.Note(both(words.AllHealed))
	_, err = p.right(ctx, ch, h, purposeYears())
	return err
}

// serveOn waits until ctx ends or a door failed, and meanwhile reports keepers whose
// process ended by itself.
func (p *play) serveOn(ctx context.Context) error {
	if p.stage.house == nil {
		return p.stage.world.Wait(ctx)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.stage.world.Wait(ctx) }()
	for {
		select {
		case g := <-p.stage.house.Gone():
			p.Do(keeperWho(g.Keeper), both(func(w words) string { return w.KeeperDied(g.Why) }))
		case err := <-ended:
			return err
		}
	}
}

// changeWithTwo changes the PIN while a keeper is away.
func (p *play) changeWithTwo(ctx context.Context, ch *channel, h *holder) error {
	fresh, err := goodPIN(h, 79, h.pin)
	if err != nil {
		return err
	}
	v, err := ch.change(ctx, h, h.pin, fresh)
	if err != nil {
		return err
	}
	if !v.Right() {
		return want("the PIN changed", describe(v))
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.Changes(h.pin, fresh) }))
	p.Say(authorityWho(), ch.name, both(words.Changed))
	h.pin = fresh
	return nil
}

// unavailable has the right PIN verified while only one keeper of three is left.
func (p *play) unavailable(ctx context.Context, ch *channel, h *holder) error {
	v, err := ch.verify(ctx, h, h.pin, purposeYears())
	got := client.CodeOf(err)
	if err == nil {
		got = v.Verdict
	}
	if got != string(liuma.Unavailable) && got != string(liuma.CodeUnavailable) {
		return want("verdict unavailable", fmt.Sprint(got, " ", err))
	}
	p.Say(ch.name, authorityWho(), both(func(w words) string { return w.VerifiesRightOne(h.pin) }))
	p.Say(authorityWho(), ch.name, both(words.Unavailable))
	return nil
}

// caughtUp waits until a keeper has the current version of the holder's PIN.
func (s *stage) caughtUp(ctx context.Context, post *posts.Post, h *holder) (liuma.Version, error) {
	var card store.Card
	err := s.world.System.Store.View(ctx, func(r store.Reader) (err error) {
		card, err = r.CardByHolder(s.world.System.Vault.Index(vault.IndexIDNumber, h.facts.IDNumber))
		return err
	})
	if err != nil {
		return 0, err
	}
	var has liuma.Version
	return card.Version, wait(ctx, func() error {
		for _, k := range s.world.System.Keepers {
			if k.ID() != post.ID {
				continue
			}
			a, err := k.Status(ctx, card.ID)
			if err != nil {
				return err
			}
			if has = a.Row.Version; has == card.Version {
				return nil
			}
		}
		return want(fmt.Sprintf("version %d at the keeper", card.Version), has)
	})
}

// allWhole waits until the authority has every keeper back.
func (s *stage) allWhole(ctx context.Context) error {
	return wait(ctx, func() error {
		for _, c := range s.world.System.Quorum.Conditions(ctx) {
			if c.Fault != "" {
				return want("every keeper whole", fmt.Sprint(c.ID, " ", c.Fault))
			}
		}
		return nil
	})
}

// wait repeats until a condition holds, or for healFor, and then returns why it does not
// hold.
func wait(ctx context.Context, so func() error) error {
	for end := time.Now().Add(healFor); ; time.Sleep(100 * time.Millisecond) {
		err := so()
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}
