package authority

import (
	"context"
	"errors"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// A member of staff on the hotline can freeze in the same way as a hotline's program: by an ID
// number, within a personal ration, and nothing else (I-12).

// staffKind is the kind of a member of staff as a caller. No client of this kind is
// registered.
const staffKind store.ClientKind = "staff"

// staffSpace is the prefix of the name under which a member's business numbers and rations are
// kept. No client's identifier has a slash.
const staffSpace = "staff/"

// ByStaff describes the member of staff who freezes for a holder on the phone.
type ByStaff struct {
	Member liuma.StaffID
	// Region limits the cards that the member can freeze to one region; empty: the nation.
	Region liuma.Region
}

func (b ByStaff) caller() Caller {
	return Caller{Client: store.Client{ID: staffSpace + string(b.Member), Kind: staffKind,
		Name: locale.Both(func(w *locale.Words) string { return w.Word("actor", "hotline") })}}
}

// FreezeByStaff freezes the card of a holder who called; see FreezeByHotline. A card of
// another region is answered like a number without a card.
func (a *Authority) FreezeByStaff(ctx context.Context, by ByStaff, q HotlineFreeze) (Verification, error) {
	v, err := a.byHotline(ctx, by.caller(), liuma.ActionFreeze, q, reach{within: by.Region}, a.freezeFor(by.caller()))
	return v, untold(v, err)
}

// ReportLossByStaff takes a holder's report that the card was lost; see ReportLoss. If no
// region of the member takes reports, every number gets CodeLossReportOff, before a card is
// looked for. If some do, a card of another region is answered like a number without a card,
// so that the member does not learn who has a card there.
func (a *Authority) ReportLossByStaff(ctx context.Context, by ByStaff, q HotlineFreeze) (Verification, error) {
	off := !a.takesReports(by.Region)
	v, err := a.byHotline(ctx, by.caller(), liuma.ActionReportLoss, q, reach{by.Region, off}, a.reportFor(by.caller()))
	if off && liuma.CodeOf(err) == liuma.CodeLossReportOff {
		return v, err
	}
	return v, untold(v, err)
}

// FreezeForAgent freezes a card when an agent came to a counter in its holder's place, in the
// transaction of the clerk's ticket. Every number of the card is told, even if the card is
// frozen already, since the holder may have sent nobody. As with every freeze, all tickets and
// any closing of the card end. The caller writes the audit entry.
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

// untold replaces every error that would tell more by "no card to freeze".
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
