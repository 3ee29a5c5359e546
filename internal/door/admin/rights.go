package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
)

// askHeld asks for the data held about a person. The number is in the body, since
// addresses are logged.
type askHeld struct {
	Number string       `json:"number"`
	Reason audit.Reason `json:"reason"`
}

// askErase asks to erase a person.
type askErase struct {
	Number string       `json:"number"`
	Reason audit.Reason `json:"reason"`
	Trial  bool         `json:"trial"`
}

// askMinors asks for counts of minors.
type askMinors struct {
	On     time.Time `json:"on"`
	Digits int       `json:"digits"`
	From   string    `json:"from"`
}

func (d *Door) held(r *http.Request) (any, error) {
	q, err := decode[askHeld](r.Body)
	if err != nil {
		return nil, err
	}
	out, err := d.admin.Held(r.Context(), q.Number, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: what is held about a person was written out")
	return out, nil
}

func (d *Door) erasePerson(r *http.Request) (any, error) {
	q, err := decode[askErase](r.Body)
	if err != nil {
		return nil, err
	}
	out, err := d.admin.ErasePerson(r.Context(), q.Number, q.Reason, q.Trial)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: erasing a person", "state", string(out.State), "trial", q.Trial)
	return out, nil
}

func (d *Door) minors(r *http.Request) (any, error) {
	q, err := decode[askMinors](r.Body)
	if err != nil {
		return nil, err
	}
	return d.admin.Minors(r.Context(), q.On, q.Digits, q.From)
}

// Held asks the server for the data held about a person.
func (r *Remote) Held(ctx context.Context, number string, reason audit.Reason) (out registry.Held, err error) {
	err = r.call(ctx, http.MethodPost, pathHeld, askHeld{number, reason}, &out)
	return out, err
}

// ErasePerson asks the server to erase a person.
func (r *Remote) ErasePerson(ctx context.Context, number string, reason audit.Reason, trial bool) (out authority.Erasure, err error) {
	err = r.call(ctx, http.MethodPost, pathErase, askErase{number, reason, trial}, &out)
	return out, err
}

// Minors asks the server for a part of the counts.
func (r *Remote) Minors(ctx context.Context, on time.Time, digits int, from string) (out registry.Minors, err error) {
	err = r.call(ctx, http.MethodPost, pathMinors, askMinors{on, digits, from}, &out)
	return out, err
}
