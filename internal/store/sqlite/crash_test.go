package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
)

// TestCrashKeepsAcknowledged copies the files as a crash would leave them: the
// WAL cut at its size when the last Update was acknowledged, or in the middle
// of later writes. Every acknowledged Update is there, each one whole. No
// checkpoint runs, so the database file does not change.
func TestCrashKeepsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authority.db")
	s, err := Open(t.Context(), path, Config{Seal: testSealer{}, CheckpointPages: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const callers, each = 8, 10
	type point struct {
		acked [callers]int
		size  int64 // of the WAL, read after the acknowledgements
	}
	var (
		mu     sync.Mutex
		acked  [callers]int
		points []point
		wg     sync.WaitGroup
	)
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				if err := insertCards(t, s, c*1000+2*n, c*1000+2*n+2); err != nil { // two cards, so that half an Update would show
					t.Error(err)
					return
				}
				mu.Lock()
				acked[c]++
				info, err := os.Stat(path + "-wal")
				if err != nil {
					t.Error(err)
				} else {
					points = append(points, point{acked, info.Size()})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i, p := range points {
		if i%6 != 0 && i != len(points)-1 {
			continue
		}
		cut := p.size
		if next := min(i+6, len(points)-1); points[next].size > cut {
			cut += rand.Int64N(points[next].size - cut)
		}
		crashed := filepath.Join(dir, fmt.Sprint("crash", i))
		copyFile(t, path, crashed, -1)
		copyFile(t, path+"-wal", crashed+"-wal", cut)
		checkCrashed(t, crashed, func(c, n int) bool { return n < p.acked[c] })
	}
}

// checkCrashed opens the files that a crash left. Cards come in pairs, 1000 to
// a caller; pair n of caller c must be there if acked says so.
func checkCrashed(t *testing.T, path string, acked func(caller, n int) bool) {
	t.Helper()
	s, err := Open(t.Context(), path, Config{Seal: testSealer{}, Readers: 1, CacheMiB: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(t.Context(), func(r store.Reader) error {
		for c := range 8 {
			for n := range 500 {
				_, err1 := r.Card(faultCard(c*1000 + 2*n).ID)
				_, err2 := r.Card(faultCard(c*1000 + 2*n + 1).ID)
				if !errors.Is(err2, err1) {
					t.Errorf("half of Update %d of caller %d is there", n, c)
				}
				if err1 != nil && acked(c, n) {
					t.Errorf("Update %d of caller %d was acknowledged and is lost (%v)", n, c, err1)
				}
				if err1 != nil {
					break
				}
			}
		}
		cards, err := r.CountCards()
		if err != nil {
			return err
		}
		log, err := storetest.Record(r) // every stream is whole
		if int64(len(log))*2 != cards {
			t.Errorf("%d entries for %d cards in pairs", len(log), cards)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := insertCards(t, s, 90_000, 90_002); err != nil {
		t.Errorf("Update after the crash: %v", err)
	}
}

const childEnv = "LIUMA_STORE_CRASH_CHILD"

// TestKilledProcess kills a process that writes, several times over the same
// files, with checkpoints on the way.
func TestKilledProcess(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		writeUntilKilled(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "authority.db")
	var acked [8]int
	for range 5 {
		for caller, n := range killWriter(t, path) {
			acked[caller] = max(acked[caller], n)
		}
		if acked[0] == 0 {
			t.Fatal("the process acknowledged nothing")
		}
		crashed := filepath.Join(t.TempDir(), "copy.db")
		copyFile(t, path, crashed, -1)
		if _, err := os.Stat(path + "-wal"); err == nil {
			copyFile(t, path+"-wal", crashed+"-wal", -1)
		}
		checkCrashed(t, crashed, func(c, n int) bool { return n < acked[c] })
	}
}

// killWriter runs the writing process for a while and returns how many Updates
// it acknowledged to each caller.
func killWriter(t *testing.T, path string) (acked map[int]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$", "-test.v=false")
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked = map[int]int{}
	stop := time.Time{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var caller, n int
		if k, _ := fmt.Sscanf(lines.Text(), "acked %d %d", &caller, &n); k != 2 {
			continue
		}
		acked[caller] = n + 1
		if stop.IsZero() {
			stop = time.Now().Add(100*time.Millisecond + rand.N(200*time.Millisecond))
		}
		if time.Now().After(stop) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	return acked
}

// writeUntilKilled is the child. It goes on where the last one was killed.
func writeUntilKilled(t *testing.T, path string) {
	s, err := Open(t.Context(), path, Config{Seal: testSealer{}, CheckpointPages: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var mu sync.Mutex // of standard output
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for n := range 500 {
				err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
					e := audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}
					return e, errors.Join(tx.InsertCard(faultCard(c*1000+2*n)), tx.InsertCard(faultCard(c*1000+2*n+1)))
				})
				if errors.Is(err, store.ErrExists) {
					continue // written before an earlier kill
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				_, err = os.Stdout.WriteString("acked " + strconv.Itoa(c) + " " + strconv.Itoa(n) + "\n")
				mu.Unlock()
				if err != nil {
					return
				}
				time.Sleep(time.Millisecond) // so that kills find it at work
			}
		})
	}
	wg.Wait()
}
