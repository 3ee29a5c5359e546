package postgres_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store/rows"
)

var updateNation = flag.Bool("update-nation", false, "write docs/nation.sql")

const nationFile = "../../../docs/nation.sql"

// unique is a key or unique index of a table: its constraint, and its columns in order.
type unique struct {
	table, name string
	primary     bool
	columns     []string
}

func uniques(t *testing.T, f *thief) []unique {
	t.Helper()
	found, err := f.c.Query(t.Context(), `SELECT c.relname::text, i.relname::text, x.indisprimary,
		ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k (n, o) JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.n ORDER BY k.o)
		FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
		WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2`)
	f.must(err)
	all, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (u unique, err error) {
		return u, r.Scan(&u.table, &u.name, &u.primary, &u.columns)
	})
	f.must(err)
	return all
}

// TestEveryTableHasALayout, and each unique index either has the column by which its
// table's rows are placed, or stands in the layout with what there is in place of it.
func TestEveryTableHasALayout(t *testing.T) {
	f := newThief(t, database(t))
	layouts := rows.Layouts()
	for _, name := range f.tables() {
		l, ok := layouts[name]
		if !ok {
			t.Errorf("table %s has no layout", name)
			continue
		}
		if columns, _ := f.columns(name); l.Column != "" && !slices.Contains(columns, l.Column) {
			t.Errorf("table %s is placed by %s, which it has not", name, l.Column)
		}
		delete(layouts, name)
	}
	for name := range layouts {
		t.Errorf("there is a layout of %s, and no such table", name)
	}
	layouts = rows.Layouts()
	told := map[string]bool{}
	for _, u := range uniques(t, f) {
		l := layouts[u.table]
		if l.Column == "" || slices.Contains(u.columns, l.Column) {
			continue
		}
		for _, c := range u.columns {
			told[u.table+"."+c] = true
			if !slices.Contains(l.Unique, c) || l.Why == "" {
				t.Errorf("unique index %s on %s has no %s: several machines cannot keep it, and its layout does not say what does", u.name, u.table, l.Column)
			}
		}
	}
	for name, l := range layouts {
		for _, c := range l.Unique {
			if !told[name+"."+c] {
				t.Errorf("the layout of %s speaks of %s, which is not unique, or is placed by", name, c)
			}
		}
	}
}

// TestNationFile: docs/nation.sql lays the tables as they are declared.
func TestNationFile(t *testing.T) {
	f := newThief(t, database(t))
	want := nation(uniques(t, f), parents(t, f))
	if *updateNation {
		if err := os.WriteFile(nationFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(nationFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/nation.sql is not what rows.Layouts says: go test ./internal/store/postgres -run TestNationFile -update-nation")
	}
}

// parents are the tables of rows that go with the row of another table, with that and
// the constraint that says so.
func parents(t *testing.T, f *thief) (out [][3]string) {
	t.Helper()
	found, err := f.c.Query(t.Context(), `SELECT conrelid::regclass::text, confrelid::regclass::text, conname::text FROM pg_constraint
		WHERE contype = 'f' AND confdeltype = 'c' AND connamespace = 'public'::regnamespace ORDER BY 1`)
	f.must(err)
	out, err = pgx.CollectRows(found, func(r pgx.CollectableRow) (p [3]string, err error) {
		return p, r.Scan(&p[0], &p[1], &p[2])
	})
	f.must(err)
	return out
}

// nation are the statements that spread the tables of an empty database on Citus.
func nation(all []unique, parents [][3]string) string {
	var b strings.Builder
	b.WriteString("-- How the tables lie on Citus: docs/NATION.md. Written by a test from rows.Layouts; never run\n-- on Citus by this project. For an empty database whose migrations have run.\n")
	layouts := rows.Layouts()
	names := slices.Sorted(maps.Keys(layouts))
	b.WriteString("\n-- Keys and unique indexes that do not have the column by which rows are placed.\n")
	for _, p := range parents {
		fmt.Fprintf(&b, "ALTER TABLE %s DROP CONSTRAINT %s; -- comes again below, with the column\n", p[0], p[2])
	}
	for _, u := range all {
		l := layouts[u.table]
		if l.Column == "" || slices.Contains(u.columns, l.Column) {
			continue
		}
		columns := strings.Join(u.columns, ", ")
		fmt.Fprintf(&b, "ALTER TABLE %s DROP CONSTRAINT %s; -- %s\n", u.table, u.name, l.Why)
		if u.primary {
			fmt.Fprintf(&b, "ALTER TABLE %s ADD PRIMARY KEY (%s, %s);\n", u.table, l.Column, columns)
		} else {
			fmt.Fprintf(&b, "CREATE INDEX %s ON %s (%s);\n", u.name, u.table, columns)
		}
	}
	for _, p := range parents {
		column := layouts[p[0]].Column
		fmt.Fprintf(&b, "ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s, key) REFERENCES %s (%s, key) ON DELETE CASCADE;\n", p[0], p[2], column, p[1], layouts[p[1]].Column)
	}
	b.WriteString("\n-- Whole on every machine.\n")
	for _, name := range names {
		if layouts[name].Whole {
			fmt.Fprintf(&b, "SELECT create_reference_table('%s');\n", name)
		}
	}
	b.WriteString("\n-- Spread by the value of a column; tables of one group have the rows of one value together.\n")
	first := map[string]string{}
	for _, name := range names {
		l := layouts[name]
		if l.Column == "" {
			continue
		}
		with := "none"
		if l.Group != "" && first[l.Group] != "" {
			with = first[l.Group]
		} else if l.Group != "" {
			first[l.Group] = name
		}
		fmt.Fprintf(&b, "SELECT create_distributed_table('%s', '%s', colocate_with => '%s');\n", name, l.Column, with)
	}
	return b.String()
}
