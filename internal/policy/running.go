package policy

import (
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
)

// ActTime is longer than any act can be open: a ceremony has an hour.
const ActTime = 2 * time.Hour

// Running are the layers that a process uses. They are replaced as a whole while others
// read them: each call reads one whole set, the earlier or the later one. It is safe
// for concurrent use.
type Running struct {
	held atomic.Pointer[[]held] // the last one applies; never changed in place
	late atomic.Pointer[error]  // see Late
}

// held are layers, and when they stopped applying; zero: they still apply.
type held struct {
	layers *Layers
	until  time.Time
}

// NewRunning makes a Running in which these layers apply now.
func NewRunning(l *Layers) *Running {
	r := &Running{}
	r.held.Store(&[]held{{layers: l}})
	return r
}

// Swap puts other layers into force from a time on. Only one goroutine may swap at a
// time. The earlier layers are kept for acts that are still open.
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

// Late sets why it is uncertain that these layers still apply; nil: it is certain.
func (r *Running) Late(why error) {
	if why == nil {
		r.late.Store(nil)
		return
	}
	r.late.Store(&why)
}

// Standing returns nil unless Late has set a reason; then it returns that reason, and
// nothing may be decided with these layers.
func (r *Running) Standing() error {
	if why := r.late.Load(); why != nil {
		return *why
	}
	return nil
}

// Layers returns the layers that apply.
func (r *Running) Layers() *Layers {
	all := *r.held.Load()
	return all[len(all)-1].layers
}

// For is Layers.For of the layers that apply.
func (r *Running) For(region liuma.Region, channel liuma.ChannelID) Policy {
	return r.Layers().For(region, channel)
}

// Regions is Layers.Regions of the layers that apply.
func (r *Running) Regions() []liuma.Region { return r.Layers().Regions() }

// Passphrases is Layers.Passphrases of the layers that apply.
func (r *Running) Passphrases() bool { return r.Layers().Passphrases() }

// ForAct returns the policy for an act that began at the given time: for each value the
// strictest of the policies that have applied since. So the act never asks for less
// than when it began, and stricter rules count at once.
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
