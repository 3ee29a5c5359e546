package sqlite

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

func rowOf(key, body string) *kept {
	return keep(rows.Row{Key: []byte(key), Rev: 1, Body: []byte(body)})
}

func changes(table string, ks ...*kept) *pending {
	p := &pending{}
	for _, k := range ks {
		p.put(table, k)
	}
	return p
}

// saw is the body of a row of table cards that a view is given, "-" if it is given that
// there is none, and "" if it has to read the file.
func saw(m *recent, from uint64, key string) string {
	k, ok := m.at(from, "cards", []byte(key))
	switch {
	case !ok:
		return ""
	case k.absent:
		return "-"
	}
	return string(k.row.Body)
}

func wantSaw(t *testing.T, m *recent, from uint64, key, want, why string) {
	t.Helper()
	if got := saw(m, from, key); got != want {
		t.Errorf("%s: a view from commit %d is given %q of %s, want %q", why, from, got, key, want)
	}
}

func commitRows(m *recent, p *pending) {
	m.begin(p)
	m.settle(p, true)
}

// TestRecentGivesItsSnapshot: a view is given a row that has been the same since the commit
// before its snapshot, and that the commit under way does not change.
func TestRecentGivesItsSnapshot(t *testing.T) {
	m := newRecent()
	commitRows(m, changes("cards", rowOf("a", "1"), rowOf("b", "1")))
	wantSaw(t, m, 0, "a", "", "changed after the view began")
	wantSaw(t, m, 1, "a", "1", "as it is")
	p := changes("cards", rowOf("a", "2"), keepAbsent([]byte("b")))
	m.begin(p)
	wantSaw(t, m, 1, "a", "", "the commit under way changes it")
	wantSaw(t, m, 1, "b", "", "the commit under way deletes it")
	m.offer(1, "cards", rowOf("a", "0"))
	m.settle(p, true)
	wantSaw(t, m, 1, "a", "", "changed since")
	wantSaw(t, m, 2, "a", "2", "committed")
	wantSaw(t, m, 2, "b", "-", "deleted")
	m.offer(1, "cards", rowOf("a", "1"))
	wantSaw(t, m, 2, "a", "2", "a view offers what it read before")
}

// TestRecentForgets: what is not certain is read from the file again, and no view brings it
// back that read it before.
func TestRecentForgets(t *testing.T) {
	for name, lost := range map[string]func(m *recent, p *pending){
		"a commit that failed": func(m *recent, p *pending) { m.begin(p); m.settle(p, false) },
		"rolled back":          func(m *recent, p *pending) { m.settle(p, false) },
		"somebody else wrote":  func(m *recent, p *pending) { m.forget() },
		"a sweep":              func(m *recent, p *pending) { p.sweep("cards"); commitRows(m, p) },
	} {
		m := newRecent()
		commitRows(m, changes("cards", rowOf("a", "1")))
		from := m.now()
		lost(m, changes("cards", rowOf("a", "2")))
		for _, at := range []uint64{from, m.now()} {
			wantSaw(t, m, at, "a", "", name)
		}
		if name == "a commit that failed" || name == "rolled back" {
			from-- // from now on the row is known to be as at from
		}
		m.offer(from, "cards", rowOf("a", "1"))
		wantSaw(t, m, m.now(), "a", "", name+", and a view brings it back")
	}
}

// TestRecentIsBounded: by rows and by bytes. Of what was driven out, no view brings back
// what it read before the change.
func TestRecentIsBounded(t *testing.T) {
	m := newRecent()
	s := m.committed["cards"]
	commitRows(m, changes("cards", rowOf("old", "2")))
	for i := range s.limit + 10 {
		m.learn("cards", rowOf(fmt.Sprint(i), "1"))
	}
	if len(s.rows) != s.limit || s.order.Len() != s.limit {
		t.Errorf("%d rows, want %d", len(s.rows), s.limit)
	}
	wantSaw(t, m, m.now(), "old", "", "driven out")
	m.offer(0, "cards", rowOf("old", "1"))
	wantSaw(t, m, m.now(), "old", "", "a view brings back what was changed since")
	m.offer(m.now(), "cards", rowOf("old", "2"))
	wantSaw(t, m, m.now(), "old", "2", "read again")
	for i := range s.limit {
		m.learn("cards", keep(rows.Row{Key: fmt.Appendf(nil, "big %d", i), Body: make([]byte, 5*meanSize)}))
	}
	size := 0
	for e := s.order.Front(); e != nil; e = e.Next() {
		size += e.Value.(*kept).size()
	}
	if size != s.size || size > s.limit*meanSize || len(s.rows) > s.limit/5 {
		t.Errorf("%d rows of %d bytes, counted are %d", len(s.rows), size, s.size)
	}
}

// TestPendingIsBounded: what a transaction wrote that is not in memory is read from the file.
func TestPendingIsBounded(t *testing.T) {
	s, _ := openForFaults(t)
	if err := insertCards(t, s, 0, 1); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		first, err := tx.Card(faultCard(0).ID)
		first.Reserved = 5
		err = errors.Join(err, tx.UpdateCard(first))
		return audit.Entry{At: time.UnixMilli(1e12), Actor: "system", Event: audit.CardEnrolled, Card: first.ID, Outcome: "ok"}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := insertCards(t, s, 1, mostPending+10); err != nil {
		t.Fatal(err)
	}
	if n := len(s.writer.recent.committed["cards"].rows); n >= mostPending {
		t.Errorf("%d cards are in memory", n)
	}
	p := &pending{}
	for i := range mostPending + 10 {
		p.put("cards", rowOf(fmt.Sprint(i), "1"))
	}
	if len(p.rows["cards"]) != 10 || !p.touches("cards", "0") || !p.touches("cards", fmt.Sprint(mostPending)) {
		t.Errorf("%d rows wait", len(p.rows["cards"]))
	}
	for _, i := range []int{0, 1, mostPending + 5} {
		err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			c, err := tx.Card(faultCard(i).ID)
			if i == 0 && c.Reserved != 5 {
				t.Errorf("the first card has %d", c.Reserved)
			}
			return audit.Entry{}, err
		})
		if err != nil {
			t.Errorf("card %d: %v", i, err)
		}
	}
}

// TestRowsThatAreKept: nothing but a statement that names it changes a row of a table that
// is kept in memory, so the writer knows of each change.
func TestRowsThatAreKept(t *testing.T) {
	s, _ := openForFaults(t)
	n := 0
	for _, table := range rows.Tables() {
		if table.Recent == 0 {
			continue
		}
		n++
		foreign, err := s.writer.conn.number("SELECT count(*) FROM pragma_foreign_key_list('" + table.Name + "')")
		if err != nil || foreign != 0 || table.Parent != "" {
			t.Errorf("%s depends on another table's rows (%v)", table.Name, err)
		}
		acts, err := s.writer.conn.number(`SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND (sql LIKE '%UPDATE ` +
			table.Name + ` SET%' OR sql LIKE '%INTO ` + table.Name + `%' OR sql LIKE '%DELETE FROM ` + table.Name + `%')`)
		if err != nil || acts != 0 {
			t.Errorf("a trigger writes to %s (%v)", table.Name, err)
		}
	}
	if n == 0 {
		t.Error("no table is kept")
	}
}

func touch(tx store.Tx) (audit.Entry, error) {
	c, err := tx.Card(faultCard(1).ID)
	c.Reserved++
	return audit.Entry{At: time.UnixMilli(1e12), Actor: "system", Event: audit.CardEnrolled, Card: c.ID, Outcome: "ok"}, errors.Join(err, tx.UpdateCard(c))
}

// TestWriterRemembers: a card that was read or written lately is not read again, and
// neither a commit nor a checkpoint of the writer's own makes it forget.
func TestWriterRemembers(t *testing.T) {
	s, _ := openForFaults(t)
	if err := insertCards(t, s, 1, 2); err != nil {
		t.Fatal(err)
	}
	read := tap(t, s, s.writer.conn.of(&rows.Tables()[0]).get)
	for i := range 40 {
		if i == 20 {
			err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				_, err := touch(tx)
				return audit.Entry{}, errors.Join(err, errDisk)
			})
			if !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
		}
		if err := s.Update(t.Context(), touch); err != nil {
			t.Fatal(err)
		}
	}
	if read.runs > 1 { // after the Update that failed
		t.Errorf("the card was read from the file %d times", read.runs)
	}
}

// TestWriterNoticesOthers: a row that somebody else altered in the file is refused by the
// next transaction, though it was in memory, and from then on by views as well (I-13).
func TestWriterNoticesOthers(t *testing.T) {
	s, path := openForFaults(t)
	if err := insertCards(t, s, 1, 2); err != nil {
		t.Fatal(err)
	}
	ctx := store.Expect(t.Context(), store.Expected{Channel: "zj-hrss", Business: "B1"})
	view := func() error {
		return s.View(ctx, func(r store.Reader) error { _, err := r.Card(faultCard(1).ID); return err })
	}
	for range 2 { // by then it is in memory
		if err := errors.Join(view(), s.Update(t.Context(), touch)); err != nil {
			t.Fatal(err)
		}
	}
	thief, err := openConn(path, sqlitefile.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer thief.close()
	if _, err := thief.exec("UPDATE cards SET seal = zeroblob(32)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), touch); !errors.Is(err, store.ErrSeal) {
		t.Errorf("an Update after it: %v", err)
	}
	if err := view(); !errors.Is(err, store.ErrSeal) {
		t.Errorf("a View after it: %v", err)
	}
}
