package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAgesOfMinors: a layer raises the age from which a person is alone, to 18, and never
// lowers what is above it.
func TestAgesOfMinors(t *testing.T) {
	for _, c := range []struct{ province, city, wrong string }{
		{"14", "18", ""}, {"16", "16", ""}, {"16", "17", ""},
		{"13", "14", "a:2: minors.alone: 13 is looser"}, {"19", "19", "a: policy: minors.alone: 19, want 14 to 18"},
		{"16", "15", "b:2: minors.alone: 15 is looser than the layer above it, which has 16"},
	} {
		l, err := layered(t, map[string]string{"a": "layer: region 33\nminors.alone: " + c.province + "\n", "b": "layer: region 3305\nminors.alone: " + c.city + "\n"})
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s and %s: %v", c.province, c.city, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s and %s: %v", c.province, c.city, err)
			continue
		}
		if o, _ := l.Explain("330502", "").Of("minors.alone"); o.Is != c.city {
			t.Errorf("%s and %s: %s", c.province, c.city, o.Is)
		}
	}
}

// TestSentencesThatAreRefused: a region's own words lead nowhere, name no number to call,
// hide nothing and fit on a small page; and stand in both languages.
func TestSentencesThatAreRefused(t *testing.T) {
	for text, ok := range map[string]bool{
		"周三下午柜台不办公，请在上午来。":                                 true,
		"Counters are shut on Wednesdays. Come before 12.": true,
		"“一老一小”窗口在二楼（电梯旁）。":                                true,
		strings.Repeat("字", maxSentence):                   true,
		strings.Repeat("字", maxSentence+1):                 false,
		"see example.cn":                                   false,
		"见 例子。com":                                         false,
		"见 https 某处":                                       false,
		"WWW 某处":                                           false,
		"写信给 a@b":                                          false,
		"http:/x":                                          false,
		"x/y":                                              false,
		"call 057188888888":                                false,
		"请打 12333":                                         true,
		"请打 123456":                                        false,
		"ｗｗｗ．例":                                            false,
		"两行\n":                                             false,
		"  先有空格":                                           false,
		"两个  空格":                                           false,
		"<b>x</b>":                                         false,
		"{hotline}":                                        false,
		"看\u200b不见":                                        false,
		"反\u202e转":                                         false,
	} {
		if err := Sentence(text).valid(); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	for name, c := range map[string]struct{ text, wrong string }{
		"one language":   {"texts.zh: 周三不办公。\n", "texts: in one language alone"},
		"an address":     {"texts:\n  zh: 见 x.cn\n  en: See x.cn\n", "a:3: texts.zh"},
		"by a channel":   {"", ""},
		"a whole number": {"notices.reminder: 1\n", "a:2: notices.reminder: \"1\", want true or false"},
	} {
		f, err := ParseFile("a", []byte("layer: region 33\n"+c.text))
		if err == nil {
			_, err = NewLayers(National(), f)
		}
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"texts.zh: 好\ntexts.en: Good\n", "notices.every_use: true\n", "notices.reminder: false\n"} {
		if _, err := layered(t, map[string]string{"a": "layer: channel x\n" + text}); err == nil || !strings.Contains(err.Error(), "a region decides it, a channel cannot") {
			t.Errorf("a channel set %q: %v", text, err)
		}
	}
	l, err := layered(t, map[string]string{"a": "layer: region 33\ntexts:\n  zh: 周三不办公。\n  en: Shut on Wednesdays.\n", "b": "layer: region 3305\ntexts.zh: \"\"\ntexts.en: \"\"\n"})
	if err != nil {
		t.Fatal(err)
	}
	if p, city := l.For("3301", ""), l.For("3305", ""); p.Texts != (Texts{"周三不办公。", "Shut on Wednesdays."}) || city.Texts != (Texts{}) {
		t.Errorf("%+v, %+v", p.Texts, city.Texts)
	}
}

// TestNoLayerSilencesANotice: of all notices a layer chooses two, which protect nobody; a
// value for another one is no value.
func TestNoLayerSilencesANotice(t *testing.T) {
	var chosen []string
	for _, v := range values() {
		if strings.HasPrefix(v.name, "notices.") {
			chosen = append(chosen, v.name)
		}
	}
	if diff := cmp.Diff([]string{"notices.reminder", "notices.every_use"}, chosen); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"pin_set", "pin_changed", "pin_reset", "pin_locked", "card_frozen", "loss_reported", "phone_changed_old", "every_use_off", "channel_linked"} {
		if _, err := ParseFile("a", []byte("layer: region 33\nnotices."+name+": false\n")); err == nil {
			t.Errorf("notices.%s was switched off", name)
		}
	}
	if !slices.ContainsFunc(values(), func(v value) bool { return v.name == "remind_after" }) {
		t.Error("nothing says when a PIN is old")
	}
}

// TestUnder: a channel under another has of each value the stricter, also of what takes its
// own layer.
func TestUnder(t *testing.T) {
	l, err := layered(t, map[string]string{
		"n": "layer: national\nevidence_alone: true\npassphrase: true\n",
		"a": "layer: channel above\nlimits.attempts: 3\nsteps.unfreeze: code-card-pin\npassphrase: false\n",
		"b": "layer: channel below\nlimits.attempts: 4\nlimits.lock_for: 3d\nevidence_alone: true\nsteps.unfreeze: code-evidence-pin\n"})
	if err != nil {
		t.Fatal(err)
	}
	above, below := l.For("33", "above"), l.For("33", "below")
	p := below.Under(above)
	if p.Limits.Attempts != 3 || p.Limits.LockFor != below.Limits.LockFor || p.EvidenceAlone || p.Passphrase || p.Steps.Unfreeze != "code-card-evidence-pin" {
		t.Errorf("%+v", p)
	}
	why := l.ExplainUnder("33", "below", "above")
	for name, want := range map[string][2]string{"limits.attempts": {"3", "above"}, "limits.lock_for": {"3d", "below"}, "evidence_alone": {"false", ""},
		"passphrase": {"false", "above"}, "steps.unfreeze": {"code-card-evidence-pin", "above"}, "receipt_ttl": {"1m", ""}} {
		if o, _ := why.Of(name); o.Is != want[0] || o.Of != want[1] {
			t.Errorf("%s: %+v, want %v", name, o, want)
		}
	}
	if diff := cmp.Diff(l.Explain("33", "below"), l.ExplainUnder("33", "below", "")); diff != "" {
		t.Error(diff)
	}
}

// TestRetentionOnlyShortens: a region keeps ceremonies shorter than the layer above it, a day
// at least, and never longer; no layer shortens anything else that is kept.
func TestRetentionOnlyShortens(t *testing.T) {
	for _, c := range []struct{ above, below, wrong string }{
		{"7d", "1d", ""}, {"7d", "7d", ""}, {"configured", "30d", ""},
		{"7d", "8d", "b:2: retention.ceremonies: 8d is looser"}, {"7d", "configured", "b:2: retention.ceremonies: configured is looser"},
		{"7d", "23h", "b: policy: retention.ceremonies"},
	} {
		_, err := layered(t, map[string]string{"a": "layer: region 33\nretention.ceremonies: " + c.above + "\n", "b": "layer: region 3305\nretention.ceremonies: " + c.below + "\n"})
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s under %s: %v", c.below, c.above, err)
		}
	}
	for _, text := range []string{"retention.record: 1d\n", "retention.requests: 1d\n", "retention.consents: 1d\n", "retention.ceremonies: never\n"} {
		if _, err := ParseFile("a", []byte("layer: region 33\n"+text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := layered(t, map[string]string{"a": "layer: channel x\nretention.ceremonies: 1d\n"}); err == nil || !strings.Contains(err.Error(), "a channel cannot") {
		t.Errorf("a channel: %v", err)
	}
}
