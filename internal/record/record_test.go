package record_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// grown is a house with three digests over two cards and two process starts.
func grown(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.write(card(1), 4)
	h.write(liuma.CardID{}, 1)
	h.digest()
	h.restart()
	h.write(card(1), 3)
	h.write(card(2), 2)
	h.write(liuma.CardID{}, 2)
	h.digest()
	h.write(card(2), 3)
	h.digest()
	return h
}

func TestWholeRecordPasses(t *testing.T) {
	h := grown(t)
	h.write(card(1), 2)
	out, err := h.examine(h.export(), h.shipped()...)
	must(t, err)
	if out.Digest != 3 || out.Streams != 4 || out.Shipped != 3 || out.Newer != 0 || !out.Signatures || out.Issuer != issuer {
		t.Errorf("examined %+v", out)
	}
	if want := uint64(9 + 5 + 2 + 4); out.Entries != want {
		t.Errorf("%d entries, want %d", out.Entries, want)
	}
	if out.Uncovered != 3 { // two of the card, and the entry about the last digest
		t.Errorf("%d entries are not covered, want 3", out.Uncovered)
	}
	if s := h.digester.State(); len(s.Faults) != 0 || s.Shipping != "" || s.Checked.IsZero() {
		t.Errorf("state %+v", s)
	}
}

// TestDigestsGoOnAcrossStarts: numbers without gaps, each naming the one before.
func TestDigestsGoOnAcrossStarts(t *testing.T) {
	h := newHouse(t)
	for want := uint64(1); want <= 4; want++ {
		h.write(card(byte(want)), 1)
		if got := h.digest(); got != want {
			t.Fatalf("digest %d, want %d", got, want)
		}
		h.restart()
	}
	_, err := h.examine(h.export(), h.shipped()...)
	must(t, err)
}

// TestCrashBetweenDigestAndFile: a digest that is kept and not yet in the
// directory is put there by the next start; one that was not kept is followed by
// one that covers both hours.
func TestCrashBetweenDigestAndFile(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	h.digest()
	must(t, os.Remove(h.path("digests/"+record.FileName(1))))
	must(t, os.Remove(h.path("digests/last")))
	must(t, os.WriteFile(h.path("digests/.last.tmp"), []byte("half"), 0o600))
	h.restart()
	must(t, h.digester.Check(t.Context()))
	if got := h.shipped(); len(got) != 1 {
		t.Fatalf("%d digests are in the directory, want 1", len(got))
	}
	h.write(card(1), 1)
	boom := errors.New("boom")
	h.between = func(s store.Store) store.Store { return &failing{s, boom} }
	h.restart()
	if _, err := h.digester.Digest(t.Context()); !errors.Is(err, boom) {
		t.Fatalf("digest without a store: %v", err)
	}
	h.between = nil
	h.restart()
	h.write(card(2), 1)
	if n := h.digest(); n != 2 {
		t.Errorf("digest %d, want 2", n)
	}
	out, err := h.examine(h.export(), h.shipped()...)
	must(t, err)
	if out.Uncovered != 1 {
		t.Errorf("%d entries are not covered, want the one about the digest", out.Uncovered)
	}
}

// failing is a store that keeps nothing.
type failing struct {
	store.Store
	err error
}

func (f *failing) Update(context.Context, func(store.Tx) (audit.Entry, error)) error { return f.err }

// TestFilesMayBeMovedAway: what the operator shipped off is not written again.
func TestFilesMayBeMovedAway(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 1)
	h.digest()
	must(t, os.Remove(h.path("digests/"+record.FileName(1))))
	h.restart()
	h.digest()
	if _, err := os.Stat(h.path("digests/" + record.FileName(1))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first digest was written again: %v", err)
	}
	if _, err := os.Stat(h.path("digests/" + record.FileName(2))); err != nil {
		t.Error(err)
	}
	if len(h.digester.State().Faults) > 0 {
		t.Errorf("faults %q", h.digester.State().Faults)
	}
}

// TestUnwritableDirectory: the digest is kept, the state says what is wrong, and
// the file comes when it can.
func TestUnwritableDirectory(t *testing.T) {
	h := newHouse(t)
	must(t, os.WriteFile(h.path("digests"), nil, 0o600)) // a file where the directory should be
	h.write(card(1), 1)
	h.digest()
	if h.digester.State().Shipping == "" {
		t.Error("the state does not say that the digest was not written")
	}
	must(t, os.Remove(h.path("digests")))
	h.digest()
	if got := h.shipped(); len(got) != 2 || h.digester.State().Shipping != "" {
		t.Errorf("%d digests are in the directory, want 2; %q", len(got), h.digester.State().Shipping)
	}
}

// TestMaintain: every hour a digest, one at the end, none without need.
func TestMaintain(t *testing.T) {
	h := newHouse(t)
	run := func() {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		h.digester.Maintain(ctx)
	}
	digests := func(want int) {
		t.Helper()
		if n := h.count(audit.RecordDigested); n != want {
			t.Errorf("%d digests, want %d", n, want)
		}
	}
	run()
	digests(0) // nothing happened
	h.write(card(1), 1)
	run()
	digests(1) // at the end
	run()
	digests(1) // only the digest itself happened
	h.restart()
	h.wait(record.Every)
	hourly(t, h)
	digests(2) // the hour is over, although nothing happened
	h.wait(-2 * record.Every)
	hourly(t, h)
	digests(3) // a clock that was put back delays none
}

// hourly lets Maintain look once.
func hourly(t *testing.T, h *house) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	before := h.count(audit.RecordDigested)
	done := make(chan struct{})
	go func() { h.digester.Maintain(ctx); close(done) }()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if h.count(audit.RecordDigested) > before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	<-done
}

// TestExportOfAPart: one stream from a number on, and the recent entries.
func TestExportOfAPart(t *testing.T) {
	h := grown(t)
	numbers := func(q record.Query) (out []uint64) {
		var b bytes.Buffer
		must(t, h.digester.Export(t.Context(), q, &b))
		if _, err := h.examine(b.Bytes()); !errors.Is(err, audit.ErrPart) {
			t.Errorf("a part was examined: %v", err)
		}
		must(t, audit.ReadLines(&b, func(l audit.Line) error {
			if l.Entry != nil && l.Entry.Stream.Kind == audit.OfCard {
				out = append(out, l.Entry.Number)
			}
			return nil
		}))
		return out
	}
	if got := numbers(record.Query{Stream: audit.CardStream(card(1)), From: 6}); len(got) != 2 || got[0] != 6 {
		t.Errorf("entries %v, want 6 and 7", got)
	}
	if got := numbers(record.Query{Recent: true}); len(got) != 3 || got[0] != 3 {
		t.Errorf("recent entries %v, want 3 to 5 of the second card", got)
	}
	if got := numbers(record.Query{Stream: audit.CardStream(card(9))}); len(got) != 0 {
		t.Errorf("entries %v of a stream that is not there", got)
	}
}

func TestConfig(t *testing.T) {
	if _, err := record.New(record.Config{}); err == nil {
		t.Error("an empty Config was taken")
	}
	if _, err := record.ReadDirectory(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there was read")
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, record.FileName(1)), []byte("{}\n"), 0o600))
	if _, err := record.ReadDirectory(dir); err == nil || !strings.Contains(err.Error(), record.FileName(1)) {
		t.Errorf("a file that is no digest: %v", err)
	}
}
