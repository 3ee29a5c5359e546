package registry

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

// TestKilledImport kills an import again and again, each time further on, and runs
// it again on what it left: no row is lost or doubled, and each is recorded once.
func TestKilledImport(t *testing.T) {
	const people = 12_000
	if dir := os.Getenv("LIUMA_TEST_IMPORT"); dir != "" {
		importUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	must(t, vault.Create(filepath.Join(dir, "vault.key")))
	must(t, os.WriteFile(filepath.Join(dir, "people.csv"), many(people), 0o600))
	for chunks := range 4 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledImport$", "-test.v")
		child.Env = append(os.Environ(), "LIUMA_TEST_IMPORT="+dir)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		for seen := 0; seen <= chunks && lines.Scan(); {
			if lines.Text() == "chunk" {
				seen++
			}
		}
		must(t, child.Process.Kill())
		if err := child.Wait(); err == nil {
			t.Fatal("the import ended before it was killed")
		}
	}
	h := openHouse(t, dir)
	sum, err := h.Import(t.Context(), bytes.NewReader(many(people)), ImportConfig{})
	must(t, err)
	recorded := int64(0)
	n, entries := h.count(t)
	for _, e := range entries {
		var kept int64
		if _, err := fmt.Sscanf(e.Note, "kept=%d", &kept); err != nil {
			t.Errorf("note %q: %v", e.Note, err)
		}
		recorded += kept
	}
	if sum.Kept != people || sum.Rejected != 0 || sum.Unchanged < 4*chunkRows || n != people || recorded != people {
		t.Errorf("%+v, %d people, %d recorded", sum, n, recorded)
	}
}

// importUntilKilled says when a chunk is kept, and never ends an import.
func importUntilKilled(t *testing.T, dir string) {
	h := openHouse(t, dir)
	file, err := os.ReadFile(filepath.Join(dir, "people.csv"))
	must(t, err)
	sum := Summary{}
	before := 0
	g := h.over(t, &faulty{Store: h.st, before: func(int) {
		if _, entries := h.count(t); len(entries) > before {
			before = len(entries)
			fmt.Println("chunk")
		}
	}})
	sum, err = g.Import(context.Background(), bytes.NewReader(file), ImportConfig{})
	t.Fatalf("%+v, %v: the import was not killed", sum, err)
}

func openHouse(t testing.TB, dir string) *house {
	t.Helper()
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	must(t, err)
	st, err := sqlite.Open(context.Background(), filepath.Join(dir, "liuma.db"), sqlite.Config{Seal: v})
	must(t, err)
	t.Cleanup(func() { _, _ = st.Close(), v.Close() })
	h := &house{st: st, vault: v, dir: dir}
	h.Registry = h.over(t, st)
	return h
}
