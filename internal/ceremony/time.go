package ceremony

import (
	"time"

	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Times of the hosted door.
const (
	pushedLife   = 90 * time.Second   // of a request_uri until the first post
	ceremonyLife = 15 * time.Minute   // from the first post
	ceremonyMore = 10 * time.Minute   // added by an extension
	ceremonyMost = authority.PageLife // in all, from the first push: a pad's seal key lives as long
	codeLife     = 60 * time.Second
)

// expired reports whether the time of an open ceremony is over.
func expired(c store.Ceremony, now time.Time) bool { return c.Ended.IsZero() && !now.Before(c.Expires) }

// lastOf is the latest time at which a ceremony can end, however often it is
// pushed again or extended.
func lastOf(c store.Ceremony) time.Time { return c.At.Add(ceremonyMost) }

// within caps a time at the end of the ceremony's time.
func within(c store.Ceremony, t time.Time) time.Time {
	if last := lastOf(c); t.After(last) {
		return last
	}
	return t
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
