package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// The rules of I-12 over the table of ways, written down here a second time: what a
// person holds, what a way gives, and which single thing is never enough.

// factorsOf is how many independent factors a way takes. A code to a number that is
// being bound is none. The number of the card is one only in a way that is walked
// twice, a day apart, while the bound phone is told: it can be read off a photo.
func factorsOf(w Way) int {
	kinds := map[Proof]bool{}
	for _, p := range w.Needs {
		switch p {
		case ProofPIN, ProofCode, ProofEvidence:
			kinds[p] = true
		case ProofCardNo:
			if w.Twice && w.Wait >= 24*time.Hour {
				kinds[p] = true
			}
		}
	}
	return len(kinds)
}

// gives is what an act hands to whoever comes to its end.
func gives(a liuma.Action) Proof {
	if a == liuma.ActionRebind {
		return ProofCode // of the phone that is bound from then on
	}
	return ProofPIN
}

// reach is all that somebody comes to hold who begins with some things, by the ways
// of a policy, without waiting for a day in which the phone is told.
func reach(p Policy, with ...Proof) []Proof {
	held := slices.Clone(with)
	for again := true; again; {
		again = false
		for _, a := range []liuma.Action{liuma.ActionReset, liuma.ActionRebind} {
			for _, w := range p.Ways(a) {
				lacks := slices.ContainsFunc(w.Needs, func(n Proof) bool { return n != ProofNewCode && !slices.Contains(held, n) })
				if got := gives(a); !lacks && w.Wait == 0 && !slices.Contains(held, got) {
					held, again = append(held, got), true
				}
			}
		}
	}
	return held
}

func twoFactors(t testing.TB, p Policy) {
	t.Helper()
	for _, act := range (&Steps{}).acts() {
		ways := p.Ways(act.action)
		if len(ways) == 0 {
			t.Errorf("%s: no way at all", act.action)
		}
		for _, w := range ways {
			if factorsOf(w) < 2 {
				t.Errorf("%s takes %v: fewer than two factors", act.action, w.Needs)
			}
		}
		if national := National().Ways(act.action)[0]; slices.ContainsFunc(national.Needs, func(n Proof) bool { return !slices.Contains(ways[0].Needs, n) }) {
			t.Errorf("%s takes %v, less than the nation's %v", act.action, ways[0].Needs, national.Needs)
		}
	}
	for _, one := range []Proof{ProofPIN, ProofCode, ProofEvidence} {
		// With the card's number, too, nobody comes from one factor to another.
		if got := reach(p, one, ProofCardNo); len(got) != 2 {
			t.Errorf("who holds %s and a photo of the card comes to hold %v", one, got)
		}
	}
}

func TestTheNationsWaysTakeTwoFactors(t *testing.T) {
	twoFactors(t, National())
	want := map[liuma.Action][]Proof{
		liuma.ActionEnroll:   {ProofEvidence, ProofCode},
		liuma.ActionReset:    {ProofCode, ProofEvidence},
		liuma.ActionRebind:   {ProofPIN, ProofEvidence, ProofNewCode},
		liuma.ActionUnfreeze: {ProofCode, ProofPIN},
	}
	for a, proofs := range want {
		if got := National().Ways(a); len(got) != 1 || !slices.Equal(got[0].Needs, proofs) {
			t.Errorf("%s: %v, want %v", a, got, proofs)
		}
		if got := (Steps{}).Of(a); !slices.Equal(got, proofs) {
			t.Errorf("%s of an old ceremony: %v, want %v", a, got, proofs)
		}
	}
	if National().Ways(liuma.ActionVerify) != nil {
		t.Error("verify has variants")
	}
}

// layersOf makes layers from numbers: each byte chooses a setting or none.
func layersOf(pick func(n int) int) []string {
	var texts []string
	for _, scope := range []string{"national", "region 33", "region 3305", "region 330502", "channel app", "channel other"} {
		text := "layer: " + scope + "\n"
		for _, act := range (&Steps{}).acts() {
			all := variants(act.action)
			if n := pick(len(all) + 1); n < len(all) {
				text += fmt.Sprintf("steps.%s: %s\n", act.action, all[n].name)
			}
		}
		if n := pick(4); n < 2 {
			text += fmt.Sprintf("recovery.card_number: %v\n", n == 0)
		}
		if n := pick(4); n < 2 {
			text += fmt.Sprintf("evidence_alone: %v\n", n == 0)
		}
		texts = append(texts, text)
	}
	return texts
}

// walk checks every region and channel of some layers; ok is false if they are
// refused.
func walk(t testing.TB, texts []string) (ok bool) {
	t.Helper()
	var files []File
	for i, text := range texts {
		f, err := ParseFile(fmt.Sprint(i, ".yaml"), []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		files = append(files, f)
	}
	l, err := NewLayers(National(), files...)
	if err != nil {
		return false
	}
	for _, region := range []liuma.Region{"", "33", "3305", "330502", "330503", "11"} {
		for _, ch := range []liuma.ChannelID{"", "app", "other", "third"} {
			p := l.For(region, ch)
			twoFactors(t, p)
			if p.EvidenceAlone && (!strings.Contains(strings.Join(texts, ""), "channel "+string(ch)+"\n") || !l.region(region).EvidenceAlone) {
				t.Errorf("%s in %q: evidence alone, and nobody named the channel or permitted it", ch, region)
			}
			for _, act := range (&Steps{}).acts() {
				above := l.region(region).Steps.Of(act.action)
				if now := p.Steps.Of(act.action); slices.ContainsFunc(above, func(n Proof) bool { return !slices.Contains(now, n) }) {
					t.Errorf("%s in %q: %s takes %v, less than the region's %v", ch, region, act.action, now, above)
				}
			}
		}
	}
	if t.Failed() {
		t.Log(strings.Join(texts, "---\n"))
	}
	return true
}

// TestDrawnStepsTakeTwoFactors draws layers, and walks every way of those that are
// accepted.
func TestDrawnStepsTakeTwoFactors(t *testing.T) {
	r := rand.New(rand.NewPCG(32, 12))
	accepted := 0
	for range 3000 {
		if walk(t, layersOf(r.IntN)) {
			accepted++
		}
		if t.Failed() {
			return
		}
	}
	if accepted < 50 {
		t.Errorf("%d drawn layers were accepted: too few to tell anything", accepted)
	}
}

func FuzzSteps(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{2, 2, 2, 4, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		i := 0
		walk(t, layersOf(func(n int) int {
			if i++; i > len(b) {
				return n - 1
			}
			return int(b[i-1]) % n
		}))
	})
}

// TestStepsThatAreRefused: a layer never asks for fewer proofs than the one above
// it, and picks nothing that is not in the table.
func TestStepsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		wrong string
	}{
		"not in the table":    {[]string{"layer: region 33\nsteps:\n  reset: code\n"}, `a.yaml:3: steps.reset: "code", want one of code-evidence, code-card-evidence`},
		"of another act":      {[]string{"layer: region 33\nsteps.unfreeze: code-evidence\n"}, "steps.unfreeze"},
		"empty":               {[]string{"layer: region 33\nsteps.unfreeze: \"\"\n"}, "steps.unfreeze"},
		"an act without any":  {[]string{"layer: region 33\nsteps.verify: pin\n"}, "no such value"},
		"fewer than above":    {[]string{"layer: region 33\nsteps.unfreeze: code-card-pin\n", "layer: region 3305\nsteps.unfreeze: code-pin\n"}, "b.yaml:2"},
		"others than above":   {[]string{"layer: region 33\nsteps.unfreeze: code-card-pin\n", "layer: region 3305\nsteps.unfreeze: code-evidence-pin\n"}, "looser than"},
		"a channel's hotline": {[]string{"layer: channel app\nhotline: 12345\n"}, "a region decides it"},
		"a channel's loss":    {[]string{"layer: channel app\nloss_report: 3d\n"}, "a region decides it"},
		"a loss of a month":   {[]string{"layer: region 33\nloss_report: 30d\n"}, "loss_report"},
		"a loss of a day":     {[]string{"layer: region 33\nloss_report: 1d\n"}, "loss_report"},
		"words for a number":  {[]string{"layer: region 33\nhotline: call us\n"}, "telephone number"},
	} {
		t.Run(name, func(t *testing.T) {
			var files []File
			var err error
			for i, text := range c.files {
				var f File
				if f, err = ParseFile(string(rune('a'+i))+".yaml", []byte(text)); err != nil {
					break
				}
				files = append(files, f)
			}
			if err == nil {
				_, err = NewLayers(National(), files...)
			}
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v, want an error about %q", err, c.wrong)
			}
		})
	}
}

// TestAChannelAddsItsProofs: where region and channel each ask for something else,
// both are asked for, and explain says who.
func TestAChannelAddsItsProofs(t *testing.T) {
	l := layersFrom(t, "layer: region 33\nsteps.unfreeze: code-card-pin\nevidence_alone: true\n",
		"layer: channel app\nsteps.unfreeze: code-evidence-pin\nevidence_alone: true\n")
	p := l.For("330502", "app")
	if p.Steps.Unfreeze != "code-card-evidence-pin" || !p.EvidenceAlone {
		t.Errorf("%+v, evidence alone %v", p.Steps, p.EvidenceAlone)
	}
	if o, _ := l.Explain("3305", "app").Of("steps.unfreeze"); o.Layer != LayerChannel || o.Is != "code-card-evidence-pin" {
		t.Errorf("explained as %+v", o)
	}
	if o, _ := l.Explain("3305", "app").Of("evidence_alone"); o.Layer != LayerChannel || o.Is != "true" {
		t.Errorf("explained as %+v", o)
	}
	for _, other := range []struct {
		region  liuma.Region
		channel liuma.ChannelID
	}{{"3305", "other"}, {"3305", ""}, {"11", "app"}} {
		if l.For(other.region, other.channel).EvidenceAlone {
			t.Errorf("%v: evidence alone", other)
		}
		if o, _ := l.Explain(other.region, other.channel).Of("evidence_alone"); o.Is != "false" || o.Layer != LayerNational {
			t.Errorf("%v: explained as %+v", other, o)
		}
	}
}

// TestTheNumberTakesThePlaceOfNothingWhereItIsAskedBeside: a layer that asks for the
// card's number beside evidence closes the way that takes it instead.
func TestTheNumberTakesThePlaceOfNothingWhereItIsAskedBeside(t *testing.T) {
	l := layersFrom(t, "layer: region 33\nrecovery.card_number: true\n", "layer: region 3305\nsteps.reset: code-card-evidence\n")
	if !l.For("33", "").NumberForEvidence() || len(l.For("33", "").Ways(liuma.ActionReset)) != 2 {
		t.Error("the province has no way by the card's number")
	}
	if l.For("3305", "").NumberForEvidence() || len(l.For("3305", "").Ways(liuma.ActionReset)) != 1 {
		t.Error("in the city, which asks for both, the number takes the place of evidence")
	}
}

func layersFrom(t *testing.T, texts ...string) *Layers {
	t.Helper()
	var files []File
	for i, text := range texts {
		f, err := ParseFile(fmt.Sprint(i, ".yaml"), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	l, err := NewLayers(National(), files...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestStepsWith asks for all that both ask for, and for everything where a variant is
// not known.
func TestStepsWith(t *testing.T) {
	a := Steps{Reset: "code-evidence", Unfreeze: "code-card-pin"}
	b := Steps{Reset: "code-card-evidence", Unfreeze: "code-evidence-pin", Rebind: "of a later release"}
	want := Steps{Enroll: "evidence-code", Reset: "code-card-evidence", Rebind: "pin-card-evidence-code", Unfreeze: "code-card-evidence-pin"}
	if is := a.With(b); is != want {
		t.Errorf("%+v", is)
	}
	if is := b.With(a); is != want {
		t.Errorf("the other way round %+v", is)
	}
}
