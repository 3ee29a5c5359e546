package policy

import (
	"errors"
	"time"
)

// Bounds of the recovery rules: the upper end of Hold, the lower ends of the
// two ages. The opposite ends are the national rule.
const (
	MaxRecoveryHold = 30 * 24 * time.Hour
	MinUnconfirmed  = 7 * 24 * time.Hour
)

// Recovery bounds the uses of the bound phone when a PIN is forgotten
// (docs/RECOVERY.md).
type Recovery struct {
	// Hold is a waiting time. For that long after a phone replaced another, it
	// cannot be used to reset a PIN online; and for that long a link that was made
	// with the PIN alone is not known. National: 72 h. Layers may lengthen it, to
	// 30 days.
	Hold time.Duration
	// Unconfirmed is how long after its last confirmation a bound phone may be
	// used without evidence: later the number may belong to another person.
	// National: 90 days; layers may shorten it, to 7 days.
	Unconfirmed time.Duration
	// UnconfirmedEvidence is the same time for use together with evidence.
	// National: 400 days, never less than Unconfirmed.
	UnconfirmedEvidence time.Duration
	// CardNumber accepts the number of the physical card instead of evidence,
	// for a reset that waits 24 hours. National: off. A region may set it looser
	// than the nation, for holders who cannot show their face to a camera.
	CardNumber bool
}

func nationalRecovery() Recovery {
	const day = 24 * time.Hour
	return Recovery{Hold: 3 * day, Unconfirmed: 90 * day, UnconfirmedEvidence: 400 * day}
}

func (r Recovery) validate() error {
	n := nationalRecovery()
	var errs []error
	errs = append(errs,
		between("recovery.hold", r.Hold, n.Hold, MaxRecoveryHold),
		between("recovery.unconfirmed", r.Unconfirmed, MinUnconfirmed, n.Unconfirmed),
		between("recovery.unconfirmed_evidence", r.UnconfirmedEvidence, MinUnconfirmed, n.UnconfirmedEvidence))
	if r.UnconfirmedEvidence < r.Unconfirmed {
		errs = append(errs, errors.New("recovery.unconfirmed_evidence: less than without evidence"))
	}
	return errors.Join(errs...)
}
