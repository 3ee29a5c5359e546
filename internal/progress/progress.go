// Package progress shows how far a long piece of work has come: a bar if a
// person is watching, a few plain lines if not. It guarantees that a failure to
// show progress never fails the work, and that every line names the work. It
// trusts its caller with the numbers.
//
// Start here: Bar.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// quarters is how many lines a plain bar writes at most.
const quarters = 4

// Bar shows the progress of one piece of work. It is safe for concurrent use.
// The zero Bar, and a nil one, show nothing.
type Bar struct {
	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil if w is no terminal
	w     io.Writer
	label string
	total int64
	said  int64 // quarters that were written; guarded by mu
	at    int64 // last value; guarded by mu
	done  bool  // guarded by mu
}

// Bytes shows work that is measured in bytes. terminal says whether w is a
// terminal; total must be known.
func Bytes(w io.Writer, label string, total int64, terminal bool) *Bar {
	return newBar(w, label, total, terminal, progressbar.OptionShowBytes(true))
}

// Count shows work that is counted in pieces. terminal says whether w is a
// terminal; total must be known.
func Count(w io.Writer, label string, total int64, terminal bool) *Bar {
	return newBar(w, label, total, terminal, progressbar.OptionShowCount(), progressbar.OptionShowIts())
}

func newBar(w io.Writer, label string, total int64, terminal bool, unit ...progressbar.Option) *Bar {
	b := &Bar{w: w, label: label, total: max(total, 1)}
	if terminal {
		b.bar = progressbar.NewOptions64(b.total, append(unit,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("  "+label),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())...)
	}
	return b
}

// Set sets how much is done.
func (b *Bar) Set(n int64) {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(n)
}

// Add adds to how much is done.
func (b *Bar) Add(n int64) {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(b.at + n)
}

func (b *Bar) setLocked(n int64) {
	if b.done || n < b.at {
		return
	}
	b.at = min(n, b.total)
	if b.bar != nil {
		_ = b.bar.Set64(b.at) // a display that fails does not stop the work
		return
	}
	for q := b.at * quarters / b.total; b.said < q; {
		b.said = q
		fmt.Fprintf(b.w, "  %s: %d%%\n", b.label, q*100/quarters)
	}
}

// Done removes the bar, finished or not.
func (b *Bar) Done() {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	b.done = true
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
