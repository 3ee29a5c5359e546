package admintest

import (
	"errors"
	"slices"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
)

// restoredCards are brought up with a reason, and not without one.
func restoredCards(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	raised, err := a.RaiseHead(ctx, Card, "from tape 7")
	if want := (authority.Raised{From: 3, To: 9, Version: 2, Taken: true}); raised != want || err != nil {
		t.Errorf("raised: %+v, %v, want %+v", raised, err, want)
	}
	first, err := a.AcceptRestore(ctx, liuma.CardID{}, "from tape 7")
	if want := (authority.Accepted{Cards: 1, Raised: 1, Last: Card}); first != want || err != nil {
		t.Errorf("first step: %+v, %v, want %+v", first, err, want)
	}
	last, err := a.AcceptRestore(ctx, first.Last, "from tape 7")
	if want := (authority.Accepted{Cards: 1, Failed: 1, Last: liuma.CardID{9}, Done: true}); last != want || err != nil {
		t.Errorf("last step: %+v, %v, want %+v", last, err, want)
	}
	acts := []string{"operator raised: from tape 7", "operator accepted: from tape 7", "operator accepted: from tape 7"}
	for _, reason := range []audit.Reason{"", " ", "two\nlines"} {
		if _, err := a.RaiseHead(ctx, Card, reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
		if _, err := a.AcceptRestore(ctx, Card, reason); !errors.Is(err, audit.ErrReason) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if _, err := a.RaiseHead(ctx, liuma.CardID{1}, "x"); !errors.Is(err, admin.ErrNoCard) {
		t.Errorf("no such card: %v", err)
	}
	w.Server.Ail(errors.New("two of three keepers are silent"))
	if _, err := a.RaiseHead(ctx, Card, "x"); !errors.Is(err, admin.ErrKeepers) {
		t.Errorf("no keepers: %v", err)
	}
	if got := w.Server.Acts(); !slices.Equal(got, acts) {
		t.Errorf("acts %q, want %q", got, acts)
	}
}
