package edition

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// Past is an earlier edition, which stays readable.
type Past struct {
	Edition  uint64        `json:"edition"`
	Sum      string        `json:"sum"`
	At       time.Time     `json:"at"`
	Proposed time.Time     `json:"proposed,omitzero"`
	By       liuma.StaffID `json:"by,omitempty"` // empty: the files of the configuration, before the first approval
	Approver liuma.StaffID `json:"approver,omitempty"`
	Proposal string        `json:"proposal,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Layers   int           `json:"layers"`
	Files    []Text        `json:"files,omitempty"` // of Edition
}

func past(e store.Edition) Past {
	out := Past{Edition: e.No, Sum: e.Sum, At: e.At.UTC(), By: e.By, Approver: e.Approver, Proposal: e.Proposal, Reason: e.Reason, Layers: len(e.Files)}
	if !e.Proposed.IsZero() {
		out.Proposed = e.Proposed.UTC()
	}
	return out
}

// MaxHistory is how many editions History lists at once.
const MaxHistory = 100

// History lists editions from the last one backwards, or only the ones before a number,
// without their files.
func (e *Editions) History(ctx context.Context, before uint64) ([]Past, error) {
	out := []Past{}
	err := e.c.Store.View(ctx, func(r store.Reader) error {
		out = out[:0]
		last, err := r.LastEdition()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		no := last.No
		if before > 0 {
			no = min(no, before-1)
		}
		for ; no > 0 && len(out) < MaxHistory; no-- {
			row, err := r.Edition(no)
			if err != nil {
				return err
			}
			out = append(out, past(row))
		}
		return nil
	})
	return out, err
}

// Edition returns one edition, with its files. It may return ErrUnknown.
func (e *Editions) Edition(ctx context.Context, no uint64) (out Past, err error) {
	err = e.c.Store.View(ctx, func(r store.Reader) error {
		row, err := r.Edition(no)
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknown
		}
		out = past(row)
		for _, f := range row.Files {
			out.Files = append(out.Files, Text{f.Name, string(f.Text)})
		}
		return err
	})
	return out, err
}

// Question asks which values apply in a region and a channel; either may be empty.
type Question struct {
	Region  liuma.Region    `json:"region,omitempty"`
	Channel liuma.ChannelID `json:"channel,omitempty"`
}

// Answer has every value.
type Answer struct {
	Policy State   `json:"policy"`
	Values []Value `json:"values"`
}

// Value is one value, the layer that sets it, and the members who approved it.
type Value struct {
	Value string       `json:"value"`
	Is    string       `json:"is"`
	Layer policy.Layer `json:"layer"`
	Of    string       `json:"of,omitempty"`
	File  string       `json:"file,omitempty"` // empty: the national rule of the program
	Line  int          `json:"line,omitempty"`
	// Edition is the first edition since which the layer has set the value without
	// interruption. If it is 0 or By is empty, the value comes from the configuration's
	// files at the start.
	Edition  uint64        `json:"edition,omitempty"`
	At       time.Time     `json:"at,omitzero"`
	By       liuma.StaffID `json:"by,omitempty"`
	Approver liuma.StaffID `json:"approver,omitempty"`
}

// Explain returns the values that apply, the layer that sets each, and who proposed and
// approved it.
func (e *Editions) Explain(ctx context.Context, q Question) (Answer, error) {
	if _, err := e.Running(); err != nil {
		return Answer{}, err
	}
	layers, state := e.now()
	out := Answer{Policy: state}
	above, err := e.above(ctx, q.Channel)
	if err != nil {
		return Answer{}, err
	}
	open := map[int]string{} // values whose first edition is not found yet, as set by their layers
	for i, o := range layers.ExplainUnder(q.Region, q.Channel, above) {
		out.Values = append(out.Values, Value{Value: o.Value, Is: o.Is, Layer: o.Layer, Of: o.Of, File: o.File, Line: o.Line})
		if f, ok := layers.File(policy.Scope{Layer: o.Layer, Of: o.Of}); ok && o.File != "" {
			open[i], _ = f.Sets(o.Value)
		}
	}
	err = e.c.Store.View(ctx, func(r store.Reader) (err error) {
		if err = approvedBy(r, &out.Policy); err != nil {
			return err
		}
		left := maps.Clone(open)
		for no := state.Edition; no > 0 && len(left) > 0; no-- {
			row, err := r.Edition(no)
			if err != nil {
				return err
			}
			since(row, out.Values, left)
		}
		return nil
	})
	return out, err
}

// above returns the channel above a sub-channel; empty if there is none or the channel
// is not registered.
func (e *Editions) above(ctx context.Context, channel liuma.ChannelID) (above liuma.ChannelID, err error) {
	err = e.c.Store.View(ctx, func(r store.Reader) error {
		c, err := r.Client(string(channel))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		above = liuma.ChannelID(c.Parent)
		return err
	})
	return above, err
}

// since records an edition for the values that it sets to the same, and drops the other
// values: the editions before it do not count for those.
func since(row store.Edition, values []Value, left map[int]string) {
	files := map[policy.Scope]policy.File{}
	for _, f := range row.Files {
		// A file that another release wrote may be unreadable: then it is not known what it
		// set.
		if file, err := policy.ParseFile(f.Name, f.Text); err == nil {
			files[file.Scope] = file
		}
	}
	for i, text := range left {
		v := &values[i]
		if is, ok := files[policy.Scope{Layer: v.Layer, Of: v.Of}].Sets(v.Value); !ok || is != text {
			delete(left, i)
			continue
		}
		v.Edition, v.At, v.By, v.Approver = row.No, row.At.UTC(), row.By, row.Approver
	}
}
