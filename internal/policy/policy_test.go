package policy

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/pin"
)

func TestNationalIsTheRuleOfTheDesign(t *testing.T) {
	p := National()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"six wrong PINs":                 p.Limits.Attempts == 6,
		"within 24 hours":                p.Limits.Window == 24*time.Hour,
		"lock for 24 hours":              p.Limits.LockFor == 24*time.Hour,
		"30 close a lane":                p.Limits.Failures == 30,
		"all PIN rules":                  p.PIN == pin.NationalRules(),
		"no passphrases":                 !p.Passphrase,
		"a challenge lives five minutes": p.ChallengeTTL == 5*time.Minute,
		"a receipt lives 60 s":           p.ReceiptTTL == 60*time.Second,
		"evidence is five minutes old":   p.EvidenceMaxAge == 5*time.Minute,
		"a seal key lives a day":         p.SealKeyLife == 24*time.Hour,
		"a reminder after a year":        p.RemindAfter == 365*24*time.Hour,
		"no forced change":               p.ForceAfter == 0,
		"no stand-in evidence":           !p.AllowStandInEvidence,
		"one pace, longer than keepers'": p.RefusalPace > 500*time.Millisecond,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
}

func TestValidate(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		change func(*Policy)
		wrong  string // part of the error, or empty
	}{
		{"national", func(*Policy) {}, ""},
		{"zero", func(p *Policy) { *p = Policy{} }, "limits"},
		{"fewer attempts", func(p *Policy) { p.Limits.Attempts = 3 }, ""},
		{"more attempts", func(p *Policy) { p.Limits.Attempts = 7 }, "limits"},
		{"no attempts", func(p *Policy) { p.Limits.Attempts = 0 }, "limits"},
		{"longer window", func(p *Policy) { p.Limits.Window = 2 * day }, ""},
		{"shorter window", func(p *Policy) { p.Limits.Window = day - 1 }, "looser"},
		{"window without end", func(p *Policy) { p.Limits.Window = 31 * day }, "30 days"},
		{"longer lock", func(p *Policy) { p.Limits.LockFor = 3 * day }, ""},
		{"shorter lock", func(p *Policy) { p.Limits.LockFor = time.Hour }, "looser"},
		{"lock without end", func(p *Policy) { p.Limits.LockFor = 31 * day }, "30 days"},
		{"fewer failures", func(p *Policy) { p.Limits.Failures = 10 }, ""},
		{"more failures", func(p *Policy) { p.Limits.Failures = 31 }, "looser"},
		{"shorter runs", func(p *Policy) { p.PIN.Run = 5 }, ""},
		{"runs too short", func(p *Policy) { p.PIN.Run = 3 }, "run"},
		{"no rules", func(p *Policy) { p.PIN = pin.Rules{Run: 6, List: pin.ListStrong} }, "pin: looser"},
		{"without the common list", func(p *Policy) { p.PIN.Common = false }, "pin: looser"},
		{"passphrases", func(p *Policy) { p.Passphrase = true }, ""},
		{"challenge too long", func(p *Policy) { p.ChallengeTTL++ }, "challenge_ttl"},
		{"challenge too short", func(p *Policy) { p.ChallengeTTL = MinChallengeTTL - 1 }, "challenge_ttl"},
		{"receipt too long", func(p *Policy) { p.ReceiptTTL++ }, "receipt_ttl"},
		{"receipt too short", func(p *Policy) { p.ReceiptTTL = 0 }, "receipt_ttl"},
		{"evidence too old", func(p *Policy) { p.EvidenceMaxAge++ }, "evidence_max_age"},
		{"evidence never young enough", func(p *Policy) { p.EvidenceMaxAge = time.Second }, "evidence_max_age"},
		{"seal key too old", func(p *Policy) { p.SealKeyLife++ }, "seal_key_life"},
		{"seal key too young", func(p *Policy) { p.SealKeyLife = time.Minute }, "seal_key_life"},
		{"pace too fast", func(p *Policy) { p.RefusalPace = MinRefusalPace - 1 }, "refusal_pace"},
		{"pace too slow", func(p *Policy) { p.RefusalPace = MaxRefusalPace + 1 }, "refusal_pace"},
		{"never remind", func(p *Policy) { p.RemindAfter = 0 }, ""},
		{"remind daily", func(p *Policy) { p.RemindAfter = day }, "remind_after"},
		{"remind backwards", func(p *Policy) { p.RemindAfter = -day }, "remind_after"},
		{"force after two years", func(p *Policy) { p.ForceAfter = 730 * day }, ""},
		{"force without a reminder", func(p *Policy) { p.RemindAfter, p.ForceAfter = 0, 90*day }, ""},
		{"force too soon", func(p *Policy) { p.RemindAfter, p.ForceAfter = 30*day, 89*day }, "force_after"},
		{"force before the reminder", func(p *Policy) { p.ForceAfter = 364 * day }, "force_after"},
		{"stand-in evidence", func(p *Policy) { p.AllowStandInEvidence = true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := National()
			c.change(&p)
			err := p.Validate()
			_, layersErr := NewLayers(p)
			if (layersErr == nil) != (err == nil) {
				t.Errorf("NewLayers: %v, Validate: %v", layersErr, err)
			}
			switch {
			case c.wrong == "" && err != nil:
				t.Error(err)
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("error %v, want one about %q", err, c.wrong)
			}
		})
	}
}

func TestErrorsNameEveryFault(t *testing.T) {
	p := National()
	p.ChallengeTTL, p.ReceiptTTL = 0, 0
	err := p.Validate()
	if err == nil {
		t.Fatal("three faults passed")
	}
	for _, name := range []string{"challenge_ttl", "receipt_ttl"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func TestForExplainsEveryValue(t *testing.T) {
	national := National()
	national.Limits.Attempts, national.AllowStandInEvidence = 5, true
	l, err := NewLayers(national)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		region  liuma.Region
		channel liuma.ChannelID
	}{{"", ""}, {"3305", "zj-hrss"}} {
		p, why := l.For(at.region, at.channel), l.Explain(at.region, at.channel)
		if p != national {
			t.Errorf("%v: not the national policy", at)
		}
		want := leaves(reflect.ValueOf(p), "")
		if len(why) != len(want) {
			t.Errorf("%v: %d values explained, %d there", at, len(why), len(want))
		}
		for i, leaf := range want {
			if i >= len(why) {
				break
			}
			if why[i].Value != leaf.name || why[i].Layer != LayerNational || why[i].Of != "" {
				t.Errorf("value %d is %s, explained as %+v", i, leaf.name, why[i])
			}
			if d, err := time.ParseDuration(leaf.is); err == nil && strings.ContainsAny(leaf.is, "hms") {
				leaf.is = timeText(d)
			}
			if leaf.is != why[i].Is && !(leaf.is == "0s" && (why[i].Is == "never" || why[i].Is == "configured")) &&
				!(leaf.is == "" && why[i].Is == AgentsNone.text()) {
				t.Errorf("%s is %s, explained as %s", leaf.name, leaf.is, why[i].Is)
			}
		}
		p.Limits.Attempts = 1
		if again := l.For(at.region, at.channel); again != national {
			t.Error("a caller changed the layers")
		}
	}
	why := l.Explain("", "")
	if o, ok := why.Of("limits.attempts"); !ok || o.Is != "5" {
		t.Errorf("limits.attempts: %+v, %v", o, ok)
	}
	if o, ok := why.Of("force_after"); !ok || o.Is != "never" {
		t.Errorf("force_after: %+v, %v", o, ok)
	}
	if _, ok := why.Of("no_such_value"); ok {
		t.Error("a value that is not there was explained")
	}
}

type leaf struct{ name, is string }

// leaves lists every plain field of a policy by its name in snake case, so that
// a new field without an explanation fails the test.
func leaves(v reflect.Value, prefix string) []leaf {
	var all []leaf
	for i := range v.NumField() {
		name := prefix + snake(v.Type().Field(i).Name)
		if name == "began" {
			continue // no rule
		}
		if f := v.Field(i); f.Kind() == reflect.Struct {
			all = append(all, leaves(f, name+".")...)
		} else {
			all = append(all, leaf{name, fmt.Sprint(f.Interface())})
		}
	}
	return all
}

func snake(s string) string {
	s = strings.ReplaceAll(s, "TTL", "Ttl")
	s = strings.ReplaceAll(s, "IDNumber", "IdNumber")
	s = strings.ReplaceAll(s, "PIN", "Pin")
	s = regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(s, "${1}_${2}")
	return strings.ToLower(s)
}
