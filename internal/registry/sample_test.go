package registry

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/written"
)

func sample(t testing.TB, people int, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, Sample(&b, people, seed))
	return b.Bytes()
}

func TestSampleIsAFunctionOfItsSeed(t *testing.T) {
	a := sample(t, 500, 1)
	if !bytes.Equal(a, sample(t, 500, 1)) {
		t.Error("one seed makes two files")
	}
	if bytes.Equal(a, sample(t, 500, 2)) {
		t.Error("two seeds make one file")
	}
}

func TestSampleIsPlausible(t *testing.T) {
	const people = 10_000
	began := time.Now()
	data := sample(t, people, 7)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d people took %v", people, took)
	}
	known := make(map[string]bool)
	for line := range strings.Lines(regionsCSV) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), ",")
		if r, err := liuma.ParseRegion(code); err != nil || len(r) != 6 || name == "" || known[code] {
			t.Errorf("region %q %q", code, name)
		}
		known[code] = true
	}
	if len(known) < 60 {
		t.Errorf("%d regions", len(known))
	}
	seen := make(map[string]bool)
	var lost, cancelled, minority int
	rows := plainParser(t)
	regions := make(map[liuma.Region]bool)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != people+1 || lines[0] != header {
		t.Fatalf("%d lines, the first %q", len(lines), lines[0])
	}
	for i, line := range lines[1:] {
		r, reason := rows.row([]byte(line))
		if reason != "" {
			t.Fatalf("line %d: %s: %s", i+2, reason, line)
		}
		// The file has canonical spellings already.
		f := r.facts
		if !strings.HasPrefix(line, f.IDNumber+","+f.Name+","+f.Phone+","+f.CardNo+",") {
			t.Errorf("line %d is not canonical: %s", i+2, line)
		}
		for _, key := range []string{f.IDNumber, f.Phone, f.CardNo} {
			if seen[key] {
				t.Errorf("line %d: %s comes twice", i+2, key)
			}
			seen[key] = true
		}
		if !known[f.IDNumber[:6]] || !known[string(f.Region)] {
			t.Errorf("line %d: unknown region", i+2)
		}
		id, err := ParseIDNumber(f.IDNumber)
		must(t, err)
		if y, _, _ := id.Birthday(); y < sampleYear-maxAge || y >= sampleYear-minAge {
			t.Errorf("line %d: born in %d", i+2, y)
		}
		regions[f.Region] = true
		switch r.physical {
		case liuma.PhysicalLost:
			lost++
		case liuma.PhysicalCancelled:
			cancelled++
		}
		if strings.ContainsRune(f.Name, written.Dot) {
			minority++
		}
	}
	if len(regions) != len(known) || lost < 50 || lost > 200 || cancelled < 50 || cancelled > 200 || minority < 100 || minority > 400 {
		t.Errorf("%d regions, %d lost, %d cancelled, %d names with a dot", len(regions), lost, cancelled, minority)
	}
}

func TestSampleImports(t *testing.T) {
	h := newHouse(t)
	sum, err := h.Import(t.Context(), bytes.NewReader(sample(t, 2000, 3)), ImportConfig{Reject: func(line int, reason string) {
		t.Errorf("line %d: %s", line, reason)
	}})
	must(t, err)
	if n, _ := h.count(t); sum.Kept != 2000 || n != 2000 {
		t.Errorf("%+v, %d people", sum, n)
	}
}

func TestScatterVisitsEveryNumberOnce(t *testing.T) {
	s, err := newSampler(1, 5)
	must(t, err)
	for _, size := range []uint64{10, 97, 1000} {
		sc := newScatter(s.r, size)
		seen := make(map[uint64]bool)
		for i := range size {
			seen[sc.at(i)] = true
		}
		if uint64(len(seen)) != size {
			t.Errorf("size %d: %d numbers", size, len(seen))
		}
	}
}

func TestMobilePrefixesAreInUse(t *testing.T) {
	for _, p := range mobilePrefixes {
		if got, err := ParsePhone(p + "00000000"); err != nil || got != p+"00000000" {
			t.Errorf("prefix %s: %v", p, err)
		}
	}
}

// shortWriter takes n bytes.
type shortWriter struct{ n int }

func (w *shortWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestSampleRefuses(t *testing.T) {
	for _, people := range []int{-1, 0, MaxSample + 1} {
		if err := Sample(io.Discard, people, 1); err == nil {
			t.Errorf("%d people: accepted", people)
		}
	}
	for _, people := range []int{1, 5000} {
		if err := Sample(&shortWriter{n: 10}, people, 1); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%d people to a full disk: %v", people, err)
		}
	}
}
