package testkit

import (
	"os"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit/keepers"
)

// maybeWired puts a keeper behind a connection, which ends with the test: the system may
// be closed and opened again before, each time with connections of its own.
func (e *Env) maybeWired(o Options, k keeper.Keeper) keeper.Keeper {
	if o.House != nil || !o.Wired && !Wired() {
		return k
	}
	c, err := keepers.Wire(k)
	e.must(err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wired = append(e.wired, c)
	return c
}

// Wired reports whether LIUMA_WIRED puts every world's keepers behind connections, for
// tests that look at what a connection does not carry.
func Wired() bool { return os.Getenv("LIUMA_WIRED") != "" }

// unwire ends the connections.
func (e *Env) unwire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.wired {
		e.must(c.Close())
	}
	e.wired = nil
}
