package store

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Edition is a set of layers of policy that two members of staff approved. Editions
// are numbered from 1 without gaps, and none is changed or deleted: the last one
// holds. The first is the set that ran before the first approval. The table is shared:
// a row that was deleted or put back is refused.
type Edition struct {
	No    uint64
	Sum   string // of the whole set (policy.Layers.Sum); empty: no layers
	Files []LayerFile
	// Proposal, Reason, By and Approver are empty in the first one, which nobody
	// approved.
	Proposal string
	Reason   string
	By       liuma.StaffID
	Approver liuma.StaffID
	Proposed time.Time
	At       time.Time // from when it holds
}

// LayerFile is one layer's file, as it was proposed.
type LayerFile struct {
	Name string
	Text []byte
}

// EditionReader reads editions of the policy.
type EditionReader interface {
	// Edition returns one. ErrNotFound, also for 0.
	Edition(no uint64) (Edition, error)
	// LastEdition returns the one that holds. ErrNotFound: none was approved yet.
	LastEdition() (Edition, error)
}

// EditionWriter adds editions.
type EditionWriter interface {
	// InsertEdition adds the next one. ErrExists, if there is one of that number;
	// ErrConflict, if it is not the next.
	InsertEdition(Edition) error
}
