package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// faulty fails the Update number failAt (from 1), and runs each f twice, the
// first time in a transaction that is not kept, as the contract allows.
type faulty struct {
	store.Store
	failAt  int
	updates int
	before  func(update int) // called before each Update
}

var errFault = errors.New("fault")

func (s *faulty) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	s.updates++
	if s.before != nil {
		s.before(s.updates)
	}
	if s.updates == s.failAt {
		return errFault
	}
	err := s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		if _, err := f(tx); err != nil {
			return audit.Entry{}, err
		}
		return audit.Entry{}, errFault
	})
	if !errors.Is(err, errFault) {
		return err
	}
	return s.Store.Update(ctx, f)
}

func TestAFaultLeavesWholeChunks(t *testing.T) {
	h := newHouse(t)
	broken := h.over(t, &faulty{Store: h.st, failAt: 2})
	sum, err := broken.Import(t.Context(), bytes.NewReader(many(2203)), ImportConfig{})
	if !errors.Is(err, errFault) || sum != (Summary{Read: 1000, Kept: 1000}) {
		t.Errorf("summary %+v, %v", sum, err)
	}
	if n, entries := h.count(t); n != 1000 || len(entries) != 1 {
		t.Errorf("%d people, %d entries", n, len(entries))
	}
	sum, err = h.Import(t.Context(), bytes.NewReader(many(2203)), ImportConfig{})
	if n, _ := h.count(t); err != nil || n != 2203 || sum.Kept != 2203 {
		t.Errorf("second import: %d people, %+v, %v", n, sum, err)
	}
}

func TestRunningAChunkTwiceCountsOnce(t *testing.T) {
	h := newHouse(t)
	_, lineA := person(1)
	idB, _ := person(2)
	_, lineC := person(3)
	h.mustImport(t, lineA)
	g := h.over(t, &faulty{Store: h.st})
	rejects := 0
	sum, err := g.Import(t.Context(), file(idB+",王秀英,,B00000001,,", lineC), ImportConfig{Reject: func(int, string) { rejects++ }})
	must(t, err)
	if sum != (Summary{Read: 2, Kept: 1, Rejected: 1}) || rejects != 1 {
		t.Errorf("summary %+v, %d rejects", sum, rejects)
	}
}

func TestCancelStopsBetweenChunks(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	g := h.over(t, &faulty{Store: h.st, before: func(update int) {
		if update == 2 {
			cancel()
		}
	}})
	sum, err := g.Import(ctx, bytes.NewReader(many(2203)), ImportConfig{})
	if !errors.Is(err, context.Canceled) || sum != (Summary{Read: 1000, Kept: 1000}) {
		t.Errorf("summary %+v, %v", sum, err)
	}
	if n, _ := h.count(t); n != 1000 {
		t.Errorf("%d people", n)
	}
	done, cancelled := context.WithCancel(t.Context())
	cancelled()
	if sum, err := h.Import(done, bytes.NewReader(many(10)), ImportConfig{}); !errors.Is(err, context.Canceled) || sum != (Summary{}) {
		t.Errorf("cancelled beforehand: %+v, %v", sum, err)
	}
}

func TestReadErrorsEndTheImport(t *testing.T) {
	h := newHouse(t)
	for name, r := range map[string]io.Reader{
		"in the header": iotest.ErrReader(errFault),
		"in a row":      io.MultiReader(bytes.NewReader(many(3)[:200]), iotest.ErrReader(errFault)),
	} {
		if _, err := h.Import(t.Context(), r, ImportConfig{}); !errors.Is(err, errFault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Read one byte at a time, the file gives the same result.
	sum, err := h.Import(t.Context(), iotest.OneByteReader(bytes.NewReader(many(20))), ImportConfig{})
	if err != nil || sum.Kept != 20 {
		t.Errorf("one byte at a time: %+v, %v", sum, err)
	}
}

// TestAFaultLeavesWholeChunksAlone: where no server shares the database the chunks are
// larger, and as whole.
func TestAFaultLeavesWholeChunksAlone(t *testing.T) {
	h := newHouse(t)
	broken := h.over(t, &faulty{Store: h.st, failAt: 2})
	sum, err := broken.Import(t.Context(), bytes.NewReader(many(12_203)), ImportConfig{Alone: true})
	if !errors.Is(err, errFault) || sum != (Summary{Read: aloneRows, Kept: aloneRows}) {
		t.Errorf("summary %+v, %v", sum, err)
	}
	if n, entries := h.count(t); n != aloneRows || len(entries) != 1 {
		t.Errorf("%d people, %d entries", n, len(entries))
	}
	sum, err = h.Import(t.Context(), bytes.NewReader(many(12_203)), ImportConfig{Alone: true})
	if n, _ := h.count(t); err != nil || n != 12_203 || sum.Kept != 12_203 || sum.Unchanged != aloneRows {
		t.Errorf("second import: %d people, %+v, %v", n, sum, err)
	}
}
