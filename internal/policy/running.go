package policy

import (
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
)

// ActTime is longer than an act that is open may take: a ceremony has an hour.
const ActTime = 2 * time.Hour

// Running are the layers that a process goes by. They are replaced as a whole while
// others read them: each call reads one set, the earlier or the later one. Safe for
// concurrent use.
type Running struct {
	held atomic.Pointer[[]held] // the last one holds; never changed in place
	late atomic.Pointer[error]  // see Late
}

// held are layers, and until when they were the ones that held; zero: they are.
type held struct {
	layers *Layers
	until  time.Time
}

// NewRunning begins with layers that hold now.
func NewRunning(l *Layers) *Running {
	r := &Running{}
	r.held.Store(&[]held{{layers: l}})
	return r
}

// Swap lets other layers hold from a time on. One goroutine swaps at a time. The
// earlier ones are kept for what is open.
func (r *Running) Swap(l *Layers, at time.Time) {
	var next []held
	for _, h := range *r.held.Load() {
		if h.until.IsZero() {
			h.until = at
		}
		if at.Sub(h.until) < ActTime {
			next = append(next, h)
		}
	}
	next = append(next, held{layers: l})
	r.held.Store(&next)
}

// Late says why it is not known whether these layers still hold, or that they do: nil.
func (r *Running) Late(why error) {
	if why == nil {
		r.late.Store(nil)
		return
	}
	r.late.Store(&why)
}

// Standing is nil while nothing speaks against these layers being those that were approved
// last, and otherwise what Late said: nothing may be decided by them then.
func (r *Running) Standing() error {
	if why := r.late.Load(); why != nil {
		return *why
	}
	return nil
}

// Layers are those that hold.
func (r *Running) Layers() *Layers {
	all := *r.held.Load()
	return all[len(all)-1].layers
}

// For is Layers.For of those that hold.
func (r *Running) For(region liuma.Region, channel liuma.ChannelID) Policy {
	return r.Layers().For(region, channel)
}

// Regions is Layers.Regions of those that hold.
func (r *Running) Regions() []liuma.Region { return r.Layers().Regions() }

// Passphrases is Layers.Passphrases of those that hold.
func (r *Running) Passphrases() bool { return r.Layers().Passphrases() }

// ForAct is the policy for an act that began at a time: that which holds and, of each
// value, the strictest of those that have held since. So nothing that was asked for
// when it began is asked for no more, and what is stricter counts at once.
func (r *Running) ForAct(region liuma.Region, channel liuma.ChannelID, began time.Time) Policy {
	all := *r.held.Load()
	now := all[len(all)-1].layers
	p := now.For(region, channel)
	for _, h := range all[:len(all)-1] {
		if !h.until.Before(began) {
			earlier := h.layers.For(region, channel)
			p.tighten(&earlier, now.values)
		}
	}
	p.Began = began
	return p
}
