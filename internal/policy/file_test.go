package policy

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
)

// layered reads files whose names are the keys and puts them over the national
// rule.
func layered(t testing.TB, files map[string]string) (*Layers, error) {
	t.Helper()
	var all []File
	for name, text := range files {
		f, err := ParseFile(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return NewLayers(National(), all...)
}

func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text, wrong string }{
		{"empty", "", "p.yaml:1: want one document"},
		{"no layer", "passphrase: true\n", `p.yaml:1: no "layer:"`},
		{"two documents", "layer: national\n---\nlayer: national\n", "want one document"},
		{"layer twice", "layer: national\nlayer: national\n", "layer"},
		{"no such layer", "layer: city\n", `p.yaml:1: layer: "city"`},
		{"region without a code", "layer: region\n", "want the region's code"},
		{"region of three digits", "layer: region 330\n", "GB/T 2260"},
		{"nation with a code", "layer: national 33\n", "nothing follows"},
		{"channel in capitals", "layer: channel ABC\n", "channel"},
		{"unknown value", "layer: national\n\npassword: true\n", "p.yaml:3: password: no such value"},
		{"unknown value in a group", "layer: national\nlimits:\n  atempts: 3\n", "p.yaml:3: limits.atempts: no such value; did you mean limits.attempts?"},
		{"unknown group", "layer: national\nlimit:\n  attempts: 3\n", "p.yaml:2: limit: no such value"},
		{"value twice", "layer: national\nlimits:\n  attempts: 3\nlimits.attempts: 4\n", "p.yaml:4: limits.attempts: there already, on line 3"},
		{"a list", "layer: national\nlimits:\n  - attempts\n", "p.yaml:2: limits: want a value"},
		{"nothing", "layer: national\nlimits:\n  attempts:\n", "p.yaml:3: limits.attempts: want a value"},
		{"no number", "layer: national\nlimits:\n  attempts: three\n", `p.yaml:3: limits.attempts: "three", want a whole number`},
		{"a number that YAML reads otherwise", "layer: national\nlimits:\n  attempts: 0x3\n", `"0x3", want a whole number`},
		{"no truth", "layer: national\npassphrase: maybe\n", `p.yaml:2: passphrase: "maybe", want true or false`},
		{"no time", "layer: national\nlimits:\n  window: 24\n", `p.yaml:3: limits.window: "24", want a time`},
		{"never where it cannot be", "layer: national\nlimits:\n  window: never\n", "want a time"},
		{"stand-ins", "layer: national\nallow_stand_in_evidence: true\n", "p.yaml:2: allow_stand_in_evidence: no such value"},
		{"an alias", "layer: national\nlimits: &x\n  attempts: 3\n", "p.yaml:2"},
		{"no YAML", "layer: [national\n", "policy file"},
		{"too long", "layer: national\n#" + strings.Repeat("x", maxFile), "more than"},
		{"two faults", "layer: national\npassphrase: 1\nreceipt_ttl: x\n", "p.yaml:3: receipt_ttl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseFile("p.yaml", []byte(c.text))
			if !errors.Is(err, ErrFile) {
				t.Fatalf("error %v, want ErrFile", err)
			}
			if !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q does not say %q", err, c.wrong)
			}
			if len(f.settings) != 0 {
				t.Error("a refused file has settings")
			}
		})
	}
}

// province is a set of layers with real differences.
func province() map[string]string {
	return map[string]string{
		"zj.yaml":      "layer: region 33\nlimits:\n  attempts: 5\npassphrase: true\nremind_after: never\n",
		"huzhou.yaml":  "layer: region 330500 # a city\nlimits.attempts: 3\nrecovery:\n  card_number: true\n",
		"app.yaml":     "layer: channel zj-app\nlimits:\n  attempts: 4\n  lock_for: 3d\npassphrase: false\nremind_after: 90d\n",
		"country.yaml": "layer: national\nrefusal_pace: 900ms\n",
	}
}

func TestLayers(t *testing.T) {
	l, err := layered(t, province())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		region  liuma.Region
		channel liuma.ChannelID
		value   string
		is      string
		layer   Layer
		of      string
	}{
		{"a region that sets nothing", "11", "", "limits.attempts", "6", LayerNational, ""},
		{"no region", "", "", "limits.attempts", "6", LayerNational, ""},
		{"the nation's file", "11", "", "refusal_pace", "900ms", LayerNational, ""},
		{"a province", "33", "", "limits.attempts", "5", LayerRegion, "33"},
		{"a city that sets nothing", "3301", "", "limits.attempts", "5", LayerRegion, "33"},
		{"a city", "3305", "", "limits.attempts", "3", LayerRegion, "3305"},
		{"a county", "330502", "", "limits.attempts", "3", LayerRegion, "3305"},
		{"from the province, in a county", "330502", "", "passphrase", "true", LayerRegion, "33"},
		{"permitted by the city", "330502", "", "recovery.card_number", "true", LayerRegion, "3305"},
		{"a channel that is stricter", "33", "zj-app", "limits.attempts", "4", LayerChannel, "zj-app"},
		{"a channel that is looser than the city", "3305", "zj-app", "limits.attempts", "3", LayerRegion, "3305"},
		{"a channel outside its region", "11", "zj-app", "limits.attempts", "4", LayerChannel, "zj-app"},
		{"a longer lock", "3305", "zj-app", "limits.lock_for", "3d", LayerChannel, "zj-app"},
		{"switched off by the channel", "3305", "zj-app", "passphrase", "false", LayerChannel, "zj-app"},
		{"off already", "11", "zj-app", "passphrase", "false", LayerNational, ""},
		{"a region that never reminds", "33", "", "remind_after", "never", LayerRegion, "33"},
		{"a channel that reminds", "33", "zj-app", "remind_after", "90d", LayerChannel, "zj-app"},
		{"another channel", "33", "other", "limits.attempts", "5", LayerRegion, "33"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, ok := l.Explain(c.region, c.channel).Of(c.value)
			if !ok {
				t.Fatal("not explained")
			}
			if o.Is != c.is {
				t.Errorf("%s, want %s", o.Is, c.is)
			}
			if o.Layer != c.layer || o.Of != c.of {
				t.Errorf("set by %s %s, want %s %s", o.Layer, o.Of, c.layer, c.of)
			}
		})
	}
}

func TestWhereAValueWasSet(t *testing.T) {
	l, err := layered(t, province())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := l.Explain("330502", "zj-app").Of("limits.lock_for")
	want := Origin{Value: "limits.lock_for", Is: "3d", Layer: LayerChannel, Of: "zj-app", File: "app.yaml", Line: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLayersThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		wrong string
	}{
		{"looser than the nation", map[string]string{"a": "layer: region 33\nlimits.attempts: 7\n"}, "a:2: limits.attempts: 7 is looser than the layer above it, which has 6"},
		{"a nation looser than its rule", map[string]string{"a": "layer: national\nlimits.window: 12h\n"}, "a:2: limits.window"},
		{"a city looser than its province", map[string]string{"b": "layer: region 33\nlimits.attempts: 3\n", "a": "layer: region 3305\nlimits.attempts: 4\n"}, "a:2: limits.attempts: 4 is looser"},
		{"a PIN rule switched off", map[string]string{"a": "layer: region 33\npin:\n  birthday: false\n"}, "a:3: pin.birthday"},
		{"a channel that permits", map[string]string{"a": "layer: channel x\npassphrase: true\n"}, "a:2: passphrase: a region permits it"},
		{"a region that sets what holds for the service", map[string]string{"a": "layer: region 33\nseal_key_life: 1h\n"}, "a:2: seal_key_life: only the nation's layer"},
		{"the same layer twice", map[string]string{"a": "layer: region 33\n", "b": "layer: region 330000\n"}, "are both for region 33"},
		{"out of bounds", map[string]string{"a": "layer: region 33\nreceipt_ttl: 1s\n"}, "a: policy: receipt_ttl"},
		{"a channel's day below its hour", map[string]string{"a": "layer: channel x\nrations:\n  freezes:\n    day: 5\n"}, "channel x in national: policy: rations.freezes.day"},
		{"a region and a channel together", map[string]string{
			"a": "layer: region 33\nremind_after: 300d\n", "b": "layer: channel x\nforce_after: 200d\n"}, "channel x in region 33: policy: force_after"},
		{"forced with no reminder", map[string]string{"a": "layer: region 33\nforce_after: 100d\n"}, "a: policy: force_after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := layered(t, c.files)
			if !errors.Is(err, ErrLayers) {
				t.Fatalf("error %v, want ErrLayers", err)
			}
			if !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q does not say %q", err, c.wrong)
			}
			if l != nil {
				t.Error("refused layers were given out")
			}
		})
	}
}

// A layer that was looser than those above it would give some holders more tries
// than the nation allows. Drawn layers never do.
func TestDrawnLayersOnlyTighten(t *testing.T) {
	tighten(t)
}

func TestDiff(t *testing.T) {
	before, err := layered(t, province())
	if err != nil {
		t.Fatal(err)
	}
	files := province()
	files["huzhou.yaml"] = "layer: region 3305\nlimits.attempts: 4\n"
	files["new.yaml"] = "layer: region 11\nlimits.lock_for: 2d\n"
	now, err := layered(t, files)
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{Scope{LayerRegion, "11"}, "limits.lock_for", "", "2d", "new.yaml", 2},
		{Scope{LayerRegion, "3305"}, "limits.attempts", "3", "4", "huzhou.yaml", 2},
		{Scope{LayerRegion, "3305"}, "recovery.card_number", "true", "", "", 0},
	}
	if diff := cmp.Diff(want, Diff(before, now)); diff != "" {
		t.Error(diff)
	}
}

func TestTimesInFiles(t *testing.T) {
	for text, want := range map[string]time.Duration{"3d": 72 * time.Hour, "36h": 36 * time.Hour, "90s": 90 * time.Second, "0d": 0} {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "3", "d", "-1d", "1.5d", "99999d", "3 d"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, text := range province() {
		f.Add([]byte(text))
	}
	f.Add([]byte("layer: region 33\nlimits: {attempts: 3}\n"))
	f.Add([]byte("layer: &a national\npin: *a\n"))
	f.Add([]byte("? [a, b]\n: c\n"))
	f.Add([]byte("layer: !!str national\n<<: {a: b}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := ParseFile("p.yaml", text)
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Errorf("error %v is not ErrFile", err)
			}
			return
		}
		l, err := NewLayers(National(), file)
		if err != nil {
			return
		}
		region, channel := liuma.Region(""), liuma.ChannelID("")
		if file.Scope.Layer == LayerChannel {
			channel = liuma.ChannelID(file.Scope.Of)
		} else {
			region = liuma.Region(file.Scope.Of)
		}
		if err := l.For(region, channel).Validate(); err != nil {
			t.Errorf("accepted layers give %v", err)
		}
	})
}

// TestNestedFilesTakeNoMemory: a member of staff uploads layers beside a running server, so
// a short file that lies deep must not take the memory that cards are served with.
func TestNestedFilesTakeNoMemory(t *testing.T) {
	const n, most = 20_000, 100 << 20
	for name, text := range map[string]string{
		"open lists":    "x: " + strings.Repeat("[", n),
		"closed lists":  "x: " + strings.Repeat("[", n) + strings.Repeat("]", n),
		"open braces":   "x: " + strings.Repeat("{a: ", n/2),
		"closed braces": "x: " + strings.Repeat("{a: ", n/2) + strings.Repeat("}", n/2),
		"brackets":      "x: " + strings.Repeat("[{a: ", n/2),
		"over lines":    "x: " + strings.Repeat("[\n", n),
		"short lines":   "x:\n " + strings.Repeat(strings.Repeat("- ", 400)+"\n ", 20),
		"dashes":        "x:\n " + strings.Repeat("- ", n),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseFile("p.yaml", []byte("layer: region 33\n"+text+"\n"))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "p.yaml:") || !strings.Contains(err.Error(), "too deep") && !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: %.200s", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%s: takes %d MB", name, took>>20)
		}
	}
}

// TestWhatIsNotSeenIsRefused: nothing in a layer or its name clears a terminal, or shows who
// approves it other words than those that count.
func TestWhatIsNotSeenIsRefused(t *testing.T) {
	const good = "layer: region 33\nlimits.attempts: 3\n"
	for name, c := range map[string]struct{ name, text, says string }{
		"a name that clears":      {"a\x1b[2Jb.yaml", good, "letters that are not seen"},
		"a name of two lines":     {"a\rb.yaml", good, "letters that are not seen"},
		"a name turned around":    {"a\u202eb.yaml", good, "letters that are not seen"},
		"a comment that clears":   {"p.yaml", good + "# \x1b[2J\n", "p.yaml:3: a letter that is not seen"},
		"a comment turned around": {"p.yaml", "layer: region 33 # \u202e\n", "p.yaml:1: a letter that is not seen"},
		"a line over another":     {"p.yaml", "layer: region 33\nlimits.attempts: 3 # x\r#\n", "p.yaml:2: a letter that is not seen"},
		"no UTF-8":                {"p.yaml", good + "# \xff\n", "p.yaml:3: a letter that is not seen"},
	} {
		if _, err := ParseFile(c.name, []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) || strings.ContainsFunc(err.Error(), hidden) {
			t.Errorf("%s: %q", name, err)
		}
	}
	for name, text := range map[string]string{"lines of Windows": strings.ReplaceAll(good, "\n", "\r\n"), "wide blanks": good + "# 试　点\t1\n"} {
		if _, err := ParseFile("规则 1.yaml", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
