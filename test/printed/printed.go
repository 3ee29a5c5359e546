// Package printed keeps what a program prints while a test reads along: a server's log, a
// command's output.
//
// Start here: Log.
package printed

import (
	"bytes"
	"sync"
)

// Log is what was printed so far. It is safe for concurrent use; the zero Log is empty.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Last is the end of it, for whoever reads why something failed.
func (l *Log) Last() string {
	all := l.String()
	return all[max(0, len(all)-6000):]
}
