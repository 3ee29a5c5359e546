// Package rows writes the typed store (store.Reader, store.Tx) once, over any
// database that can keep rows of one shape: a key, look-up columns by which a
// row is found, a version (rev), a body, and a seal over all of them. It
// guarantees that nothing is made up by who writes to the database (I-13):
// every row is sealed when it is written and checked when it is read, and one
// that fails is refused with store.ErrSeal and an alarm, never taken for
// absent. It guarantees that one row holds all of a card, so that the absence
// of a row permits nothing about it, and that every card's rev rises by one
// with each transaction that changed the card or wrote about it. It trusts the
// vault's key. It sees that a client or a seal key was deleted or put back as it
// was earlier, by the shared row and a head outside of the database. Of other rows
// it does not: for cards the keepers see that, for the rest docs/SECURITY.md says
// what is left.
//
// Start here: Row and Table, then Codec, Reader and Tx.
package rows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Value is what a look-up column holds: nil, an int64 or a []byte. nil equals
// nothing, so rows without a value do not collide and are not found by it.
type Value any

// Column is a look-up column.
type Column struct {
	Name   string
	Number bool // holds int64; otherwise []byte
	Unique bool // no two rows have the same value
}

// Table is a table of sealed rows.
type Table struct {
	Name    string
	Columns []Column
	// Parent, if not empty, is the table whose row has the same key: without it a
	// row is refused (store.ErrNotFound), and it is deleted with it.
	Parent string
	// Shared tables decide about everybody. Their rows are listed in the shared
	// row, whose rev is kept outside of the database too.
	Shared bool
	// Homed tables have a column home beside the key, in a database that spreads its
	// rows over machines: it says where a row is. See Layouts.
	Homed bool
	// Steady tables are sealed by a key that no rotation changes: they are read before a
	// newer root key is there.
	Steady bool
	// Recent is how many of its rows a database may keep in memory that one process writes
	// to; 0: none. It is for rows that a verification reads, and that nothing deletes but by
	// their key, and neither a trigger nor another table's row.
	Recent int
}

// Row is one row as the database keeps it. Looks are the values of the table's
// columns, in order. Rev rises with every write.
//
// Home is of a homed table in a database that spreads its rows, nil elsewhere. It stands
// under no seal, since it says only where the row is looked for: another value hides the
// row, as deleting it would.
type Row struct {
	Key   []byte
	Home  []byte
	Looks []Value
	Rev   uint64
	Body  []byte
	Seal  vault.RowSeal
	// Known is set by a source that keeps the row in memory: see there.
	Known *Known
}

// Query selects the rows whose column is within [From, To], in the order of the
// column and then of the key. An empty Column is the key. From and To are nil
// where there is no bound.
//
// Home, if not nil, is that of the rows that are wanted.
type Query struct {
	Home     []byte
	Column   string
	From, To Value
	After    []byte // only keys after this one; for From = To or the key
	Desc     bool   // the other way round
	Limit    int    // negative: all
}

// Source reads rows in one transaction of a database.
type Source interface {
	// Get returns store.ErrNotFound if there is no row with the key. home is that of the
	// row in a homed table; nil: it is not known, and all machines are asked.
	Get(t *Table, home, key []byte) (Row, error)
	List(t *Table, q Query) ([]Row, error)
	// StaysAbsent has a transaction that writes be kept only if a row that it has looked for
	// in vain by its key is not there at the commit either, unless it inserts it.
	StaysAbsent(t *Table, key []byte)
	// Count counts the rows that have a value in a column; all rows for "".
	Count(t *Table, column string) (int64, error)
	Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error)
	KeepersSeen() (map[string]uint64, error)

	// The digests of the record, as store.DigestReader has them.
	Undigested(after audit.Stream, limit int) ([]audit.Stream, error)
	DigestedHead(s audit.Stream, upTo uint64) (audit.Head, error)
	LastDigest() (store.Digest, error)
	Digests(after uint64, limit int) ([]store.Digest, error)
	DigestChanges(number uint64, after audit.Stream, limit int) ([]audit.Head, error)
	Cuts(after audit.Stream, limit int) ([]audit.Head, error)
}

// Sink reads and writes rows in one transaction. Nobody writes to the body of a row that it
// was given, or gave, ever again.
type Sink interface {
	Source
	// Insert returns store.ErrExists if the key or a unique value is taken, and
	// store.ErrNotFound if the parent is not there.
	Insert(t *Table, r Row) error
	// Update replaces a row if its rev is was; store.ErrConflict if it is not,
	// store.ErrExists if a unique value is another row's, and store.ErrDecided if
	// the database itself forbids the change (I-11).
	Update(t *Table, r Row, was uint64) error
	// Delete deletes the rows that a query without After and Limit selects.
	Delete(t *Table, q Query) (int64, error)
	AppendEntry(audit.Recorded) error
	SaveKeepersSeen(map[string]uint64) error
	InsertDigest(d store.Digest, changes []audit.Head) error
	// DropDigested deletes at most limit of the entries, changes and digests that
	// the digests up to a number cover, the oldest first, but the last of those
	// digests, and reports whether nothing is left of them. Before an entry goes,
	// the cut of its stream is written.
	DropDigested(upTo uint64, limit int) (n int, done bool, err error)
}

// Sealer seals rows and checks their seals, and knows where tokens lead; *vault.Vault is one.
type Sealer interface {
	SealsWith() uint32 // the key that SealRow and Reseal use
	Reseal(p vault.Purpose, id, sealed []byte) (fresh []byte, changed bool, err error)
	RouteOf(token string) (home vault.Home, ok bool)
	SealRow(table string, fields ...[]byte) (vault.RowSeal, error)
	SealSteady(table string, fields ...[]byte) (vault.RowSeal, error)
	CheckRow(s vault.RowSeal, table string, fields ...[]byte) error
}

// fields are what the seal covers, beside the table's name and the key's id:
// the key, the rev, every look-up, and the body.
func (r Row) fields() [][]byte {
	all := make([][]byte, 0, 3+len(r.Looks))
	all = append(all, r.Key, binary.BigEndian.AppendUint64(nil, r.Rev))
	for _, v := range r.Looks {
		switch v := v.(type) {
		case int64:
			all = append(all, binary.BigEndian.AppendUint64([]byte{'n'}, uint64(v)))
		case []byte:
			all = append(all, append([]byte{'b'}, v...))
		default:
			all = append(all, nil)
		}
	}
	return append(all, r.Body)
}

func (t *Table) sealed(s Sealer, r Row) (Row, error) {
	by := s.SealRow
	if t.Steady {
		by = s.SealSteady
	}
	seal, err := by(t.Name, r.fields()...)
	if err != nil {
		return r, fmt.Errorf("store: seal a row of %s: %w", t.Name, err)
	}
	r.Seal = seal
	return r, nil
}

// check refuses a row that the authority did not write in this place.
func (t *Table) check(s Sealer, r Row) error {
	if len(r.Looks) != len(t.Columns) {
		return fault(t, fmt.Errorf("%d look-up columns", len(r.Looks)))
	}
	for i, v := range r.Looks {
		_, isNumber := v.(int64)
		_, isBytes := v.([]byte)
		if v != nil && isNumber != t.Columns[i].Number || v != nil && isBytes == isNumber {
			return fault(t, fmt.Errorf("column %s has a value of another type", t.Columns[i].Name))
		}
	}
	if r.Seal.IsSteady() != t.Steady {
		return fault(t, vault.ErrRowKey)
	}
	if err := s.CheckRow(r.Seal, t.Name, r.fields()...); err != nil {
		return fault(t, err)
	}
	return nil
}

// fault is the refusal of a row. Its text names the table, never a value.
func fault(t *Table, cause error) error {
	return liuma.Fail(liuma.CodeUnavailable, fmt.Errorf("%w: table %s: %w", store.ErrSeal, t.Name, cause))
}

// join makes one key or look-up of several parts. Each is preceded by its
// length, so that no two lists of parts make the same key.
func join(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// ordered is a time as bytes that sort as the times do.
func ordered(b []byte, ms int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(ms)^1<<63) }

// some is a look-up by bytes; all zeros are none.
func some(b []byte) Value {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return nil
	}
	return b
}

// milli is a look-up by time; the zero time is none.
func milli(t time.Time) Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
