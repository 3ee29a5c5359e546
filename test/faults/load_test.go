//go:build linux

package faults

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// load is holders who come and go all the time, each with two devices.
type load struct {
	h    *house
	gate sync.RWMutex // held for reading while a holder does something
	stop context.CancelFunc
	all  sync.WaitGroup

	mu  sync.Mutex
	who []*person // guarded by mu: those who were not locked out
}

// load begins with some new holders.
func (h *house) load(people int) *load {
	h.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{h: h, stop: stop}
	for range people {
		l.who = append(l.who, h.enrolled())
	}
	for i, p := range l.who {
		for device := range 2 {
			rng := rand.New(rand.NewPCG(uint64(i), uint64(device)))
			l.all.Go(func() { l.live(ctx, p, device+1, rng) })
		}
	}
	h.t.Cleanup(l.end)
	return l
}

// live is one device of a holder. A card that is locked, because a keeper counted what
// nobody heard of or because two were bad, has a day's rest.
func (l *load) live(ctx context.Context, p *person, device int, rng *rand.Rand) {
	for ctx.Err() == nil {
		l.gate.RLock()
		said := l.act(ctx, p, device, rng)
		l.gate.RUnlock()
		if said == "locked" || said == "blocked" {
			l.gone(p)
			return
		}
		time.Sleep(time.Duration(100+rng.IntN(300)) * time.Millisecond)
	}
}

func (l *load) act(ctx context.Context, p *person, device int, rng *rand.Rand) string {
	p.mu.Lock()
	unsure := p.maybe != ""
	p.mu.Unlock()
	switch n := rng.IntN(10); {
	case unsure && device == 1:
		return p.settled(ctx, device)
	case device == 1 && n < 2:
		return p.change(ctx, device)
	case device == 2 && n == 0 && !unsure:
		return p.verify(ctx, device, p.another())
	}
	return p.verify(ctx, device, p.knows())
}

func (l *load) gone(p *person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.who {
		if o == p {
			l.who = append(l.who[:i:i], l.who[i+1:]...)
			return
		}
	}
}

// people are those who are not locked out.
func (l *load) people() []*person {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*person(nil), l.who...)
}

// pause waits for what is under way and holds everybody back, until resume.
func (l *load) pause()  { l.gate.Lock() }
func (l *load) resume() { l.gate.Unlock() }

func (l *load) end() {
	l.stop()
	l.all.Wait()
}
