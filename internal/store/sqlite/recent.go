package sqlite

import (
	"bytes"
	linked "container/list"
	"slices"
	"sync"

	"github.com/liuma-pin/liuma/internal/store/rows"
)

// recent keeps in memory the rows that were written or read last, of the tables that
// allow it (rows.Table.Recent), as the last commit left them: a verification reads the
// same few rows in a view and in two transactions. A row comes from here only where it
// is what the file would give, so nothing takes effect later than its commit:
//
//   - Only the writer changes the file. What it writes waits in a pending until its
//     commit is certain, and is forgotten after anything else.
//   - Commits are numbered. A row that is here is as it was after each commit from its
//     since on. What a commit changes is here from then on, under that number, until it
//     is driven out; floor is the highest number that was.
//   - A view knows the last commit before its snapshot (from) and no more: the snapshot
//     may hold later ones, and the one under way. It is given a row that has been the
//     same since from, and that the commit under way does not change: then it was the
//     same in each of them. What a view has read is taken in under the same condition.
//   - Whoever else writes to the file, past the lease, is seen by the writer when its
//     next transaction begins (conn.version): then everything is forgotten, and the
//     rows are read from the file again and their seals checked (I-13). The seal of a row
//     that stays here is checked once (rows.Known).
//
// After a crash there is nothing here. Safe for concurrent use.
type recent struct {
	mu        sync.Mutex
	number    uint64 // of the last commit since Open; by mu
	committed map[string]*shelf
	// committing is what the commit under way changes; nil: none is; by mu
	committing *pending
}

// shelf keeps rows of one table, at most limit of them and limit * meanSize bytes.
type shelf struct {
	limit int
	floor uint64 // a change after this commit is still here
	size  int
	rows  map[string]*linked.Element // of *kept
	order *linked.List               // the one that was used last in front
}

// kept is a row, or that there is none with the key. Nobody changes it, or what it
// points to.
type kept struct {
	key    string
	row    rows.Row
	absent bool
	since  uint64
}

// meanSize is how many bytes a row may have where all have as many. overhead is what one
// costs beside its bytes.
const (
	meanSize = 1 << 10
	overhead = 256
)

// mostPending bounds the rows of one table that wait for their commit, as an import's: where
// there are more, the table is taken for swept, and its rows are read from the file.
const mostPending = 2048

func (k *kept) size() int {
	n := overhead + 2*len(k.key) + len(k.row.Body)
	for _, v := range k.row.Looks {
		if b, ok := v.([]byte); ok {
			n += len(b)
		}
	}
	return n
}

// pending is what the writer's open transaction has changed in tables that are kept.
// Used by the writer's loop; a view reads it while it is recent.committing, when nobody
// changes it.
type pending struct {
	rows map[string]map[string]*kept // by table and key
	// swept are the tables of which rows were deleted otherwise than by one key, or too
	// many were written. What stands in rows was written after that.
	swept map[string]bool
}

func newRecent() *recent {
	m := &recent{committed: map[string]*shelf{}}
	for _, t := range rows.Tables() {
		if t.Recent > 0 {
			m.committed[t.Name] = &shelf{limit: t.Recent, rows: map[string]*linked.Element{}, order: linked.New()}
		}
	}
	return m
}

// now is the number of the last commit.
func (m *recent) now() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.number
}

// last returns a row for the writer, which has not changed it in its open transaction.
func (m *recent) last(table string, key []byte) (*kept, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.committed[table].get(key)
}

// learn takes in what the writer has read from the file, and has not changed in its open
// transaction.
func (m *recent) learn(table string, k *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k.since = m.number
	m.committed[table].put(k)
}

// at returns a row for a view whose snapshot was taken after from was the last commit.
func (m *recent) at(from uint64, table string, key []byte) (*kept, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.committing.touches(table, string(key)) {
		return nil, false
	}
	k, ok := m.committed[table].get(key)
	if !ok || k.since > from {
		return nil, false
	}
	return k, true
}

// offer takes in what a view has read from its snapshot, if it is what the last commit
// left: nothing that changed the row since from has been driven out, and none is here.
func (m *recent) offer(from uint64, table string, k *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.committed[table]
	if _, there := s.rows[k.key]; there || s.floor > from || m.committing.touches(table, k.key) {
		return
	}
	k.since = from
	s.put(k)
}

// begin has views read from the file what the commit that begins now changes, until
// settle. Whether it is kept, they cannot know.
func (m *recent) begin(p *pending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.committing = p
}

// settle takes in what a transaction changed, if its commit is certain, and otherwise
// forgets those rows.
func (m *recent) settle(p *pending, kept bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.committing = nil
	if kept {
		m.number++
	}
	for table := range p.swept {
		m.committed[table].clear(m.number)
	}
	for table, changed := range p.rows {
		s := m.committed[table]
		for key, k := range changed {
			if !kept {
				s.drop(key, m.number)
				continue
			}
			k.since = m.number
			s.put(k)
		}
	}
	p.rows, p.swept = nil, nil
}

// forget drops everything: somebody else wrote to the file.
func (m *recent) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.number++ // a view that has begun is given nothing that comes in from now on
	for _, s := range m.committed {
		s.clear(m.number)
	}
}

func (s *shelf) get(key []byte) (*kept, bool) {
	e, ok := s.rows[string(key)]
	if !ok {
		return nil, false
	}
	s.order.MoveToFront(e)
	return e.Value.(*kept), true
}

// put adds a row or replaces it, and drives out those that were used least lately.
func (s *shelf) put(k *kept) {
	if e, ok := s.rows[k.key]; ok {
		s.size += k.size() - e.Value.(*kept).size()
		e.Value = k
		s.order.MoveToFront(e)
	} else {
		s.rows[k.key] = s.order.PushFront(k)
		s.size += k.size()
	}
	for len(s.rows) > s.limit || s.size > s.limit*meanSize {
		oldest := s.order.Back().Value.(*kept)
		s.drop(oldest.key, oldest.since)
	}
}

// drop takes a row away that may have changed in any commit up to floor.
func (s *shelf) drop(key string, floor uint64) {
	s.floor = max(s.floor, floor)
	if e, ok := s.rows[key]; ok {
		s.size -= e.Value.(*kept).size()
		s.order.Remove(e)
		delete(s.rows, key)
	}
}

func (s *shelf) clear(floor uint64) {
	s.floor, s.size = max(s.floor, floor), 0
	clear(s.rows)
	s.order.Init()
}

func (p *pending) touches(table, key string) bool {
	if p == nil {
		return false
	}
	_, ok := p.rows[table][key]
	return ok || p.swept[table]
}

// get returns a row as the open transaction has changed it.
func (p *pending) get(table string, key []byte) (*kept, bool) {
	k, ok := p.rows[table][string(key)]
	return k, ok
}

func (p *pending) put(table string, k *kept) {
	if p.rows == nil {
		p.rows = map[string]map[string]*kept{}
	}
	if len(p.rows[table]) >= mostPending {
		p.sweep(table)
	}
	if p.rows[table] == nil {
		p.rows[table] = map[string]*kept{}
	}
	p.rows[table][k.key] = k
}

func (p *pending) sweep(table string) {
	if p.swept == nil {
		p.swept = map[string]bool{}
	}
	p.swept[table] = true
	delete(p.rows, table)
}

// keep is a row for the memory, as the file has it or will have it. Its key and look-ups
// may be parts of what the caller goes on with; a body is never written to again.
func keep(w rows.Row) *kept {
	w.Key, w.Home = bytes.Clone(w.Key), nil
	w.Looks = slices.Clone(w.Looks)
	for i, v := range w.Looks {
		if b, ok := v.([]byte); ok {
			w.Looks[i] = bytes.Clone(b)
		}
	}
	return &kept{key: string(w.Key), row: w}
}

// keepSealed is a row that was written.
func keepSealed(w rows.Row) *kept {
	w.Known = rows.Sealed()
	return keep(w)
}

func keepAbsent(key []byte) *kept { return &kept{key: string(key), absent: true} }
