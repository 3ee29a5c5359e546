package store

import "time"

// Sum is what one process has counted of a kind within an epoch, for the others
// that work with the same database: they add up the sums of all. Only the process
// that it is From writes it.
type Sum struct {
	Kind  string
	Epoch int64
	From  [16]byte  // drawn at the start of the process
	Until time.Time // from then on nobody needs it
	Body  []byte    // what it says is the kind's
	// Rev rises by one with each PutSum. It is set by who reads; PutSum compares it.
	Rev uint64
}

// SumReader reads sums.
type SumReader interface {
	// Sums lists the sums of a kind whose epoch is from or later, those of every process,
	// by epoch. One that was altered raises an alarm and is left out.
	Sums(kind string, from int64) ([]Sum, error)
}

// SumWriter writes sums. It needs no audit entry: a sum only says how often something came.
type SumWriter interface {
	// PutSum inserts a sum whose Rev is 0, and otherwise replaces the one of that Kind,
	// Epoch and From. ErrExists: there is one already. ErrNotFound, ErrConflict: it is not
	// there, or not at Rev, so somebody else wrote to the database. One that was altered is replaced.
	PutSum(Sum) error
	// PruneSums drops sums whose Until is before a time, and returns how many.
	PruneSums(before time.Time) (int64, error)
}
