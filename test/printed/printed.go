// Package printed keeps what a program prints while a test reads along: a server's log, a
// command's output; and says whether a number stands in it.
//
// Start here: Log, and Has for what must not be there.
package printed

import (
	"bytes"
	"strings"
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

// idLength is how long a run of hexadecimal is that is an id or a hash.
const idLength = 16

// Has reports whether a number of few digits, such as a PIN, stands in a text. Within an id or
// a hash in hexadecimal it is not looked for: any six digits are somewhere in ten thousand of
// them by chance, and a test that wants a PIN to be nowhere would fail once in some hundred.
func Has(text, digits string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], digits)
		if at < 0 {
			return false
		}
		begin, end := from+at, from+at+len(digits)
		for begin > 0 && isHex(text[begin-1]) {
			begin--
		}
		for end < len(text) && isHex(text[end]) {
			end++
		}
		if end-begin < idLength {
			return true
		}
		from = end
	}
}

func isHex(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' }
