package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/history"
)

const migrationsDir = "../../internal/store/postgres/migrations"

// lastMigration is the number of the newest migration that this program knows.
func lastMigration(t *testing.T) (last int) {
	t.Helper()
	files, err := os.ReadDir(migrationsDir)
	must(t, err)
	for _, f := range files {
		var n int
		if _, err := fmt.Sscanf(f.Name(), "%d_", &n); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// release builds this program with more migrations, as a release after this one has them.
func release(t *testing.T, name string, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	at, err := filepath.Abs(migrationsDir)
	must(t, err)
	for file, text := range more {
		must(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
		overlay.Replace[filepath.Join(at, file)] = filepath.Join(dir, file)
	}
	list, err := json.Marshal(overlay)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600))
	out := filepath.Join(dir, name)
	if b, err := exec.Command("go", "build", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "github.com/liuma-pin/liuma/cmd/liuma").CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, b)
	}
	return out
}

// exchange has an authority served by another release, as an operator does who takes it from
// the balancer first.
func (s *scene) exchange(t *testing.T, crowd *history.Crowd, i int, binary string) {
	t.Helper()
	crowd.Pause() // what is under way there comes to its end
	s.mu.Lock()
	s.clients[i] = s.clients[1-i]
	s.mu.Unlock()
	crowd.Resume()
	must(t, s.at[i].process.Process.Signal(syscall.SIGTERM))
	must(t, s.at[i].process.Wait())
	s.at[i].binary = binary
	s.start(t, i)
	s.answers(t, 20)
	t.Logf("%s: authority %d is served by %s", time.Now().Format("15:04:05.000"), i+1, filepath.Base(binary))
}

// refused has an authority stop, and another release start in its place, which is not to serve
// beside what the others run. Then it serves again as it was. It is the first one, since that
// one's directory is the scene's.
func (s *scene) refused(t *testing.T, crowd *history.Crowd, binary string, says ...string) {
	t.Helper()
	crowd.Pause()
	s.mu.Lock()
	s.clients[0] = s.clients[1]
	s.mu.Unlock()
	crowd.Resume()
	must(t, s.at[0].process.Process.Signal(syscall.SIGTERM))
	must(t, s.at[0].process.Wait())
	s.at[0].process = nil
	said, err := exec.Command(binary, "serve", "--data", s.at[0].Dir, "--listen", "127.0.0.1:0").CombinedOutput()
	for _, words := range says {
		if err == nil || !strings.Contains(string(said), words) {
			t.Errorf("%s is not refused with %q: %v\n%s", filepath.Base(binary), words, err, said)
		}
	}
	s.start(t, 0)
	s.answers(t, 20)
}

// TestTwoReleasesAtOnce: a release that adds to the schema starts beside the one before, then
// takes its place everywhere, and one that takes away what nobody uses any more starts beside
// that. Beside one that uses what it takes away it does not start. All the while holders act at both, every act gets its answer, and no guess, freeze or
// change is lost. The release before the first one is refused by what the last one left. With
// few kills only the first half is played.
func TestTwoReleasesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program again")
	}
	now := lastMigration(t)
	expanding := map[string]string{
		"00097_expand.sql": fmt.Sprintf(`-- +goose Up
CREATE TABLE later (key bytea PRIMARY KEY, rev bigint NOT NULL);
ALTER TABLE cards ADD COLUMN later bigint NOT NULL DEFAULT 7;
UPDATE serving SET schema = 97, serves_from = %d;
`, now),
		"00098_index.sql": fmt.Sprintf(`-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY cards_later ON cards (later);
UPDATE serving SET schema = 98, serves_from = %d;
`, now),
	}
	contracting := map[string]string{"00099_contract.sql": `-- +goose Up
DROP INDEX cards_later;
ALTER TABLE cards DROP COLUMN later;
DROP TABLE later;
UPDATE serving SET schema = 99, serves_from = 98;
`}
	for file, text := range expanding {
		contracting[file] = text
	}
	expand := release(t, "expand", expanding)
	s := newScene(t, 2, 400, uint64(time.Now().UnixNano()), time.Minute)
	before := s.at[0].binary
	crowd := history.NewCrowd(3, s.next)
	t.Cleanup(crowd.End)
	schema := func(want int) {
		t.Helper()
		if got := s.count(t, "SELECT schema FROM serving"); got != want {
			t.Fatalf("the schema is %d, want %d", got, want)
		}
	}
	s.answers(t, 20)
	long, contract := kills(t) > 10, ""
	if long {
		contract = release(t, "contract", contracting)
		s.refused(t, crowd, contract, "uses what this one takes away", "knows schema 98") // two releases at once
		schema(now)
	}
	s.exchange(t, crowd, 1, expand) // beside the one before, which goes on
	schema(98)
	s.exchange(t, crowd, 0, before) // started anew, it opens what the later one left
	s.exchange(t, crowd, 0, expand)
	if long {
		s.exchange(t, crowd, 1, contract) // beside what expanded
		schema(99)
		s.exchange(t, crowd, 0, expand)
		s.exchange(t, crowd, 0, contract)
	}
	crowd.End()
	s.settle(t)
	acts := s.fits(t)
	unavailable := 0 // keepers were slow, which is no release's fault
	for _, p := range s.all {
		for _, a := range p.Acts() {
			switch a.Said {
			case history.Undecided:
				t.Errorf("%s %s of %s came to no answer in %s; open: %v", a.Kind, a.Number, a.Began.Format("15:04:05.000"), a.Ended.Sub(a.Began), a.Open)
			case "unavailable":
				unavailable++
			}
		}
	}
	t.Logf("%d acts of %d people, %d unavailable", acts, len(s.all), unavailable)
	if !long {
		return
	}
	must(t, s.at[0].process.Process.Signal(syscall.SIGTERM))
	must(t, s.at[0].process.Wait())
	s.at[0].process = nil
	said, err := exec.Command(before, "serve", "--data", s.at[0].Dir, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "later release") {
		t.Errorf("the first release on what the last one left: %v\n%s", err, said)
	}
}
