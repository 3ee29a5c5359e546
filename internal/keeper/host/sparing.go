package host

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sameLines is how many log lines with the same message are written in sparedFor.
	sameLines = 10
	sparedFor = time.Minute
)

// sparing is a log that nobody outside can flood: for each message it writes only sameLines
// lines a minute, and counts the rest. The next line with that message carries their
// number, as left_out. For example, a refused handshake is one line, and a thousand
// handshakes a second do not fill the disk.
type sparing struct {
	slog.Handler
	book *book
}

// book remembers what was written. Messages are constants in the code, so there are
// few.
type book struct {
	mu      sync.Mutex
	lines   map[string]*said // guarded by mu
	leftOut uint64           // guarded by mu: since the process began
}

// said counts one message within a minute.
type said struct {
	since  time.Time
	times  int
	untold int // lines that were left out and not yet reported
}

func spare(h slog.Handler) *sparing { return &sparing{h, &book{lines: map[string]*said{}}} }

// Handle implements slog.Handler.
func (s *sparing) Handle(ctx context.Context, r slog.Record) error {
	left, write := s.book.takes(r)
	if !write {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", left))
	}
	return s.Handler.Handle(ctx, r)
}

// takes reports whether to write a line, and how many earlier lines were left out.
func (b *book) takes(r slog.Record) (left int, write bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := r.Level.String() + r.Message
	l := b.lines[key]
	if l == nil {
		l = &said{since: r.Time}
		b.lines[key] = l
	}
	if d := r.Time.Sub(l.since); d >= sparedFor || d < 0 {
		left = l.untold
		*l = said{since: r.Time}
	}
	if l.times == sameLines {
		l.untold++
		b.leftOut++
		return 0, false
	}
	l.times++
	return left, true
}

// left returns how many lines were left out since the process began.
func (b *book) left() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leftOut
}

// WithAttrs implements slog.Handler.
func (s *sparing) WithAttrs(a []slog.Attr) slog.Handler {
	return &sparing{s.Handler.WithAttrs(a), s.book}
}

// WithGroup implements slog.Handler.
func (s *sparing) WithGroup(name string) slog.Handler {
	return &sparing{s.Handler.WithGroup(name), s.book}
}
