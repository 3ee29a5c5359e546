package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
)

// TestFaultsAreBoundedAndSorted: however many there are, a refusal names the first fifty by
// file and line, and says how many more there are.
func TestFaultsAreBoundedAndSorted(t *testing.T) {
	check := func(name string, err error, kind error, first string, more int) {
		t.Helper()
		if !errors.Is(err, kind) {
			t.Errorf("%s: %v", name, err)
			return
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != MaxFaults+1 || !strings.Contains(lines[0], first) || lines[MaxFaults] != fmt.Sprintf("and %d more", more) {
			t.Errorf("%s: %d lines, %.100q to %q", name, len(lines), lines[0], lines[len(lines)-1])
		}
	}
	var text strings.Builder
	text.WriteString("layer: region 33\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "no.such%d: 1\n", i)
	}
	_, err := ParseFile("p.yaml", []byte(text.String()))
	check("one file", err, ErrFile, "p.yaml:2: no.such0", 1950)
	_, other := ParseFile("a.yaml", []byte("layer: region 33\n\npassphrase: 1\n"))
	check("two files", Gather(other, err), ErrFile, "a.yaml:3: passphrase", 1951)

	// Every region forbids what one channel sets, and every channel sets it.
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("r%02d", i)] = fmt.Sprintf("layer: region %d\nlimits.lock_for: %dd\nremind_after: 300d\n", 3301+i, 2+i)
		files[fmt.Sprintf("c%02d", i)] = fmt.Sprintf("layer: channel c%02d\nforce_after: 200d\n", i)
	}
	l, err := layered(t, files)
	if l != nil {
		t.Error("layers that contradict one another were taken")
	}
	check("together", err, ErrLayers, "c00: channel c00 in national: policy: force_after", 20*21-MaxFaults)
	if again := second(layered(t, files)); again == nil || again.Error() != err.Error() {
		t.Error("the same files are refused in other words")
	}
}

func second[T any](_ T, err error) error { return err }

// TestLongLinesAreNotParsed: the parser takes seconds for a line that goes on for long, and
// never sees one, nor members that are indented without end.
func TestLongLinesAreNotParsed(t *testing.T) {
	const n = 250_000
	for name, text := range map[string]string{
		"a key":        strings.Repeat("a", n) + ": 1",
		"colons":       strings.Repeat("a: ", n/3),
		"commas":       "x: [" + strings.Repeat("a,", n/2) + "]",
		"an open text": "x: \"" + strings.Repeat("a", n),
		"one too many": "#" + strings.Repeat("x", maxLine),
		"indented":     strings.Repeat(" ", maxIndent+1) + "a: 1",
	} {
		begin := time.Now()
		_, err := ParseFile("p.yaml", []byte("layer: region 33\n"+text+"\n"))
		if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "p.yaml:2: ") || len(err.Error()) > 200 {
			t.Errorf("%s: %.200v", name, err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	if _, err := ParseFile("p.yaml", []byte("layer: region 33\n#"+strings.Repeat("x", maxLine-1)+"\n")); err != nil {
		t.Error("the longest line:", err)
	}
}

// many are layers of regions with rules of their own, and of channels; more says how much
// they differ from another set.
func many(t *testing.T, regions, channels, more int) *Layers {
	t.Helper()
	files := map[string]string{}
	for i := range regions {
		files[fmt.Sprintf("r%d", i)] = fmt.Sprintf("layer: region %06d\nhotline: 1-%d\n", 330001+i, 25+i%600+more)
	}
	for i := range channels {
		files[fmt.Sprintf("c%d", i)] = fmt.Sprintf("layer: channel c%d\nlimits.window: %dh\n", i, 25+i%600+more)
	}
	l, err := layered(t, files)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestEffectsAreBounded: what is compared for who approves takes a bounded time, and what is
// too much for that, or to be shown, is refused with what to do.
func TestEffectsAreBounded(t *testing.T) {
	begin := time.Now()
	all, err := Effects(many(t, 210, 210, 0), many(t, 210, 210, 1))
	if !errors.Is(err, ErrLarge) || !strings.Contains(err.Error(), "propose it in parts") || all != nil {
		t.Errorf("44,000 places: %v", err)
	}
	if _, err := Effects(many(t, 600, 1, 0), many(t, 0, 250, 0)); !errors.Is(err, ErrLarge) || !strings.Contains(err.Error(), "combinations") {
		t.Errorf("more pairs than are compared: %v", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	// Most regions share their rules, and one value is changed in them.
	before, now := many(t, 3000, 9, 0), many(t, 3000, 9, 0)
	change, err := ParseFile("n", []byte("layer: national\nreceipt_ttl: 50s\n"))
	if err != nil {
		t.Fatal(err)
	}
	if now, err = NewLayers(National(), append(now.Files(), change)...); err != nil {
		t.Fatal(err)
	}
	if all, err = Effects(before, now); err != nil || len(all) != 1 || len(all[0].Places) != 3001 {
		t.Errorf("%d effects, %v", len(all), err)
	}
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("r%d", i)] = fmt.Sprintf("layer: region %06d\nhotline: 1-%d\n", 330001+i, i)
		files[fmt.Sprintf("c%d", i)] = fmt.Sprintf("layer: channel c%d\nlimits.window: %dh\n", i, 25+i)
	}
	if l, err := layered(t, files); l != nil || !errors.Is(err, ErrLayers) || !strings.Contains(err.Error(), "let regions share their rules") {
		t.Errorf("more combinations than are checked: %v", err)
	}
}

// TestPlacesAreListedInOrder: the effects of two sets are what a comparison of each place by
// itself finds.
func TestPlacesAreListedInOrder(t *testing.T) {
	before, err := layered(t, province())
	if err != nil {
		t.Fatal(err)
	}
	files := province()
	files["huzhou.yaml"] = "layer: region 3305\nlimits.attempts: 4\n"
	files["app.yaml"] = "layer: channel zj-app\nlimits.attempts: 5\nlimits.lock_for: 3d\n"
	files["same.yaml"] = "layer: region 3301\n"
	now, err := layered(t, files)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Effects(before, now)
	if err != nil {
		t.Fatal(err)
	}
	type at struct {
		value  string
		region liuma.Region
		in     liuma.ChannelID
	}
	got := map[at]string{}
	for _, e := range all {
		for i, p := range e.Places {
			got[at{e.Value, p.Region, p.Channel}] = e.Before + ">" + e.Now
			if i > 0 && (e.Places[i-1].Region > p.Region || e.Places[i-1].Region == p.Region && e.Places[i-1].Channel >= p.Channel) {
				t.Errorf("%s: places out of order: %v", e.Value, e.Places)
			}
		}
	}
	want := 0
	for _, region := range []liuma.Region{"", "33", "3301", "3305"} {
		regionWas, regionIs := before.For(region, ""), now.For(region, "")
		for _, channel := range []liuma.ChannelID{"", "zj-app"} {
			was, is := before.For(region, channel), now.For(region, channel)
			for _, v := range values() {
				differs := v.text(&was) != v.text(&is)
				if channel != "" && v.text(&was) == v.text(&regionWas) && v.text(&is) == v.text(&regionIs) {
					differs = false
				}
				if differs {
					want++
					if s := got[at{v.name, region, channel}]; s != v.text(&was)+">"+v.text(&is) {
						t.Errorf("%s in %q for %q: %q", v.name, region, channel, s)
					}
				}
			}
		}
	}
	if len(got) != want {
		t.Errorf("%d places, want %d", len(got), want)
	}
}
