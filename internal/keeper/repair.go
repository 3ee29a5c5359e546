package keeper

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// RowSource lists a keeper's rows in card order, after a given card. A ledger's Backend
// is a RowSource, and so is a Node.
type RowSource interface {
	Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error
}

// mergeRows is how many rows Repair passes to the ledger at once.
const mergeRows = 256

// Errors of Repair.
var (
	// ErrPeers: there are too few other keepers to be sure that one of them has every
	// counted guess and every commit.
	ErrPeers = errors.New("keeper: too few keepers to repair from")
	// ErrNoRows is returned by Scan if the node was made without Rows.
	ErrNoRows = errors.New("keeper: rows cannot be listed here")
)

// Scan implements RowSource. A ledger that has stopped gives no rows: they may lack
// guesses that were counted since, and a keeper that repaired itself from them would
// give those guesses back (I-2).
func (n *Node) Scan(ctx context.Context, after liuma.CardID, visit func(ledger.Row) error) error {
	if n.rows == nil {
		return ErrNoRows
	}
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := n.ledger.Poisoned(); err != nil {
		return err
	}
	if err := n.rows.Scan(ctx, after, visit); err != nil {
		return err
	}
	return n.ledger.Poisoned() // the ledger may have stopped meanwhile
}

// Repair brings back a keeper whose ledger was lost or rolled back. It takes in the
// rows of the other keepers, where the highest counts win, and then gives the ledger a
// new incarnation and a sequence above seen, the highest that any authority received
// from it. Only the keeper's operator calls it, and it trusts the peers that the
// operator names.
//
// It needs at least n-t+1 peers: every verdict and every commit rests on t keepers, so
// the t-1 others that counted cannot all be missing among them. A keeper of 1 of 1 has
// no peers; see Readmit. ErrManyRows: one peer gives far more rows than the others
// (Expect).
//
// A crash in here leaves rows that count more than before and a ledger that says
// that its repair has not ended, and so serves nobody: call it again.
func (n *Node) Repair(ctx context.Context, seen uint64, peers ...RowSource) error {
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	for _, id := range n.ring.KeySets() {
		set, _ := n.ring.set(id)
		if s := set.Shape; s.N == 1 || len(peers) < s.N-s.T+1 {
			return fmt.Errorf("%w: %d for key set %d of %s", ErrPeers, len(peers), id, s)
		}
	}
	if err := n.ledger.BeginRepair(ctx); err != nil {
		return fmt.Errorf("%w: %w", errOwnLedger, err)
	}
	if err := n.takeInAll(ctx, peers); err != nil {
		return err
	}
	if _, err := n.ledger.Readmit(ctx, seen); err != nil {
		return fmt.Errorf("keeper: readmit: %w", err)
	}
	return nil
}

// Level takes in the rows of the other keepers once more, while the node serves:
// guesses and commits that they counted while it was being repaired. The highest counts
// win, so it may be repeated at any time.
func (n *Node) Level(ctx context.Context, peers ...RowSource) error {
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	return n.takeInAll(ctx, peers)
}

// extraRows is how many rows one keeper may give beyond four times the number that the
// others have, unless Expect sets another number.
const extraRows = 1_000_000

// ErrManyRows: one keeper gives far more rows than the others that have given all of
// theirs. A keeper that lies could make up rows without end and fill the disk.
var ErrManyRows = errors.New("keeper: one keeper gives far more rows than the others")

// Expect lets one keeper give n rows beyond four times the number that the others have,
// for the case that the others missed very many cards.
func (n *Node) Expect(rows uint64) { n.extra.Store(rows) }

// takeInAll takes in the rows of all peers, a few from each in turn, so that a peer that
// never ends is noticed when the others have ended.
func (n *Node) takeInAll(ctx context.Context, peers []RowSource) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var open []*source
	defer func() {
		for _, s := range open {
			s.close()
		}
	}()
	for i, p := range peers {
		open = append(open, rowsOf(ctx, i+1, p))
	}
	ended := uint64(0) // the most rows from a peer that has ended
	for all := len(open); len(open) > 0; {
		for i := 0; i < len(open); {
			s := open[i]
			more, err := n.takeSome(ctx, s)
			if err != nil {
				return err
			}
			if !more {
				ended = max(ended, s.rows)
				s.close()
				open = append(open[:i], open[i+1:]...)
				continue
			}
			i++
		}
		for _, s := range open {
			if most := 4*ended + n.extra.Load(); len(open) < all && s.rows > most {
				return fmt.Errorf("%w: the %d. of them more than %d, of those that have ended none more than %d", ErrManyRows, s.number, most, ended)
			}
		}
	}
	return nil
}

// errOwnLedger is a fault of the ledger that is being repaired, not of a peer's ledger.
var errOwnLedger = errors.New("keeper: merge rows")

// source is a peer whose rows are read.
type source struct {
	number int // from 1
	rows   uint64
	next   func() (ledger.Row, error, bool)
	close  func()
}

// errClosed ends a Scan whose rows nobody reads any more.
var errClosed = errors.New("keeper: enough rows")

func rowsOf(ctx context.Context, number int, p RowSource) *source {
	s := &source{number: number}
	s.next, s.close = iter.Pull2(func(yield func(ledger.Row, error) bool) {
		err := p.Scan(ctx, liuma.CardID{}, func(r ledger.Row) error {
			if !yield(r, nil) {
				return errClosed
			}
			return nil
		})
		if err != nil && !errors.Is(err, errClosed) {
			yield(ledger.Row{}, fmt.Errorf("keeper: read a peer's rows: %w", err))
		}
	})
	return s
}

// takeSome takes in the next rows of a peer. It returns false if there are no more.
func (n *Node) takeSome(ctx context.Context, s *source) (more bool, err error) {
	rows := make([]ledger.Row, 0, mergeRows)
	for more = true; more && len(rows) < mergeRows; {
		var r ledger.Row
		if r, err, more = s.next(); err != nil {
			return false, err
		}
		if more {
			rows = append(rows, r)
		}
	}
	if err := n.ledger.Merge(ctx, rows); err != nil {
		return false, fmt.Errorf("%w: %w", errOwnLedger, err)
	}
	s.rows += uint64(len(rows))
	n.taken.Add(uint64(len(rows)))
	return more, nil
}

// Readmit lets the only keeper of 1 of 1 serve again on a ledger that was put back from
// an older copy. There is no other keeper to copy counts from, so guesses counted since
// then are lost, and each card gets up to one guess window of guesses again. Only an
// operator may accept that.
func (n *Node) Readmit(ctx context.Context, seen uint64) error {
	leave, err := n.enter()
	if err != nil {
		return err
	}
	defer leave()
	for _, id := range n.ring.KeySets() {
		set, _ := n.ring.set(id)
		if s := set.Shape; s != (split.Shape{T: 1, N: 1}) {
			return fmt.Errorf("%w: key set %d is of %s: repair from the others", ErrPeers, id, s)
		}
	}
	if _, err := n.ledger.Readmit(ctx, seen); err != nil {
		return fmt.Errorf("keeper: readmit: %w", err)
	}
	return nil
}
