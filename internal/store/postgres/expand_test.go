package postgres_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
)

// A migration runs while the version before still serves: it only adds what that one does
// not look at (docs/POSTGRES.md, "Migrations"). What narrows comes a release later, and
// stands here with the day on which it was allowed, and why the version before can bear it.
type allowed struct {
	on  string // 2006-01-02
	why string
}

// exceptions are statements of migrations that do more than add, by "FILE: how they begin".
func exceptions() map[string]allowed {
	return map[string]allowed{
		"00002_several.sql: DROP TABLE lease":     {"2026-11-30", "no release had its database on PostgreSQL before this one"},
		"00005_homes.sql: UPDATE former_contacts": {"2026-11-30", "no release had its database on PostgreSQL before this one"},
		"00005_homes.sql: UPDATE ticks":           {"2026-11-30", "no release had its database on PostgreSQL before this one"},
	}
}

// TestMigrationsExpand holds every migration against the rule.
func TestMigrationsExpand(t *testing.T) {
	files := postgres.Migrations(t)
	if len(files) == 0 {
		t.Fatal("no migrations")
	}
	left := exceptions()
	for at, e := range left {
		if _, err := time.Parse(time.DateOnly, e.on); err != nil || e.why == "" {
			t.Errorf("%s: want a day and a reason, got %+v", at, e)
		}
	}
	for f, text := range files {
		for _, found := range narrows(text) {
			at := ""
			for a := range left {
				if file, begin, ok := strings.Cut(a, ": "); ok && file == f && strings.HasPrefix(found.statement, begin) {
					at = a
				}
			}
			if at == "" {
				t.Errorf("%s: %s: %s", f, found.why, found.statement)
			}
			delete(left, at)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(left)) {
		t.Errorf("%s: an exception that nothing needs", at)
	}
}

// finding is a statement that the version before cannot bear.
type finding struct{ statement, why string }

var (
	comments   = regexp.MustCompile(`(?m)--.*$`)
	bodies     = regexp.MustCompile(`(?s)\$(\w*)\$.*?\$\w*\$`)
	spaces     = regexp.MustCompile(`\s+`)
	newTable   = regexp.MustCompile(`^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)`)
	newIndex   = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX (CONCURRENTLY )?(?:IF NOT EXISTS )?(?:\w+ )?ON (?:ONLY )?(\w+)`)
	newTrigger = regexp.MustCompile(`^CREATE (?:CONSTRAINT )?TRIGGER \w+ .*? ON (\w+)\b`)
	insertInto = regexp.MustCompile(`^INSERT INTO (\w+)`)
	alterTable = regexp.MustCompile(`^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+) (.*)$`)
	addColumn  = regexp.MustCompile(`^ADD (?:COLUMN )?(?:IF NOT EXISTS )?\w+ `)
	constant   = regexp.MustCompile(`DEFAULT (?:-?\d+|TRUE|FALSE|NULL|'[^']*'(?:::\w+)?)(?: |,|$)`)
)

// narrows lists what of a migration the version before cannot bear while it serves, or
// what would hold it up.
func narrows(text string) (out []finding) {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	alone := strings.Contains(up, "-- +goose NO TRANSACTION")
	fresh := map[string]bool{}
	up = bodies.ReplaceAllString(comments.ReplaceAllString(up, ""), "BODY")
	for s := range strings.SplitSeq(up, ";") {
		s = strings.TrimSpace(spaces.ReplaceAllString(s, " "))
		if s == "" {
			continue
		}
		if why := narrow(keywords(s), alone, fresh); why != "" {
			out = append(out, finding{s, why})
		}
	}
	return out
}

// keywords is a statement in capitals, but for names of tables, which are compared.
func keywords(s string) string { return strings.ToUpper(s) }

func narrow(s string, alone bool, fresh map[string]bool) string {
	if m := newTable.FindStringSubmatch(s); m != nil {
		fresh[m[1]] = true
		return ""
	}
	switch {
	case strings.HasPrefix(s, "CREATE FUNCTION "), strings.HasPrefix(s, "COMMENT ON "), strings.HasPrefix(s, "CREATE SEQUENCE "):
		return ""
	case strings.HasPrefix(s, "CREATE OR REPLACE"):
		return "the version before runs what it replaces"
	}
	if strings.HasPrefix(s, "UPDATE SERVING SET ") {
		return "" // which programs can work with the schema: what each migration says anew
	}
	if m := newIndex.FindStringSubmatch(s); m != nil {
		switch {
		case fresh[m[3]]:
			return ""
		case m[1] != "":
			return "refuses what the version before writes"
		case m[2] == "":
			return "holds up every write of the table; CONCURRENTLY, in a file with '-- +goose NO TRANSACTION'"
		case !alone:
			return "CONCURRENTLY wants '-- +goose NO TRANSACTION'"
		}
		return ""
	}
	if m := newTrigger.FindStringSubmatch(s); m != nil {
		if fresh[m[1]] {
			return ""
		}
		return "the version before does not start where a trigger is that it does not know"
	}
	if m := insertInto.FindStringSubmatch(s); m != nil {
		if fresh[m[1]] {
			return ""
		}
		return "writes rows that the version before reads"
	}
	if m := alterTable.FindStringSubmatch(s); m != nil {
		if fresh[m[1]] {
			return ""
		}
		return narrowTable(m[2])
	}
	return "is none of what only adds"
}

func narrowTable(what string) string {
	switch {
	case strings.HasPrefix(what, "SET ("):
		return ""
	case strings.HasPrefix(what, "VALIDATE CONSTRAINT"):
		return "" // reads the table, and holds up nobody
	case strings.HasPrefix(what, "ADD CONSTRAINT"), strings.HasPrefix(what, "ADD CHECK"), strings.HasPrefix(what, "ADD UNIQUE"), strings.HasPrefix(what, "ADD PRIMARY"), strings.HasPrefix(what, "ADD FOREIGN"):
		return "refuses what the version before writes"
	case !addColumn.MatchString(what):
		return "takes away or changes what the version before uses"
	case strings.Contains(what, ", "):
		return "several changes at once; one ALTER TABLE each"
	case strings.Contains(what, "DEFAULT") && !constant.MatchString(what+" "):
		return "writes every row anew: a default that is no constant"
	case strings.Contains(what, "NOT NULL") && !strings.Contains(what, "DEFAULT"):
		return "refuses what the version before writes: NOT NULL without a default"
	}
	for _, w := range []string{" UNIQUE", " PRIMARY KEY", " REFERENCES ", " CHECK ", " CHECK(", " GENERATED "} {
		if strings.Contains(what, w) {
			return "reads or writes the whole table while nobody else may"
		}
	}
	return ""
}

// TestWhatNarrows tries the rule itself.
func TestWhatNarrows(t *testing.T) {
	for text, fine := range map[string]bool{
		"CREATE TABLE a (k bytea PRIMARY KEY); CREATE UNIQUE INDEX ON a (k); INSERT INTO a VALUES ('x'); ALTER TABLE a ADD CHECK (true);": true,
		"create table a (k bytea); create trigger x before delete on a for each statement execute function f();":                          true,
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM cards; END $$;":                                     true,
		"UPDATE serving SET schema = 9;":                                                                   true,
		"CREATE UNLOGGED TABLE a (k bytea); CREATE INDEX ON a (k);":                                        true,
		"ALTER TABLE cards ADD COLUMN more bytea;":                                                         true,
		"ALTER TABLE cards ADD COLUMN more bigint NOT NULL DEFAULT 0;":                                     true,
		"ALTER TABLE cards ADD COLUMN more bytea NOT NULL DEFAULT '';":                                     true,
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY cards_more ON cards (more);":    true,
		"ALTER TABLE cards SET (fillfactor = 70);":                                                         true,
		"-- DROP TABLE cards;\nALTER TABLE cards ADD COLUMN more text;\n-- +goose Down\nDROP TABLE cards;": true,
		"CREATE INDEX cards_more ON cards (more);":                                                         false,
		"CREATE INDEX CONCURRENTLY cards_more ON cards (more);":                                            false,
		"-- +goose NO TRANSACTION\nCREATE UNIQUE INDEX CONCURRENTLY cards_more ON cards (more);":           false,
		"ALTER TABLE cards ADD COLUMN more bigint NOT NULL;":                                               false,
		"ALTER TABLE cards ADD COLUMN more uuid DEFAULT gen_random_uuid();":                                false,
		"ALTER TABLE cards ADD COLUMN more bigint DEFAULT 0 CHECK (more > 0);":                             false,
		"ALTER TABLE cards ADD COLUMN more bytea REFERENCES claims (key);":                                 false,
		"ALTER TABLE cards ADD COLUMN more bytea, DROP COLUMN body;":                                       false,
		"ALTER TABLE cards ADD CONSTRAINT c CHECK (rev > 0) NOT VALID;":                                    false,
		"ALTER TABLE cards DROP COLUMN body;":                                                              false,
		"ALTER TABLE cards RENAME COLUMN body TO more;":                                                    false,
		"ALTER TABLE cards RENAME TO card;":                                                                false,
		"ALTER TABLE cards ALTER COLUMN rev TYPE numeric;":                                                 false,
		"ALTER TABLE cards ALTER COLUMN rev SET NOT NULL;":                                                 false,
		"DROP TABLE cards;":               false,
		"DROP INDEX cards_holder;":        false,
		"UPDATE cards SET rev = rev + 1;": false,
		"DELETE FROM ticks;":              false,
		"INSERT INTO lease (epoch, holder, since) VALUES (0, '', 0);": false,
		"LOCK TABLE cards;":                      false,
		"DO $$ BEGIN DELETE FROM cards; END $$;": false,
		"CREATE OR REPLACE FUNCTION liuma_lost() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;": false,
		"CREATE TRIGGER x BEFORE UPDATE ON cards FOR EACH ROW EXECUTE FUNCTION liuma_forbid();":                 false,
	} {
		if found := narrows(text); (len(found) == 0) != fine {
			t.Errorf("%s: %v", text, found)
		}
	}
}

// TestServesBesideAMigration: a version goes on while a later one adds to its tables.
func TestServesBesideAMigration(t *testing.T) {
	c := postgres.Config{DSN: database(t), Seal: keys(t)}
	s, f := openAt(t, c), newThief(t, c.DSN)
	add(t, s, liuma.CardID{1})
	for i, text := range []string{
		"CREATE TABLE later (key bytea PRIMARY KEY, rev bigint NOT NULL)",
		"ALTER TABLE cards ADD COLUMN later bigint NOT NULL DEFAULT 7",
		"ALTER TABLE shared ADD COLUMN later bytea",
		"CREATE INDEX CONCURRENTLY cards_later ON cards (later)",
	} {
		if found := narrows("-- +goose NO TRANSACTION\n" + text + ";"); len(found) > 0 {
			t.Fatal(found)
		}
		f.exec(text)
		add(t, s, liuma.CardID{byte(2 + i)})
	}
	if err := s.View(t.Context(), func(r store.Reader) error {
		n, err := r.CountCards()
		if n != 5 {
			t.Errorf("%d cards", n)
		}
		_, missing := r.Card(liuma.CardID{3})
		return errors.Join(err, missing)
	}); err != nil {
		t.Error(err)
	}
}
