package testkit

import (
	"context"
	"errors"
	"os"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

var errAgain = errors.New("testkit: again")

// twice runs every Update's closure once for nothing, and then for good, as
// the contract of store.Store allows.
type twice struct{ store.Store }

func (s twice) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	_ = s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if _, err := f(tx); err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{}, errAgain
	})
	return s.Store.Update(ctx, f)
}

// Twice is a store that runs every Update's closure twice; see Options.Store.
func Twice(s store.Store) store.Store { return twice{s} }

func maybeTwice(s store.Store) store.Store {
	if os.Getenv("LIUMA_TWICE") != "" {
		return Twice(s)
	}
	return s
}
