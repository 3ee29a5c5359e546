package policy

import (
	"errors"
	"time"
)

// Bounds of the recovery rules: the upper end of Hold, the lower ends of the
// two ages. The other ends are the national rule.
const (
	MaxRecoveryHold = 30 * 24 * time.Hour
	MinUnconfirmed  = 7 * 24 * time.Hour
)

// Recovery bounds what a bound phone is good for when a PIN is forgotten
// (DESIGN section 1, "forgotten, online").
type Recovery struct {
	// Hold is how long after a phone was bound or changed it resets nothing
	// online, and how long after a link through which a PIN is changed that
	// takes evidence as well. National: 72 h. Layers may lengthen it, to 30
	// days.
	Hold time.Duration
	// Unconfirmed is how long after it was last confirmed a bound phone still
	// counts where no evidence comes with it: its number may have another
	// owner by then. National: 90 days; layers may shorten it, to 7 days.
	Unconfirmed time.Duration
	// UnconfirmedEvidence is the same where evidence comes with it.
	// National: 400 days, never less than Unconfirmed.
	UnconfirmedEvidence time.Duration
	// CardNumber accepts the number of the physical card in place of evidence,
	// for a reset that waits 24 hours. National: off. It is the one value that
	// a region may set looser than the nation, for holders who cannot show
	// their face to a camera.
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
