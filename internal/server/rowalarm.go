package server

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// alarmEvery is how often at most a table's alarm is logged and recorded: a
// queue meets the same altered row every few seconds.
const alarmEvery = time.Minute

// rowAlarm logs and records that the store refused a row (I-13). The store
// calls raise inside a transaction, so a separate goroutine writes the entry.
type rowAlarm struct {
	logger *slog.Logger
	now    func() time.Time
	tables chan string // waiting to be recorded

	mu   sync.Mutex
	last map[string]time.Time // guarded by mu; when each table's alarm was last raised, by the machine's clock
	// first is when each table's alarm was first raised; guarded by mu.
	first map[string]time.Time
}

func newRowAlarm(logger *slog.Logger, now func() time.Time) *rowAlarm {
	return &rowAlarm{logger: logger, now: now, tables: make(chan string, 64), last: map[string]time.Time{}, first: map[string]time.Time{}}
}

// raise never blocks. If the queue is full, the alarm is only logged.
func (a *rowAlarm) raise(table string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.last[table]; ok && time.Since(at) < alarmEvery {
		return
	}
	a.last[table] = time.Now()
	if a.first[table].IsZero() {
		a.first[table] = a.last[table]
	}
	a.logger.Error("ALARM: a row of the database was altered, or is not this authority's; it is refused",
		"table", table, "err", err)
	select {
	case a.tables <- table:
	default:
	}
}

// refused returns when the alarm of each table was first raised.
func (a *rowAlarm) refused() map[string]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.first)
}

// record writes an entry for each alarm until stop is called. A crash between
// alarm and entry loses the entry: the log has it, and the row raises the alarm
// again when it is next read.
func (a *rowAlarm) record(s store.Store) (stop func() error) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case table := <-a.tables:
				a.write(s, table)
			case <-quit:
				return
			}
		}
	}()
	return func() error { close(quit); <-done; return nil }
}

func (a *rowAlarm) write(s store.Store, table string) {
	err := s.Update(context.Background(), func(store.Tx) (audit.Entry, error) {
		return audit.Entry{At: a.now(), Actor: "system", Event: audit.RowRefused, Outcome: "alarm", Note: "table=" + table}, nil
	})
	if err != nil {
		a.logger.Error("the alarm about a refused row was not recorded", "table", table, "err", err)
	}
}
