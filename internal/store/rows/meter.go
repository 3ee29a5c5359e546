package rows

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// meter counts events of a kind and key. Each event stands in Minutes and in
// Hours. Last is the latest time that was metered; nothing is counted before it.
type meter struct {
	Kind    string
	Key     vault.Index
	Last    time.Time
	Minutes spans
	Hours   spans
}

// spans are counts by span of time, oldest first; a span without events is left
// out.
type spans []span

// span has the number of a minute or hour since 1970, and what came in it.
type span struct{ Number, N uint64 }

// MarshalBinary writes each span as two varints: the distance to the one before,
// and its count. So two days of a busy meter are under a kilobyte.
func (s spans) MarshalBinary() ([]byte, error) {
	var b []byte
	var before uint64
	for _, x := range s {
		b = binary.AppendUvarint(binary.AppendUvarint(b, x.Number-before), x.N)
		before = x.Number
	}
	return b, nil
}

func (s *spans) UnmarshalBinary(b []byte) error {
	*s = nil
	var before uint64
	for len(b) > 0 {
		distance, n := binary.Uvarint(b)
		if n <= 0 {
			return errBody
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return errBody
		}
		before += distance
		*s, b = append(*s, span{before, count}), b[n+m:]
	}
	return nil
}

// spanOf is the number of the span that a time is in. Before 1970 there is one.
func spanOf(at time.Time, length time.Duration) uint64 {
	return uint64(max(0, at.UnixMilli()) / length.Milliseconds())
}

// count adds n to the span of at, which is the last one or a later one, and
// forgets those that were over by keptFrom.
func (s spans) count(at, keptFrom time.Time, length time.Duration, n uint64) spans {
	oldest, now := spanOf(keptFrom, length), spanOf(at, length)
	var kept spans
	for _, x := range s {
		if x.Number >= oldest {
			kept = append(kept, x)
		}
	}
	if last := len(kept) - 1; last >= 0 && kept[last].Number == now {
		kept[last].N = plus(kept[last].N, n)
		return kept
	}
	return append(kept, span{now, n})
}

// since is what came in spans that are not over by a time.
func (s spans) since(from time.Time, length time.Duration) (n uint64) {
	for _, x := range s {
		if x.Number >= spanOf(from, length) {
			n = plus(n, x.N)
		}
	}
	return n
}

// plus stops at the highest number.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func meterKey(kind string, key vault.Index) []byte { return join(kind, string(key[:])) }

// meterTable finds meters that nobody counts at any more by the hour of their
// last event: it changes once an hour, so counting leaves the index alone.
func meterTable() kind[meter] {
	return kind[meter]{Table{Name: "meters", Columns: []Column{{Name: "hour", Number: true}}},
		func(m *meter) []byte { return meterKey(m.Kind, m.Key) },
		func(m *meter) []Value { return []Value{int64(spanOf(m.Last, time.Hour))} }}
}

func (r *Reader) Metered(kind string, key vault.Index, since time.Time) (uint64, error) {
	m, _, err := get(r, &r.codec.meters, meterKey(kind, key))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case since.Before(m.Last.Add(-store.MeterMinutes)):
		return m.Hours.since(since, time.Hour), nil
	}
	return m.Minutes.since(since, time.Minute), nil
}

// Meter counts in the transaction of what it counts: a crash before the commit
// leaves neither.
func (t *Tx) Meter(kind string, key vault.Index, at time.Time, n uint64) error {
	if t.ended {
		return errEnded
	}
	if n == 0 {
		return nil
	}
	k := &t.codec.meters
	m, rev, err := get(&t.Reader, k, meterKey(kind, key))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	m.Kind, m.Key = kind, key
	if at.After(m.Last) {
		m.Last = at
	}
	m.Minutes = m.Minutes.count(m.Last, m.Last.Add(-store.MeterMinutes), time.Minute, n)
	m.Hours = m.Hours.count(m.Last, m.Last.Add(-store.MeterKept), time.Hour, n)
	wrote := t.wrote
	if rev == 0 {
		err = insert(t, k, k.key(&m), &m, 1)
	} else {
		err = update(t, k, k.key(&m), &m, rev)
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// PruneMeters goes by whole hours: an hour that is not over is kept.
func (t *Tx) PruneMeters(before time.Time) (int64, error) {
	wrote := t.wrote
	n, err := t.delete(&t.codec.meters.Table, Query{Column: "hour", To: int64(spanOf(before, time.Hour)) - 1, Limit: -1})
	t.wrote, t.kept = wrote, t.kept || n > 0
	return n, err
}
