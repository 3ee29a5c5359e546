package admin

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
)

// makeDigest asks for a digest.
type makeDigest struct{}

// resumeDigests asks for a digest with public keys that the operator kept.
type resumeDigests struct {
	Keys   jose.JSONWebKeySet `json:"keys"`
	Reason audit.Reason       `json:"reason"`
}

func (d *Door) makeDigest(r *http.Request) (any, error) {
	if _, err := decode[makeDigest](r.Body); err != nil {
		return nil, err
	}
	made, err := d.admin.MakeDigest(r.Context())
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: digest made", "number", made.Number)
	return made, nil
}

// resumeDigests makes a digest when the key of the last one is gone.
func (d *Door) resumeDigests(r *http.Request) (any, error) {
	q, err := decode[resumeDigests](r.Body)
	if err != nil {
		return nil, err
	}
	made, err := d.admin.ResumeDigests(r.Context(), q.Keys, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: digest made with keys that were given", "number", made.Number)
	return made, nil
}

// planArchive says what the next archive would hold.
func (d *Door) planArchive(r *http.Request) (any, error) {
	q, err := decode[planArchive](r.Body)
	if err != nil {
		return nil, err
	}
	var before time.Time
	if q.Before != 0 {
		before = time.UnixMilli(q.Before)
	}
	return d.admin.PlanArchive(r.Context(), before)
}

// keepArchive records that an archive was written.
func (d *Door) keepArchive(r *http.Request) (any, error) {
	q, err := decode[keepArchive](r.Body)
	if err != nil {
		return nil, err
	}
	kept, err := d.admin.KeepArchive(r.Context(), q.Token, q.Reason)
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: archive kept", "number", kept.Number, "digest", kept.Digest)
	return kept, nil
}

func queryOf(v url.Values) (q record.Query, err error) {
	if s := v.Get("stream"); s != "" {
		if q.Stream, err = audit.ParseStream(s); err != nil {
			return q, errRequest
		}
	}
	if s := v.Get("from"); s != "" {
		if q.From, err = strconv.ParseUint(s, 10, 63); err != nil {
			return q, errRequest
		}
	}
	if s := v.Get("archive"); s != "" {
		if q.Archive, err = strconv.ParseUint(s, 10, 63); err != nil {
			return q, errRequest
		}
	}
	q.Recent = v.Get("recent") == "true"
	return q, nil
}

func valuesOf(q record.Query) url.Values {
	v := url.Values{}
	if !q.Stream.IsZero() {
		v.Set("stream", q.Stream.String())
	}
	if q.From > 0 {
		v.Set("from", strconv.FormatUint(q.From, 10))
	}
	if q.Archive > 0 {
		v.Set("archive", strconv.FormatUint(q.Archive, 10))
	}
	if q.Recent {
		v.Set("recent", "true")
	}
	return v
}

// exportRecord writes the record while it is read. If that fails half way, the
// connection is cut: the caller sees that the last line is missing.
func (d *Door) exportRecord(w http.ResponseWriter, r *http.Request) {
	if err := withoutFile(r); err != nil {
		d.refuse(w, r, err)
		return
	}
	q, err := queryOf(r.URL.Query())
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	out := &patient{w: w, control: http.NewResponseController(w)}
	// From here on the server reads only to notice that the caller goes away.
	if err := out.control.SetReadDeadline(time.Time{}); err != nil {
		d.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if err := d.admin.ExportRecord(r.Context(), q, out); err != nil {
		if !out.wrote {
			d.refuse(w, r, err)
			return
		}
		d.logger.WarnContext(r.Context(), "operator door: export not complete", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// patient gives the caller time for each write.
type patient struct {
	w       io.Writer
	control *http.ResponseController
	wrote   bool // anything
}

func (p *patient) Write(b []byte) (int, error) {
	p.wrote = true
	if err := p.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// MakeDigest makes the next digest of the audit record.
func (r *Remote) MakeDigest(ctx context.Context) (admin.Digest, error) {
	var d admin.Digest
	err := r.call(ctx, http.MethodPost, pathDigest, makeDigest{}, &d)
	return d, err
}

// ResumeDigests makes the next digest with public keys that the operator kept.
func (r *Remote) ResumeDigests(ctx context.Context, keys jose.JSONWebKeySet, reason audit.Reason) (admin.Digest, error) {
	var d admin.Digest
	err := r.call(ctx, http.MethodPost, pathResume, resumeDigests{keys, reason}, &d)
	return d, err
}

// PlanArchive says what the next archive of the record would hold.
func (r *Remote) PlanArchive(ctx context.Context, before time.Time) (p admin.ArchivePlan, err error) {
	var q planArchive
	if !before.IsZero() {
		q.Before = before.UnixMilli()
	}
	err = r.call(ctx, http.MethodPost, pathPlan, q, &p)
	return p, err
}

// KeepArchive records that an archive was written.
func (r *Remote) KeepArchive(ctx context.Context, token string, reason audit.Reason) (a admin.Archive, err error) {
	err = r.call(ctx, http.MethodPost, pathKeep, keepArchive{token, reason}, &a)
	return a, err
}

// ExportRecord copies the audit record, or a part of it, to w.
func (r *Remote) ExportRecord(ctx context.Context, q record.Query, w io.Writer) error {
	req, err := r.newRequest(ctx, http.MethodGet, pathRecord+"?"+valuesOf(q).Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if err != nil {
			return lost(ctx, err)
		}
		return refusal(raw)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return lost(ctx, err)
	}
	return nil
}
