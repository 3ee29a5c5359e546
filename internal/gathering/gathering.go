// Package gathering lets the one writer of a database wait for the requests that will share
// its commit. A commit costs a sync of the disk, whether one request shares it or a hundred.
//
// It guarantees that nobody waits while the processors are idle: the writer waits as long
// as others have work to do that may bring it a request, and longest at the most. It trusts
// Go's scheduler to let those run first who are ready to. It decides nothing: a batch that
// is smaller or larger is as good.
//
// Start here: Wait.
package gathering

import (
	"runtime"
	"time"
)

const (
	// longest bounds the wait: with more work than processors, somebody can always run.
	longest = 10 * time.Millisecond
	// inVain is how often in a row the writer gives way without a request having come,
	// before it takes it that nobody will bring one. Where nobody can run, that takes
	// some microseconds.
	inVain = 60
)

// Wait returns when most requests are queued, or nobody who can run brings another one, or
// after longest; at once if there is none. queued says how many are there.
func Wait(queued func() int, most int) {
	n := queued()
	if n == 0 || n >= most {
		return
	}
	begun := time.Now()
	for still := 0; still < inVain && time.Since(begun) < longest; still++ {
		runtime.Gosched()
		switch now := queued(); {
		case now >= most:
			return
		case now != n:
			n, still = now, -1
		}
	}
}
