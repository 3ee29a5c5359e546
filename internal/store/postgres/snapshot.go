package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// errEnded is returned when a transaction is used after its function.
var errEnded = errors.New("store: transaction has ended")

// snapshot implements rows.Source: it reads one consistent snapshot, which begins with
// its first query, or reads within a transaction that has begun to write.
type snapshot struct {
	s      *Store
	ctx    context.Context
	pool   *pgxpool.Pool
	conn   *pgxpool.Conn // nil before the first query and after the end
	phase  phase
	broken error // first error of the database itself; the transaction is lost
	ended  bool
	shared *[]rows.Row           // the shared row as this snapshot has it; nil: not read yet
	ahead  []rows.Wanted         // rows that a View asks for beside its first question
	early  map[early]*[]rows.Row // what came of it
}

// early names a row that was asked for ahead, as it will be asked for: in one home, or
// anywhere.
type early struct {
	table, key, home string
	anywhere         bool
}

func earlyOf(table string, home, key []byte) early {
	return early{table, string(key), string(home), home == nil}
}

// sharedTable has one row, which says which rows of shared tables count.
const sharedTable = "shared"

type phase int

const (
	idle    phase = iota // nothing was asked yet
	reading              // a snapshot is open
	writing              // a transaction that writes is open
)

var _ rows.Source = (*snapshot)(nil)

func (r *snapshot) usable() error {
	if r.ended {
		return errEnded
	}
	if r.broken != nil {
		return told(r.broken)
	}
	return nil
}

// breaks remembers an error of the database, so that the transaction is not committed
// even if the function ignores the error.
func (r *snapshot) breaks(err error) error {
	if r.broken == nil {
		r.broken = err
	}
	return told(err)
}

// query is one statement of a round trip; each is called for every row.
type query struct {
	text string
	args []any
	each func(pgx.CollectableRow) error
}

const beginReading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// ask sends statements in one round trip, the first time with the beginning of the
// snapshot. Where the connection turns out to be dead before anything was answered,
// another is taken: nothing was read yet.
func (r *snapshot) ask(queries ...query) error {
	if err := r.usable(); err != nil {
		return err
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	for until := time.Now().Add(r.s.cfg.Patience); ; {
		err := r.askOnce(queries)
		if err == nil {
			return nil
		}
		if r.phase != idle || refused(err) || r.ctx.Err() != nil || time.Now().After(until) {
			return r.breaks(err)
		}
		r.drop()
		pause(r.ctx, 50*time.Millisecond)
	}
}

func (r *snapshot) askOnce(queries []query) (err error) {
	if err := r.connect(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.s.cfg.Timeout)
	defer cancel()
	var b pgx.Batch
	if r.phase == idle {
		b.Queue(beginReading)
	}
	for _, q := range queries {
		b.Queue(q.text, q.args...)
	}
	answers := r.conn.SendBatch(ctx, &b)
	defer func() {
		if e := answers.Close(); err == nil {
			err = e
		}
	}()
	if r.phase == idle {
		if _, err := answers.Exec(); err != nil {
			return err
		}
		r.phase = reading
	}
	for _, q := range queries {
		found, err := answers.Query()
		if err != nil {
			return err
		}
		for found.Next() {
			if err := q.each(found); err != nil {
				found.Close()
				return err
			}
		}
		if err := found.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (r *snapshot) connect() (err error) {
	if r.conn == nil {
		r.conn, err = r.pool.Acquire(r.ctx)
	}
	return err
}

// drop gives a connection up whose state is not known.
func (r *snapshot) drop() {
	if r.conn == nil {
		return
	}
	c := r.conn.Hijack()
	r.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Second)
	defer cancel()
	_ = c.Close(ctx) // it is broken, or not trusted
	r.s.sessions.forget(c)
}

// end leaves no transaction open, and gives the connection back.
func (r *snapshot) end() {
	r.ended = true
	if r.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), r.s.cfg.Timeout)
	defer cancel()
	if r.conn.Conn().IsClosed() {
		r.drop()
		return
	}
	if r.conn.Conn().PgConn().TxStatus() != 'I' {
		if _, err := r.conn.Exec(ctx, "ROLLBACK"); err != nil {
			r.drop()
			return
		}
	}
	r.conn.Release()
	r.conn = nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (r *snapshot) Get(t *rows.Table, home, key []byte) (rows.Row, error) {
	if err := r.usable(); err != nil {
		return rows.Row{}, err
	}
	of := r.s.tables[t.Name]
	var found []rows.Row
	var err error
	if came := r.early[earlyOf(t.Name, home, key)]; came != nil {
		found = *came
	} else {
		text, args := of.find(home, key)
		found, err = r.fetch(of, text, args...)
	}
	switch {
	case err != nil:
		return rows.Row{}, err
	case len(found) == 0:
		return rows.Row{}, store.ErrNotFound
	}
	return found[0], nil
}

func (r *snapshot) List(t *rows.Table, q rows.Query) ([]rows.Row, error) {
	of := r.s.tables[t.Name]
	text, args := of.list(q, q.Limit)
	return r.fetch(of, text, args...)
}

// fetch reads rows. Whoever reads one of a shared table goes on to ask the shared row
// whether it still counts, so that row comes in the same round trip.
func (r *snapshot) fetch(t *table, text string, args ...any) (found []rows.Row, err error) {
	if t.Name == sharedTable && text == t.get && r.phase == reading && r.shared != nil {
		return *r.shared, nil
	}
	queries := []query{{text, args, t.into(&found)}}
	var shared []rows.Row
	beside := t.Shared && r.phase != writing && r.shared == nil
	if beside {
		of := r.s.tables[sharedTable]
		queries = append(queries, query{"SELECT " + of.columns + " FROM " + sharedTable, nil, of.into(&shared)})
	}
	came := map[early]*[]rows.Row{}
	for _, w := range r.ahead {
		of, row := r.s.tables[w.Table.Name], new([]rows.Row)
		came[earlyOf(of.Name, w.Home, w.Key)] = row
		text, args := of.find(w.Home, w.Key)
		queries = append(queries, query{text, args, of.into(row)})
	}
	if err := r.ask(queries...); err != nil {
		return nil, err
	}
	if beside {
		r.shared = &shared
	}
	if r.ahead != nil {
		r.early, r.ahead = came, nil
	}
	return found, nil
}

// into collects the rows of a query.
func (t *table) into(found *[]rows.Row) func(pgx.CollectableRow) error {
	return func(from pgx.CollectableRow) error {
		w, err := t.scan(from)
		*found = append(*found, w)
		return err
	}
}

func (r *snapshot) Count(t *rows.Table, column string) (int64, error) {
	if column == "" {
		column = "*"
	}
	return first(r, scanNumber, "SELECT count("+column+") FROM "+t.Name)
}

func scanNumber(from pgx.CollectableRow) (n int64, err error) {
	err = from.Scan(&n)
	return n, err
}

// first is the first row that a query returns, or store.ErrNotFound.
func first[T any](r *snapshot, scan func(pgx.CollectableRow) (T, error), text string, args ...any) (v T, err error) {
	found, err := all(r, scan, text, args...)
	switch {
	case err != nil:
		return v, err
	case len(found) == 0:
		return v, store.ErrNotFound
	}
	return found[0], nil
}

// all reads all rows that a query returns.
func all[T any](r *snapshot, scan func(pgx.CollectableRow) (T, error), text string, args ...any) (vs []T, err error) {
	err = r.ask(query{text, args, func(from pgx.CollectableRow) error {
		v, err := scan(from)
		vs = append(vs, v)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return vs, nil
}

// StaysAbsent changes nothing for who only reads.
func (r *snapshot) StaysAbsent(*rows.Table, []byte) {}

func (r *snapshot) KeepersSeen() (map[string]uint64, error) {
	seen := map[string]uint64{}
	err := r.ask(query{"SELECT keeper, sequence FROM keepers_seen", nil, func(from pgx.CollectableRow) error {
		var keeper string
		var sequence int64
		err := from.Scan(&keeper, &sequence)
		seen[keeper] = uint64(sequence)
		return err
	}})
	return seen, err
}
