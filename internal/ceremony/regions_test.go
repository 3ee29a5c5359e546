package ceremony_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// ruled are layers over the national rule of tests.
func ruled(t *testing.T, files ...string) *policy.Layers {
	t.Helper()
	nation := policy.National()
	nation.AllowStandInEvidence = true
	var all []policy.File
	for _, text := range files {
		f, err := policy.ParseFile(strings.Fields(text)[2]+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	l, err := policy.NewLayers(nation, all...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// channelIn registers a channel for regions, under another one.
func (x *phoned) channelIn(id, parent string, regions ...liuma.Region) authority.Caller {
	x.T.Helper()
	c := testkit.NationalChannel(id)
	c.Regions, c.Parent = regions, parent
	return authority.Caller{Client: x.AddParty(c).Client}
}

// TestAPushWithoutARegionCountsAsAtTheNativeDoor: the pad shows the tries that the try
// counts by, which are the stricter of the channel's first region and the card's own.
func TestAPushWithoutARegionCountsAsAtTheNativeDoor(t *testing.T) {
	x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: region 3305\nlimits.attempts: 3\nhotline: 0572-1\n", "layer: region 4401\nlimits.attempts: 4\n")})
	for _, c := range []struct {
		id      string
		regions []liuma.Region
		card    liuma.Region
		want    int
	}{
		{"first-is-stricter", []liuma.Region{"3305", "4401"}, "110101", 3},
		{"card-is-stricter", []liuma.Region{"11", "4401"}, "440103", 4},
		{"neither-is", []liuma.Region{"11"}, "110101", 6},
	} {
		ch := x.channelIn(c.id, "", c.regions...)
		x.moveCard(c.card)
		card := x.linkAgain(ch, goodPIN, true)
		q := x.PushFor(ch, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil)
		q.Region = ""
		p, h := x.OpenPage(ch, q)
		if p.TriesLeft == nil || *p.TriesLeft != c.want {
			t.Errorf("%s: the pad shows %v tries, want %d", c.id, p.TriesLeft, c.want)
		}
		if p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN); p.TriesLeft == nil || *p.TriesLeft != c.want-1 {
			t.Errorf("%s: after a wrong one %v", c.id, p.TriesLeft)
		}
		if c.want == 3 && p.Hotline != "0572-1" {
			t.Errorf("%s: the page names %q", c.id, p.Hotline)
		}
		x.Verify(ch, card, goodPIN)
	}
}

// TestAChannelsLayerBindsItsSubChannels: of each value the stricter of both layers holds,
// whatever the sub-channel's own says.
func TestAChannelsLayerBindsItsSubChannels(t *testing.T) {
	x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: channel above\nlimits.attempts: 3\nlimits.lock_for: 2d\nsteps.reset: code-card-evidence\n",
		"layer: channel below\nlimits.attempts: 5\nlimits.lock_for: 3d\nevidence_alone: true\n", "layer: national\nevidence_alone: true\n")})
	above, below, other := x.channelIn("above", "", ""), x.channelIn("below", "above", ""), x.channelIn("other", "", "")
	for ch, want := range map[string]struct {
		tries int
		lock  time.Duration
	}{"above": {3, 2 * day}, "below": {3, 3 * day}, "other": {6, day}} {
		c := map[string]authority.Caller{"above": above, "below": below, "other": other}[ch]
		p := x.System.Authority.PolicyFor(c, "")
		if p.Limits.Attempts != want.tries || p.Limits.LockFor != want.lock || p.EvidenceAlone {
			t.Errorf("%s: %d tries, locked for %s, alone %v", ch, p.Limits.Attempts, p.Limits.LockFor, p.EvidenceAlone)
		}
	}
	card := x.linkAgain(below, goodPIN, true)
	p, h := x.OpenPage(below, x.PushFor(below, liuma.ActionVerify, envelope.Subject{Card: string(card)}, nil))
	if p.TriesLeft == nil || *p.TriesLeft != 3 {
		t.Errorf("at the pad: %v tries", p.TriesLeft)
	}
	for range 3 {
		p = x.GivePIN(p, h, liuma.RoleCurrent, wrongPIN)
	}
	if p.Code != liuma.CodeLocked || p.Until.Sub(x.Clock.Now()) != 3*day {
		t.Errorf("after three: %q until %s", p.Code, p.Until)
	}
}

// TestASubChannelSpendsItsChannelsRations: acts of sub-channels count to the channel above
// them too, whose ration and budget of codes bound all together.
func TestASubChannelSpendsItsChannelsRations(t *testing.T) {
	x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: channel above\nrations.verifications.hour: 3\nrations.verifications.day: 3\nrations.freezes.hour: 1\nrations.freezes.day: 1\nrations.links.hour: 1\nrations.links.day: 1\ncodes.hour: 1\ncodes.day: 1\n",
		"layer: channel one\nrations.verifications.hour: 2\nrations.verifications.day: 2\n")})
	x.channelIn("above", "", "")
	one, two, free := x.channelIn("one", "above", ""), x.channelIn("two", "above", ""), x.channelIn("free", "", "")
	verify := func(c authority.Caller) liuma.Code {
		x.T.Helper()
		taken, err := x.System.Authority.Take(t.Context(), c, authority.ActVerification)
		if err == nil && taken == nil {
			t.Fatal("nothing was taken")
		}
		return codeOf(err)
	}
	for i, step := range []struct {
		c    authority.Caller
		want liuma.Code
	}{{one, ""}, {one, ""}, {one, liuma.CodeRationSpent}, {two, ""}, {two, liuma.CodeRationSpent}, {free, ""}} {
		if got := verify(step.c); got != step.want {
			t.Errorf("act %d, by %s: %q, want %q", i+1, step.c.Client.ID, got, step.want)
		}
	}
	// What is given back is given back to both.
	for range 5 {
		taken, err := x.System.Authority.Take(t.Context(), two, authority.ActLink)
		if err != nil {
			t.Fatal(err)
		}
		taken.GiveBack()
	}
	if err := x.System.Store.View(t.Context(), func(r store.Reader) error {
		spent, err := x.System.Authority.CodesSpent(r, "two")
		if spent {
			t.Error("the budget of codes is spent before any was sent")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	tamper(t, x.Env, func(tx store.Tx) error { return x.System.Authority.CodeWasSent(tx, "one") })
	for ch, want := range map[liuma.ChannelID]bool{"one": true, "two": true, "above": true, "free": false} {
		if err := x.System.Store.View(t.Context(), func(r store.Reader) error {
			spent, err := x.System.Authority.CodesSpent(r, ch)
			if spent != want {
				t.Errorf("%s: the budget is spent: %v", ch, spent)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	spend := func(c authority.Caller) (code liuma.Code) {
		tamper(t, x.Env, func(tx store.Tx) error {
			code = codeOf(x.System.Authority.Spend(tx, c, authority.ActFreeze))
			return nil
		})
		return code
	}
	if a, b, c := spend(one), spend(two), spend(free); a != "" || b != liuma.CodeRationSpent || c != "" {
		t.Errorf("freezes: %q, %q, %q", a, b, c)
	}
}

// TestNoReportsTellsNobody: a member on the hotline who reports a loss where none is taken
// hears the same of a card as of a number without one, for the same price.
func TestNoReportsTellsNobody(t *testing.T) {
	ask := func(d *desk, region liuma.Region, f registry.Facts) liuma.Code {
		bn := d.BusinessNo()
		_, err := d.Authority().ReportLossByStaff(t.Context(), authority.ByStaff{Member: "zhao", Region: region},
			authority.HotlineFreeze{BusinessNo: bn, IDNumber: f.IDNumber, Digest: testkit.Digest(string(bn))})
		return codeOf(err)
	}
	for name, c := range map[string]struct {
		rules  []string
		member liuma.Region
		want   liuma.Code
	}{
		"nobody takes any":           {nil, "", liuma.CodeLossReportOff},
		"elsewhere, for the nation":  {[]string{"layer: region 99\nloss_report: 3d\n"}, "", liuma.CodeNotFound},
		"elsewhere, for this region": {[]string{"layer: region 99\nloss_report: 3d\n"}, "33", liuma.CodeLossReportOff},
	} {
		d := &desk{phoned: newPhoned(t, testkit.Options{Rules: ruled(t, c.rules...)})}
		d.moveCard("330502")
		with, without := ask(d, c.member, d.who), ask(d, c.member, d.People[3])
		if with != c.want || without != c.want {
			t.Errorf("%s: %q of a card, %q of a number without one; want %q of both", name, with, without, c.want)
		}
		d.usable(liuma.Right, "", time.Time{})
	}
	d := &desk{phoned: newPhoned(t, testkit.Options{Rules: ruled(t, "layer: region 33\nloss_report: 3d\n")})}
	d.moveCard("330502")
	if got := ask(d, "33", d.who); got != "" {
		t.Errorf("where they are taken: %q", got)
	}
}

// TestARegionChoosesItsNotices: reminders by text and notices of every use follow the card's
// region, whatever region a channel names; the page reminds in any case.
func TestARegionChoosesItsNotices(t *testing.T) {
	rules := ruled(t, "layer: region 3305\nnotices:\n  reminder: false\n  every_use: true\n", "layer: region 4401\nremind_after: 360d\n")
	for _, c := range []struct {
		card     liuma.Region
		reminded bool
	}{{"330502", false}, {"440103", true}} {
		x := newPhoned(t, testkit.Options{Rules: rules})
		x.moveCard(c.card)
		x.Clock.Advance(366 * day)
		q := x.push(liuma.ActionVerify)
		q.Region = map[bool]liuma.Region{true: "330502", false: "440103"}[c.reminded] // the other one
		p, h := x.OpenPage(x.ch, q)
		if p = x.GivePIN(p, h, liuma.RoleCurrent, goodPIN); !p.RemindChange {
			t.Errorf("%s: the page does not remind", c.card)
		}
		told := strings.Contains(strings.Join(x.Notices(x.who.Phone), " "), "rotation_reminder")
		if told != c.reminded {
			t.Errorf("%s: reminded by text: %v", c.card, told)
		}
	}
	// A phone that is bound there gets a notice of every use until its holder says otherwise,
	// and what the holder said stays when another phone is bound.
	x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: national\nnotices.every_use: true\n")})
	every := func() bool { return strings.Contains(strings.Join(x.Notices(x.who.Phone), " "), "every_use") }
	if x.Verify(x.ch, x.card, goodPIN); !every() {
		t.Error("no notice of a use")
	}
}

// TestARegionForgetsCeremoniesSooner: by the region of the card, whatever region a channel
// names; those of another region stay as long as configured, and what a channel may ask by
// business number stays too.
func TestARegionForgetsCeremoniesSooner(t *testing.T) {
	for _, c := range []struct {
		card, push liuma.Region
		keep       time.Duration
	}{{"330502", "440103", 2 * day}, {"440103", "330502", 7 * day}, {"110101", "110101", 7 * day}} {
		x := newPhoned(t, testkit.Options{Rules: ruled(t, "layer: region 3305\nretention.ceremonies: 2d\n", "layer: region 11\nretention.ceremonies: 30d\n")})
		x.moveCard(c.card)
		q := x.push(liuma.ActionVerify)
		q.Region = c.push
		p, h := x.OpenPage(x.ch, q)
		x.Return(x.ch, x.GivePIN(p, h, liuma.RoleCurrent, goodPIN), h)
		gone := func() bool {
			t.Helper()
			if err := x.System.Ceremonies.MaintainOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := x.System.Store.View(t.Context(), func(r store.Reader) error {
				_, err := r.Ceremony(p.ID)
				return err
			})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
			return err != nil
		}
		x.Clock.Advance(c.keep - time.Second)
		if gone() {
			t.Errorf("%s: dropped before its time", c.card)
		}
		x.Clock.Advance(2 * time.Second)
		if !gone() {
			t.Errorf("%s: kept after its time", c.card)
		}
		if v, err := x.Authority().Verification(t.Context(), x.ch, q.BusinessNo); err != nil || v.Verdict != liuma.Right {
			t.Errorf("%s: asked by its number: %+v, %v", c.card, v, err)
		}
	}
}
