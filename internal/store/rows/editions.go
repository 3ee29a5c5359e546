package rows

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/store"
)

// ofPolicy adds the table of approved policies. It is shared: nobody who writes to the
// database puts an earlier policy back, or takes the last one away.
func (t *tables) ofPolicy() {
	t.editions = kind[store.Edition]{Table{Name: "editions", Shared: true},
		func(e *store.Edition) []byte { return editionKey(e.No) }, noLooks[store.Edition]}
}

func editionKey(no uint64) []byte { return binary.BigEndian.AppendUint64(nil, no) }

func (r *Reader) Edition(no uint64) (store.Edition, error) {
	e, _, err := get(r, &r.codec.editions, editionKey(no))
	if err == nil && e.No != no {
		return store.Edition{}, r.disowned(&r.codec.editions.Table, "an edition stands at the number of another")
	}
	return e, err
}

// LastEdition looks for the first number without an edition: there are no gaps. Each
// absence is vouched for, so a row that was taken away does not make an earlier one
// the last.
func (r *Reader) LastEdition() (store.Edition, error) {
	low, high := uint64(0), uint64(1) // low is there, or is 0
	for ; ; high *= 2 {
		switch _, err := r.Edition(high); {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return store.Edition{}, err
		default:
			low = high
			continue
		}
		break
	}
	for low+1 < high {
		mid := low + (high-low)/2
		switch _, err := r.Edition(mid); {
		case errors.Is(err, store.ErrNotFound):
			high = mid
		case err != nil:
			return store.Edition{}, err
		default:
			low = mid
		}
	}
	return r.Edition(low)
}

// InsertEdition is written with the approval of its proposal: a crash before the
// commit leaves the earlier policy and an open proposal, after it the new policy, from
// the next look or start on.
func (t *Tx) InsertEdition(e store.Edition) error {
	if e.No == 0 {
		return fmt.Errorf("%w: an edition without a number", store.ErrConflict)
	}
	if e.No > 1 {
		if _, err := t.Edition(e.No - 1); errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: edition %d does not follow the last one", store.ErrConflict, e.No)
		} else if err != nil {
			return err
		}
	}
	return insert(t, &t.codec.editions, editionKey(e.No), &e, 1)
}
