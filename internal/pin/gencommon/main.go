// Command gencommon makes the bitmap of commonly chosen PINs from the list of
// counts beside it. It guarantees that the bitmap has one bit for every row and
// no other, and writes nothing if a row is malformed. It trusts the list to
// hold PINs that many people chose; docs/PINS.md ("Commonly chosen") says where
// it is from.
//
// Run it with go generate ./internal/pin after changing the list.
//
// Start here: main.go.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	dir  = "data"
	list = "pwdb-6digit-counts.tsv"
	out  = "common.bitmap"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("gencommon: %v", err)
	}
}

func run() error {
	f, err := os.Open(filepath.Join(dir, list))
	if err != nil {
		return err
	}
	defer f.Close() // read only
	bitmap, err := build(f)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, out), bitmap, 0o644)
}

// build reads rows of a PIN, a tab and a count. Every row counts, even a rare
// PIN: docs/PINS.md says why.
func build(r io.Reader) ([]byte, error) {
	bitmap := make([]byte, 1_000_000/8)
	rows := bufio.NewScanner(r)
	for line := 1; rows.Scan(); line++ {
		pin, count, ok := strings.Cut(rows.Text(), "\t")
		n, err := strconv.ParseUint(pin, 10, 32)
		if !ok || err != nil || len(pin) != 6 {
			return nil, fmt.Errorf("%s:%d: want six digits, a tab and a count", list, line)
		}
		if c, err := strconv.ParseUint(count, 10, 64); err != nil || c == 0 {
			return nil, fmt.Errorf("%s:%d: bad count", list, line)
		}
		if bitmap[n/8]&(1<<(n%8)) != 0 {
			return nil, fmt.Errorf("%s:%d: the PIN stands there twice", list, line)
		}
		bitmap[n/8] |= 1 << (n % 8)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	return bitmap, nil
}
