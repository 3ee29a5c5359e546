package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/gathering"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

const (
	// maxBatch bounds how many Updates share a commit, so that the first does not
	// wait long for the last.
	maxBatch = 128
	// maxCulprits is how often a batch is run again without the Update that
	// failed; after that each runs by itself. So Updates that write and then fail
	// cause only limited work to others.
	maxCulprits = 3
	// scrubEvery is how long a failed scrub of the WAL waits to be tried again.
	scrubEvery = 10 * time.Second
)

// writer owns the one connection that writes. Its goroutine takes the Updates
// that were queued during the last commit, and those that others are about to queue
// (package gathering), runs them in one transaction, and answers them after the
// commit: one sync for all.
type writer struct {
	conn    *conn // used by loop only
	file    *sqlitefile.File
	codec   *rows.Codec
	process audit.ProcessID // this process start, whose stream has the entries without a card
	scrubAt time.Time       // when to try to scrub; zero: no need; loop only
	looping bool            // loop was started; set by Open
	// committed hears of every card whose head rose; called by loop only.
	committed func(card liuma.CardID, read, head uint64)
	batched   func(updates int) // hears of durable commits; nil: nobody
	// head is raised to raise after commits that wrote the shared row; loop only.
	head  rows.SharedHead
	raise uint64
	retry time.Time // when to try a raise that failed again
	// recent has the rows that were used last; pending is what the open transaction changes
	// of them, and version that of the file when the writer left it; loop only, but recent.
	recent  *recent
	pending pending
	version uint32

	mu     sync.Mutex
	queue  []*call // by mu
	closed bool    // by mu
	wake   chan struct{}
	done   chan struct{}

	failed atomic.Pointer[error] // set once, never taken back
}

// call is one Update. state moves once from waiting to taken or withdrawn.
type call struct {
	f      func(store.Tx) (audit.Entry, error)
	state  atomic.Int32
	result chan result // holds one result
}

const (
	waiting int32 = iota
	taken
	withdrawn
)

// result is how a call ended. undo says that its writes must not be kept.
type result struct {
	err      error
	panicked bool
	value    any // of the panic
	undo     bool
	wrote    bool
	destroys bool // a seal key was deleted
	heads    []rows.Head
	raised   uint64 // rev of the shared row; zero: not written
}

func newWriter(c *conn, file *sqlitefile.File, codec *rows.Codec, committed func(liuma.CardID, uint64, uint64), head rows.SharedHead) *writer {
	return &writer{conn: c, file: file, codec: codec, committed: committed, head: head, process: audit.NewProcessID(), recent: newRecent(),
		wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// update queues f and waits. ctx can withdraw f only while it is queued; after
// that update returns the true outcome.
func (w *writer) update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	c := &call{f: f, result: make(chan result, 1)}
	if err := w.enqueue(c); err != nil {
		return err
	}
	var r result
	select {
	case r = <-c.result:
	case <-ctx.Done():
		if c.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
		r = <-c.result
	}
	if r.panicked {
		panic(r.value)
	}
	return r.err
}

func (w *writer) enqueue(c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		if err := w.failure(); err != nil {
			return err
		}
		return store.ErrClosed
	}
	w.queue = append(w.queue, c)
	w.nudge()
	return nil
}

// nudge wakes the loop, or leaves a wake-up for its next wait.
func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop lets the loop finish the queue and waits for its end.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.nudge()
	w.mu.Unlock()
	if w.looping {
		<-w.done
	}
}

func (w *writer) failure() error {
	if p := w.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// fail makes the store refuse everything from now on.
func (w *writer) fail(cause error) error {
	err := fmt.Errorf("%w: %w", store.ErrFailed, cause)
	w.failed.CompareAndSwap(nil, &err)
	return w.failure()
}

func (w *writer) loop() {
	defer close(w.done)
	var batch []*call
	defer func() { w.abandon(batch) }()
	for {
		var more bool
		gathering.Wait(w.queued, maxBatch)
		batch, more = w.next(batch[:0])
		if len(batch) > 0 {
			w.settle(batch)
			clear(batch)
			continue
		}
		if !more {
			return
		}
		<-w.wake
	}
}

func (w *writer) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// next takes up to maxBatch calls off the queue. more reports whether others
// may still come.
func (w *writer) next(batch []*call) (_ []*call, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.queue {
		if len(batch) == maxBatch {
			break
		}
		n++
		if c.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, c)
		}
	}
	rest := copy(w.queue, w.queue[n:])
	clear(w.queue[rest:])
	w.queue = w.queue[:rest]
	return batch, !w.closed
}

// abandon answers the waiting callers if a closure ended the loop's goroutine
// (runtime.Goexit, which cannot be recovered from). At the usual end no caller
// is waiting.
func (w *writer) abandon(batch []*call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch = append(batch, w.queue...)
	w.queue = nil
	for _, c := range batch {
		if c == nil {
			continue
		}
		w.closed = true
		c.state.CompareAndSwap(waiting, taken)
		c.answer(result{err: w.fail(errors.New("an update ended the writer's goroutine"))})
	}
}

// answer never blocks: a call keeps its first result.
func (c *call) answer(r result) {
	select {
	case c.result <- r:
	default:
	}
}

// settle answers every call of the batch. A call that fails after it wrote
// undoes the whole transaction. It is then run by itself, so that its error
// depends on committed state alone, and the others are run again.
func (w *writer) settle(batch []*call) {
	for culprits := 0; len(batch) > 0; {
		n := len(batch)
		if culprits > maxCulprits {
			n = 1
		}
		bad := w.attempt(batch[:n])
		if bad < 0 {
			batch = batch[n:]
			continue
		}
		culprits++
		w.attempt(batch[bad : bad+1])
		copy(batch[1:bad+1], batch[:bad]) // keeps the order of the others
		batch = batch[1:]
	}
	w.scrub()
}

// attempt runs the calls in one transaction, commits and answers them. If one
// of several must be undone, nothing is kept or answered, and its index is
// returned; otherwise -1.
//
// A crash before the commit leaves nothing of the batch, one after it leaves
// all of it with its entries (I-8); no caller is answered before.
func (w *writer) attempt(calls []*call) (bad int) {
	if err := w.failure(); err != nil {
		return answerAll(calls, err)
	}
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return answerAll(calls, told(err))
	}
	if err := w.foreign(); err != nil {
		return answerAll(calls, cmp.Or(w.rollback(), told(err)))
	}
	wrote, destroys := false, false
	results := make([]result, len(calls))
	for i, c := range calls {
		r := w.run(c)
		if r.undo {
			return w.undo(calls, i, r)
		}
		results[i] = r
		wrote = wrote || r.wrote
		destroys = destroys || r.destroys
	}
	if err := w.commit(wrote); err != nil {
		return answerAll(calls, err)
	}
	if wrote && w.batched != nil {
		w.batched(len(calls))
	}
	if destroys {
		w.scrubAt = time.Now()
		w.scrub()
	}
	for i := range calls {
		w.raise = max(w.raise, results[i].raised)
	}
	w.raiseHead()
	for i, c := range calls {
		for _, h := range results[i].heads {
			w.committed(h.Card, h.Read, h.Rev)
		}
		c.answer(results[i])
	}
	return -1
}

// foreign forgets what is in memory if the file is not as the writer left it: somebody
// else wrote to it, or copied the log into it.
func (w *writer) foreign() error {
	version, err := w.conn.version()
	if err != nil || version == w.version {
		return err
	}
	w.recent.forget()
	w.version = version
	return nil
}

// leave notes how the writer leaves the file, and whether what it changed there is kept.
// Where its version is not known, the next transaction finds another one.
func (w *writer) leave(kept bool) {
	w.recent.settle(&w.pending, kept)
	if version, err := w.conn.version(); err == nil {
		w.version = version
	}
}

// raiseHead raises the head that is kept outside, after the commit: the other
// way round a crash in between would leave a database that is refused. If it
// fails, what was committed stands; an alarm tells, and it is tried again.
func (w *writer) raiseHead() {
	if w.head == nil || w.raise <= w.head.Number() || time.Now().Before(w.retry) {
		return
	}
	if err := w.head.Raise(w.raise); err != nil {
		w.retry = time.Now().Add(scrubEvery)
		w.codec.Alarm("shared", fmt.Errorf("store: raise the head: %w", err))
	}
}

func answerAll(calls []*call, err error) int {
	for _, c := range calls {
		c.answer(result{err: err})
	}
	return -1
}

// undo rolls the transaction back. A call that ran alone is answered.
func (w *writer) undo(calls []*call, i int, r result) (bad int) {
	if err := w.rollback(); err != nil {
		return answerAll(calls, err)
	}
	if len(calls) > 1 {
		return i
	}
	calls[0].answer(r)
	return -1
}

// commit ends the transaction. An error leaves it unknown what is on disk: the
// frames may have been written and not synced, so the store fails closed. A full
// disk alone says that the commit was not written, and once the transaction is
// gone for certain, the store serves on.
func (w *writer) commit(wrote bool) error {
	if !wrote {
		return w.rollback()
	}
	w.recent.begin(&w.pending)
	if _, err := w.conn.exec("COMMIT"); sqlitefile.Full(err) && w.rollback() == nil {
		return fmt.Errorf("%w: commit: %w", store.ErrFull, err)
	} else if err != nil {
		return w.fail(fmt.Errorf("commit: %w", err))
	}
	w.leave(true)
	if err := w.file.Check(); err != nil {
		return w.fail(err)
	}
	return nil
}

// rollback leaves no transaction open. After some errors SQLite has rolled back
// by itself, and its only sign is that it refuses ROLLBACK; beginning a new
// transaction proves it.
func (w *writer) rollback() error {
	defer w.leave(false)
	_, err := w.conn.exec("ROLLBACK")
	if err == nil {
		return nil
	}
	if _, e := w.conn.exec("BEGIN IMMEDIATE"); e != nil {
		return w.fail(fmt.Errorf("rollback: %w", errors.Join(err, e)))
	}
	if _, e := w.conn.exec("ROLLBACK"); e != nil {
		return w.fail(fmt.Errorf("rollback: %w", errors.Join(err, e)))
	}
	return nil
}

// run runs one closure and writes its entry.
func (w *writer) run(c *call) (r result) {
	to := &change{snapshot{conn: w.conn, ctx: context.Background()}, w.recent, &w.pending}
	t := rows.NewTx(w.codec, to)
	defer func() { t.End(); to.conn = nil }() // the Tx is invalid after f
	entry, r := protect(c.f, t)
	r.wrote, r.destroys = t.Wrote(), t.Destroys()
	if to.broken != nil {
		// The closure may have ignored the error; nothing after it can be trusted.
		r.err, r.undo = told(to.broken), true
		return r
	}
	if r.err != nil || r.panicked {
		r.undo = t.Wrote() || t.Kept()
		return r
	}
	if err := t.Finish(entry, w.process); err != nil {
		if sqlitefile.Full(err) {
			err = told(err)
		}
		r.err, r.undo = err, true
		return r
	}
	r.wrote, r.heads, r.raised = t.Wrote() || t.Kept(), t.Heads(), t.Raised()
	return r
}

// told is an error of the database as callers get it.
func told(err error) error {
	if sqlitefile.Full(err) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return fmt.Errorf("store: %w", err)
}

// protect keeps a panic from the loop; update raises it again in its caller.
func protect(f func(store.Tx) (audit.Entry, error), t store.Tx) (e audit.Entry, r result) {
	returned := false
	defer func() {
		if !returned {
			r.value = recover()
			r.panicked = true
		}
	}()
	e, r.err = f(t)
	returned = true
	return e, r
}

// scrub empties the WAL after a seal key was destroyed, so that no file holds
// the key any more: secure_delete has overwritten it in the database file. A
// long View can block this; then it is tried again after a later batch, and at
// Close.
func (w *writer) scrub() {
	if w.scrubAt.IsZero() || time.Now().Before(w.scrubAt) || w.failure() != nil {
		return
	}
	var blocked bool
	err := w.conn.query(func(r *row) error {
		blocked = r.bool()
		r.int() // frames in the WAL
		r.int() // frames copied
		return nil
	}, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil || blocked {
		w.scrubAt = time.Now().Add(scrubEvery)
		return
	}
	w.scrubAt = time.Time{}
}
