// Package progress shows how far a long piece of work has come: a bar where a
// person is watching, a few plain lines where not. It guarantees that showing
// never fails the work and that every line says what it is about. It trusts
// its caller with the numbers.
//
// DESIGN section 6.
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

// Bar is one piece of work. Safe for concurrent use. The zero Bar, and a nil
// one, show nothing.
type Bar struct {
	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil without a terminal
	w     io.Writer
	label string
	total int64
	said  int64 // quarters said; guarded by mu
	at    int64 // last value; guarded by mu
	done  bool  // guarded by mu
}

// Bytes shows work that is measured in bytes, Count work that is counted.
// terminal says whether w is one; total must be known.
func Bytes(w io.Writer, label string, total int64, terminal bool) *Bar {
	return newBar(w, label, total, terminal, progressbar.OptionShowBytes(true))
}

// Count shows work that is counted in pieces.
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

// Set says how much is done by now.
func (b *Bar) Set(n int64) {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setLocked(n)
}

// Add says how much more is done.
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
		_ = b.bar.Set64(b.at) // what cannot be shown is no reason to stop
		return
	}
	for q := b.at * quarters / b.total; b.said < q; {
		b.said = q
		fmt.Fprintf(b.w, "  %s: %d%%\n", b.label, q*100/quarters)
	}
}

// Done takes the bar away, however far it came.
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
