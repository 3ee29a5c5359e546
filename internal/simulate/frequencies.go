package simulate

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The reasons for which a row of frequencies is refused. A *RowError names the line.
var (
	ErrRow   = errors.New("want six digits, a tab and a count")
	ErrCount = errors.New("want a count from 1 to 1000000000000")
	ErrTwice = errors.New("the PIN stands there twice")
	ErrEmpty = errors.New("no rows")
)

// RowError says in which line of frequencies something is wrong.
type RowError struct {
	Line int
	Err  error
}

// Error names the line. It never repeats the row.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *RowError) Unwrap() error { return e.Err }

const (
	pins    = 1_000_000
	maxLine = 64
	// mostCount keeps the sum of a million counts in 64 bits.
	mostCount = 1_000_000_000_000
)

// Frequencies say how often each PIN was chosen.
type Frequencies struct {
	rows  []row // the most frequent first, then by the PIN
	total uint64
}

type row struct {
	pin   int
	count uint64
}

// PINs is how many different PINs were chosen.
func (f *Frequencies) PINs() int { return len(f.rows) }

// Choices is how many choices were counted.
func (f *Frequencies) Choices() uint64 { return f.total }

// ReadFrequencies reads rows of a PIN, a tab and a count, in any order, each PIN once. A
// byte order mark and CRLF are taken. All is refused for one bad row.
func ReadFrequencies(r io.Reader) (*Frequencies, error) {
	f := &Frequencies{}
	seen := make([]bool, pins)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	n := 0
	for lines.Scan() {
		text := lines.Text()
		if n++; n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		next, err := readRow(text)
		if err == nil && seen[next.pin] {
			err = ErrTwice
		}
		if err != nil {
			return nil, &RowError{n, err}
		}
		seen[next.pin] = true
		f.rows, f.total = append(f.rows, next), f.total+next.count
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, &RowError{n + 1, ErrRow}
	} else if err != nil {
		return nil, err
	}
	if len(f.rows) == 0 {
		return nil, ErrEmpty
	}
	slices.SortFunc(f.rows, func(a, b row) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.pin, b.pin)) })
	return f, nil
}

func readRow(text string) (row, error) {
	pin, count, ok := strings.Cut(text, "\t")
	if !ok || len(pin) != 6 || strings.Trim(pin, "0123456789") != "" {
		return row{}, ErrRow
	}
	if count == "" || strings.Trim(count, "0123456789") != "" {
		return row{}, ErrRow
	}
	n, err := strconv.Atoi(pin)
	if err != nil {
		return row{}, ErrRow
	}
	c, err := strconv.ParseUint(count, 10, 64)
	if err != nil || c == 0 || c > mostCount {
		return row{}, ErrCount
	}
	return row{n, c}, nil
}
