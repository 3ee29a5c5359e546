package admintest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	archives(t, w, a)
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

// archives: the next archive is planned, written, and kept once, with a reason.
func archives(t *testing.T, w *World, a admin.Administration) {
	t.Helper()
	if _, err := a.PlanArchive(t.Context(), time.Time{}); !errors.Is(err, admin.ErrNothingToArchive) {
		t.Errorf("planned before anything is due: %v", err)
	}
	plan, err := a.PlanArchive(t.Context(), Start.Add(time.Hour))
	must(t, err)
	if plan.Number != 1 || plan.Digest != 1 || !plan.DigestAt.Equal(Start) {
		t.Errorf("planned %+v", plan)
	}
	var file bytes.Buffer
	must(t, a.ExportRecord(t.Context(), record.Query{Archive: plan.Digest}, &file))
	signed, err := audit.ReadArchive(&file, nil)
	must(t, err)
	if _, err := a.KeepArchive(t.Context(), signed.Token, " "); !errors.Is(err, audit.ErrReason) {
		t.Errorf("kept without a reason: %v", err)
	}
	kept, err := a.KeepArchive(t.Context(), signed.Token, "monthly")
	must(t, err)
	if kept.Number != 1 || kept.Digest != 1 || !kept.Leaving.After(Start) {
		t.Errorf("kept %+v", kept)
	}
	for _, token := range []string{signed.Token, "a.b.c"} {
		if _, err := a.KeepArchive(t.Context(), token, "again"); !errors.Is(err, admin.ErrArchive) {
			t.Errorf("kept again: %v", err)
		}
	}
	s, err := a.Status(t.Context())
	must(t, err)
	if s.Retention.Archives != 1 || s.Retention.Left != 0 || s.Retention.Due || s.Retention.OldestDigest == nil {
		t.Errorf("status %+v", s.Retention)
	}
}
