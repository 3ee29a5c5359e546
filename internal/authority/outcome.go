package authority

import (
	"bytes"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// advance carries what became of one try of a ceremony over to the ceremony
// and its business number, in the transaction that decides the try.
func (a *Authority) advance(tx store.Tx, try store.Request) error {
	if try.Ceremony == "" || !try.Decided {
		return nil
	}
	c, err := tx.Ceremony(try.Ceremony)
	if err != nil {
		return err
	}
	if c.BusinessNo == try.BusinessNo {
		return nil // the ceremony's own row, not a try
	}
	if s := Step(c.Step); s == StepDone || s.over() {
		return nil // it ended while the keepers worked, and its channel knows how
	}
	d, err := a.openDetails(c)
	if err != nil {
		return err
	}
	if acting(c, d) != try.Action {
		// The holder turned to something else while this try was made. Only a
		// right PIN still counts, for what it was asked for.
		if try.Action != c.Action || try.Verdict != liuma.Right || try.Code != "" {
			return nil
		}
		d.Doing = ""
	}
	c.Card = try.Card
	d.Verdict, d.Code, d.Until, d.Left = string(try.Verdict), string(try.Code), try.Until, nil
	if try.Verdict == liuma.Wrong || try.Verdict == liuma.Locked {
		left := try.TriesLeft
		d.Left = &left
	}
	if unlinked(try) {
		d.Verdict, d.Code, d.Until, d.Left = "", string(liuma.CodeRefused), time.Time{}, nil
	}
	to, end := afterTry(try)
	if here := tryIsOf(c, d, try); to == StepDone && here {
		d.PINIn, d.PINOf = d.Giver, try.Version
	} else if to == StepDone && try.Action == liuma.ActionRebind {
		// Another browser went on while the keepers worked: it proved nothing.
		d.clearVerdict()
		to, end = StepPIN, false
	}
	switch {
	case to == StepDone && try.Action == liuma.ActionRebind:
		to, end = d.afterRebindPIN(&c, try.Version), false
	case to == StepDone && try.Action == liuma.ActionReset:
		if to, end, err = a.afterReset(tx, &c, &d); err != nil {
			return err
		}
	}
	if err := goTo(&c, to); err != nil {
		return err
	}
	if end {
		if err := a.decideParent(tx, &c, try); err != nil {
			return err
		}
	}
	if err := a.sealDetails(&c, d); err != nil {
		return err
	}
	return tx.UpdateCeremony(c)
}

// tryIsOf reports whether a try is the last one, and was made by the browser
// that goes on with the ceremony now.
func tryIsOf(c store.Ceremony, d details, try store.Request) bool {
	return try.BusinessNo == tryNo(c.BusinessNo, c.Tries) && bytes.Equal(d.Giver, c.Browser[:])
}

// afterTry says where a verdict leads, and whether it decides the ceremony's
// business number. A locked link is not told from a wrong one.
func afterTry(try store.Request) (to Step, end bool) {
	switch {
	case try.Verdict == liuma.Right && try.Code == "":
		return StepDone, true
	case try.Action == liuma.ActionLink:
		return StepPIN, false
	case try.Verdict == liuma.Wrong && try.TriesLeft > 0, try.Verdict == liuma.Unavailable:
		return StepPIN, false
	}
	return StepRefused, true
}

func (a *Authority) decideParent(tx store.Tx, c *store.Ceremony, try store.Request) error {
	row, err := tx.Request(c.Channel, c.BusinessNo)
	if err != nil {
		return err
	}
	if row.Decided {
		return nil
	}
	row.Card, row.Version, row.Evidence = try.Card, try.Version, try.Evidence
	row.TriesLeft, row.Until = try.TriesLeft, try.Until
	decide(&row, a.now(), try.Verdict, try.Code)
	if try.Verdict != liuma.Right {
		c.Ended = a.now()
	} else {
		c.Expires = maxTime(c.Expires, a.now().Add(ceremonyMore)) // to go back
	}
	return tx.UpdateRequest(row)
}
