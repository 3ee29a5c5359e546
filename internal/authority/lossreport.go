package authority

import (
	"context"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// A loss reported by phone (口头挂失) stops a card like a freeze, but is not one. It ends
// by itself after the days that the policy of the card's region says, and the notice
// says when. A freeze never ends by time. A report neither lifts nor shortens a
// freeze: both are in the row side by side. Before the report's end only the holder
// can end it, in the same way as a freeze (I-12).

// ReportLoss takes, from a hotline, a holder's report by phone that the card was lost.
// Reporting a reported card changes nothing, so nobody can prolong the stop. It counts
// to the hotline's ration of freezes. A crash leaves the report, its count, its notice
// and its audit entry, or none of them.
func (a *Authority) ReportLoss(ctx context.Context, c Caller, q HotlineFreeze) (Verification, error) {
	return a.byHotline(ctx, c, liuma.ActionReportLoss, q, reach{}, a.reportFor(c))
}

// takesReports reports whether the given region, or any region inside it, takes
// reports by phone.
func (a *Authority) takesReports(within liuma.Region) bool {
	if a.policy.For(within, "").LossReport > 0 {
		return true
	}
	return slices.ContainsFunc(a.policy.Regions(), func(r liuma.Region) bool {
		return within.Contains(r) && a.policy.For(r, "").LossReport > 0
	})
}

func (a *Authority) reportFor(c Caller) stopping {
	return func(tx store.Tx, card *store.Card, row *store.Request) (audit.Entry, error) {
		days := a.policy.For(card.Region, "").LossReport
		if days == 0 {
			return audit.Entry{}, liuma.Fail(liuma.CodeLossReportOff, nil)
		}
		if err := a.reportLoss(tx, card, days, c.Client.Name); err != nil {
			return audit.Entry{}, err
		}
		row.Until = card.ReportedUntil
		e := a.DecidedEntry(c, audit.LossReported, *row)
		e.Note = "until=" + a.ToWall(card.ReportedUntil).UTC().Format(time.RFC3339)
		return e, nil
	}
}

// reportLoss stops a card for some days and tells its holder until when.
func (a *Authority) reportLoss(tx store.Tx, card *store.Card, days time.Duration, at liuma.Text) error {
	now := a.Now()
	if now.Before(card.ReportedUntil) {
		return a.stopTickets(tx, card)
	}
	card.ReportedAt, card.ReportedUntil = now, now.Add(days)
	if err := a.stopped(tx, card); err != nil {
		return err
	}
	return a.Tell(tx, *card, noticeReported, at, map[string]string{"until": a.ToWall(card.ReportedUntil).Format(time.RFC3339)})
}

// stopped writes a card that was just stopped, by a freeze or a report, and ends
// everything that was open for it. A waiting correction of the holder's number stops
// for good: an operator is told, and decides after talking to the holder.
func (a *Authority) stopped(tx store.Tx, card *store.Card) error {
	return a.stoppedBy(tx, card, store.TicketEndedFrozen)
}

// stoppedBy is stopped with a reason why the card's tickets end.
func (a *Authority) stoppedBy(tx store.Tx, card *store.Card, why string) error {
	card.EndCorrection()
	if err := a.endTickets(tx, card, why); err != nil {
		return err
	}
	if err := tx.DeleteCodesOf(card.ID); err != nil {
		return err
	}
	return tx.DeleteCardTicks(card.ID, TickResetPlanned)
}
