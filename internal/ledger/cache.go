package ledger

import (
	"sync"

	"github.com/liuma-pin/liuma"
)

// cache keeps the rows that were written last, exactly as they are on disk. The
// lease makes the ledger the only writer, so a kept row cannot be stale. A row
// in it is never changed: writers put a new one.
//
// It approximates least-recently-written with two generations: when young is
// full it becomes old, and the former old rows are dropped.
type cache struct {
	mu         sync.Mutex
	size       int
	young, old map[liuma.CardID]*Row // guarded by mu
}

func newCache(rows int) *cache {
	return &cache{size: max(rows/2, 1), young: make(map[liuma.CardID]*Row)}
}

func (c *cache) get(card liuma.CardID) *Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.young[card]; r != nil {
		return r
	}
	return c.old[card]
}

func (c *cache) put(r *Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.size {
		c.old, c.young = c.young, make(map[liuma.CardID]*Row, c.size)
	}
	c.young[r.Card] = r
}
