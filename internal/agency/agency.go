// Package agency is the directory of places that holders are sent to: offices and hotlines
// by region, as an operator imported them. It guarantees that a file is taken row by row,
// each whole or not at all, with every change on the record; that nothing is shown
// that is not in a sealed row; that every search ends with somebody to ask: if a county
// has nothing, its city, its province and the nation's line are shown; and that no answer
// depends on a card or a device's position: a search is by region alone. It trusts the
// operator's file for its content, within the limits of each field, and the list of
// regions.
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
	"github.com/liuma-pin/liuma/internal/upkeep"
	"github.com/liuma-pin/liuma/internal/vault"
)

// ErrUnknown says that there is no agency of that code.
var ErrUnknown = errors.New("no agency has this code")

// Config holds the parts of a Book. All members but Logger are required.
type Config struct {
	Store   store.Store
	Now     func() time.Time
	Regions func() (*directory.Regions, error)
	Logger  *slog.Logger // default: discard
}

// tickImported marks an import, for the other processes.
const tickImported = "agencies_imported"

// WatchEvery is how often a process checks whether another one has imported something.
const WatchEvery = 10 * time.Second

// Book keeps the directory in memory. An import in the same process renews it at once;
// after one in another process Watch renews it a moment later. Safe for concurrent use.
type Book struct {
	c    Config
	now  atomic.Pointer[Listing]
	load sync.Mutex
	seen imports // those that Listing includes; guarded by load
}

// imports identifies the imports of the last day.
type imports struct {
	n    int
	last time.Time
}

// lately reads the marks of the last day.
func (b *Book) lately(ctx context.Context) (m imports, err error) {
	err = b.c.Store.View(ctx, func(r store.Reader) error {
		marks, err := r.Ticks(tickImported, vault.Index{}, b.c.Now().Add(-24*time.Hour))
		if m.n = len(marks); m.n > 0 {
			m.last = marks[m.n-1]
		}
		return err
	})
	return m, err
}

// Watch reads the directory anew when another process has imported something, until ctx
// ends.
func (b *Book) Watch(ctx context.Context) {
	upkeep.Every(ctx, WatchEvery, b.c.Logger, "agencies that another authority imported are not shown yet", b.Look)
}

// Look is one round of Watch.
func (b *Book) Look(ctx context.Context) error {
	now, err := b.lately(ctx)
	if err != nil {
		return err
	}
	b.load.Lock()
	same := now == b.seen
	b.load.Unlock()
	if same {
		return nil
	}
	return b.Reload(ctx)
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

// Listing is the present directory.
func (b *Book) Listing() *Listing { return b.now.Load() }

// loadPage is how many rows are read at once.
const loadPage = 1000

// Reload reads the directory again. A row that was altered is left out: its refusal is on
// the record and in the status, and the agency of the region above serves its region.
func (b *Book) Reload(ctx context.Context) error {
	b.load.Lock()
	defer b.load.Unlock()
	regions, err := b.c.Regions()
	if err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	seen, err := b.lately(ctx) // read first, so that a later import is noticed
	if err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	all, err := b.read(ctx)
	if err != nil {
		return fmt.Errorf("agency: %w", err)
	}
	b.seen = seen
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
