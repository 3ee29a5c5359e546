package ceremony_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/storetest"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// desk is a hotline with a limit that a test can reach.
type desk struct {
	*phoned
	hotline authority.Caller
	logs    strings.Builder
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	rules := policy.National()
	rules.Rations.HotlineFreezes = policy.Ration{Hour: 3, Day: 5}
	d.phoned = newPhoned(t, testkit.Options{Policy: &rules, Logger: slog.New(slog.NewTextHandler(&d.logs, nil))})
	d.hotline = d.register("h12333")
	return d
}

func (d *desk) register(id string) authority.Caller {
	d.T.Helper()
	return authority.Caller{Client: d.AddClient(store.Client{ID: id, Kind: store.ClientHotline}, d.NewKey())}
}

// ask requests a freeze under a new business number and returns the error code
// of the answer.
func (d *desk) ask(c authority.Caller, idNumber string) (liuma.Code, time.Time) {
	d.T.Helper()
	bn := d.BusinessNo()
	_, err := d.Authority().FreezeByHotline(d.T.Context(), c, authority.HotlineFreeze{BusinessNo: bn, IDNumber: idNumber, Digest: testkit.Digest(string(bn))})
	if err == nil {
		return "", time.Time{}
	}
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok {
		d.T.Fatal(err)
	}
	return e.Code, e.Until
}

// entries counts audit entries by event and outcome, and checks that no entry
// of a hotline names a card unless it was frozen.
func (d *desk) entries(ev audit.Event, outcome, note string) (n int) {
	d.T.Helper()
	if err := d.System.Authority.MaintainOnce(d.T.Context()); err != nil { // which tells
		d.T.Fatal(err)
	}
	err := d.System.Store.View(d.T.Context(), func(r store.Reader) error {
		all, err := storetest.Record(r)
		for _, e := range all {
			if e.Event == ev && e.Outcome == outcome {
				n++
				if !e.Card.IsZero() || e.Actor != "hotline:h12333" || e.Note != note {
					d.T.Errorf("%+v", e)
				}
			}
		}
		return err
	})
	if err != nil {
		d.T.Fatal(err)
	}
	return n
}

// TestHotlineStopsAtItsLimit: found and not found count alike, a repetition
// counts nothing, and one hotline does not stop another. Reaching the limit is
// reported once an hour in the log and in the audit record.
func TestHotlineStopsAtItsLimit(t *testing.T) {
	d := newDesk(t)
	nobody := d.People[3].IDNumber
	begun := d.Clock.Now()
	hourOver := begun.Truncate(time.Minute).Add(time.Minute + time.Hour) // a count is rounded up to the minute
	dayOver := begun.Truncate(time.Hour).Add(25 * time.Hour)             // and of a day to the hour
	same := authority.HotlineFreeze{BusinessNo: d.BusinessNo(), IDNumber: d.who.IDNumber, Digest: testkit.Digest("same")}
	for range 5 {
		if _, err := d.Authority().FreezeByHotline(t.Context(), d.hotline, same); err != nil {
			t.Fatalf("the same call again: %v", err)
		}
	}
	for range 2 {
		if code, _ := d.ask(d.hotline, nobody); code != liuma.CodeNotFound {
			t.Fatalf("within the limit: %s", code)
		}
	}
	for _, about := range []string{d.who.IDNumber, nobody, d.People[5].IDNumber} {
		if code, until := d.ask(d.hotline, about); code != liuma.CodeHotlineLimit || !until.Equal(hourOver) {
			t.Errorf("the fourth within an hour: %s, %v", code, until)
		}
	}
	if _, err := d.Authority().FreezeByHotline(t.Context(), d.hotline, same); err != nil {
		t.Errorf("the answer that was lost: %v", err)
	}
	if code, _ := d.ask(d.register("h12393"), nobody); code != liuma.CodeNotFound {
		t.Errorf("another hotline: %s", code)
	}
	if n := d.entries(audit.RationSpent, "hotline_freeze", "hour=3;day=5"); n != 1 {
		t.Errorf("%d entries of the limit, want 1", n)
	}
	d.Clock.Advance(hourOver.Sub(d.Clock.Now()))
	for range 2 {
		if code, _ := d.ask(d.hotline, nobody); code != liuma.CodeNotFound {
			t.Errorf("an hour later: %s", code)
		}
	}
	for range 3 {
		if code, until := d.ask(d.hotline, nobody); code != liuma.CodeHotlineLimit || !until.Equal(dayOver) {
			t.Errorf("the sixth of a day: %s, %v", code, until)
		}
	}
	if n := d.entries(audit.RationSpent, "hotline_freeze", "hour=3;day=5"); n != 2 {
		t.Errorf("%d entries of the limit, want 2", n)
	}
	if n := strings.Count(d.logs.String(), "level=ERROR"); n != 2 || strings.Contains(d.logs.String(), nobody) {
		t.Errorf("%d errors in the log:\n%s", n, d.logs.String())
	}
	d.Clock.Advance(dayOver.Sub(d.Clock.Now()))
	if code, _ := d.ask(d.hotline, d.who.IDNumber); code != "" {
		t.Errorf("a day later: %s", code)
	}
}

// TestHotlineThatFishesShows: requests that found no card are in the audit
// record, name no person, and are no more than the limit allows.
func TestHotlineThatFishesShows(t *testing.T) {
	d := newDesk(t)
	for i := range 12 {
		d.ask(d.hotline, d.People[2+i].IDNumber)
	}
	if n := d.entries(audit.FreezeTried, "not_found", ""); n != 3 {
		t.Errorf("%d entries of tries in vain, want 3", n)
	}
	if code, _ := d.ask(d.hotline, "not a number"); code != liuma.CodeIDNumberInvalid {
		t.Errorf("no ID number at all: %s", code)
	}
	if fmt.Sprint(d.Texts(d.People[2].Phone)) != "[]" {
		t.Error("somebody was told")
	}
}
