package counter

import (
	"sync"
	"time"
)

// Anybody can make a key and have it offered as a pad. An offer is a row without an entry,
// until a clerk types the number and no longer than OfferLife, so that whichever authority
// the clerk and the pad come to next knows it. How many there are is bounded here, by each
// process for those that came to it. No source keeps another from being offered. Beyond its own many a source loses its oldest
// offer; where there are too many of all, one goes of whoever has most among a few that
// are drawn, and of equals the oldest. A process that was started anew has forgotten whose
// they were, and those before it end with their ten minutes.
const (
	offersSource = 120     // of one source, which may be a whole agency behind one address in the morning
	offersAll    = 1 << 16 // of all
	offersDrawn  = 16      // that are looked at for one that goes
	offersSwept  = time.Minute
)

// padOffer is a pad that shows its number.
type padOffer struct {
	id, number, source string
	key                []byte
	at, until          time.Time
}

// padOffers are the offers that came to this process.
type padOffers struct {
	mu       sync.Mutex
	byNumber map[string]*padOffer   // guarded by mu
	byPad    map[string]*padOffer   // guarded by mu
	sources  map[string][]*padOffer // guarded by mu: the oldest first
	swept    time.Time              // guarded by mu: when those that are over were dropped last
}

func newPadOffers() *padOffers {
	return &padOffers{byNumber: map[string]*padOffer{}, byPad: map[string]*padOffer{}, sources: map[string][]*padOffer{}}
}

// put offers a pad, in the place of an earlier offer of it, and returns those that lost
// their places to it.
func (o *padOffers) put(p *padOffer, now time.Time) (lost []*padOffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lose := func(old *padOffer) {
		if old != nil {
			o.drop(old)
			lost = append(lost, old)
		}
	}
	if since := now.Sub(o.swept); since >= offersSwept || since < 0 {
		o.swept = now
		for _, old := range o.byPad {
			if !now.Before(old.until) {
				o.drop(old)
			}
		}
	}
	lose(o.byPad[p.id])
	lose(o.byNumber[p.number]) // drawn twice: the clerk would pair one of two devices
	if own := o.sources[p.source]; len(own) >= offersSource {
		lose(own[0])
	}
	if len(o.byPad) >= offersAll {
		lose(o.most())
	}
	o.byNumber[p.number], o.byPad[p.id] = p, p
	o.sources[p.source] = append(o.sources[p.source], p)
	return lost
}

// most is one that goes where there are too many. The caller holds mu.
func (o *padOffers) most() (found *padOffer) {
	looked := 0
	for _, p := range o.byPad { // begins at random
		if found == nil || len(o.sources[p.source]) > len(o.sources[found.source]) ||
			len(o.sources[p.source]) == len(o.sources[found.source]) && p.at.Before(found.at) {
			found = p
		}
		if looked++; looked == offersDrawn {
			break
		}
	}
	return found
}

// drop forgets an offer, if there is one. The caller holds mu.
func (o *padOffers) drop(p *padOffer) {
	if p == nil {
		return
	}
	delete(o.byNumber, p.number)
	delete(o.byPad, p.id)
	own := o.sources[p.source]
	for i := range own {
		if own[i] == p {
			own = append(own[:i:i], own[i+1:]...)
			break
		}
	}
	if len(own) == 0 {
		delete(o.sources, p.source)
		return
	}
	o.sources[p.source] = own
}

// forget drops the offer of a pad, if there is one: it was paired, or not kept.
func (o *padOffers) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(o.byPad[id])
}
