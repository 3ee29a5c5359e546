package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// Errors of Carry.
var (
	// ErrOtherSource means that the database has the unfinished rows of another authority.
	ErrOtherSource = errors.New("store: the database has the unfinished rows of another authority; choose a new one")
	// ErrDiffers means that the database does not hold what was carried into it.
	ErrDiffers = errors.New("store: the database does not hold what was carried into it; choose a new one")
)

// From is a database that rows are carried from. Nothing changes it meanwhile.
type From interface {
	// Page lists rows in the order of the key columns, after the values of those.
	Page(table string, columns, key []string, after []any, limit int) ([][]any, error)
	CountRows(table string) (int64, error)
}

// Carrying is how far a table has come.
type Carrying struct {
	Table    string
	Rows, Of int64
	Checking bool // rows are compared, not copied
}

// carriedTable is a table that is carried over.
type carriedTable struct {
	name    string
	columns []string
	key     []string // orders its rows
}

// carriedTables are all tables of the authority, those that others refer to first. What is not
// among them is this database's own: who works with it, its counters, its schema.
func carriedTables() []carriedTable {
	var out, children []carriedTable
	for _, t := range rows.Tables() {
		columns := []string{"key"}
		for _, c := range t.Columns {
			columns = append(columns, c.Name)
		}
		c := carriedTable{t.Name, append(columns, "rev", "body", "seal_key", "seal"), []string{"key"}}
		if t.Parent != "" {
			children = append(children, c)
		} else {
			out = append(out, c)
		}
	}
	return append(append(out, children...),
		carriedTable{"keepers_seen", []string{"keeper", "sequence"}, []string{"keeper"}},
		carriedTable{"digests", []string{"number", "token"}, []string{"number"}},
		carriedTable{"digest_changes", []string{"kind", "stream", "digest", "number", "hash"}, []string{"kind", "stream", "digest"}},
		carriedTable{"cuts", []string{"kind", "stream", "number", "hash"}, []string{"kind", "stream"}},
		carriedTable{"audit", strings.Split(strings.Join(strings.Fields(entryColumns), "")+",hash", ","), []string{"kind", "stream", "number"}},
		carriedTable{"undigested", []string{"kind", "stream"}, []string{"kind", "stream"}})
}

// carryPage is how many rows are carried in one transaction.
const carryPage = 2000

// Carry copies all rows of another database, with their revisions and seals as they are,
// into an empty one, and compares each afterwards. A run that was interrupted anywhere is
// gone on with; where the other database has changed since, it begins anew. Until the
// last row was compared, nobody can open the database.
func Carry(ctx context.Context, cfg Config, from From, progress func(Carrying)) (err error) {
	s, err := open(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c := &carrier{s: s, from: from, progress: progress}
	if err := c.begin(ctx); err != nil {
		return err
	}
	for _, t := range carriedTables() {
		if err := c.copy(ctx, t); err != nil {
			return fmt.Errorf("carry %s: %w", t.name, err)
		}
	}
	for _, t := range carriedTables() {
		if err := c.compare(ctx, t); err != nil {
			return fmt.Errorf("compare %s: %w", t.name, err)
		}
	}
	if err := c.examine(ctx); err != nil {
		return err
	}
	return c.finish(ctx)
}

// carrier carries rows over.
type carrier struct {
	s        *Store
	from     From
	progress func(Carrying)
}

// marks are an authority's name, which never changes, and what its database came to.
func (c *carrier) marks() (source, mark []byte, err error) {
	h := sha256.New()
	for _, t := range carriedTables() {
		n, err := c.from.CountRows(t.name)
		if err != nil {
			return nil, nil, err
		}
		h.Write(binary.BigEndian.AppendUint64([]byte(t.name+"\x00"), uint64(n)))
	}
	first := sha256.New()
	for _, name := range []string{"clock", "shared", "starts", "keepers_seen"} {
		for _, t := range carriedTables() {
			if t.name != name {
				continue
			}
			err := c.each(t, func(row []any) error {
				if name == "starts" && row[1] == int64(1) {
					fmt.Fprintf(first, "%x", row[0])
				}
				_, err := fmt.Fprintf(h, "%x\n", row)
				return err
			})
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return first.Sum(nil), h.Sum(nil), nil
}

// each reads a table of the other database, page by page.
func (c *carrier) each(t carriedTable, f func(row []any) error) error {
	for after := []any(nil); ; {
		page, err := c.from.Page(t.name, t.columns, t.key, after, carryPage)
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := f(row); err != nil {
				return err
			}
		}
		if len(page) < carryPage {
			return nil
		}
		after = t.keyOf(page[len(page)-1])
	}
}

func (t carriedTable) keyOf(row []any) (key []any) {
	for _, k := range t.key {
		for i, c := range t.columns {
			if c == k {
				key = append(key, row[i])
			}
		}
	}
	return key
}

// write runs f in a transaction that is kept only while this process has not been ended.
func (c *carrier) write(ctx context.Context, f func(pgx.Tx) error) error {
	return told(pgx.BeginFunc(ctx, c.s.writers, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, living, c.s.member.number, c.s.member.epoch); err != nil {
			return err
		}
		return f(tx)
	}))
}

// begin marks the database as one that rows are carried into, or finds that it is.
func (c *carrier) begin(ctx context.Context) error {
	source, mark, err := c.marks()
	if err != nil {
		return err
	}
	var refusal error
	err = c.write(ctx, func(tx pgx.Tx) error {
		there, _, err := carryingIn(ctx, tx)
		if err != nil {
			return err
		}
		if !there {
			if refusal, err = c.empty(ctx, tx); err != nil || refusal != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "CREATE TABLE carrying (source bytea NOT NULL, mark bytea NOT NULL, done boolean NOT NULL)"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO carrying VALUES ($1, $2, false)", source, mark); err != nil {
				return err
			}
			return triggers(ctx, tx, "DISABLE")
		}
		var whose, what []byte
		if err := tx.QueryRow(ctx, "SELECT source, mark FROM carrying").Scan(&whose, &what); err != nil {
			return err
		}
		switch {
		case !bytes.Equal(whose, source):
			refusal = ErrOtherSource
			return nil
		case bytes.Equal(what, mark):
			return nil
		}
		return anew(ctx, tx, mark)
	})
	return errors.Join(refusal, err)
}

// empty refuses a database with rows.
func (c *carrier) empty(ctx context.Context, tx pgx.Tx) (refusal, err error) {
	for _, t := range carriedTables() {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+t.name+")").Scan(&there); err != nil {
			return nil, err
		}
		if there {
			return ErrNotEmpty, nil
		}
	}
	return nil, nil
}

// anew drops what was carried from a database that has changed since. Nobody has opened
// the target: the mark would be gone.
func anew(ctx context.Context, tx pgx.Tx, mark []byte) error {
	var names []string
	for _, t := range carriedTables() {
		names = append(names, t.name)
	}
	if _, err := tx.Exec(ctx, "TRUNCATE "+strings.Join(names, ", ")); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE carrying SET mark = $1, done = false", mark); err != nil {
		return err
	}
	return triggers(ctx, tx, "DISABLE")
}

// triggers turns the triggers of all tables on or off: rows come in another order than
// the one in which they were made.
func triggers(ctx context.Context, tx pgx.Tx, to string) error {
	for _, t := range carriedTables() {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+t.name+" "+to+" TRIGGER USER"); err != nil {
			return err
		}
	}
	return nil
}

// ordered are the key columns as the other database orders them: bytes, not words.
func (t carriedTable) ordered() []string {
	if t.name == "keepers_seen" {
		return []string{`keeper COLLATE "C"`}
	}
	return t.key
}

// copy goes on after the last row that is there: rows come in the order of their keys.
func (c *carrier) copy(ctx context.Context, t carriedTable) error {
	of, err := c.from.CountRows(t.name)
	if err != nil {
		return err
	}
	var n int64
	if err := c.s.writers.QueryRow(ctx, "SELECT count(*) FROM "+t.name).Scan(&n); err != nil {
		return told(err)
	}
	found, err := c.s.writers.Query(ctx, "SELECT "+strings.Join(t.key, ", ")+" FROM "+t.name+" ORDER BY "+strings.Join(t.ordered(), " DESC, ")+" DESC LIMIT 1")
	if err != nil {
		return told(err)
	}
	last, err := pgx.CollectRows(found, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
	if err != nil {
		return told(err)
	}
	var after []any
	if len(last) > 0 {
		after = last[0]
	}
	for {
		c.progress(Carrying{Table: t.name, Rows: n, Of: of})
		page, err := c.from.Page(t.name, t.columns, t.key, after, carryPage)
		if err != nil || len(page) == 0 {
			return err
		}
		err = c.write(ctx, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(page))
			return err
		})
		if err != nil {
			return err
		}
		n, after = n+int64(len(page)), t.keyOf(page[len(page)-1])
	}
}

// compare refuses a table that is not the same on both sides, row by row.
func (c *carrier) compare(ctx context.Context, t carriedTable) error {
	of, err := c.from.CountRows(t.name)
	if err != nil {
		return err
	}
	var n int64
	for after := []any(nil); ; {
		want, err := c.from.Page(t.name, t.columns, t.key, after, carryPage)
		if err != nil {
			return err
		}
		got, err := c.page(ctx, t, after)
		if err != nil {
			return err
		}
		if len(got) != len(want) {
			return ErrDiffers
		}
		for i := range want {
			if !sameRow(got[i], want[i]) {
				return ErrDiffers
			}
		}
		n += int64(len(want))
		c.progress(Carrying{Table: t.name, Rows: n, Of: of, Checking: true})
		if len(want) < carryPage {
			if n != of {
				return ErrDiffers
			}
			return nil
		}
		after = t.keyOf(want[len(want)-1])
	}
}

// page reads rows as From.Page does.
func (c *carrier) page(ctx context.Context, t carriedTable, after []any) ([][]any, error) {
	text := "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name
	if after != nil {
		var places []string
		for i := range after {
			places = append(places, fmt.Sprintf("$%d", i+1))
		}
		text += " WHERE (" + strings.Join(t.ordered(), ", ") + ") > (" + strings.Join(places, ", ") + ")"
	}
	found, err := c.s.readers.Query(ctx, text+fmt.Sprintf(" ORDER BY %s LIMIT %d", strings.Join(t.ordered(), ", "), carryPage), after...)
	if err != nil {
		return nil, told(err)
	}
	page, err := pgx.CollectRows(found, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
	return page, told(err)
}

func sameRow(a, b []any) bool {
	for i := range a {
		x, isBytes := a[i].([]byte)
		y, both := b[i].([]byte)
		if isBytes != both || isBytes && !bytes.Equal(x, y) || !isBytes && a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// examine reads every sealed row as the authority will.
func (c *carrier) examine(ctx context.Context) error {
	return c.s.View(ctx, func(r store.Reader) error {
		found, err := r.(*rows.Reader).Examine()
		if err != nil {
			return err
		}
		return Refused(found)
	})
}

// Refused is the error of rows that fail their seals; nil if none does.
func Refused(found []rows.Examined) error {
	for _, e := range found {
		if e.Refused > 0 {
			return fmt.Errorf("%w: table %s, %d rows", store.ErrSeal, e.Table, e.Refused)
		}
	}
	return nil
}

// homesOfOld gives rows of a file, which has no homes, those that lists of one home go by.
// What is found by its key is found without.
func homesOfOld() []string {
	return []string{
		"UPDATE former_contacts SET home = substr(key, 1, 16) WHERE home = ''",
		"UPDATE ticks SET home = substr(key, 1, length(key) - 16) WHERE home = ''",
	}
}

// finish lets the database be opened. What the server knows of its tables for its plans
// is brought up to date first: a wrong plan on a full table would be slow for minutes.
func (c *carrier) finish(ctx context.Context) error {
	if _, err := c.s.writers.Exec(ctx, "ANALYZE"); err != nil {
		return told(err)
	}
	return c.write(ctx, func(tx pgx.Tx) error {
		for _, fill := range homesOfOld() {
			if _, err := tx.Exec(ctx, fill); err != nil {
				return err
			}
		}
		if err := triggers(ctx, tx, "ENABLE"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE carrying SET done = true")
		return err
	})
}

// asks is a connection, or a transaction on it.
type asks interface {
	QueryRow(ctx context.Context, text string, args ...any) pgx.Row
}

// carryingIn reports whether rows are or were carried into a database that nobody has
// opened since, and whether all of them are there.
func carryingIn(ctx context.Context, c asks) (there, done bool, err error) {
	if err := c.QueryRow(ctx, "SELECT to_regclass('carrying') IS NOT NULL").Scan(&there); err != nil || !there {
		return there, false, err
	}
	err = c.QueryRow(ctx, "SELECT coalesce(bool_and(done), false) FROM carrying").Scan(&done)
	return there, done, err
}

// carried refuses a database that rows are still carried into, and forgets that they
// were: from here on it is the authority's.
func carried(ctx context.Context, c *pgx.Conn) error {
	there, done, err := carryingIn(ctx, c)
	switch {
	case err != nil:
		return told(err)
	case there && !done:
		return ErrUnfinished
	case there:
		_, err = c.Exec(ctx, "DROP TABLE carrying")
	}
	return told(err)
}
