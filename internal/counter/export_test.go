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
