package postgres

import (
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/store/rows"
)

// The tables that are treated apart.
const (
	ticksTable = "ticks"
	cardsTable = "cards"
)

// markTail is what follows the kind and key in the key of a ration mark: its time and
// eight random bytes.
const markTail = 16

// rationOf is the part of a mark's key that is common to those of its kind and key.
func rationOf(key []byte) string { return string(key[:max(0, len(key)-markTail)]) }

// counting reads the counter of the marks that a query lists, in the same snapshot: who
// counts them and adds one compares it, so that two at once do not both find room.
func (t *change) counting(q rows.Query) query {
	from, _ := q.From.([]byte)
	k := string(from[:max(0, len(from)-8)])
	if _, known := t.marks[k]; !known {
		t.marks[k] = 0
	}
	return query{"SELECT n FROM rations WHERE key = $1", []any{[]byte(k)}, func(from pgx.CollectableRow) error {
		n, err := scanNumber(from)
		if t.marks[k] == 0 {
			t.marks[k] = n
		}
		return err
	}}
}

func (t *change) insertMark(of *table, r rows.Row) error {
	t.ops[placeOf(of.Name, r.Key)] = &op{t: of, row: r, fresh: true}
	at, _ := r.Looks[0].(int64)
	k := rationOf(r.Key)
	t.marked[k] = max(t.marked[k], at)
	return nil
}

// raiseMark raises a counter that was not read; raiseCounted one that was.
const (
	raiseMark = `INSERT INTO rations (key, n, at) VALUES ($1, pg_current_xact_id()::text::bigint << 20, $2)
		ON CONFLICT (key) DO UPDATE SET n = rations.n + 1, at = greatest(rations.at, excluded.at)`
	raiseCounted = `WITH w AS (INSERT INTO rations (key, n, at) VALUES ($1, pg_current_xact_id()::text::bigint << 20, $2)
		ON CONFLICT (key) DO UPDATE SET n = rations.n + 1, at = greatest(rations.at, excluded.at) WHERE rations.n = $3 RETURNING rations.n)
		SELECT CASE WHEN count(*) = 1 AND ($3 = 0) = (min(n) = (pg_current_xact_id()::text::bigint << 20)) THEN 1 ELSE liuma_conflict() END FROM w`
)

// Claims whose absence a transaction went by: a holder without a card, say. The database
// cannot lock what is not there, so those who look and those who take lock a number of
// the claim, of which there are few: the table of locks is small.
const claimLocks = 1024

// missing is a claim that is not there.
type missing struct {
	of     *table
	column string
	value  rows.Value
	number int32 // of the lock
}

func claimLock(of *table, column string, v rows.Value) int32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%s/%x", of.Name, column, v)
	return int32(h.Sum32() % claimLocks)
}

// claim notes the unique values that a card takes.
func (t *change) claim(of *table, r rows.Row) {
	if of.Name != cardsTable {
		return
	}
	if o := t.ops[placeOf(of.Name, r.Key)]; o != nil && o.fresh {
		t.claimed = append(t.claimed, claimLock(of, "key", r.Key))
	}
	for i, c := range of.Columns {
		old := t.reads[placeOf(of.Name, r.Key)]
		if c.Unique && r.Looks[i] != nil && !(old.found && rows.Same(old.row.Looks[i], r.Looks[i])) {
			t.claimed = append(t.claimed, claimLock(of, c.Name, r.Looks[i]))
		}
	}
}
