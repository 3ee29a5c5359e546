package tally_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

var noon = time.Date(2026, 3, 4, 12, 10, 0, 0, time.UTC)

func entry(ev audit.Event, actor, outcome, note string) audit.Entry {
	return audit.Entry{At: noon, Actor: actor, Event: ev, Card: liuma.CardID{7}, BusinessNo: "B1", Outcome: outcome, Note: note}
}

// TestWhatIsCounted: which entries count as what, and through which channel.
func TestWhatIsCounted(t *testing.T) {
	for _, c := range []struct {
		e       audit.Entry
		channel liuma.ChannelID
		kinds   []tally.Kind
	}{
		{entry(audit.AttemptDecided, "channel:zj", "right", ""), "zj", []tally.Kind{tally.Right}},
		{entry(audit.AttemptDecided, "channel:zj", "wrong_pin", ""), "zj", []tally.Kind{tally.Wrong}},
		{entry(audit.AttemptDecided, "channel:zj", "locked", ""), "zj", []tally.Kind{tally.Locked}},
		{entry(audit.AttemptDecided, "channel:zj", "blocked", ""), "zj", []tally.Kind{tally.Blocked}},
		{entry(audit.AttemptDecided, "channel:zj", "frozen", ""), "zj", []tally.Kind{tally.Refused}},
		{entry(audit.AttemptDecided, "channel:zj", "refused", ""), "zj", []tally.Kind{tally.Refused}},
		{entry(audit.AttemptUndecided, "channel:zj", "undecided", ""), "zj", []tally.Kind{tally.Refused}},
		{entry(audit.AttemptBegun, "channel:zj", "ok", ""), "zj", nil},
		{entry(audit.CardLinked, "channel:zj", "right", ""), "zj", []tally.Kind{tally.Right, tally.Linked}},
		{entry(audit.CardLinked, "channel:zj", "ok", ""), "zj", []tally.Kind{tally.Linked}},
		{entry(audit.PINReset, "channel:zj", "ok", "version=2"), "zj", []tally.Kind{tally.Reset}},
		{entry(audit.PINSet, "system", "ok", "version=2"), "", []tally.Kind{tally.Set}},
		{entry(audit.PhoneChanged, "holder", "ok", "step=done channel=zj"), "zj", []tally.Kind{tally.Rebound}},
		{entry(audit.CodeSent, "holder", "ok", "step=code channel=zj"), "zj", []tally.Kind{tally.Codes}},
		{entry(audit.CodeSent, "holder", "phone_code_later", "step=code channel=zj"), "zj", nil},
		{entry(audit.CardFrozen, "hotline:h", "ok", ""), "", []tally.Kind{tally.Frozen}},
		{entry(audit.CardFrozen, "hotline:h", "not_found", ""), "", nil},
		{entry(audit.LossReported, "hotline:h", "ok", ""), "", []tally.Kind{tally.Reported}},
		{entry(audit.EvidenceProved, "holder", "ok", "step=done channel=zj"), "zj", []tally.Kind{tally.ByFace}},
		{entry(audit.MessageSent, "system", "ok", "tries=1"), "", []tally.Kind{tally.Sent}},
		{entry(audit.MessageDead, "system", "undelivered", "tries=5"), "", []tally.Kind{tally.Dead}},
		{entry(audit.GuardAlarm, "system", "alarm", "channel=zj"), "", nil},
	} {
		if got := tally.KindsOf(c.e); !slices.Equal(got, c.kinds) {
			t.Errorf("%s %s: counts as %v, want %v", c.e.Event, c.e.Outcome, got, c.kinds)
		}
		if got := c.e.Through(); got != c.channel {
			t.Errorf("%s of %s with %q: through %q, want %q", c.e.Event, c.e.Actor, c.e.Note, got, c.channel)
		}
	}
}

// TestKindsHaveNames of their own, which stored counts go by the numbers of.
func TestKindsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for i, k := range tally.Kinds() {
		if int(k) != i || k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d is %q", i, k)
		}
		seen[k.String()] = true
	}
}

// TestNothingPersonalIsKept: neither card nor business number nor county is in what is
// stored.
func TestNothingPersonalIsKept(t *testing.T) {
	var c tally.Count
	c.Add(entry(audit.AttemptDecided, "channel:zj", "right", ""), "330502")
	want := []store.Tally{{Hour: noon.Truncate(time.Hour), Cells: []store.TallyCell{{Channel: "zj", Region: "3305", Counts: store.TallyCounts{1}}}}}
	if diff := cmp.Diff(want, c.Tallies()); diff != "" {
		t.Error(diff)
	}
}

// TestCountsAreLoadedAgain as they were stored, and those of a later release's kinds
// are passed over.
func TestCountsAreLoadedAgain(t *testing.T) {
	var c tally.Count
	for _, region := range []liuma.Region{"330502", "330105", ""} {
		c.Add(entry(audit.AttemptDecided, "channel:zj", "wrong_pin", ""), region)
		c.Add(entry(audit.MessageSent, "system", "ok", ""), region)
	}
	var again tally.Count
	for _, x := range c.Tallies() {
		for i := range x.Cells {
			n := make(store.TallyCounts, 200)
			copy(n, x.Cells[i].Counts)
			n[199] = 9
			x.Cells[i].Counts = n
		}
		again.Load(x)
	}
	if diff := cmp.Diff(c.Tallies(), again.Tallies()); diff != "" {
		t.Error(diff)
	}
}

// drawn is a count of n entries in one hour and region.
func drawn(c *tally.Count, n int, channel, outcome string, region liuma.Region, at time.Time) {
	for range n {
		e := entry(audit.AttemptDecided, "channel:"+channel, outcome, "")
		e.At = at
		c.Add(e, region)
	}
}

// TestRegionsAreShownInSteps: no count by region or channel is a number below five,
// whichever way it is asked for, while those of the whole service are exact: a channel that
// serves one prefecture alone tells nothing of it either.
func TestRegionsAreShownInSteps(t *testing.T) {
	var c tally.Count
	drawn(&c, 3, "zj", "right", "330502", noon)
	drawn(&c, 13, "gd", "right", "440100", noon)
	drawn(&c, 1, "gd", "locked", "440100", noon)
	begins := []time.Time{noon.Truncate(time.Hour)}
	all := c.Answer(tally.Question{From: begins[0], To: noon.Add(time.Hour)}, begins)
	if got := all.Total.Counts[tally.Right]; got.N != 16 || got.Few || all.Stepped {
		t.Errorf("in all %+v, want exactly 16", got)
	}
	if got := all.Channels[0].Counts[tally.Right]; all.Channels[0].Channel != "gd" || got.N != 10 || all.Channels[1].Counts[tally.Right] != (tally.Shown{Few: true}) {
		t.Errorf("by channel %+v", all.Channels)
	}
	want := map[liuma.Region]string{"3305": `"<5"`, "4401": "10"}
	for _, r := range all.Regions {
		raw, err := r.Counts[tally.Right].MarshalJSON()
		if err != nil || string(raw) != want[r.Region] {
			t.Errorf("%s is shown as %s, want %s", r.Region, raw, want[r.Region])
		}
	}
	for _, q := range []tally.Question{{Region: "4401"}, {Region: "44"}, {Region: "4401", Channel: "gd"}, {Channel: "gd"}} {
		q.From, q.To = begins[0], noon.Add(time.Hour)
		one := c.Answer(q, begins)
		for _, row := range append(append(append([]tally.Row{one.Total}, one.Spans...), one.Channels...), one.Regions...) {
			if row.Counts[tally.Right] != (tally.Shown{N: 10}) || row.Counts[tally.Locked] != (tally.Shown{Few: true}) || !one.Stepped {
				t.Errorf("of %s %s: %+v", q.Region, q.Channel, row)
			}
		}
	}
}

// TestSpansAndFilters: every span is there, an hour is in the one that it began in, and
// what was not asked for is left out.
func TestSpansAndFilters(t *testing.T) {
	var c tally.Count
	day := noon.Truncate(24 * time.Hour)
	drawn(&c, 7, "zj", "right", "3305", day.Add(-time.Minute)) // the day before
	drawn(&c, 6, "zj", "right", "3305", day)
	drawn(&c, 5, "gd", "right", "4401", day.Add(23*time.Hour+59*time.Minute))
	drawn(&c, 4, "zj", "right", "3305", day.Add(24*time.Hour)) // the day after
	begins := []time.Time{day, day.Add(8 * time.Hour), day.Add(16 * time.Hour)}
	ask := func(q tally.Question) (out []uint64) {
		q.From, q.To = day, day.Add(24*time.Hour)
		a := c.Answer(q, begins)
		for _, s := range a.Spans {
			out = append(out, s.Counts[tally.Right].N)
		}
		return append(out, a.Total.Counts[tally.Right].N)
	}
	for name, x := range map[string]struct {
		q    tally.Question
		want []uint64
	}{
		"all": {tally.Question{}, []uint64{6, 0, 5, 11}}, "a channel": {tally.Question{Channel: "zj"}, []uint64{5, 0, 0, 5}},
		"nobody": {tally.Question{Channel: "other"}, []uint64{0, 0, 0, 0}}, "a region": {tally.Question{Region: "44"}, []uint64{0, 0, 5, 5}},
	} {
		if got := ask(x.q); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

// TestShownIsReadBack as it is written, also by who writes < in full, and nothing else is.
func TestShownIsReadBack(t *testing.T) {
	for _, s := range []tally.Shown{{}, {N: 5}, {Few: true}} {
		raw, err := json.Marshal(struct{ X tally.Shown }{s})
		if err != nil {
			t.Fatal(err)
		}
		var back struct{ X tally.Shown }
		if err := json.Unmarshal(raw, &back); err != nil || back.X != s {
			t.Errorf("%s is read as %+v (%v)", raw, back.X, err)
		}
	}
	for _, text := range []string{`"<6"`, `-1`, `"5"`, `1.5`} {
		if err := json.NewDecoder(strings.NewReader(text)).Decode(new(tally.Shown)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
