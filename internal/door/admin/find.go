package admin

import (
	"context"
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// dropText asks for a message that was given up to be deleted.
type dropText struct {
	ID     string       `json:"id"`
	Reason audit.Reason `json:"reason"`
}

// checkStream asks to check one stream.
type checkStream struct {
	Stream string `json:"stream"`
}

// seekCard asks for a person's card. The number is in the body, which is not logged.
type seekCard struct {
	Number string       `json:"number"`
	Reason audit.Reason `json:"reason"`
}

// alarmsListed is the answer to a list of alarms.
type alarmsListed struct {
	Alarms []admin.Alarm `json:"alarms"`
}

// recordRoutes mounts the routes of alarms, numbers and searches of the record.
func (d *Door) recordRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathAlarms, d.answer(func(r *http.Request) (any, error) {
		found, err := d.admin.Alarms(r.Context())
		return alarmsListed{found}, err
	}))
	mux.HandleFunc("POST "+pathNumbers, d.answer(func(r *http.Request) (any, error) {
		q, err := decode[admin.NumbersQuery](r.Body)
		if err != nil {
			return nil, err
		}
		return d.admin.Numbers(r.Context(), q)
	}))
	mux.HandleFunc("POST "+pathFind, d.answer(func(r *http.Request) (any, error) {
		q, err := decode[admin.RecordSearch](r.Body)
		if err != nil {
			return nil, err
		}
		return d.admin.FindEntries(r.Context(), q)
	}))
	mux.HandleFunc("POST "+pathCheck, d.answer(func(r *http.Request) (any, error) {
		q, err := decode[checkStream](r.Body)
		if err != nil {
			return nil, err
		}
		return d.admin.CheckStream(r.Context(), q.Stream)
	}))
	mux.HandleFunc("POST "+pathSeek, d.answer(func(r *http.Request) (any, error) {
		q, err := decode[seekCard](r.Body)
		if err != nil {
			return nil, err
		}
		return d.admin.SeekCard(r.Context(), q.Number, q.Reason)
	}))
	mux.HandleFunc("POST "+pathDropText, d.answer(d.dropText))
}

// dropText deletes a message that was given up.
func (d *Door) dropText(r *http.Request) (any, error) {
	q, err := decode[dropText](r.Body)
	if err != nil {
		return nil, err
	}
	if err := d.admin.DropText(r.Context(), q.ID, q.Reason); err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: text dropped", "message", q.ID)
	return done{}, nil
}

// Alarms lists the present alarms.
func (r *Remote) Alarms(ctx context.Context) ([]admin.Alarm, error) {
	var l alarmsListed
	err := r.call(ctx, http.MethodGet, pathAlarms, nil, &l)
	return l.Alarms, err
}

// Numbers counts events.
func (r *Remote) Numbers(ctx context.Context, q admin.NumbersQuery) (out admin.Numbers, err error) {
	err = r.call(ctx, http.MethodPost, pathNumbers, q, &out)
	return out, err
}

// FindEntries searches the record; one call returns a part.
func (r *Remote) FindEntries(ctx context.Context, q admin.RecordSearch) (out admin.FoundEntries, err error) {
	err = r.call(ctx, http.MethodPost, pathFind, q, &out)
	return out, err
}

// CheckStream checks the hash chain of one stream.
func (r *Remote) CheckStream(ctx context.Context, stream string) (out admin.StreamChecked, err error) {
	err = r.call(ctx, http.MethodPost, pathCheck, checkStream{stream}, &out)
	return out, err
}

// SeekCard finds a person's card by their document.
func (r *Remote) SeekCard(ctx context.Context, number string, reason audit.Reason) (out registry.Sought, err error) {
	err = r.call(ctx, http.MethodPost, pathSeek, seekCard{number, reason}, &out)
	return out, err
}

// DropText deletes a message that was given up.
func (r *Remote) DropText(ctx context.Context, id string, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathDropText, dropText{id, reason}, &done{})
}
