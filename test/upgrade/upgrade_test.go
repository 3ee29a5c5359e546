package upgrade

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
)

// TestData opens what the release left: people, cards, links, PINs, guesses, locks,
// verdicts, texts and the record are what they were.
func TestData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	want := unpack(t, dir)
	before := counts(t, dir)
	h := open(t, dir, want)
	if diff := cmp.Diff(before, counts(t, dir), cmp.Comparer(func(a, b ledger.Tally) bool { return same(a, b) })); diff != "" {
		t.Errorf("opening changed what keepers count: %s", diff)
	}
	h.stands()
	h.verdicts()
	h.holders()
	h.unlocks()
	h.reseals()
}

// TestToAServer carries the directory to PostgreSQL, once it was opened by this release.
func TestToAServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	want := unpack(t, dir)
	c, err := config.Load(dir)
	must(t, err)
	to := c
	to.Database = pgtest.New(t, nil)
	if err := server.Carry(t.Context(), c, to, func(postgres.Carrying) {}); err == nil {
		t.Fatal("a file of an earlier release was carried as it is")
	}
	h := open(t, dir, want)
	h.Close()
	must(t, server.Carry(t.Context(), c, to, func(postgres.Carrying) {}))
	must(t, config.MoveDatabase(dir, to.Database, ""))
	h.Open()
	h.stands()
	h.verdicts()
	h.holders()
	h.unlocks()
	h.reseals()
}

func same(a, b ledger.Tally) bool {
	x, err1 := a.MarshalBinary()
	y, err2 := b.MarshalBinary()
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// stands compares what 'liuma status' shows, and has the whole record checked.
func (h *house) stands() {
	h.T.Helper()
	must(h.T, h.System.Record.Check(h.T.Context()))
	if s := h.System.Record.State(); len(s.Faults) > 0 || s.Shipping != "" {
		h.T.Errorf("the record: %+v", s)
	}
	s, err := h.System.Admin.Status(h.T.Context())
	must(h.T, err)
	if s.Cards != int64(len(h.want.Cards)) || s.People != 40 || s.OpenIntents != 0 {
		h.T.Errorf("status: %d cards, %d people, %d open intents", s.Cards, s.People, s.OpenIntents)
	}
	if s.Serving == nil || !s.Serving.Ready {
		h.T.Errorf("not ready: %+v", s.Serving)
	}
	for _, k := range s.Keepers {
		if k.State != "whole" {
			h.T.Errorf("keeper %s: %s %s", k.ID, k.State, k.Why)
		}
	}
	alarms, err := h.System.Admin.Alarms(h.T.Context())
	must(h.T, err)
	for _, a := range alarms { // nobody is registered yet, and its texts were not sent
		if a.Kind != "staff_none" && a.Kind != "texts_late" {
			h.T.Errorf("alarm: %+v", a)
		}
	}
	must(h.T, h.System.Store.View(h.T.Context(), func(r store.Reader) error {
		waiting, err := r.Messages("", "", 100)
		if len(waiting) != h.want.Wait {
			h.T.Errorf("%d texts, want %d", len(waiting), h.want.Wait)
		}
		return err
	}))
}

// verdicts asks for what was decided, as a channel does that lost an answer.
func (h *house) verdicts() {
	h.T.Helper()
	for bn, want := range h.want.Done {
		v, err := h.Authority().Verification(h.T.Context(), h.app, liuma.BusinessNo(bn))
		must(h.T, err)
		if string(v.Verdict) != want {
			h.T.Errorf("%s: %s, want %s", bn, v.Verdict, want)
		}
	}
}

// holders gives every card's PIN through every link.
func (h *house) holders() {
	h.T.Helper()
	for name, c := range h.want.Cards {
		want := map[string]string{"locked": "locked", "frozen": "frozen", "lost": "evidence_required"}[name]
		if want == "" {
			want = "right"
		}
		if name == "guessed" { // a guess more, first
			if got, left := h.answer(h.app, c.Handles["gov-app"], "111222"); left == nil || *left != *c.Left-1 {
				h.T.Errorf("%s: another guess: %s with %v left, want %d", name, got, left, *c.Left-1)
			}
		}
		for channel, handle := range c.Handles {
			caller := h.app
			if channel == "zj-app" {
				caller = h.other
			}
			if got, _ := h.answer(caller, handle, c.PIN); got != want {
				h.T.Errorf("%s in %s: %s, want %s", name, channel, got, want)
			}
		}
		id, err := registry.ParseIDNumber(c.Number)
		must(h.T, err)
		must(h.T, h.System.Store.View(h.T.Context(), func(r store.Reader) error {
			_, _, err := h.System.Registry.Find(r, id)
			return err
		}))
	}
	v := h.Change(h.app, h.want.Cards["changed"].Handles["gov-app"], h.want.Cards["changed"].PIN, "605193")
	if v.Verdict != liuma.Right {
		h.T.Errorf("a change: %+v", v)
	}
}

// unlocks lets the lock's day pass.
func (h *house) unlocks() {
	h.T.Helper()
	c := h.want.Cards["locked"]
	h.Clock.Advance(23 * time.Hour)
	if got, _ := h.answer(h.app, c.Handles["gov-app"], c.PIN); got != "locked" {
		h.T.Errorf("after 23 hours: %s", got)
	}
	h.Clock.Advance(time.Hour)
	if got, _ := h.answer(h.app, c.Handles["gov-app"], c.PIN); got != "right" {
		h.T.Errorf("after a day: %s", got)
	}
}

// reseals exchanges the release's root key: every row of it can be read and written.
func (h *house) reseals() {
	h.T.Helper()
	a := h.System.Admin
	_, err := a.RotateRootKey(h.T.Context(), "a new release")
	must(h.T, err)
	h.Clock.Advance(2 * time.Minute)
	must(h.T, h.System.Admin.ResealOnce(h.T.Context()))
	var r admin.DroppedRootKey
	r, err = a.DropRootKey(h.T.Context(), 1, "a new release")
	must(h.T, err)
	if r.Refused != 0 {
		h.T.Errorf("%d rows were refused", r.Refused)
	}
	h.Close()
	h.Open()
	c := h.want.Cards["phone"]
	if got, _ := h.answer(h.other, c.Handles["zj-app"], c.PIN); got != "right" {
		h.T.Errorf("under the new key: %s", got)
	}
}
