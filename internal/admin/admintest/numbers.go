package admintest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// numbers are counted from the record, exactly or in steps, whatever digests cover, and
// the same at both ends of the socket.
func numbers(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w) // its card has no region
	decide := func(n int, outcome string, at time.Time) {
		t.Helper()
		for range n {
			must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
				c, err := tx.Card(liuma.CardID{9})
				if c.Region == "" && err == nil {
					c.Region = "330502"
					err = tx.UpdateCard(c)
				}
				return audit.Entry{At: at, Actor: "channel:zj", Event: audit.AttemptDecided, Card: c.ID, BusinessNo: "B1", Outcome: outcome}, err
			}))
		}
	}
	decide(7, "right", Start)
	_, err := a.MakeDigest(t.Context())
	must(t, err)
	decide(3, "wrong_pin", Start.Add(-26*time.Hour))
	count := func(r tally.Row, k tally.Kind) tally.Shown { return r.Counts[k] }
	n, err := a.Numbers(t.Context(), admin.NumbersQuery{})
	must(t, err)
	if n.Days != 30 || len(n.Spans) != 30 || n.Stepped || !n.Until.Equal(Start) || len(n.Kinds) != len(tally.Kinds()) || n.Lost != 0 {
		t.Errorf("%+v", n)
	}
	if count(n.Total, tally.Right).N != 7 || count(n.Total, tally.Wrong).N != 3 || count(n.Spans[29], tally.Right).N != 7 || count(n.Spans[28], tally.Wrong).N != 3 {
		t.Errorf("total %+v", n.Total)
	}
	today, err := a.Numbers(t.Context(), admin.NumbersQuery{Days: 1, Channel: "zj", Region: "330502"})
	must(t, err)
	if len(today.Spans) != 24 || today.Region != "3305" || !today.Stepped || count(today.Total, tally.Right) != (tally.Shown{N: 5}) || count(today.Total, tally.Wrong) != (tally.Shown{}) {
		t.Errorf("today %+v", today.Total)
	}
	for _, days := range []int{-1, 31} {
		if _, err := a.Numbers(t.Context(), admin.NumbersQuery{Days: days}); !errors.Is(err, admin.ErrDays) {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

// alarmsListed: alarms are listed, also without a server, and even behind a page of
// one-time codes that nobody sends again.
func alarmsListed(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w)
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		for i := range admin.MaxTexts {
			if err := tx.InsertMessage(store.Message{ID: fmt.Sprintf("aaaaaaaaaaaaaaaaaaaaaa%04d", i), Kind: notify.KindCode, Card: liuma.CardID{9}, Template: "code",
				State: store.MessageDead, Fault: "refused", DoneAt: Start.Add(-time.Hour)}); err != nil {
				return audit.Entry{}, err
			}
		}
		return audit.Entry{At: Start, Actor: "test", Event: audit.CodeSent, Outcome: "ok"}, nil
	}))
	all, err := a.Alarms(t.Context())
	must(t, err)
	var dead admin.Alarm
	for _, al := range all {
		if al.Kind == "texts_dead" {
			dead = al
		}
	}
	if dead.N != 2 || !dead.Since.Equal(Start) {
		t.Errorf("%+v", all)
	}
}

// droppedTexts: only messages that were given up are dropped, with a reason, and they stay
// dropped.
func droppedTexts(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w)
	ctx := t.Context()
	for id, want := range map[string]error{textID(4): notify.ErrNotDead, textID(5): notify.ErrNotDead, textID(9): store.ErrNotFound} {
		if err := a.DropText(ctx, id, "told by phone"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	if err := a.DropText(ctx, textID(2), " "); !errors.Is(err, audit.ErrReason) {
		t.Error("without a reason:", err)
	}
	must(t, a.DropText(ctx, textID(2), "told by phone"))
	if err := a.DropText(ctx, textID(2), "again"); !errors.Is(err, store.ErrNotFound) {
		t.Error("twice:", err)
	}
	f, err := a.FindEntries(ctx, admin.RecordSearch{Event: string(audit.MessageDropped)})
	must(t, err)
	if len(f.Entries) != 1 || f.Entries[0].Note != "template=pin_reset reason=told by phone" || f.Entries[0].Actor != admin.Actor {
		t.Errorf("%+v", f)
	}
}

// searches of the record keep their refusals over the socket, and a search for a person
// is recorded, found or not.
func searches(t *testing.T, w *World, a admin.Administration) {
	fillOutbox(t, w)
	ctx := t.Context()
	for _, q := range []admin.RecordSearch{{Stream: "nothing"}, {After: "nothing"}, {After: "card:" + liuma.CardID{9}.String()}} {
		if _, err := a.FindEntries(ctx, q); !errors.Is(err, admin.ErrSearch) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := a.CheckStream(ctx, "nothing"); !errors.Is(err, admin.ErrSearch) {
		t.Error(err)
	}
	if _, err := a.CheckStream(ctx, liuma.CardID{8}.String()); !errors.Is(err, admin.ErrNoStream) {
		t.Error(err)
	}
	if _, err := a.SeekCard(ctx, "110105194912310038", "complaint"); !errors.Is(err, registry.ErrNobody) {
		t.Error(err)
	}
	if _, err := a.SeekCard(ctx, "1", "complaint"); !errors.Is(err, admin.ErrNumber) {
		t.Error(err)
	}
	if _, err := a.SeekCard(ctx, "110105194912310038", ""); !errors.Is(err, audit.ErrReason) {
		t.Error(err)
	}
	f, err := a.FindEntries(ctx, admin.RecordSearch{Event: string(audit.PersonSought)})
	must(t, err)
	if len(f.Entries) != 1 || f.Entries[0].Outcome != string(liuma.CodeNotFound) {
		t.Fatalf("%+v", f)
	}
	c, err := a.CheckStream(ctx, f.Entries[0].Stream)
	must(t, err)
	if !c.Whole || c.To < 1 || c.From != 1 || len(c.Hash) != 64 {
		t.Errorf("%+v", c)
	}
}
