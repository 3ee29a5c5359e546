package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
)

// releases are three that follow one another: as it is, one that adds, and one that takes
// away what nobody uses any more who knows what was added.
func releases(t *testing.T, c postgres.Config) (now, expands, contracts postgres.Config) {
	t.Helper()
	adds := map[string]string{"00097_expand.sql": `-- +goose Up
CREATE TABLE later (key bytea PRIMARY KEY);
ALTER TABLE cards ADD COLUMN later bigint NOT NULL DEFAULT 7;
UPDATE serving SET schema = 97, serves_from = 5;
`}
	takes := map[string]string{"00098_contract.sql": `-- +goose Up
ALTER TABLE cards DROP COLUMN later;
DROP TABLE later;
UPDATE serving SET schema = 98, serves_from = 97;
`, "00097_expand.sql": adds["00097_expand.sql"]}
	now, expands, contracts = c, postgres.Later(t, c, adds), postgres.Later(t, c, takes)
	now.Release, expands.Release, contracts.Release = "v1", "v2", "v3"
	return now, expands, contracts
}

func schemaOf(t *testing.T, c *pgx.Conn) (n int64) {
	t.Helper()
	if err := c.QueryRow(t.Context(), "SELECT schema FROM serving").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTakesAwayFromNobody: a release that takes away what an earlier one uses is refused while
// that one runs, by its name and release, and changes nothing; and starts beside those that
// know better.
func TestTakesAwayFromNobody(t *testing.T) {
	c := among(t)
	now, expands, contracts := releases(t, c)
	card := liuma.CardID{1}
	first := openAt(t, named(now, "first"))
	add(t, first, card)
	conn := admin(t, c.DSN)
	was := schemaOf(t, conn)
	refused := func(t *testing.T, by postgres.Config, names ...string) {
		t.Helper()
		before := schemaOf(t, conn)
		s, err := postgres.Open(t.Context(), by)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, postgres.ErrServed) {
			t.Fatalf("it is not refused as it should be: %v", err)
		}
		for _, n := range names {
			if !strings.Contains(err.Error(), n) {
				t.Errorf("the refusal does not say %q: %v", n, err)
			}
		}
		if n := schemaOf(t, conn); n != before {
			t.Errorf("the schema is %d, was %d", n, before)
		}
	}
	t.Run("two releases at once", func(t *testing.T) {
		refused(t, named(contracts, "second"), "first on ", "release v1", "schema 97")
	})
	t.Run("its own name", func(t *testing.T) { refused(t, named(contracts, "first"), "first on ", "release v1") })
	if was != schemaOf(t, conn) {
		t.Fatal("something was changed")
	}
	second := openAt(t, named(expands, "second")) // beside the one before
	if err := errors.Join(raise(first, card), raise(second, card)); err != nil {
		t.Error(err)
	}
	t.Run("one is still behind", func(t *testing.T) { refused(t, named(contracts, "third"), "first on ", "release v1") })
	t.Run("a program that says nothing", func(t *testing.T) {
		// It runs where a later one ran before it, and leaves what that one said.
		do(t, conn, "UPDATE authorities SET knows = 97, release = 'v2', said_by = 'the one before' WHERE name = 'first'")
		refused(t, named(contracts, "third"), "first on ")
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	first = openAt(t, named(expands, "first"))
	third := openAt(t, named(contracts, "third"))
	if n := schemaOf(t, conn); n != 98 {
		t.Errorf("the schema is %d", n)
	}
	if err := errors.Join(raise(first, card), raise(second, card), raise(third, card)); err != nil {
		t.Error(err)
	}
	if s, err := postgres.Open(t.Context(), named(now, "fourth")); !errors.Is(err, postgres.ErrTooNew) {
		t.Errorf("the first release on what the last one left: %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
	peers, err := third.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, p := range peers {
		said = append(said, fmt.Sprintf("%s %s %d", p.Name, p.Release, p.Knows))
	}
	if got := strings.Join(said, ", "); got != "first v2 97, second v2 97, third v3 98" {
		t.Error(got)
	}
}

// TestTakesAwayFromTheGone: one of an earlier release that is gone without a word is ended
// before anything is taken away, so that it keeps nothing should it come back.
func TestTakesAwayFromTheGone(t *testing.T) {
	c := among(t)
	now, expands, contracts := releases(t, c)
	if err := openAt(t, named(now, "gone")).Close(); err != nil {
		t.Fatal(err)
	}
	stays := named(expands, "stays")
	stays.Every, stays.Absence = time.Hour, 2*time.Hour // it does not notice
	openAt(t, stays)
	conn := admin(t, c.DSN)
	// Whoever ran there has no connection, and the others have not noticed yet.
	do(t, conn, "UPDATE authorities SET process = 'was here', said_by = 'was here', epoch = epoch + 1 WHERE name = 'gone'")
	var heard atomic.Pointer[store.Peer]
	contracts.Ended = func(p store.Peer) { heard.Store(&p) }
	contracts.Name = "new"
	contracts.Every, contracts.Absence = 2*time.Second, 3*time.Second // so that its start ends it, and not its first round
	s, err := postgres.Open(context.Background(), contracts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var runs bool
	if err := conn.QueryRow(t.Context(), "SELECT process IS NOT NULL FROM authorities WHERE name = 'gone'").Scan(&runs); err != nil || runs {
		t.Errorf("it has not ended: %v, %v", runs, err)
	}
	if n := schemaOf(t, conn); n != 98 {
		t.Errorf("the schema is %d", n)
	}
}

// TestMigrationsSayWhomTheyServe: each says which programs go on beside it.
func TestMigrationsSayWhomTheyServe(t *testing.T) {
	c := postgres.Later(t, postgres.Config{}, nil)
	type need struct {
		knows  int64
		nobody bool // can know it
	}
	for current, want := range map[int64]need{8: {10, true}, 5: {10, true}, 2: {10, true}} {
		n, nobody, err := postgres.Needed(c, current)
		if got := (need{n, nobody}); err != nil || got != want {
			t.Errorf("after %d: %v, want %v: %v", current, got, want, err)
		}
	}
	for text, want := range map[string]need{
		"SELECT 1;": {99, true},
		"-- UPDATE serving SET schema = 99, serves_from = 5;":                                  {99, true},
		"-- +goose Down\nUPDATE serving SET schema = 99, serves_from = 5;":                     {99, true},
		"UPDATE serving SET schema = 99, serves_from = 97;":                                    {97, false},
		"ALTER TABLE a ADD COLUMN b text;\n\nUPDATE serving SET schema = 99, serves_from = 5;": {5, false},
	} {
		n, nobody, err := postgres.Needed(postgres.Later(t, c, map[string]string{"00099_x.sql": "-- +goose Up\n" + text + "\n"}), 98)
		if got := (need{n, nobody}); err != nil || got != want {
			t.Errorf("%s: %v, want %v: %v", text, got, want, err)
		}
	}
	if got, _, err := postgres.Needed(postgres.Later(t, c, map[string]string{"00099_x.sql": "UPDATE serving SET schema = 98, serves_from = 5;"}), 98); err == nil {
		t.Errorf("one that speaks of another schema: %d", got)
	}
}
