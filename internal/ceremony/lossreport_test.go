package ceremony_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

func newReported(t *testing.T, days time.Duration) *desk {
	t.Helper()
	d := &desk{}
	rules := policy.National()
	rules.LossReport = days
	rules.Rations.HotlineFreezes = policy.Ration{Hour: 20, Day: 20}
	d.phoned = newPhoned(t, testkit.Options{Policy: &rules})
	d.hotline = d.register("h12333")
	return d
}

// report takes a report under a new business number.
func (d *desk) report(idNumber string) (authority.Verification, error) {
	bn := d.BusinessNo()
	return d.Authority().ReportLoss(d.T.Context(), d.hotline, authority.HotlineFreeze{BusinessNo: bn, IDNumber: idNumber, Digest: testkit.Digest(string(bn))})
}

func (d *desk) reported() time.Time {
	d.T.Helper()
	v, err := d.report(d.who.IDNumber)
	if err != nil || v.State != authority.StateDecided || v.Action != liuma.ActionReportLoss {
		d.T.Fatalf("%+v, %v", v, err)
	}
	return v.Until
}

func (d *desk) usable(want liuma.Verdict, code liuma.Code, until time.Time) {
	d.T.Helper()
	if v := d.Verify(d.ch, d.card, goodPIN); v.Verdict != want || v.Code != code || !v.Until.Equal(until) {
		d.T.Errorf("%s, %q until %v; want %s, %q, %v", v.Verdict, v.Code, v.Until, want, code, until)
	}
}

// TestALossReportEndsByItself: after the days that the policy said when it began and
// the notice told, also over a restart; and not a moment before.
func TestALossReportEndsByItself(t *testing.T) {
	for _, days := range []time.Duration{3 * day, 7 * day} {
		d := newReported(t, days)
		d.usable(liuma.Right, "", time.Time{})
		until := d.reported()
		if want := d.Clock.Now().Add(days); !until.Equal(want) {
			t.Fatalf("until %v, want %v", until, want)
		}
		texts := d.Texts(d.who.Phone)
		if last := texts[len(texts)-1]; last.Template != "loss_reported" || last.Params["until"] != until.Format(time.RFC3339) || last.Params["freeze"] == "" {
			t.Errorf("the holder was told %+v", last)
		}
		d.usable(liuma.Suspended, liuma.CodeLossReported, until)
		d.Clock.Advance(days - time.Minute)
		restart(d.Env)
		d.usable(liuma.Suspended, liuma.CodeLossReported, until)
		d.Clock.Advance(time.Minute)
		d.usable(liuma.Right, "", time.Time{})
		if n := len(d.recorded(audit.LossReported)); n != 1 {
			t.Errorf("%d entries", n)
		}
		if notes := d.recorded(audit.LossReported); !strings.Contains(notes[0], "until=") {
			t.Errorf("the entry says %v", notes)
		}
	}
}

// TestALossReportStopsEverything: what a frozen card cannot do, one that was
// reported cannot.
func TestALossReportStopsEverything(t *testing.T) {
	d := newReported(t, 3*day)
	p, h := d.OpenPage(d.ch, d.push(liuma.ActionVerify))
	open := d.GivePIN(p, h, liuma.RoleCurrent, goodPIN)
	d.want(open, ceremony.StepDone, "")
	until := d.reported()
	back := d.WayBack(open, h)
	if _, err := d.Authority().RedeemCode(t.Context(), d.ch, back.Get("code"), testkit.RedirectURI, testkit.Verifier); liuma.CodeOf(err) != liuma.CodeReceiptStale {
		t.Errorf("a verdict from before it is redeemed: %v", err)
	}
	for _, a := range []liuma.Action{liuma.ActionVerify, liuma.ActionChange, liuma.ActionReset, liuma.ActionRebind} {
		p, h := d.OpenPage(d.ch, d.push(a))
		if p.Step == ceremony.StepConfirm {
			var err error
			if p, err = d.Authority().Agree(t.Context(), p.ID, h); err != nil {
				t.Fatal(err)
			}
		}
		if p.Step != ceremony.StepRefused || p.Code != liuma.CodeLossReported || !p.Until.Equal(until) {
			t.Errorf("%s: step %s, %q until %v", a, p.Step, p.Code, p.Until)
		}
	}
	if v, err := d.Authority().Card(t.Context(), d.ch, d.card); err != nil || v.Standing != liuma.StandingReported {
		t.Errorf("%+v, %v", v, err)
	}
	if err := d.link2(); err != liuma.CodeRefused {
		t.Errorf("a link: %q", err)
	}
}

// link2 tries to link the card in another channel.
func (d *desk) link2() liuma.Code {
	other := d.Channel("national")
	v, err := d.Authority().Link(d.T.Context(), other, d.LinkRequest(other, d.who, goodPIN))
	if err != nil {
		return liuma.CodeOf(err)
	}
	return v.Code
}

// TestALossReportIsEndedAsAFreezeIs: by code and PIN, both, and by neither alone.
func TestALossReportIsEndedAsAFreezeIs(t *testing.T) {
	d := newReported(t, 7*day)
	p, _ := d.agreed(d.push(liuma.ActionUnfreeze))
	d.want(p, ceremony.StepRefused, liuma.CodeNotFrozen)
	d.reported()
	p, h := d.agreed(d.push(liuma.ActionUnfreeze))
	d.want(p, ceremony.StepCode, "")
	if _, err := d.Authority().GivePIN(t.Context(), p.ID, h, ceremony.Given{Try: 1}); liuma.CodeOf(err) != liuma.CodeCeremonyMoved {
		t.Errorf("the PIN without the code: %v", err)
	}
	p = d.Code(p, h, d.who.Phone)
	d.want(p, ceremony.StepPIN, "")
	d.want(d.GivePIN(p, h, liuma.RoleCurrent, wrongPIN), ceremony.StepPIN, liuma.CodeWrong)
	p, err := d.Authority().Look(t.Context(), p.ID, h)
	if err != nil {
		t.Fatal(err)
	}
	d.want(d.GivePIN(p, h, liuma.RoleCurrent, goodPIN), ceremony.StepDone, "")
	d.usable(liuma.Right, "", time.Time{})
	if card := cardRow(t, d.Env, d.ch, d.card); !card.ReportedUntil.IsZero() || !card.ReportedAt.IsZero() {
		t.Errorf("the row still holds it: %+v", card)
	}
}

// TestAFreezeNeverEndsByTime: a freeze before, during or after a report outlasts it;
// a report lifts none; and a second report makes the first no longer.
func TestAFreezeNeverEndsByTime(t *testing.T) {
	for _, first := range []bool{true, false} {
		d := newReported(t, 3*day)
		if first {
			freezeIn(d.phoned)
		}
		until := d.reported()
		if !first {
			freezeIn(d.phoned)
		}
		d.Clock.Advance(day)
		if again := d.reported(); !again.Equal(until) {
			t.Errorf("a second report ends at %v, the first at %v", again, until)
		}
		d.usable(liuma.Suspended, liuma.CodeFrozen, time.Time{})
		d.Clock.Advance(400 * day)
		d.usable(liuma.Suspended, liuma.CodeFrozen, time.Time{})
	}
}

// TestWhoMayReportALoss: a hotline alone, within its ration, where the region of the
// card takes reports. What was refused is counted, and names no card in the record.
func TestWhoMayReportALoss(t *testing.T) {
	d := newReported(t, 0) // the nation takes none
	if _, err := d.report(d.who.IDNumber); liuma.CodeOf(err) != liuma.CodeLossReportOff {
		t.Errorf("where none are taken: %v", err)
	}
	d.usable(liuma.Right, "", time.Time{})
	if n := d.entries(audit.FreezeTried, string(liuma.CodeLossReportOff), ""); n != 1 {
		t.Errorf("%d entries of the refusal", n)
	}
	if _, err := d.report(d.People[3].IDNumber); liuma.CodeOf(err) != liuma.CodeNotFound {
		t.Errorf("nobody's card: %v", err)
	}
	bn := d.BusinessNo()
	if _, err := d.Authority().ReportLoss(t.Context(), d.ch, authority.HotlineFreeze{BusinessNo: bn, IDNumber: d.who.IDNumber}); liuma.CodeOf(err) != liuma.CodeForbidden {
		t.Errorf("a channel: %v", err)
	}
	for range 18 {
		if _, err := d.report(d.who.IDNumber); liuma.CodeOf(err) != liuma.CodeLossReportOff {
			t.Fatal(err)
		}
	}
	if _, err := d.report(d.who.IDNumber); liuma.CodeOf(err) != liuma.CodeHotlineLimit {
		t.Errorf("beyond the ration: %v", err)
	}
}

// TestALossReportStopsACorrection, like a freeze: it is what the notice of a
// correction calls for.
func TestALossReportStopsWhatWaits(t *testing.T) {
	d := newReported(t, 3*day)
	tamper(t, d.Env, func(tx store.Tx) error {
		id := cardRow(t, d.Env, d.ch, d.card).ID
		card, err := tx.Card(id)
		card.Correcting = d.Clock.Now().Add(72 * time.Hour)
		return errors.Join(err, tx.UpdateCard(card), tx.InsertCardTick(id, authority.TickResetPlanned, d.Clock.Now()))
	})
	d.reported()
	if card := cardRow(t, d.Env, d.ch, d.card); !card.Correcting.IsZero() {
		t.Error("the correction goes on")
	}
	if ticks := d.cardTicks(authority.TickResetPlanned); ticks != 0 {
		t.Error("the planned reset stays")
	}
	if got := d.Notices(d.who.Phone); !slices.Contains(got, "loss_reported") {
		t.Errorf("notices %v", got)
	}
}

// TestAFreezeDuringAReportBeganWithIt: a card that was reported while its phone was
// newly bound is opened at the counter, also if it was frozen after that time and the
// report has ended: whoever bound the phone may be the thief.
func TestAFreezeDuringAReportBeganWithIt(t *testing.T) {
	for _, held := range []bool{true, false} {
		d := newReported(t, 3*day)
		id := cardRow(t, d.Env, d.ch, d.card).ID
		tamper(t, d.Env, func(tx store.Tx) error {
			c, phone, err := d.System.Authority.Contact(tx, id)
			c.HoldUntil = d.Clock.Now().Add(time.Hour)
			if !held {
				c.HoldUntil = d.Clock.Now().Add(-time.Hour)
			}
			return errors.Join(err, d.System.Authority.WriteContact(tx, c, phone))
		})
		d.reported()
		d.Clock.Advance(2 * time.Hour)
		if code, _ := d.ask(d.hotline, d.who.IDNumber); code != "" {
			t.Fatal(code)
		}
		d.Clock.Advance(4 * day)
		p, _ := d.agreed(d.push(liuma.ActionUnfreeze))
		if want := map[bool]liuma.Code{true: liuma.CodePhoneLate, false: ""}[held]; p.Code != want {
			t.Errorf("phone newly bound: %v: %s %s", held, p.Step, p.Code)
		}
	}
}
