package admin

import (
	"context"
	"net/http"
	"net/url"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
)

// conflictsListed is the answer to a list of conflicts.
type conflictsListed struct {
	Conflicts []registry.ConflictView `json:"conflicts"`
}

// decideConflict asks for a decision on one conflict.
type decideConflict struct {
	ID      string       `json:"id"`
	Replace bool         `json:"replace"` // false: keep
	Reason  audit.Reason `json:"reason"`
}

// conflicts lists the conflicts, or shows the one that the query names.
func (d *Door) conflicts(r *http.Request) (any, error) {
	q := r.URL.Query()
	if id := q.Get("id"); id != "" {
		one, err := d.admin.Conflict(r.Context(), id)
		if err != nil {
			return nil, err
		}
		return conflictsListed{[]registry.ConflictView{one}}, nil
	}
	found, err := d.admin.Conflicts(r.Context(), q.Get("after"))
	return conflictsListed{found}, err
}

// decideConflict decides one conflict.
func (d *Door) decideConflict(r *http.Request) (any, error) {
	q, err := decode[decideConflict](r.Body)
	if err != nil {
		return nil, err
	}
	var out registry.Replaced
	if q.Replace {
		out, err = d.admin.ReplaceConflict(r.Context(), q.ID, q.Reason)
	} else {
		err = d.admin.KeepConflict(r.Context(), q.ID, q.Reason)
	}
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: conflict decided", "conflict", q.ID, "replaced", q.Replace)
	return out, nil
}

// Conflicts lists the conflicts that operators have to decide.
func (r *Remote) Conflicts(ctx context.Context, after string) ([]registry.ConflictView, error) {
	return r.conflictsBy(ctx, url.Values{"after": {after}})
}

// Conflict shows one conflict.
func (r *Remote) Conflict(ctx context.Context, id string) (registry.ConflictView, error) {
	if id == "" { // which would list them
		return registry.ConflictView{}, registry.ErrNoConflict
	}
	found, err := r.conflictsBy(ctx, url.Values{"id": {id}})
	if err == nil && len(found) != 1 {
		err = errRequest
	}
	if err != nil {
		return registry.ConflictView{}, err
	}
	return found[0], nil
}

func (r *Remote) conflictsBy(ctx context.Context, q url.Values) ([]registry.ConflictView, error) {
	var l conflictsListed
	err := r.call(ctx, http.MethodGet, pathConflicts+"?"+q.Encode(), nil, &l)
	return l.Conflicts, err
}

// KeepConflict decides that the registered person stays.
func (r *Remote) KeepConflict(ctx context.Context, id string, reason audit.Reason) error {
	return r.call(ctx, http.MethodPost, pathDecide, decideConflict{ID: id, Reason: reason}, &registry.Replaced{})
}

// ReplaceConflict decides that the number belongs to the person of the imported row.
func (r *Remote) ReplaceConflict(ctx context.Context, id string, reason audit.Reason) (out registry.Replaced, err error) {
	err = r.call(ctx, http.MethodPost, pathDecide, decideConflict{ID: id, Replace: true, Reason: reason}, &out)
	return out, err
}
