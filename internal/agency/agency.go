// Package agency is where holders are sent to: offices and hotlines by region, as an
// operator imported them. It guarantees that a file is taken row by row, each whole or
// not at all, with what changed on the record; that nothing is shown but what a
// sealed row says; that every search ends with somebody to ask, because who finds nothing
// in a county is led to its city, its province and the nation's line; and that nothing of
// a card, and no position of a device, comes into any answer: a region is asked about, and
// nothing else. It trusts the operator's file for what it says, within the bounds of each
// field, and the list of regions.
//
// Start here: Book, then Listing in listing.go and Import in import.go.
package agency

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/store"
)

// ErrUnknown says that there is no agency of a code.
var ErrUnknown = errors.New("no agency has this code")

// Config holds the parts of a Book. All members but Logger are required.
type Config struct {
	Store   store.Store
	Now     func() time.Time
	Regions func() (*directory.Regions, error)
	Logger  *slog.Logger // default: discard
}

// Book keeps the directory in memory. An import in the same process renews it; there is
// no other, since one process at a time has the database. Safe for concurrent use.
type Book struct {
	c    Config
	now  atomic.Pointer[Listing]
	load sync.Mutex
}

// Open reads the directory.
func Open(ctx context.Context, c Config) (*Book, error) {
	if c.Store == nil || c.Now == nil || c.Regions == nil {
		return nil, errors.New("agency: config: want Store, Now and Regions")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Book{c: c}
	if err := b.Reload(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Listing is the directory as it stands.
func (b *Book) Listing() *Listing { return b.now.Load() }

// loadPage is how many rows are read at once.
const loadPage = 1000

// Reload reads the directory anew. A row that was altered is left out: its refusal is on
// the record and in the status, and its region is served by the next agency above it.
func (b *Book) Reload(ctx context.Context) error {
	b.load.Lock()
	defer b.load.Unlock()
	regions, err := b.c.Regions()
	if err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	all, err := b.read(ctx)
	if err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	b.now.Store(NewListing(all, regions))
	return nil
}

func (b *Book) read(ctx context.Context) (all []store.Agency, err error) {
	for more := true; more && err == nil; {
		var some []store.Agency
		err = b.c.Store.View(ctx, func(r store.Reader) error {
			after := liuma.Agency("")
			if len(all) > 0 {
				after = all[len(all)-1].Code
			}
			some, err = r.Agencies(after, loadPage)
			return err
		})
		all, more = append(all, some...), len(some) == loadPage
	}
	return all, err
}
