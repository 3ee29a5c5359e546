package counter

import (
	"sync"
	"time"
)

// Anybody can make a key and have it offered as a pad. So offers are kept in memory until a
// clerk types the number, and no longer than OfferLife: they write no row and no entry. No
// source keeps another from being offered. Beyond its own many a source loses its oldest
// offer; where there are too many of all, one goes of whoever has most among a few that
// are drawn, and of equals the oldest. With a restart all are gone, and pads ask for another
// number.
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

// padOffers are the pads that wait for their number to be typed.
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

// put offers a pad, in the place of an earlier offer of it.
func (o *padOffers) put(p *padOffer, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if since := now.Sub(o.swept); since >= offersSwept || since < 0 {
		o.swept = now
		for _, old := range o.byPad {
			if !now.Before(old.until) {
				o.drop(old)
			}
		}
	}
	o.drop(o.byPad[p.id])
	o.drop(o.byNumber[p.number]) // drawn twice: the clerk would pair one of two devices
	if own := o.sources[p.source]; len(own) >= offersSource {
		o.drop(own[0])
	}
	if len(o.byPad) >= offersAll {
		o.drop(o.most())
	}
	o.byNumber[p.number], o.byPad[p.id] = p, p
	o.sources[p.source] = append(o.sources[p.source], p)
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

// offered reports whether a pad's number pairs it now.
func (o *padOffers) offered(id string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.byPad[id]
	return p != nil && now.Before(p.until)
}

// take takes the offer of a number out, so that one clerk alone pairs it; nil: there is none.
func (o *padOffers) take(number string, now time.Time) *padOffer {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.byNumber[number]
	if p == nil || !now.Before(p.until) {
		return nil
	}
	o.drop(p)
	return p
}
