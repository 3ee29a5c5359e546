package admintest

import (
	"errors"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// letterID is the number of a person who gets letters.
const letterID = "11010519491231002X"

// Written puts two letters about one person into the queue.
func (w *World) Written(t *testing.T) {
	t.Helper()
	_, err := w.Registry.Import(t.Context(), strings.NewReader("id_number,name,card_no,region,address,postcode\n"+letterID+",王秀英,A12345678,330502,湖州市南街7号,313000\n"), registry.ImportConfig{Actor: "operator"})
	must(t, err)
	card := store.Card{ID: liuma.CardID{9}, Holder: w.vault.Index(vault.IndexIDNumber, letterID), Region: "330502"}
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		errs := []error{tx.InsertCard(card)}
		for _, template := range []string{"pin_set", "ticket_opened"} {
			errs = append(errs, w.Letters.Write(tx, letter.Message{Card: card.ID, Template: template, Region: card.Region, Freeze: "A3K7Q9MX2WD", Until: Start.AddDate(0, 2, 0)}))
		}
		return audit.Entry{At: Start, Actor: "test", Event: audit.PINSet, Card: card.ID, Outcome: "ok"}, errors.Join(errs...)
	}))
}

// letters are printed, posted and taken back, with the member in the audit entry;
// refusals keep their errors.
func letters(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	none, err := a.PrintLetters(ctx, letter.Order{})
	if err != nil || none.ID != "" {
		t.Errorf("%+v, %v", none, err)
	}
	w.Written(t)
	all, err := a.Letters(ctx, store.LetterWaiting, "")
	must(t, err)
	if len(all) != 2 || all[0].Template == all[1].Template || all[0].Sheet != "" {
		t.Errorf("%+v", all)
	}
	rest, err := a.Letters(ctx, "", all[0].ID)
	must(t, err)
	if len(rest) != 1 || rest[0].ID != all[1].ID {
		t.Errorf("after the first: %+v", rest)
	}
	s, err := a.Status(ctx)
	must(t, err)
	if s.Letters.Waiting != 2 || s.Letters.Due != 0 || !s.Letters.Oldest.Equal(Start) {
		t.Errorf("%+v", s.Letters)
	}
	b, err := a.PrintLetters(ctx, letter.Order{Chinese: true})
	must(t, err)
	if b.Sheets != 1 || b.Letters != 2 || !strings.Contains(b.HTML, "湖州市南街7号") || !strings.Contains(b.HTML, "A3K 7Q9M X2WD") || strings.Contains(b.HTML, letterID) {
		t.Errorf("%+v", b)
	}
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err = a.PostLetters(ctx, b.ID)
	refused("posted early", err, letter.ErrNotPrinted)
	must(t, a.LettersPrinted(ctx, b.ID))
	_, err = a.PrintLetters(ctx, letter.Order{Batch: b.ID})
	refused("again", err, letter.ErrPrinted)
	_, err = a.LetterBack(ctx, b.ID)
	refused("a batch that came back", err, letter.ErrBatch)
	_, err = a.PostLetters(ctx, "nothing")
	refused("no such letter", err, letter.ErrNone)
	if n, err := a.PostLetters(ctx, b.ID); err != nil || n != 2 {
		t.Errorf("posted %d, %v", n, err)
	}
	_, err = a.PostLetters(ctx, b.ID)
	refused("posted twice", err, letter.ErrEnded)
	if n, err := a.LetterBack(ctx, b.ID+"-1"); err != nil || n != 2 {
		t.Errorf("back %d, %v", n, err)
	}
	for _, note := range []string{"batch=" + b.ID + " sheets=1 letters=2", "batch=" + b.ID + " letters=2 written", "batch=" + b.ID + " letters=2", "sheet=" + b.ID + "-1"} {
		if actor := w.ActorOf(t, note); actor != admin.Actor {
			t.Errorf("%s: recorded as %q", note, actor)
		}
	}
}
