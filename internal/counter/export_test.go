package counter

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Sampled says whether a ticket is drawn for review.
func (c *Counter) Sampled(id liuma.TicketID) bool { return c.sampled(id) }

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
