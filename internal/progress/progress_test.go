package progress_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/internal/progress"
)

// Without a terminal: a few plain lines, each once, in order.
func TestPlain(t *testing.T) {
	var out bytes.Buffer
	b := progress.Bytes(&out, "import", 1000, false)
	for n := int64(0); n <= 1000; n += 10 {
		b.Set(n)
		b.Set(n - 5) // never goes back
	}
	b.Done()
	b.Done()
	b.Set(1000)
	if got, want := out.String(), "  import: 25%\n  import: 50%\n  import: 75%\n  import: 100%\n"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestPlainLeapsAndOvershoots(t *testing.T) {
	var out bytes.Buffer
	b := progress.Count(&out, "x", 10, false)
	b.Add(6)
	b.Add(60)
	if got, want := out.String(), "  x: 50%\n  x: 100%\n"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestNothingToDo(t *testing.T) {
	var out bytes.Buffer
	b := progress.Bytes(&out, "empty", 0, false)
	b.Set(0)
	b.Done()
	if out.Len() > 0 {
		t.Errorf("got %q", out.String())
	}
}

// On a terminal: a bar that names the work, moved by several goroutines.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	b := progress.Count(&out, "trying", 1000, true)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 100 {
				b.Add(1)
			}
		})
	}
	all.Wait()
	b.Done()
	if !strings.Contains(out.String(), "trying") {
		t.Errorf("got %q", out.String())
	}
}

// A nil Bar shows nothing, so callers need not check for one.
func TestNil(t *testing.T) {
	var b *progress.Bar
	b.Set(1)
	b.Add(1)
	b.Done()
	new(progress.Bar).Set(1)
}
