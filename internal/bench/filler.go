package bench

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// target is where rows are written, in the order of their keys: those of a call all or
// none, and durably.
type target interface {
	write(ctx context.Context, table string, part []rows.Row) error
	// last is the highest key of a table; nil where it is empty.
	last(ctx context.Context, table string) ([]byte, error)
	close(ctx context.Context) error
}

// filler writes the rows of a deck into a target. The memory that it uses depends on
// chunk and window, not on the number of cards.
type filler struct {
	deck   *deck
	make   *maker
	to     target
	chunk  int // cards in one transaction
	window int // claims that are sorted at a time
	bar    func(label string, total int) *progress.Bar

	rows, most atomic.Int64 // rows in memory now, and the most so far
	sorted     int          // claims in memory, the most so far
}

const (
	chunk  = 5000
	window = 1 << 20
)

// fill writes the missing rows. After an interruption it is called again: a table is
// written in the order of its keys, so its last row shows how far it came.
func (f *filler) fill(ctx context.Context) error {
	if err := f.cards(ctx); err != nil {
		return err
	}
	return f.claims(ctx)
}

func (f *filler) cards(ctx context.Context) error {
	last, err := f.to.last(ctx, cardsTable)
	if err != nil {
		return err
	}
	from := f.deck.upTo(last)
	bar := f.bar("writing cards", f.deck.size)
	defer bar.Done()
	bar.Add(int64(from))
	part := func(i int) ([]rows.Row, error) {
		at := from + i*f.chunk
		return f.make.cards(f.deck.part(at, min(at+f.chunk, f.deck.size)))
	}
	return f.inOrder(ctx, cardsTable, (f.deck.size-from+f.chunk-1)/f.chunk, part, bar)
}

// claimed is a claim that is not a row yet: the card's place, and how its handle begins.
type claimed struct {
	begins uint64
	place  int
}

func beginOf(h store.Handle) uint64 { return binary.BigEndian.Uint64([]byte(h)) }

// handleAt is the handle of the card at a place.
func (f *filler) handleAt(place int) store.Handle {
	return f.make.handle(store.Card{ID: f.deck.id(place)})
}

// claims writes the claims, whose order only the vault knows. Each round goes through all
// cards and takes those of one range of handles.
func (f *filler) claims(ctx context.Context) error {
	last, err := f.to.last(ctx, claimsTable)
	if err != nil {
		return err
	}
	bar := f.bar("writing links", f.deck.size)
	defer bar.Done()
	edges := f.edges()
	for i := range len(edges) + 1 {
		var from, to store.Handle
		if i > 0 {
			from = edges[i-1]
		}
		if i < len(edges) {
			to = edges[i]
		}
		if to != "" && last != nil && string(handleIn(last)) >= string(to) {
			continue // an earlier run wrote all of it
		}
		if err := f.round(ctx, from, to, handleIn(last), bar); err != nil {
			return err
		}
	}
	return nil
}

// handleIn is the handle in a claim's key, whose end it is.
func handleIn(key []byte) store.Handle {
	if len(key) < handleLength {
		return ""
	}
	return store.Handle(key[len(key)-handleLength:])
}

// handleLength is that of every handle of the vault.
const handleLength = 32

// edges divide the handles into ranges of about a window's size. They are estimated from
// a sample of cards, which is the same in every run.
func (f *filler) edges() (out []store.Handle) {
	rounds := (f.deck.size + f.window - 1) / f.window
	if rounds < 2 {
		return nil
	}
	n := min(f.deck.size, 256*rounds)
	sample := make([]store.Handle, n)
	for i := range sample {
		sample[i] = f.handleAt(i * (f.deck.size / n))
	}
	slices.Sort(sample)
	for i := 1; i < rounds; i++ {
		out = append(out, sample[i*n/rounds])
	}
	return out
}

// round writes the claims with handles from one to before another, and after one that is
// there already. An empty to has no end.
func (f *filler) round(ctx context.Context, from, to, after store.Handle, bar *progress.Bar) error {
	found, err := f.within(ctx, from, to, after)
	if err != nil {
		return err
	}
	f.sorted = max(f.sorted, len(found))
	part := func(i int) ([]rows.Row, error) {
		some := found[i*f.chunk : min((i+1)*f.chunk, len(found))]
		cards := make([]store.Card, len(some))
		for i, c := range some {
			cards[i] = store.Card{ID: f.deck.id(c.place), CreatedAt: f.deck.at}
		}
		return f.make.claims(cards)
	}
	return f.inOrder(ctx, claimsTable, (len(found)+f.chunk-1)/f.chunk, part, bar)
}

// within finds the claims of a range, in order. It looks at every card.
func (f *filler) within(ctx context.Context, from, to, after store.Handle) ([]claimed, error) {
	parts := (f.deck.size + f.chunk - 1) / f.chunk
	found := make([][]claimed, runtime.NumCPU())
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range found {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < parts && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				for place := i * f.chunk; place < min((i+1)*f.chunk, f.deck.size); place++ {
					h := f.handleAt(place)
					if h >= from && (to == "" || h < to) && h > after {
						found[w] = append(found[w], claimed{beginOf(h), place})
					}
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(found...)
	slices.SortFunc(all, func(a, b claimed) int {
		if a.begins != b.begins {
			return cmp.Compare(a.begins, b.begins)
		}
		return cmp.Compare(f.handleAt(a.place), f.handleAt(b.place)) // one pair in a million cards or so
	})
	return all, ctx.Err()
}

// made is the rows of a part, when they are ready.
type made struct {
	rows []rows.Row
	err  error
}

// inOrder makes parts on all processors and writes them one after the other. At most
// one part for each processor, and one more, is in memory.
func (f *filler) inOrder(ctx context.Context, table string, parts int, part func(i int) ([]rows.Row, error), bar *progress.Bar) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	queue := make(chan chan made, runtime.NumCPU()-1) // with the one that waits for room: a part a processor
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(queue)
		for i := range parts {
			one := make(chan made, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				rows, err := part(i)
				f.hold(len(rows))
				one <- made{rows, err}
			})
		}
	})
	for one := range queue {
		m := <-one
		if m.err == nil {
			m.err = ctx.Err()
		}
		if m.err == nil {
			m.err = f.to.write(ctx, table, m.rows)
		}
		if m.err != nil {
			return m.err
		}
		f.hold(-len(m.rows))
		bar.Add(int64(len(m.rows)))
	}
	return errors.Join(err, ctx.Err())
}

func (f *filler) hold(n int) {
	now := f.rows.Add(int64(n))
	for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
	}
}
