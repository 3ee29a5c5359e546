package authority

import (
	"context"
	"errors"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// A member of staff on the hotline freezes as a hotline's own program does: by an ID
// number, within a ration of their own, and nothing else (I-12).

// staffKind is the kind of a member as a caller. Nobody registers a client of it.
const staffKind store.ClientKind = "staff"

// staffSpace begins the name under which a member's business numbers and rations stand.
// No client's identifier has a slash.
const staffSpace = "staff/"

// ByStaff is a member of staff who freezes for a holder on the phone.
type ByStaff struct {
	Member liuma.StaffID
	// Region bounds whose cards the member freezes; empty: the nation.
	Region liuma.Region
}

func (b ByStaff) caller() Caller {
	return Caller{Client: store.Client{ID: staffSpace + string(b.Member), Kind: staffKind,
		Name: locale.Both(func(w *locale.Words) string { return w.Word("actor", "hotline") })}}
}

// FreezeByStaff freezes the card of a holder who called; see FreezeByHotline. A card of
// another region is none that the member can freeze, and the answer does not tell it
// from a number without a card.
func (a *Authority) FreezeByStaff(ctx context.Context, by ByStaff, q HotlineFreeze) (Verification, error) {
	v, err := a.byHotline(ctx, by.caller(), liuma.ActionFreeze, q, reach{within: by.Region}, a.freezeFor(by.caller()))
	return v, untold(v, err)
}

// ReportLossByStaff takes a holder's word that the card was lost; see ReportLoss. Where no
// region of the member takes reports, CodeLossReportOff is said of every number, before a card
// is looked for; where some do, a card of another is answered like a number without a
// card: a member must not learn for nothing who has one.
func (a *Authority) ReportLossByStaff(ctx context.Context, by ByStaff, q HotlineFreeze) (Verification, error) {
	off := !a.takesReports(by.Region)
	v, err := a.byHotline(ctx, by.caller(), liuma.ActionReportLoss, q, reach{by.Region, off}, a.reportFor(by.caller()))
	if off && liuma.CodeOf(err) == liuma.CodeLossReportOff {
		return v, err
	}
	return v, untold(v, err)
}

// FreezeForAgent freezes a card for somebody who came to a counter in its holder's place,
// in the transaction of the clerk's ticket. Every number of the card is told so, also of a
// card that is frozen already: its holder sent nobody, perhaps. As with every freeze no
// ticket and no closing of the card stands after it. The caller writes the audit entry.
//
// A crash before the commit leaves the card as it was, and nobody told.
func (a *Authority) FreezeForAgent(tx store.Tx, card *store.Card) error {
	stop := a.endTickets
	if !card.Frozen {
		card.Frozen, card.FrozenAt = true, a.Now()
		stop = a.stoppedBy
	}
	if err := stop(tx, card, store.TicketEndedAgent); err != nil {
		return err
	}
	return a.Tell(tx, *card, noticeAgentFroze, counterPlace(), nil)
}

// untold leaves of every error that would tell more than "no card to freeze" just that.
func untold(v Verification, err error) error {
	if err == nil && v.Code != "" {
		err = liuma.Fail(v.Code, nil)
	}
	if err == nil {
		return nil
	}
	switch liuma.CodeOf(err) {
	case liuma.CodeInternal, liuma.CodeUnavailable, liuma.CodeBusy, liuma.CodeForbidden, liuma.CodeBusinessNoUsed, liuma.CodeUndecided,
		liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState, liuma.CodeHotlineLimit:
		return err
	}
	return errors.Join(liuma.Fail(liuma.CodeNotFound, nil), err)
}

// actorOf is a caller's name in the record.
func actorOf(c store.Client) string {
	if c.Kind == staffKind {
		return liuma.StaffID(strings.TrimPrefix(c.ID, staffSpace)).Actor()
	}
	if c.Kind == store.ClientCounter {
		return string(c.Kind) // there is one
	}
	return string(c.Kind) + ":" + c.ID
}
