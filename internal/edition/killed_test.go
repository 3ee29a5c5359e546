package edition_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestKilledApproval kills a process that changes the policy again and again, at any
// point. What is there afterwards is one whole edition after the other; each has its entry and its
// approved proposal, and none has an entry that is not there.
func TestKilledApproval(t *testing.T) {
	if dir := os.Getenv("LIUMA_TEST_EDITIONS"); dir != "" {
		approveUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	must(t, vault.Create(filepath.Join(dir, "vault.key")))
	seen := uint64(0)
	for round := range 8 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledApproval$", "-test.v")
		child.Env = append(os.Environ(), "LIUMA_TEST_EDITIONS="+dir)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() && lines.Text() != "begun" {
		}
		time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Millisecond)))) // anywhere in what it does
		must(t, child.Process.Kill())
		if err := child.Wait(); err == nil {
			t.Fatal("it ended before it was killed")
		}
		last := examine(t, dir, round)
		if last < seen {
			t.Fatalf("round %d: edition %d, and there was %d", round, last, seen)
		}
		seen = last
	}
	if seen < 2 {
		t.Error("no policy was approved before the process was killed")
	}
}

func openKilled(t *testing.T, dir string) (*house, func()) {
	t.Helper()
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	must(t, err)
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	must(t, err)
	return &house{t: t, store: st}, func() { _, _ = st.Close(), v.Close() }
}

func approveUntilKilled(t *testing.T, dir string) {
	h, _ := openKilled(t, dir)
	from := newHouse(t)
	h.national = from.national
	must(t, from.store.View(t.Context(), func(r store.Reader) error {
		all, err := r.Members()
		for _, m := range all {
			h.member(m)
		}
		return err
	}))
	e := h.open()
	fmt.Println("begun")
	for i := 0; ; i++ {
		h.change(e, set("33.yaml", fmt.Sprintf("layer: region 33\nlimits.attempts: %d\nlimits.lock_for: %dd\n", 3+i%3, 3+i%3)))
	}
}

// examine starts a process on what was left, and compares it with the record.
func examine(t *testing.T, dir string, round int) uint64 {
	t.Helper()
	h, shut := openKilled(t, dir)
	defer shut()
	h.national = newHouse(t).national
	e := h.open()
	state, err := e.State(t.Context())
	must(t, err)
	notes := h.approvals()
	want := uint64(0)
	if len(notes) > 0 {
		want = uint64(len(notes)) + 1 // the first edition is what ran before
		if last := notes[len(notes)-1]; !strings.Contains(last, fmt.Sprintf(" edition=%d policy=%s ", want, state.Sum)) {
			t.Errorf("round %d: %s runs, and the record says %s", round, state.Sum, last)
		}
		p := running(t, e).For("33", "")
		if p.Limits.LockFor != time.Duration(p.Limits.Attempts)*24*time.Hour {
			t.Errorf("round %d: half a policy runs", round)
		}
	}
	if state.Edition != want {
		t.Errorf("round %d: edition %d runs, and %d were approved", round, state.Edition, len(notes))
	}
	must(t, h.store.View(t.Context(), func(r store.Reader) error {
		all, err := r.Proposals()
		approved := 0
		for _, p := range all {
			if p.State == store.ProposalApproved {
				approved++
			}
		}
		if approved != len(notes) {
			t.Errorf("round %d: %d proposals are approved, and the record has %d", round, approved, len(notes))
		}
		return err
	}))
	return state.Edition
}
