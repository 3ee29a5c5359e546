package store

import "time"

// Resealing is how far a pass has come that seals every row anew under the root
// key that seals now, with the personal data in it. When it has ended no row
// needs an older key any more.
type Resealing struct {
	Key     uint32 // the root key that it seals under
	Table   string // the table that it is at, and the row there that was done last
	After   []byte
	Rows    uint64 // rows that were sealed anew
	Refused uint64 // rows that failed their seal; they are left as they are
	BegunAt time.Time
	EndedAt time.Time // zero while it goes on
}

// Ended reports whether every row was gone through.
func (r Resealing) Ended() bool { return !r.EndedAt.IsZero() }

// ResealReader reads how far resealing has come.
type ResealReader interface {
	// Resealing returns the state of the last pass; ErrNotFound if there was none.
	// A pass under another key than the one that seals now is over: the next step
	// begins one anew.
	Resealing() (Resealing, error)
}

// ResealWriter seals rows anew.
type ResealWriter interface {
	// ResealStep begins a pass if there is none under the root key that seals now,
	// and otherwise goes on with it for at most limit rows. It changes the seals of
	// rows, and the encryption of the values in them, and nothing that they say:
	// not even their revisions. So it needs no audit entry by itself; whoever runs
	// a pass writes one when it begins and one when it has ended. A row that fails
	// its seal raises the alarm, is counted, and stays refused.
	ResealStep(now time.Time, limit int) (Resealing, error)
}
