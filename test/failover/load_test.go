//go:build linux

package failover

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// load is holders who come and go all the time: some with two devices each, who verify and
// change their PIN; one after the other who guesses until the lock; and one after the other
// who freezes the card.
type load struct {
	h    *house
	gate sync.RWMutex // held for reading while a holder does something
	stop context.CancelFunc
	all  sync.WaitGroup
}

func (h *house) load(people int) *load {
	h.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{h: h, stop: stop}
	for i := range people {
		p := h.enrolled(ctx)
		for device := range 2 {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(device)))
			l.all.Go(func() { l.live(ctx, p, device+1, rng) })
		}
	}
	l.all.Go(func() { l.newcomers(ctx, l.guess) })
	l.all.Go(func() {
		l.newcomers(ctx, func(p *person) bool { return p.freeze(ctx, 0) == "right" || ctx.Err() != nil })
	})
	h.t.Cleanup(l.end)
	return l
}

// enrolled is somebody new, with a PIN.
func (h *house) enrolled(ctx context.Context) *person {
	h.t.Helper()
	p := h.next()
	if p == nil {
		h.t.Fatal("everybody has a PIN")
	}
	if said := p.enrol(ctx); said != "right" {
		h.t.Fatalf("enrolment: %s", said)
	}
	return p
}

// live is one device of a holder, until the card is locked, which two guesses at once or
// ones that nobody heard of may bring about.
func (l *load) live(ctx context.Context, p *person, device int, rng *rand.Rand) {
	for ctx.Err() == nil {
		l.gate.RLock()
		said := l.act(ctx, p, device, rng)
		l.gate.RUnlock()
		if said == "locked" || said == "blocked" {
			return
		}
		time.Sleep(time.Duration(50+rng.IntN(150)) * time.Millisecond)
	}
}

func (l *load) act(ctx context.Context, p *person, device int, rng *rand.Rand) string {
	pin, maybe := p.knows()
	switch n := rng.IntN(10); {
	case maybe != "" && device == 1:
		return p.settled(ctx, device)
	case device == 1 && n < 2:
		return p.change(ctx, device)
	case device == 2 && n == 0 && maybe == "":
		return p.verify(ctx, device, p.another())
	}
	return p.verify(ctx, device, pin)
}

// newcomers has one holder after the other enrol and do something until it is done.
func (l *load) newcomers(ctx context.Context, do func(*person) (done bool)) {
	for ctx.Err() == nil {
		l.gate.RLock()
		p := l.h.next()
		if p == nil {
			l.gate.RUnlock()
			return
		}
		ready := p.enrol(ctx) == "right"
		l.gate.RUnlock()
		for done := !ready; !done && ctx.Err() == nil; {
			time.Sleep(100 * time.Millisecond)
			l.gate.RLock()
			done = do(p)
			l.gate.RUnlock()
		}
		time.Sleep(700 * time.Millisecond)
	}
}

// guess gives a wrong PIN, and reports whether the card is locked.
func (l *load) guess(p *person) bool {
	said := p.verify(context.Background(), 0, p.another())
	return said == "locked" || said == "blocked"
}

// pause waits for what is under way and holds everybody back, until resume.
func (l *load) pause()  { l.gate.Lock() }
func (l *load) resume() { l.gate.Unlock() }

func (l *load) end() {
	l.stop()
	l.all.Wait()
}
