package admintest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// records: digests are made and shipped, and the record comes out whole, in
// parts, and not at all from a store that fails.
func records(t *testing.T, w *World, a admin.Administration) {
	furnish(t, w)
	made, err := a.MakeDigest(t.Context())
	must(t, err)
	if made.Number != 1 || !made.At.Equal(Start) || made.Entries == 0 || made.Token == "" || len(made.Faults) > 0 || made.Shipping != "" {
		t.Errorf("made %+v", made)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "digests", record.FileName(1))); err != nil {
		t.Error(err)
	}
	s, err := a.Status(t.Context())
	must(t, err)
	if s.Record.Digest != 1 || s.Record.At == nil || !s.Record.At.Equal(Start) {
		t.Errorf("status %+v", s.Record)
	}
	var whole, same, tail bytes.Buffer
	must(t, a.ExportRecord(t.Context(), record.Query{}, &whole))
	must(t, w.Admin.ExportRecord(t.Context(), record.Query{}, &same))
	if diff := cmp.Diff(same.String(), whole.String()); diff != "" {
		t.Error("exports differ:", diff)
	}
	out, err := audit.Examine(&whole, audit.ExamineConfig{})
	if err != nil || out.Digest != 1 || out.Uncovered != 1 {
		t.Errorf("examined %+v: %v", out, err)
	}
	var process audit.Stream
	must(t, w.Store.View(t.Context(), func(r store.Reader) error {
		heads, err := r.Streams(audit.Stream{Kind: audit.OfProcess}, 1)
		process = heads[0].Stream
		return err
	}))
	must(t, a.ExportRecord(t.Context(), record.Query{Stream: process, From: made.Entries + 1}, &tail))
	numbers := 0
	must(t, audit.ReadLines(&tail, func(l audit.Line) error {
		if l.Entry != nil {
			numbers++
		}
		return nil
	}))
	if numbers != 1 {
		t.Errorf("%d entries after the digest, want 1", numbers)
	}
	w.Broken.Store(true)
	var broken bytes.Buffer
	err = a.ExportRecord(t.Context(), record.Query{}, &broken)
	if _, examined := audit.Examine(&broken, audit.ExamineConfig{}); err == nil || examined == nil || errors.As(examined, new(*audit.Finding)) {
		t.Errorf("a store that fails: %v; examined: %v", err, examined)
	}
	if _, err := a.MakeDigest(t.Context()); err == nil {
		t.Error("a digest of a store that fails")
	}
}
