package counter

import (
	"sync"
	"time"
)

// Anybody can make a key and have it offered as a pad. An offer is a row without an audit entry,
// until a clerk types its number, and lasts at most OfferLife. It is in the database so that every
// authority knows it. The number of offers is limited here: each process limits those that it
// received. No source can keep another from making an offer. A source with too many loses its
// oldest. If there are too many in all, some offers are drawn at random, and of those the one whose
// source has most is dropped, the oldest among equals. A restarted process has forgotten the
// sources of earlier offers, which end with their ten minutes.
const (
	offersSource = 120     // of one source, which may be a whole agency behind one address in the morning
	offersAll    = 1 << 16 // of all sources
	offersDrawn  = 16      // drawn to choose the one that is dropped
	offersSwept  = time.Minute
)

// padOffer is a pad that shows its number.
type padOffer struct {
	id, number, source string
	key                []byte
	at, until          time.Time
}

// padOffers are the offers that this process received.
type padOffers struct {
	mu       sync.Mutex
	byNumber map[string]*padOffer   // guarded by mu
	byPad    map[string]*padOffer   // guarded by mu
	sources  map[string][]*padOffer // guarded by mu: the oldest first
	swept    time.Time              // guarded by mu: when ended offers were last dropped
}

func newPadOffers() *padOffers {
	return &padOffers{byNumber: map[string]*padOffer{}, byPad: map[string]*padOffer{}, sources: map[string][]*padOffer{}}
}

// put adds the offer of a pad in place of an earlier one, and returns the offers that were dropped
// for it.
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
	lose(o.byNumber[p.number]) // same number: the clerk could pair the wrong device
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

// most is the offer to drop when there are too many in all. The caller holds mu.
func (o *padOffers) most() (found *padOffer) {
	looked := 0
	for _, p := range o.byPad { // starts at a random place
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

// drop removes an offer; it does nothing for nil. The caller holds mu.
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

// forget removes the offer of a pad, if there is one, because it was paired or could not be stored.
func (o *padOffers) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(o.byPad[id])
}
