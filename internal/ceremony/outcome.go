package ceremony

import (
	"bytes"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// advance updates a ceremony and its business number with the verdict on one of its
// tries, in the transaction that decides the try. The audit event is empty, or an
// event to record in place of the engine's.
func (s *Ceremonies) advance(tx store.Tx, try store.Request) (ev audit.Event, err error) {
	if try.Ceremony == "" || !try.Decided {
		return "", nil
	}
	c, d, err := s.readCeremony(tx, try.Ceremony)
	if err != nil {
		return "", err
	}
	if c.BusinessNo == try.BusinessNo {
		return "", nil // this row is the ceremony's own, not a try's
	}
	if at := Step(c.Step); at == StepDone || at.over() {
		return "", nil // it ended while the keepers worked, and its channel has the outcome
	}
	if s.acting(c, d).Action != try.Action {
		// The holder turned to another act while this try was made. Only a right PIN
		// still counts, for the act that it was typed for.
		if try.Action != c.Action || try.Verdict != liuma.Right || try.Code != "" {
			return "", nil
		}
		d.Turned = ""
	}
	c.Card = try.Card
	d.Verdict, d.Code, d.Until, d.Left = string(try.Verdict), string(try.Code), try.Until, nil
	if try.Verdict == liuma.Wrong || try.Verdict == liuma.Locked {
		left := try.TriesLeft
		d.Left = &left
	}
	if authority.Unlinked(try) {
		d.Verdict, d.Code, d.Until, d.Left = "", string(liuma.CodeRefused), time.Time{}, nil
	}
	to, end := s.afterTry(try)
	if noMoreLinks(try.Code) {
		d.GivenIn = bytes.Clone(d.Proofs.madeBy(c, try)) // it may freeze the card
	}
	if to == StepDone {
		d.Proofs.PIN = PINProof{} // it was given in another browser, so it proves nothing here
		if by := d.Proofs.madeBy(c, try); isBrowser(by, c) {
			d.Proofs.PIN = PINProof{In: by, Version: try.Version}
		}
	}
	if act := s.acts[try.Action]; to == StepDone && act.right != nil {
		if to, end, err = act.right(s, tx, &c, &d, try); err != nil {
			return "", err
		}
	}
	if err := s.goTo(&c, to); err != nil {
		return "", err
	}
	if end {
		if err := s.decideParent(tx, &c, try); err != nil {
			return "", err
		}
	}
	if to == StepDone {
		if ev, err = s.given(&c, &d, try); err != nil {
			return "", err
		}
	}
	if err := s.sealDetails(&c, d); err != nil {
		return "", err
	}
	return ev, tx.UpdateCeremony(c)
}

// given notes in which browser the PIN of a finished ceremony was given. The verdict
// must not be returned, ever, if no remaining browser could take the code back, or if
// another browser took over while the keepers worked (I-14): then the ceremony ends
// in the transaction of the verdict. A ceremony that was pushed again and has no
// browser yet stays open for the browser that gave the PIN.
func (s *Ceremonies) given(c *store.Ceremony, d *details, try store.Request) (audit.Event, error) {
	d.GivenIn = bytes.Clone(d.Proofs.madeBy(*c, try))
	if len(d.GivenIn) > 0 && (c.Browser == [32]byte{} || isBrowser(d.GivenIn, *c)) {
		return "", nil
	}
	return audit.VerdictNotReturned, s.notReturned(c, d)
}

// notReturned ends a ceremony whose right verdict no browser may take back. The act's
// changes stay.
func (s *Ceremonies) notReturned(c *store.Ceremony, d *details) error {
	d.clearVerdict()
	d.Code, c.Ended = string(liuma.CodeNotReturned), s.now()
	return s.goTo(c, StepRefused)
}

// afterTry returns the step after a verdict, and whether the verdict decides
// the ceremony's business number. For a link, locked gets the same answer as
// wrong.
func (s *Ceremonies) afterTry(try store.Request) (to Step, end bool) {
	switch {
	case try.Verdict == liuma.Right && try.Code == "":
		return StepDone, true
	case noMoreLinks(try.Code):
		return StepRefused, true
	case !s.acts[try.Action].Linked:
		return StepPIN, false
	case try.Verdict == liuma.Wrong && try.TriesLeft > 0, try.Verdict == liuma.Unavailable:
		return StepPIN, false
	}
	return StepRefused, true
}

func (s *Ceremonies) decideParent(tx store.Tx, c *store.Ceremony, try store.Request) error {
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	row.Card, row.Version, row.Evidence = try.Card, try.Version, try.Evidence
	row.TriesLeft, row.Until, row.Handle = try.TriesLeft, try.Until, try.Handle
	authority.Decide(&row, s.now(), try.Verdict, try.Code)
	if row.ReceiptID != "" {
		row.PINAge = try.PINAge // zero while a new PIN is being set
		if row.PhoneAge, err = s.engine.PhoneAge(tx, row.Card, row.DecidedAt); err != nil {
			return err
		}
	}
	if try.Verdict != liuma.Right {
		c.Ended = s.now()
	} else {
		c.Expires = later(c.Expires, s.now().Add(ceremonyMore)) // time to go back
	}
	return tx.UpdateRequest(row)
}
