package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// suits refuses a database that cannot keep what it is given, and a pooler in between:
// the locks of a process, and what is known of a connection, belong to one server process.
func suits(ctx context.Context, c *pgx.Conn) error {
	var pid uint32
	var encoding string
	if err := c.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_encoding')").Scan(&pid, &encoding); err != nil {
		return told(err)
	}
	switch {
	case pid != c.PgConn().PID():
		return ErrPooler
	case encoding != "UTF8":
		return ErrEncoding
	}
	return nil
}

// triggerName finds the triggers that the migrations make.
var triggerName = regexp.MustCompile(`(?m)^CREATE TRIGGER (\w+) .* ON (\w+)\b`)

// untouched refuses a database in which something runs beside what the migrations made,
// or no longer runs (ErrAltered): a trigger may drop a row that was written, and the
// answer to the write is the same. It helps against a mistake and a role that was granted too much;
// whoever owns the tables can have replaced a function's text. Of a schema that a later
// release made, this one knows only what must be there.
func untouched(ctx context.Context, c *pgx.Conn, later bool) error {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	var want []string
	for _, f := range files {
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return err
		}
		for _, m := range triggerName.FindAllSubmatch(text, -1) {
			want = append(want, "trigger "+string(m[1])+" on "+string(m[2]))
		}
	}
	found, err := c.Query(ctx, `SELECT 'trigger ' || t.tgname || ' on ' || c.relname || CASE t.tgenabled WHEN 'O' THEN '' ELSE ', disabled' END
			FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
			WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
		UNION ALL SELECT 'rule ' || r.rulename || ' on ' || c.relname FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
			WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
		UNION ALL SELECT 'row policies on ' || relname FROM pg_class
			WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relrowsecurity
		UNION ALL SELECT 'inheritance of ' || c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent
			WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'`)
	if err != nil {
		return told(err)
	}
	got, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return told(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if slices.Equal(got, want) {
		return nil
	}
	var odd []string
	for _, g := range got {
		if !later && !slices.Contains(want, g) {
			odd = append(odd, g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			odd = append(odd, "no "+w)
		}
	}
	if odd == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrAltered, strings.Join(odd, "; "))
}
