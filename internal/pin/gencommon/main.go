// Command gencommon makes the lists of commonly chosen PINs from the counts beside
// them. It guarantees that the strong list has every PIN of the basic one, that the
// same counts give the same bytes, and that it writes nothing if a row is malformed.
// It trusts that the counts are of PINs that many people chose; docs/PINS.md
// ("Commonly chosen") says where they are from and which are taken.
//
// Run it with go generate ./internal/pin after changing the counts.
//
// Start here: main.go.
package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	dir    = "data"
	counts = "pwdb-6digit-counts.tsv"
	out    = "common.list"

	// frequent is how many of the most frequent PINs the basic list has; with the
	// trivial patterns it has about 3,000. These PINs are in the strong list too,
	// whatever they look like.
	frequent = 2900
	pins     = 1_000_000
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("gencommon: %v", err)
	}
}

func run() error {
	f, err := os.Open(filepath.Join(dir, counts))
	if err != nil {
		return err
	}
	defer f.Close() // read only
	list, err := build(f)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, out), list, 0o644)
}

// chosen is a PIN, and how often people chose it.
type chosen struct {
	pin   int
	count uint64
}

// build makes both lists in one file, as internal/pin and the web pad read it.
func build(r io.Reader) ([]byte, error) {
	rows, err := read(r)
	if err != nil {
		return nil, err
	}
	basic, strong := lists(rows)
	var file []byte
	last := -1
	for n := range pins {
		if !strong[n] {
			continue
		}
		entry := uint64(n-last) << 1
		if basic[n] {
			entry |= 1
		}
		file, last = binary.AppendUvarint(file, entry), n
	}
	return file, nil
}

// lists decides which PINs are in which list.
func lists(rows []chosen) (basic, strong []bool) {
	basic, strong = make([]bool, pins), make([]bool, pins)
	for _, n := range trivial() {
		basic[n], strong[n] = true, true
	}
	for i, row := range rows {
		if i < frequent {
			basic[row.pin] = true
		}
		strong[row.pin] = basic[row.pin] || !western(row.pin)
	}
	return basic, strong
}

// trivial are the most obvious patterns: one digit six times, counting up or down,
// one pair three times, two digits three times each.
func trivial() (all []int) {
	for a := range 10 {
		up, down := 0, 0
		for i := range 6 {
			up, down = up*10+(a+i)%10, down*10+(a+10-i)%10
		}
		all = append(all, up, down)
		for b := range 10 {
			all = append(all, (10*a+b)*10101, 111000*a+111*b)
		}
	}
	return all
}

// western reports whether a PIN is a date with the year last, in the American or the
// British order: hardly any Chinese holder writes dates so.
func western(n int) bool {
	a, b, year := n/10000, n/100%100, n%100
	return day(year, a, b) || day(year, b, a)
}

func day(year, month, day int) bool {
	if month < 1 || month > 12 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 {
		days++
	}
	return day >= 1 && day <= days
}

// read reads rows of a PIN, a tab and a count, and returns the most frequent
// first.
func read(r io.Reader) ([]chosen, error) {
	var all []chosen
	seen := make([]bool, pins)
	rows := bufio.NewScanner(r)
	for line := 1; rows.Scan(); line++ {
		pin, count, ok := strings.Cut(rows.Text(), "\t")
		n, err := strconv.ParseUint(pin, 10, 32)
		if !ok || err != nil || len(pin) != 6 {
			return nil, fmt.Errorf("%s:%d: want six digits, a tab and a count", counts, line)
		}
		c, err := strconv.ParseUint(count, 10, 64)
		if err != nil || c == 0 {
			return nil, fmt.Errorf("%s:%d: bad count", counts, line)
		}
		if seen[n] {
			return nil, fmt.Errorf("%s:%d: the PIN stands there twice", counts, line)
		}
		seen[n] = true
		all = append(all, chosen{int(n), c})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", counts, err)
	}
	slices.SortFunc(all, func(a, b chosen) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.pin, b.pin)) })
	return all, nil
}
