package tokenkeys

import (
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/token"
)

// Mover moves share keys from a spare token into the token that serves from now on. The
// spare token wraps them to the new token, and keeps none of them.
type Mover struct {
	spare Token
	opens token.WrappingKey
}

// NewMover takes a spare token.
func NewMover(spare Token) (Mover, error) {
	k, err := spare.WrappingKey(SpareKeyName)
	return Mover{spare: spare, opens: k}, err
}

// Move brings a saved key into another custody. A crash in here leaves a copy under a
// temporary name in the spare token; it is removed when the key is moved again.
func (m Mover) Move(into keeper.Custody, saved []byte) (_ keeper.HeldKey, err error) {
	to, ok := into.(custody)
	if !ok {
		return nil, keeper.ErrElsewhere
	}
	from, err := parseKey(saved)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(from.Spares, func(s spared) bool { return s.Key == m.opens.Fingerprint() })
	if i < 0 {
		return nil, ErrNotSpare
	}
	hash, ok := token.HashNamed(from.Spares[i].Hash)
	if !ok {
		return nil, ErrSaved
	}
	passing := from.Name + " passing"
	if err := m.spare.Destroy(passing); err != nil {
		return nil, away(err)
	}
	if err := m.spare.UnwrapShareKey(passing, SpareKeyName, hash, from.Spares[i].Wrapped); err != nil {
		return nil, away(err)
	}
	defer func() { err = errors.Join(err, away(m.spare.Destroy(passing))) }()
	sum, err := m.spare.MAC(passing, checkMessage())
	if err != nil {
		return nil, away(err)
	}
	if sum != from.Check {
		return nil, fmt.Errorf("%w: %s", ErrOther, from.Name)
	}
	next := savedKey{Name: from.Name, Check: from.Check}
	for _, s := range to.Spares {
		wrapped, err := m.spare.WrapShareKey(passing, s)
		if err != nil {
			return nil, away(err)
		}
		next.Spares = append(next.Spares, spared{Token: s.Token, Key: s.Fingerprint(), Hash: s.Hash.String(), Wrapped: wrapped})
	}
	key := &held{custody: to, saved: next}
	if key.Check() == nil {
		return key, nil // it was moved and locked before a crash
	}
	wrapped, err := m.spare.WrapShareKey(passing, to.wraps)
	if err != nil {
		return nil, away(err)
	}
	if err := to.clear(next.Name); err != nil {
		return nil, err
	}
	if err := to.Token.UnwrapShareKey(next.Name, wrappingName(to.id), to.wraps.Hash, wrapped); err != nil {
		return nil, away(err)
	}
	return key, nil
}
