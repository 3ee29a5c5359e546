package api

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/liuma-pin/liuma/internal/door"
)

// checkedToken is a token whose signature was found good.
type checkedToken struct {
	claims door.Claims
	keyID  string
	print  door.KeyPrint // of the key that signed it
}

// tokenCache remembers at most size checked tokens, by their SHA-256; the least
// recently used is dropped first. Only tokens with good signatures get in, so a
// stranger cannot push others out. Expired tokens are refused by their time, and are
// dropped as others come.
type tokenCache struct {
	size int

	mu    sync.Mutex
	order *list.List // of tokenEntry, most recent in front; guarded by mu
	byKey map[[sha256.Size]byte]*list.Element
}

type tokenEntry struct {
	sum   [sha256.Size]byte
	token checkedToken
}

func newTokenCache(size int) *tokenCache {
	return &tokenCache{size: size, order: list.New(), byKey: make(map[[sha256.Size]byte]*list.Element)}
}

func (c *tokenCache) get(sum [sha256.Size]byte) (checkedToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[sum]
	if !ok {
		return checkedToken{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*tokenEntry).token, true
}

func (c *tokenCache) put(sum [sha256.Size]byte, t checkedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[sum]; ok {
		e.Value.(*tokenEntry).token = t
		c.order.MoveToFront(e)
		return
	}
	c.byKey[sum] = c.order.PushFront(&tokenEntry{sum: sum, token: t})
	if c.order.Len() > c.size {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byKey, last.Value.(*tokenEntry).sum)
	}
}

func (c *tokenCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
