package history

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Crowd is holders who come and go all the time: some with two devices each, who verify,
// change their PIN and may freeze the card; one after the other who guesses until the lock;
// and one after the other who freezes the card by one device and gives the PIN by another.
type Crowd struct {
	next func() *Person
	gate sync.RWMutex // held for reading while a holder does something
	stop context.CancelFunc
	all  sync.WaitGroup
}

// NewCrowd has a number of people with two devices each act, beside those who guess and
// freeze, until End. next is somebody who has no PIN yet, or nobody where all have one.
func NewCrowd(people int, next func() *Person) *Crowd {
	ctx, stop := context.WithCancel(context.Background())
	c := &Crowd{next: next, stop: stop}
	for i := range people {
		c.all.Go(func() { c.newcomers(ctx, func(p *Person) { c.live(ctx, p, uint64(i)) }) })
	}
	c.all.Go(func() { c.newcomers(ctx, func(p *Person) { c.guess(ctx, p) }) })
	c.all.Go(func() { c.newcomers(ctx, func(p *Person) { c.freeze(ctx, p) }) })
	return c
}

// Pause waits for what is under way and holds everybody back, until Resume.
func (c *Crowd) Pause() { c.gate.Lock() }

// Resume lets everybody go on.
func (c *Crowd) Resume() { c.gate.Unlock() }

// End ends all, and waits for what is under way, which comes to its own end: a call that its
// caller leaves has no answer. It may be called again.
func (c *Crowd) End() {
	c.stop()
	c.all.Wait()
}

// newcomers has one holder after the other enrol and act.
func (c *Crowd) newcomers(ctx context.Context, act func(*Person)) {
	for ctx.Err() == nil {
		said, p := "", (*Person)(nil)
		c.do(func() string {
			if p = c.next(); p != nil {
				said = p.Enrol(context.WithoutCancel(ctx))
			}
			return ""
		})
		switch {
		case p == nil:
			return
		case said == "right":
			act(p)
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// do does one thing, between two pauses.
func (c *Crowd) do(act func() string) string {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return act()
}

// live is a holder's two devices, until the card is stopped: by a freeze, or by the lock,
// which two guesses at once or ones that nobody heard of may bring about.
func (c *Crowd) live(ctx context.Context, p *Person, seed uint64) {
	var devices sync.WaitGroup
	for device := 1; device <= 2; device++ {
		devices.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(device)))
			for ctx.Err() == nil && !stopped(c.do(func() string { return p.Live(context.WithoutCancel(ctx), device, rng) })) {
				pause(ctx, time.Duration(50+rng.IntN(150))*time.Millisecond)
			}
		})
	}
	devices.Wait()
}

// guess gives wrong PINs until the card is locked.
func (c *Crowd) guess(ctx context.Context, p *Person) {
	for ctx.Err() == nil && !stopped(c.do(func() string { return p.Verify(context.WithoutCancel(ctx), 0, p.Another()) })) {
		pause(ctx, 100*time.Millisecond)
	}
}

// freeze freezes the card by one device while the other gives the PIN, and goes on giving
// it until it is told of the freeze.
func (c *Crowd) freeze(ctx context.Context, p *Person) {
	pin, _ := p.Knows()
	var verifying sync.WaitGroup
	verifying.Go(func() {
		for ctx.Err() == nil && !stopped(c.do(func() string { return p.Verify(context.WithoutCancel(ctx), 1, pin) })) {
			pause(ctx, time.Millisecond)
		}
	})
	for pause(ctx, 50*time.Millisecond); ctx.Err() == nil && c.do(func() string { return p.Freeze(context.WithoutCancel(ctx), 2) }) != "right"; {
		pause(ctx, 100*time.Millisecond)
	}
	verifying.Wait()
}

func stopped(said string) bool { return said == "locked" || said == "blocked" || said == "suspended" }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
