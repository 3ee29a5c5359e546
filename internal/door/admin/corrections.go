package admin

import (
	"context"
	"net/http"
	"net/url"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// correctNumber asks for a correction.
type correctNumber struct {
	admin.NumberCorrection
	Reason audit.Reason `json:"reason"`
}

// correctionsListed is the answer to a list of corrections.
type correctionsListed struct {
	Corrections []registry.CorrectionView `json:"corrections"`
}

// decideCorrection asks to cancel a correction, or to continue it.
type decideCorrection struct {
	ID     string       `json:"id"`
	Reason audit.Reason `json:"reason"`
}

// correctNumber takes a correction. The numbers are not logged.
func (d *Door) correctNumber(r *http.Request) (any, error) {
	q, err := decode[correctNumber](r.Body)
	if err != nil {
		return nil, err
	}
	out, err := d.admin.CorrectNumber(r.Context(), q.NumberCorrection, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: correction taken", "state", out.State)
	return out, nil
}

func (d *Door) corrections(r *http.Request) (any, error) {
	found, err := d.admin.Corrections(r.Context(), r.URL.Query().Get("after"))
	return correctionsListed{found}, err
}

func (d *Door) cancelCorrection(r *http.Request) (any, error) {
	q, err := decode[decideCorrection](r.Body)
	if err != nil {
		return nil, err
	}
	if err := d.admin.CancelCorrection(r.Context(), q.ID, q.Reason); err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: correction cancelled", "correction", q.ID)
	return done{}, nil
}

func (d *Door) goOnUntold(r *http.Request) (any, error) {
	q, err := decode[decideCorrection](r.Body)
	if err != nil {
		return nil, err
	}
	out, err := d.admin.GoOnUntold(r.Context(), q.ID, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: correction goes on", "correction", q.ID, "state", out.State)
	return out, nil
}

// CorrectNumber takes an operator's report that a number was corrected to another.
func (r *Remote) CorrectNumber(ctx context.Context, q admin.NumberCorrection, reason audit.Reason) (out admin.CorrectedNumber, err error) {
	err = r.call(ctx, http.MethodPost, pathCorrect, correctNumber{q, reason}, &out)
	return out, err
}

// Corrections lists corrections that wait or were stopped.
func (r *Remote) Corrections(ctx context.Context, after string) ([]registry.CorrectionView, error) {
	var l correctionsListed
	err := r.call(ctx, http.MethodGet, pathCorrections+"?"+url.Values{"after": {after}}.Encode(), nil, &l)
	return l.Corrections, err
}

// CancelCorrection cancels a correction that does not count yet.
func (r *Remote) CancelCorrection(ctx context.Context, id string, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathNotCorrect, decideCorrection{id, reason}, &done{})
}

// GoOnUntold continues a correction whose holder could not be told.
func (r *Remote) GoOnUntold(ctx context.Context, id string, reason audit.Reason) (out admin.CorrectedNumber, err error) {
	err = r.call(ctx, http.MethodPost, pathGoOn, decideCorrection{id, reason}, &out)
	return out, err
}
