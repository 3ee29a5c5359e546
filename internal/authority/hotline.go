package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A hotline freezes by an ID number, which is no secret. A thief with a hotline's key
// could stop the card of everybody whose number leaked, or find out who has a card. So
// each hotline has a ration. Requests count whether or not a card was found, and each
// is in the audit record.

// HotlineFreeze is a hotline's request to freeze a holder's card, or to take a report
// of its loss.
type HotlineFreeze struct {
	BusinessNo liuma.BusinessNo
	IDNumber   string
	Digest     [32]byte // of the whole request but the client's token
}

// FreezeByHotline freezes the card of a holder who called. A hotline may freeze and
// take reports of a loss (ReportLoss), and nothing else; in particular it cannot
// unfreeze (I-12). A repetition gets the outcome of the first request, and is not
// counted. A crash leaves the freeze, its count, its notice and its audit entry, or
// none of them.
func (a *Authority) FreezeByHotline(ctx context.Context, c Caller, q HotlineFreeze) (Verification, error) {
	return a.byHotline(ctx, c, liuma.ActionFreeze, q, reach{}, a.freezeFor(c))
}

// stopping stops a card, in the transaction of a hotline's request.
type stopping func(store.Tx, *store.Card, *store.Request) (audit.Entry, error)

func (a *Authority) freezeFor(c Caller) stopping {
	return func(tx store.Tx, card *store.Card, row *store.Request) (audit.Entry, error) {
		return a.DecidedEntry(c, audit.CardFrozen, *row), a.FreezeCard(tx, card, c.Client.Name)
	}
}

// reach says which cards a caller may stop.
type reach struct {
	within liuma.Region // empty: the nation
	// off refuses every number, before a card is looked up.
	off bool
}

// byHotline looks the card up, counts the request, and runs do, which stops the card.
// A refusal of do is committed together with the count, so do must write nothing
// before it refuses.
func (a *Authority) byHotline(ctx context.Context, c Caller, action liuma.Action, q HotlineFreeze, to reach, do stopping) (Verification, error) {
	if c.Client.Kind != store.ClientHotline && c.Client.Kind != staffKind || c.Client.Stopped {
		return Verification{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	id, err := registry.ParseIDNumber(q.IDNumber)
	if err != nil {
		return Verification{}, liuma.AtField(liuma.Outward(err), liuma.HolderField(q.IDNumber))
	}
	holder := a.vault.Index(vault.IndexIDNumber, id.Canonical())
	start := a.NewRow(c, action, Request{BusinessNo: q.BusinessNo, Digest: q.Digest}, "")
	var row store.Request
	var refused error // committed together with the count
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := start
		refused = nil
		if err := LookNumber(tx, r); err != nil {
			return audit.Entry{}, err
		}
		if err := a.Spend(tx, c, ActHotlineFreeze); err != nil {
			return audit.Entry{}, err
		}
		if to.off {
			refused = liuma.Fail(liuma.CodeLossReportOff, nil)
			return a.Entry(c.Actor(), audit.FreezeTried, liuma.CardID{}, r.BusinessNo, string(liuma.CodeLossReportOff)), nil
		}
		found, err := a.cardToFreeze(tx, holder)
		if errors.Is(err, store.ErrNotFound) || err == nil && (found.Version == 0 || !to.within.Contains(found.Region)) {
			refused = liuma.FailField(liuma.CodeNotFound, "id_number", nil)
			return a.Entry(c.Actor(), audit.FreezeTried, liuma.CardID{}, r.BusinessNo, string(liuma.CodeNotFound)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		card, err := a.ReadCard(tx, found.ID)
		if err != nil {
			return audit.Entry{}, err
		}
		r.Card = card.ID
		Decide(&r, a.Now(), "", "")
		e, err := do(tx, &card, &r)
		if liuma.CodeOf(err) == liuma.CodeLossReportOff {
			refused = err
			return a.Entry(c.Actor(), audit.FreezeTried, liuma.CardID{}, r.BusinessNo, string(liuma.CodeLossReportOff)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		row = r
		return e, TakeNumber(tx, r)
	})
	if err == nil && refused != nil {
		return Verification{}, refused
	}
	if err != nil {
		return a.Repeat(ctx, c, err)
	}
	return a.Answer(ctx, c, row)
}

// cardToFreeze is the card under a number, or the card that a correction will move to
// it. A holder whose number is being corrected may read the new number off the
// identity card, and a freeze is the way to stop a wrong correction.
func (a *Authority) cardToFreeze(r store.Reader, holder vault.Index) (store.Card, error) {
	card, err := r.CardByHolder(holder)
	if !errors.Is(err, store.ErrNotFound) {
		return card, err
	}
	c, none := r.CorrectionTo(holder)
	if errors.Is(none, store.ErrNotFound) || none == nil && c.State == store.CorrectionMoved {
		return card, err
	}
	if none != nil {
		return card, none
	}
	return r.CardByHolder(c.Former)
}
