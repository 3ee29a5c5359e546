package guard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// Sum is all sums in one, as Merge takes it too.
func (w *world) Sum(all bool) ([]byte, error) {
	sums, err := w.Sums(all)
	var parts []part
	for _, s := range sums {
		_, of, err := parseSum(s.Bytes)
		if err != nil || len(of) != 1 || of[0].number != s.Epoch {
			return nil, fmt.Errorf("%d parts of epoch %d: %w", len(of), s.Epoch, err)
		}
		parts = append(parts, of...)
	}
	return encodeSum(w.origin, parts), err
}

// exchange sends each authority's sum to the others.
func exchange(t *testing.T, whole bool, all ...*world) {
	t.Helper()
	for _, from := range all {
		sum, err := from.Sum(whole)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range all {
			if err := to.Merge(sum); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSeveralAuthoritiesSeeOneSpray spreads a spray over two and over four.
func TestSeveralAuthoritiesSeeOneSpray(t *testing.T) {
	for _, authorities := range []int{2, 4} {
		var all []*world
		for range authorities {
			all = append(all, newWorld(t))
		}
		p, through := value(t, "620594"), 0
		for n := range 1000 {
			if all[n%authorities].try(t, p, guess(n), liuma.Wrong) == nil {
				through++
			}
			if n%10 == 0 {
				exchange(t, false, all...)
			}
			for _, w := range all {
				w.wait(20 * time.Millisecond)
			}
		}
		// Each keeps back what is below shortHide, and a sum comes after ten guesses.
		if most := max(60, authorities*shortHide) + 10; through > most {
			t.Errorf("%d authorities let %d through", authorities, through)
		}
		for i, w := range all {
			if w.rung(ValueSprayed) == 0 {
				t.Errorf("authority %d of %d raised no alarm", i, authorities)
			}
		}
	}
}

// TestMergedCountIsWhatOneWouldHaveSeen compares two guards that exchange sums
// with one that saw all. Noise apart, they agree.
func TestMergedCountIsWhatOneWouldHaveSeen(t *testing.T) {
	loose := func(c *Config) {
		c.Limits = DefaultLimits()
		c.Limits.Short, c.Limits.Long, c.Limits.Refused = 5000, 5000, 5000
	}
	a, b, one := newWorld(t, loose), newWorld(t, loose), newWorld(t, loose)
	pins := settable(t, random(9), 5)
	for n := range 1500 {
		p, q := pins[n%5], guess(n)
		[]*world{a, b}[n/5%2].try(t, p, q, liuma.Wrong)
		one.try(t, p, q, liuma.Wrong)
	}
	exchange(t, false, a, b)
	for i, p := range pins {
		want := one.tally(t, p)
		for _, w := range []*world{a, b} {
			got := w.tally(t, p)
			if got.short.total != 1500 || got.long.total != 1500 {
				t.Errorf("totals %d and %d, want 1500", got.short.total, got.long.total)
			}
			if d := int(got.short.value) - int(want.short.value); d < -noiseTail || d > noiseTail {
				t.Errorf("value %d: %d merged, %d seen by one", i, got.short.value, want.short.value)
			}
			if got.short.value < 300 {
				t.Errorf("value %d: %d merged, 300 were guessed", i, got.short.value)
			}
		}
	}
	// In the long span 150 of each at each authority are more than longHide.
	if got := a.tally(t, pins[0]).long.value; got < 300 {
		t.Errorf("long span: %d merged, 300 were guessed", got)
	}
}

func (w *world) tally(t *testing.T, p interface {
	Use(func([]byte) error) error
}) windows {
	t.Helper()
	pass := &Pass{g: w.Guard, spots: spots{short: w.short.window(), long: w.long.window()}}
	if err := p.Use(func(b []byte) error { pass.locate(b); return nil }); err != nil {
		t.Fatal(err)
	}
	return pass.spots.tally()
}

// TestSumsComeTwiceAndInAnyOrder also loses one and mends it with a whole sum.
func TestSumsComeTwiceAndInAnyOrder(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	var sums [][]byte
	for n := range 50 {
		w.try(t, p, guess(n), liuma.Wrong)
		if n%10 == 9 {
			s, err := w.Sum(false)
			if err != nil {
				t.Fatal(err)
			}
			sums = append(sums, s)
		}
	}
	want := newWorld(t)
	noise := want.tally(t, p).short.value
	counts := map[uint64]bool{}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {4, 0, 4, 2, 1, 0, 3}} {
		to := newWorld(t)
		base := to.tally(t, p).short
		for _, i := range order {
			if err := to.Merge(sums[i]); err != nil {
				t.Fatal(err)
			}
		}
		got := to.tally(t, p).short
		if got.total != 50 {
			t.Errorf("order %v: total %d", order, got.total)
		}
		if got.value < 50 || got.value > 50+noise+base.value+2*noiseTail {
			t.Errorf("order %v: %d, 50 were guessed", order, got.value)
		}
		var others []uint16
		others = append(others, to.short.epochs[to.short.now].others...)
		counts[sumOf(others)] = true
	}
	if len(counts) != 1 {
		t.Errorf("the order of sums makes a difference: %v", counts)
	}
	late := newWorld(t)
	if err := late.Merge(sums[4]); err != nil {
		t.Fatal(err)
	}
	whole, err := w.Sum(true)
	if err := errors.Join(err, late.Merge(whole)); err != nil {
		t.Fatal(err)
	}
	if err := late.try(t, p, guess(1), liuma.Wrong); err != nil && late.tally(t, p).short.value < 60 {
		t.Errorf("after a whole sum: %v", err)
	}
	again, err := w.Sum(false)
	if err != nil || len(again) >= len(whole) {
		t.Errorf("a sum without news has %d bytes, the whole one %d (%v)", len(again), len(whole), err)
	}
}

func sumOf(cells []uint16) (n uint64) {
	for i, c := range cells {
		n += uint64(c) * uint64(i+1)
	}
	return n
}

// TestSmallCountsStayAtHome has a quiet service: no sum may tell of its guesses.
func TestSmallCountsStayAtHome(t *testing.T) {
	w := newWorld(t)
	for n, p := range settable(t, random(10), 200) {
		for range 3 {
			w.try(t, p, guess(n), liuma.Wrong)
		}
	}
	sum, err := w.Sum(true)
	if err != nil {
		t.Fatal(err)
	}
	_, parts, err := parseSum(sum)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		hide := map[byte]int{1: shortHide, 2: longHide}[p.span]
		for _, c := range p.cells {
			if int(c.value) < hide {
				t.Fatalf("span %d: a count of %d leaves", p.span, c.value)
			}
		}
	}
	if len(sum) > 10_000 {
		t.Errorf("the sum of 600 guesses has %d bytes", len(sum))
	}
}

// TestMergeAtTheEdgeOfAnEpoch has one authority whose clock is two seconds
// ahead.
func TestMergeAtTheEdgeOfAnEpoch(t *testing.T) {
	// The one ahead goes on past the limit: what it refuses by its own noise must
	// not leave the other, whose noise differs, below it.
	patient := func(c *Config) { c.Limits = DefaultLimits(); c.Limits.Short *= 2 }
	behind, ahead, p := newWorld(t), newWorld(t, patient), value(t, "620594")
	behind.wait(5*time.Minute - time.Second)
	ahead.wait(5*time.Minute + time.Second)
	for n := range 60 {
		ahead.try(t, p, guess(n), liuma.Wrong)
	}
	exchange(t, false, ahead, behind)
	if err := behind.try(t, p, guess(1), liuma.Wrong); err != nil {
		t.Errorf("before its own epoch begins: %v", err)
	}
	behind.wait(2 * time.Second)
	if err := behind.try(t, p, guess(1), liuma.Wrong); !errors.Is(err, ErrSlowDown) {
		t.Errorf("in the epoch that the sum was about: %v", err)
	}
	ahead.wait(3 * time.Hour)
	if _, err := ahead.Sum(true); err != nil {
		t.Fatal(err)
	}
	ahead.try(t, p, guess(1), liuma.Wrong)
	sum, err := ahead.Sum(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := behind.Merge(sum); !errors.Is(err, ErrSum) {
		t.Errorf("a sum of hours ahead: %v", err)
	}
	old, err := behind.Sum(true)
	if err := errors.Join(err, ahead.Merge(old)); err != nil {
		t.Errorf("a sum of an epoch that is over: %v", err)
	}
}

func TestMergeIsBounded(t *testing.T) {
	w := newWorld(t)
	cells := []cell{{1, 100}}
	for i := range maxOrigins + 1 {
		sum := encodeSum(Origin{byte(i + 1)}, []part{{span: 1, length: 600, number: w.short.now, total: 9, cells: cells}})
		if err := w.Merge(sum); (err == nil) != (i < maxOrigins) {
			t.Errorf("origin %d: %v", i+1, err)
		}
	}
	for range 3 {
		sum := encodeSum(Origin{1}, []part{{span: 1, length: 600, number: w.short.now, total: 9, cells: []cell{{1, math.MaxUint16}}}})
		if err := w.Merge(sum); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.short.epochs[w.short.now].others[1]; n != math.MaxUint16 {
		t.Errorf("others add up to %d", n)
	}
	if err := w.Merge(encodeSum(Origin{1}, []part{{span: 1, length: 60, number: w.short.now, total: 9}})); !errors.Is(err, ErrSum) {
		t.Errorf("epochs of another length: %v", err)
	}
}

func TestOwnSumChangesNothing(t *testing.T) {
	w, p := newWorld(t), value(t, "620594")
	w.spray(t, p, 0, 40)
	before := w.tally(t, p)
	exchange(t, true, w)
	if after := w.tally(t, p); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

// spoilt are sums with one thing wrong each.
func spoilt() map[string][]byte {
	good := part{span: 1, length: 600, number: 5, total: 9, cells: []cell{{1, 30}, {2, 40}}}
	sum := func(change func(*part)) []byte {
		p := good
		p.cells = append([]cell(nil), good.cells...)
		change(&p)
		return encodeSum(Origin{1}, []part{p})
	}
	whole := sum(func(*part) {})
	count := func(n byte) []byte { b := bytes.Clone(whole); b[sumHeader-1] = n; return b }
	cellCount := func(n uint32) []byte {
		b := bytes.Clone(whole)
		binary.BigEndian.PutUint32(b[sumHeader+partHeader-4:], n)
		return b
	}
	version := bytes.Clone(whole)
	version[0] = 2
	return map[string][]byte{
		"empty": {}, "version": version, "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0),
		"no part but bytes": count(0), "a part too many": count(2), "five parts": count(5),
		"a cell too few": cellCount(1), "a cell too many": cellCount(3), "endless cells": cellCount(math.MaxUint32),
		"span 0": sum(func(p *part) { p.span = 0 }), "span 3": sum(func(p *part) { p.span = 3 }),
		"no length": sum(func(p *part) { p.length = 0 }), "before 1970": sum(func(p *part) { p.number = -1 }),
		"no total": sum(func(p *part) { p.total = 0 }), "endless total": sum(func(p *part) { p.total = math.MaxUint64 }),
		"cell twice":         sum(func(p *part) { p.cells[1].at = 1 }),
		"cells out of order": sum(func(p *part) { p.cells[1].at = 0 }),
		"no such cell":       sum(func(p *part) { p.cells[1].at = rows * shortWidth }),
		"empty cell":         sum(func(p *part) { p.cells[1].value = 0 }),
		"part twice":         encodeSum(Origin{1}, []part{good, good}),
	}
}

func TestSumsThatAreNone(t *testing.T) {
	w := newWorld(t)
	for name, b := range spoilt() {
		if err := w.Merge(b); !errors.Is(err, ErrSum) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.short.epochs[w.short.now].reports); n != 0 {
		t.Errorf("%d origins were taken", n)
	}
}

// FuzzSum wants every sum that is read to be the one encoding of what was read.
func FuzzSum(f *testing.F) {
	for _, b := range spoilt() {
		f.Add(b)
	}
	f.Add(encodeSum(Origin{1}, nil))
	f.Add(encodeSum(Origin{2}, []part{{span: 1, length: 600, number: 5, total: 9, cells: []cell{{7, 30}}}, {span: 2, length: 43200, number: 1, total: 9}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, parts, err := parseSum(b)
		if err != nil {
			if !errors.Is(err, ErrSum) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if again := encodeSum(from, parts); !bytes.Equal(again, b) {
			t.Fatalf("%x reads as %x", b, again)
		}
	})
}

// TestStoredSumIsRead keeps the encoding as it is: authorities of two releases
// exchange sums.
func TestStoredSumIsRead(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "sum-1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	want := encodeSum(Origin{0xaa, 15: 0xbb}, []part{
		{span: 1, length: 600, number: 2_952_301, total: 70_000, cells: []cell{{5, 24}, {262_143, 65_535}}},
		{span: 2, length: 43_200, number: 41_004, total: 2_000_000, cells: []cell{{1_048_575, 128}}}})
	if got := string(bytes.TrimSpace(b)); got != fmt.Sprintf("%x", want) {
		t.Errorf("stored %s, made %x", got, want)
	}
}
