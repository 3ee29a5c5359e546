package keeper

import (
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// derived holds the scalars k_S of one version of one card's PIN, for all subsets
// that this keeper is a member of. They are derived before the guess is counted,
// because a share key may be in a token that does not answer: then nothing is
// counted, and six tries against a dead token lock nobody. They can evaluate only
// together with the grant, which comes after the count (I-1). The caller wipes
// them.
type derived struct {
	card    liuma.CardID
	version liuma.Version
	scalars []*split.Scalar // by rising subset
}

// derive makes the scalars k_S of a version of a card's PIN. Errors: ErrKeySet,
// and ErrShareKeys if a share key does not answer.
func (r *Ring) derive(keySet uint32, card liuma.CardID, version liuma.Version) (*derived, error) {
	set, ok := r.set(keySet)
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrKeySet, keySet)
	}
	d := &derived{card: card, version: version}
	for _, m := range set.Shape.SubsetsOf(set.Member) {
		k, err := split.Derive(set.Keys[m], split.Scope{KeySet: set.ID, Subset: m, Card: card, Version: version})
		if err != nil {
			d.wipe()
			return nil, fmt.Errorf("%w: %w", ErrShareKeys, err)
		}
		d.scalars = append(d.scalars, k)
	}
	return d, nil
}

func (d *derived) wipe() {
	for _, k := range d.scalars {
		k.Wipe()
	}
}

// grant is permission to evaluate once. A ledger makes it, after it has written
// the guess or the proposal to disk. No other types are grants.
type grant interface {
	*ledger.Spent | *ledger.Proposed
	Redeem() error
	Card() liuma.CardID
	Version() liuma.Version
}

// errOtherGrant can only come from a bug in this program.
var errOtherGrant = errors.New("keeper: the grant is for another card or version than the keys")

// evaluate redeems a grant and evaluates with the share keys of all this
// keeper's subsets. It is the only function that evaluates with a share key, so
// nothing is evaluated that a ledger has not counted (I-1) or marked (I-3).
//
// A crash in here leaves a guess counted and unanswered: lost, never free.
func evaluate[G grant](d *derived, g G, blinded split.Point) ([]split.Share, error) {
	if err := g.Redeem(); err != nil {
		return nil, err
	}
	if g.Card() != d.card || g.Version() != d.version {
		return nil, errOtherGrant
	}
	shares := make([]split.Share, 0, len(d.scalars))
	for _, k := range d.scalars {
		s, err := k.Evaluate(blinded)
		if err != nil {
			return nil, err
		}
		shares = append(shares, s)
	}
	return shares, nil
}
