package record_test

import (
	"errors"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/store"
)

// TestCheckStream: a stream is whole from its first entry to its head, and as the last
// digest has it; an altered entry and a head that the digest does not have show.
func TestCheckStream(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 4)
	h.digest()
	h.write(card(1), 1)
	check := func() record.Checked {
		t.Helper()
		c, err := h.digester.CheckStream(t.Context(), audit.CardStream(card(1)))
		must(t, err)
		return c
	}
	if c := check(); c.Break != nil || c.From != 1 || c.Head.Number != 5 || c.Digested != 4 {
		t.Errorf("%+v", c)
	}
	if _, err := h.digester.CheckStream(t.Context(), audit.CardStream(card(9))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no such stream: %v", err)
	}
	h.attack("UPDATE audit SET outcome = 'wrong_pin' WHERE kind = 1 AND number = 2")
	if c := check(); c.Break == nil || c.Break.Fault != audit.Altered || c.Break.Number != 2 {
		t.Errorf("an altered entry: %+v", c.Break)
	}
	h.attack("UPDATE audit SET outcome = 'right' WHERE kind = 1 AND number = 2",
		"UPDATE digest_changes SET hash = zeroblob(32) WHERE kind = 1")
	if c := check(); c.Break == nil || c.Break.Number != 4 {
		t.Errorf("a digest that has another head: %+v", c.Break)
	}
}

// TestCheckStreamAfterItWasArchived begins where the archives end.
func TestCheckStreamAfterItWasArchived(t *testing.T) {
	h := newHouse(t)
	h.write(card(1), 3)
	h.digest()
	h.archive(h.clock().Add(time.Hour))
	h.wait(years + time.Hour)
	h.leave()
	h.write(card(1), 2)
	c, err := h.digester.CheckStream(t.Context(), audit.CardStream(card(1)))
	must(t, err)
	if c.Break != nil || c.From != 4 || c.Head.Number != 5 {
		t.Errorf("%+v", c)
	}
}

// TestFind looks at what is asked for, and goes on where it ended.
func TestFind(t *testing.T) {
	h := newHouse(t)
	for i := range byte(3) {
		h.write(card(i+1), 60)
	}
	h.write(liuma.CardID{}, 5)
	var n int
	var q record.Search
	for range 5 {
		f, err := h.digester.Find(t.Context(), q)
		must(t, err)
		n += len(f.Entries)
		if len(f.Entries) > 100 || f.Looked < len(f.Entries) {
			t.Errorf("%d entries of %d", len(f.Entries), f.Looked)
		}
		if q.After = f.Next; f.Next.IsZero() {
			break
		}
	}
	if n != 185 {
		t.Errorf("%d entries were found, want 185", n)
	}
	f, err := h.digester.Find(t.Context(), record.Search{Stream: audit.CardStream(card(2)), Actor: "channel:other"})
	must(t, err)
	if len(f.Entries) != 0 || f.Looked != 60 || !f.Next.IsZero() {
		t.Errorf("%+v", f)
	}
}
