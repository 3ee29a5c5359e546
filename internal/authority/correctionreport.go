package authority

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// actionCorrection is the action of a registry client's correction.
const actionCorrection liuma.Action = "id_number_correction"

// CorrectionRequest reports that a person's number was corrected to another; a
// registry client sends it.
type CorrectionRequest struct {
	BusinessNo     liuma.BusinessNo
	FormerIDNumber string
	IDNumber       string
	CardNo         string // number of the person's present card
	Digest         [32]byte
}

// CorrectionView answers a CorrectionRequest.
type CorrectionView struct {
	Done    bool
	Until   time.Time // while it waits: when the new number will count; zero if that is not known yet
	HasCard bool
}

// CorrectNumber takes a registry client's report that a number was corrected. The
// effect is the same as when an import or an operator reports it.
func (a *Authority) CorrectNumber(ctx context.Context, c Caller, q CorrectionRequest) (CorrectionView, error) {
	if c.Client.Kind != store.ClientRegistry || c.Client.Stopped {
		return CorrectionView{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	ask, err := parseCorrection(q)
	if err != nil {
		return CorrectionView{}, err
	}
	ask.Actor = c.Actor()
	row := a.NewRow(c, actionCorrection, Request{BusinessNo: q.BusinessNo, Digest: q.Digest}, "")
	var out registry.Corrected
	var refused error // committed together with the count
	err = a.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		out, refused = registry.Corrected{}, nil
		if err := LookNumber(tx, row); err != nil {
			return audit.Entry{}, err
		}
		var err error
		if out, err = a.registry.Correct(tx, ask); err == nil && out.Contested {
			err = liuma.FailField(liuma.CodeCorrectionContested, "id_number", nil)
		}
		if e, ok := errors.AsType[*liuma.Error](err); ok && e.Code != liuma.CodeUnavailable {
			refused = err
			return a.Entry(c.Actor(), audit.CorrectionTried, liuma.CardID{}, row.BusinessNo, string(e.Code)), a.Spend(tx, c, ActCorrection)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		r := row
		r.Card = out.Correction.Card
		Decide(&r, a.Now(), "", "")
		if err := a.takeRationed(tx, c, r, ActCorrection); err != nil {
			return audit.Entry{}, err
		}
		e := a.Entry(c.Actor(), audit.CorrectionReceived, r.Card, r.BusinessNo, "ok")
		e.Note = "correction=" + out.Correction.ID
		return e, nil
	})
	if _, ok := errors.AsType[Repeated](err); ok {
		return a.correctionView(ctx, ask)
	}
	if err == nil {
		err = refused
	}
	if err != nil {
		return CorrectionView{}, liuma.Outward(err)
	}
	// After a crash or an error from here on the next round of maintenance goes on.
	if out.Correction.ID != "" {
		if err := a.GoOnCorrecting(ctx, out.Correction.ID); err != nil {
			a.log.WarnContext(ctx, "a correction goes on later", "correction", out.Correction.ID, "err", err)
		}
	}
	return a.correctionView(ctx, ask)
}

// formerField names the member of the request that had the former number.
func formerField(text string) string { return "former_" + liuma.HolderField(text) }

func parseCorrection(q CorrectionRequest) (ask registry.Correction, err error) {
	if ask.Former, err = registry.ParseIDNumber(q.FormerIDNumber); err != nil {
		return ask, liuma.AtField(liuma.Outward(err), formerField(q.FormerIDNumber))
	}
	if ask.Number, err = registry.ParseIDNumber(q.IDNumber); err != nil {
		return ask, liuma.AtField(liuma.Outward(err), liuma.HolderField(q.IDNumber))
	}
	if ask.CardNo, err = registry.ParseCardNo(q.CardNo); err != nil {
		return ask, liuma.AtField(liuma.Outward(err), "card_no")
	}
	return ask, nil
}

// correctionView is the present state of a reported correction. If it was stopped or
// cancelled meanwhile, that is an error.
func (a *Authority) correctionView(ctx context.Context, ask registry.Correction) (v CorrectionView, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		c, err := a.registry.CorrectionOf(r, ask)
		if errors.Is(err, store.ErrNotFound) {
			v = CorrectionView{Done: true}
			return nil
		}
		if err != nil {
			return err
		}
		if c.State == store.CorrectionStopped || c.State == store.CorrectionCancelled {
			return liuma.FailField(liuma.CodeCorrectionStopped, "former_id_number", nil)
		}
		v = CorrectionView{Done: c.State == store.CorrectionMoved, HasCard: !c.Card.IsZero()}
		if !v.Done && !c.Until.IsZero() {
			v.Until = a.ToWall(c.Until)
		}
		return nil
	})
	return v, liuma.Outward(err)
}
