package counter

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Sampled says whether a ticket is drawn for review.
func (c *Counter) Sampled(id liuma.TicketID) bool { return c.sampled(id) }

// TriesSources is how many sources of wrong codes are counted one by one, and TriesShared
// how many wrong ones all others may give.
const TriesSources, TriesShared = triesSources, triesShared

// Tries counts wrong codes.
type Tries struct{ tries *tries }

// NewTries has counted none.
func NewTries() Tries { return Tries{newTries()} }

// Add counts one.
func (t Tries) Add(source vault.Index, now time.Time) bool { return t.tries.add(source, now) }

// Slowed is until when a source is slowed.
func (t Tries) Slowed(source vault.Index, now time.Time) time.Time {
	return t.tries.slowed(source, now)
}

// OffersSource is how many pads of one source are offered at a time, and OffersAll of all.
const OffersSource, OffersAll = offersSource, offersAll

// Offers are pads that are offered.
type Offers struct {
	o   *padOffers
	now time.Time
}

// NewOffers has none.
func NewOffers() *Offers { return &Offers{newPadOffers(), time.Unix(1_800_000_000, 0)} }

// Put offers one, i microseconds from now.
func (o *Offers) Put(id, number, source string, i int) {
	at := o.now.Add(time.Duration(i) * time.Microsecond)
	o.o.put(&padOffer{id: id, number: number, source: source, at: at, until: at.Add(OfferLife)}, at)
}

// Advance moves the time.
func (o *Offers) Advance(d time.Duration) { o.now = o.now.Add(d) }

// Offered reports whether one is offered.
func (o *Offers) Offered(id string) bool { return o.o.byPad[id] != nil }

// Len is how many there are.
func (o *Offers) Len() int { return len(o.o.byPad) }
