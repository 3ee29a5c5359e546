package admin

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// Record checks, digests and exports the audit record; *record.Digester does.
type Record interface {
	Digest(context.Context) (audit.SignedDigest, error)
	Export(ctx context.Context, q record.Query, w io.Writer) error
	State() record.State
}

// Digest is a digest that was made.
type Digest struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Streams uint64    `json:"streams"`
	Entries uint64    `json:"entries"`
	Token   string    `json:"token"` // signed; docs/AUDIT.md describes it
	// Faults are what was found when the entries were checked, and Shipping is why
	// the digest is not in the directory of digests.
	Faults   []string `json:"faults"`
	Shipping string   `json:"shipping,omitempty"`
}

// RecordStatus says how the audit record stands.
type RecordStatus struct {
	Digest uint64     `json:"digest"` // number of the last one; 0: none
	At     *time.Time `json:"digest_at"`
	// From the running server: when it last checked the entries, what it found,
	// and why the last digest is not in the directory of digests.
	Checked  *time.Time `json:"checked_at"`
	Faults   []string   `json:"faults"`
	Shipping string     `json:"shipping,omitempty"`
}

// MakeDigest makes the next digest now.
func (a *Admin) MakeDigest(ctx context.Context) (Digest, error) {
	d, err := a.c.Record.Digest(ctx)
	if err != nil {
		return Digest{}, err
	}
	s := a.c.Record.State()
	return Digest{Number: d.Number, At: d.At, Streams: d.Streams, Entries: d.Entries, Token: d.Token, Faults: s.Faults, Shipping: s.Shipping}, nil
}

// ExportRecord writes the audit record, or a part of it, as lines of JSON.
func (a *Admin) ExportRecord(ctx context.Context, q record.Query, w io.Writer) error {
	return a.c.Record.Export(ctx, q, w)
}

func (a *Admin) recordStatus(ctx context.Context) (out RecordStatus, err error) {
	var last store.Digest
	err = a.c.Store.View(ctx, func(r store.Reader) (err error) {
		last, err = r.LastDigest()
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	if err == nil {
		out.Digest = last.Number
		if d, err := audit.ParseDigest(last.Token, nil); err == nil {
			out.At = &d.At
		}
	}
	if a.c.Server == nil {
		return out, nil
	}
	s := a.c.Record.State()
	if !s.Checked.IsZero() {
		out.Checked = &s.Checked
	}
	out.Faults, out.Shipping = s.Faults, s.Shipping
	return out, nil
}
