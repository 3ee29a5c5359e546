package postgres

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

const (
	beginWriting = "BEGIN ISOLATION LEVEL READ COMMITTED"
	// living refuses a process that another has ended, or taken over from.
	living = "SELECT CASE WHEN EXISTS (SELECT 1 FROM authorities WHERE number = $1 AND epoch = $2) THEN 1 ELSE liuma_lost() END"
	// steady keeps clients, seal keys and the like as they are while a transaction reads
	// on after it began to write.
	steady = "SELECT 1 FROM shared FOR SHARE"

	lockAbsent  = "SELECT pg_advisory_xact_lock_shared(2, c) FROM unnest($1::int[]) AS c"
	lockClaimed = "SELECT pg_advisory_xact_lock(2, c) FROM unnest($1::int[]) AS c"

	insertEntry = `INSERT INTO audit (kind, stream, number, id, previous, after_stream, after_number, at, actor, event, business_no,
		outcome, note, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`
	saveSeen = `INSERT INTO keepers_seen (keeper, sequence) VALUES ($1, $2)
		ON CONFLICT (keeper) DO UPDATE SET sequence = greatest(keepers_seen.sequence, excluded.sequence)`
)

// pending reports whether there is anything to write.
func (t *change) pending() bool {
	return t.direct || len(t.ops)+len(t.entries)+len(t.seen) > 0
}

// now writes what was kept back, so that a statement can follow in the same transaction.
// Only upkeep needs it: deleting many rows at once, digests, archives.
func (t *change) now() error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := t.connect(); err != nil {
		return t.breaks(err)
	}
	var b pgx.Batch
	fresh := t.phase != writing
	t.queue(&b)
	if fresh {
		b.Queue(steady)
	}
	if b.Len() > 0 {
		ctx, cancel := context.WithTimeout(t.ctx, 10*t.s.cfg.Timeout)
		defer cancel()
		if err := t.conn.SendBatch(ctx, &b).Close(); err != nil {
			return t.breaks(err)
		}
	}
	for at, o := range t.ops { // what was written is what the database has
		t.reads[at] = read{o.row, !o.deleted}
	}
	clear(t.ops)
	clear(t.marked)
	t.entries, t.seen, t.absent, t.claimed = nil, nil, nil, nil
	t.phase, t.direct = writing, true
	return nil
}

// queue puts all that is to be written into one batch, in an order that is the same for
// all transactions, so that few wait for one another in a circle. In front of it stands
// what must still hold: the process's epoch and its hold, claims that are absent, counters and rows that were
// read. Whatever does not hold ends the transaction within the database.
func (t *change) queue(b *pgx.Batch) {
	if t.phase == reading {
		b.Queue("COMMIT") // of the snapshot, which wrote nothing
	}
	if t.phase != writing {
		b.Queue(beginWriting)
		b.Queue(living, t.s.member.number, t.s.member.epoch)
		for _, h := range t.under {
			b.Queue(held, h.Key[:], h.Token[:])
		}
	}
	if len(t.claimed) > 0 {
		slices.Sort(t.claimed)
		b.Queue(lockClaimed, slices.Compact(t.claimed))
	}
	if len(t.absent) > 0 {
		t.queueAbsent(b)
	}
	for _, k := range slices.Sorted(maps.Keys(t.marked)) {
		if n, counted := t.marks[k]; counted {
			b.Queue(raiseCounted, []byte(k), t.marked[k], n)
			delete(t.marks, k) // a mark that follows in this transaction raises it again
		} else {
			b.Queue(raiseMark, []byte(k), t.marked[k])
		}
	}
	for _, e := range t.entries {
		b.Queue(insertEntry, entryValues(e)...)
	}
	t.queueRows(b)
	for _, seen := range t.seen {
		for _, keeper := range slices.Sorted(maps.Keys(seen)) {
			b.Queue(saveSeen, keeper, int64(seen[keeper]))
		}
	}
}

// queueAbsent locks the claims that were looked for in vain, and has the database look
// again.
func (t *change) queueAbsent(b *pgx.Batch) {
	var numbers []int32
	left := slices.DeleteFunc(slices.Clone(t.absent), func(a missing) bool {
		key, ok := a.value.([]byte)
		return ok && a.column == "key" && t.ops[placeOf(a.of.Name, key)] != nil // it is inserted here
	})
	if len(left) == 0 {
		return
	}
	for _, a := range left {
		numbers = append(numbers, a.number)
	}
	slices.Sort(numbers)
	b.Queue(lockAbsent, slices.Compact(numbers))
	for _, a := range left {
		b.Queue("SELECT CASE WHEN count(*) = 0 THEN 1 ELSE liuma_conflict() END FROM "+a.of.Name+" WHERE "+a.column+" = $1", a.value)
	}
}

// queueRows writes rows by table and key, children after their parents; rows of watched
// tables that were only read are held in the same order.
func (t *change) queueRows(b *pgx.Batch) {
	byTable := map[*table][]*op{}
	for _, o := range t.ops {
		byTable[o.t] = append(byTable[o.t], o)
	}
	held := map[*table][]read{}
	for at, r := range t.reads {
		of := t.s.tables[at.table]
		if t.phase != writing && of.watched && r.found && t.ops[at] == nil {
			held[of] = append(held[of], r)
		}
	}
	for _, of := range t.s.order {
		if rs := held[of]; len(rs) <= holdSingly {
			slices.SortFunc(rs, func(x, y read) int { return bytes.Compare(x.row.Key, y.row.Key) })
			for _, r := range rs {
				b.Queue(of.hold, of.at(r.row.Home, some(r.row.Key), int64(r.row.Rev))...)
			}
		} else {
			var keys [][]byte
			var revs []int64
			for _, r := range rs {
				keys, revs = append(keys, some(r.row.Key)), append(revs, int64(r.row.Rev))
			}
			b.Queue(of.holdMany, keys, revs, int64(len(keys)))
		}
		ops := byTable[of]
		for _, o := range ops {
			o.turn = t.turnOf(o)
		}
		slices.SortFunc(ops, func(x, y *op) int {
			return cmp.Or(cmp.Compare(x.turn, y.turn), cmp.Compare(string(x.row.Key), string(y.row.Key)))
		})
		for _, o := range ops {
			switch {
			case o.deleted:
				b.Queue(of.delete, of.at(o.row.Home, some(o.row.Key), int64(o.was))...)
			case o.fresh:
				b.Queue(of.insert, of.values(o.row)...)
			default:
				b.Queue(of.update, of.updated(o.row, o.was)...)
			}
		}
	}
}

// holdSingly is how many rows of a table are held each by a statement of its own, which
// names where the row is. Upkeep reads more.
const holdSingly = 16

// turnOf puts what frees a unique value before what takes it: rows that are deleted, then
// those that give one up, as they were written, and then the rest, by their keys alone.
func (t *change) turnOf(o *op) int {
	if o.deleted {
		return 0
	}
	old := t.reads[placeOf(o.t.Name, o.row.Key)]
	for i, c := range o.t.Columns {
		if c.Unique && !o.fresh && old.found && old.row.Looks[i] != nil && !rows.Same(old.row.Looks[i], o.row.Looks[i]) {
			return 1 + o.number
		}
	}
	return math.MaxInt
}

// locks are the rows that an Update replaces, and cards that it adds, for the locks of this process: of two that
// write the same row one waits here, and not in the database, and the store's Committed
// hears of both in the order of their commits.
func (t *change) locks() []string {
	var out []string
	for at, o := range t.ops {
		if !o.fresh || o.t.Name == cardsTable {
			out = append(out, at.String())
		}
	}
	for k := range t.marked {
		out = append(out, "rations/"+k)
	}
	slices.Sort(out)
	return out
}

// gives is the hold that ends with the commit: the one that was taken last, since what is
// around it may write on. Zero: none does.
func (t *change) gives() store.Hold {
	if !t.last || len(t.under) == 0 {
		return store.Hold{}
	}
	return t.under[len(t.under)-1]
}

// commit writes all in one round trip and commits. fate says what is known of it then.
func (t *change) commit() (fate fate, err error) {
	if err := t.connect(); err != nil {
		return undone, err
	}
	var b pgx.Batch
	t.queue(&b)
	if h := t.gives(); !h.IsZero() {
		// A crash or a refusal before the commit leaves the hold as it stood; one whose
		// commit is in doubt is not noted as given, and Release takes what may be left.
		b.Queue(giveHold, h.Key[:], h.Token[:])
	}
	b.Queue("COMMIT")
	// However long it takes: a caller that gave up would not know what was kept.
	ctx, cancel := context.WithTimeout(t.ctx, t.s.cfg.Timeout)
	defer cancel()
	c := t.conn.Conn().PgConn()
	t.was = t.s.sessions.of(c)
	t.s.sessions.cancelled(c) // whatever was said before
	answers := t.conn.SendBatch(ctx, &b)
	committed := false
	for i := range b.Len() {
		if _, err = answers.Exec(); err != nil {
			break
		}
		committed = i == b.Len()-1
	}
	closed := answers.Close()
	switch {
	case committed && !t.s.sessions.cancelled(c):
		return done, nil // whatever befell the connection after its answer
	case committed:
		return doubtful, errStandby
	case refused(err):
		return undone, err
	}
	return doubtful, cmp.Or(err, closed)
}

// fate is what is known of a transaction.
type fate int

const (
	undone   fate = iota // nothing was kept
	done                 // it was committed
	doubtful             // nobody knows yet
)

func entryValues(r audit.Recorded) []any {
	hash := r.Hash()
	return []any{int64(r.Stream.Kind), r.Stream.ID[:], int64(r.Number), r.ID[:], nonzero(r.Previous[:]),
		nonzero(r.After.Stream.ID[:]), int64(r.After.Number), r.At.UnixMilli(), r.Actor, string(r.Event), string(r.BusinessNo),
		r.Outcome, r.Note, hash[:]}
}

// nonzero is NULL for zeros.
func nonzero(b []byte) []byte {
	for _, c := range b {
		if c != 0 {
			return b
		}
	}
	return nil
}

// ordered lists the tables by name, parents before their children.
func ordered(tables map[string]*table) (out []*table) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if t := tables[name]; t.Parent == "" {
			out = append(out, t)
			out = append(out, t.children...)
		}
	}
	return out
}
