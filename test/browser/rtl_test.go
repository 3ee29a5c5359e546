package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/test/gallery"
)

// TestRightToLeft: in a language that is written from the right, nothing runs over the
// edge of the smallest phone, labels and icons stand apart from what they belong to,
// on the side where a line begins, a sentence that the language lacks ends with its
// full stop, and the digits of the pad, its boxes and its keys stay in their order
// from the left.
func TestRightToLeft(t *testing.T) {
	t.Parallel()
	s := serve(t, gallery.NewAuthority(), holder.Config{Counter: gallery.Counter{}, Genuine: gallery.Genuine{}, Challenges: gallery.Challenges{}, Now: gallery.Now, Rules: gallery.Rules(), Agencies: gallery.Agencies(), Settle: time.Millisecond, Words: fromTheRight(t)}, nil)
	b := newTabFor(t, small(), "ug", walk)
	pads, checked := 0, 0
	share := 3 // without -every-look a third of the pages: all are laid out by the same rules
	if *everyLook || *screenshots != "" {
		share = 1
	}
	for i, sc := range gallery.Scenes() {
		if i%share != 0 {
			continue
		}
		b.open(s.url + sc.Path)
		b.settled()
		if dir := evaluate[string](b, `getComputedStyle(document.querySelector("h1, .main")).direction`); dir != "rtl" {
			t.Fatalf("%s: the page is %s", sc.Name, dir)
		}
		if over := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			t.Errorf("%s: wider than the screen by %d px", sc.Name, over)
		}
		for _, what := range evaluate[[]string](b, overTheEdge) {
			t.Errorf("%s: over the edge: %s", sc.Name, what)
		}
		for _, row := range []string{".pad-boxes .box", ".keys .key"} {
			if !evaluate[bool](b, fmt.Sprintf(`(() => {
				const at = [...document.querySelectorAll(%q)].map(e => e.getBoundingClientRect()).filter(r => r.width > 0).slice(0, 3);
				return at.every((r, i) => i === 0 || r.left > at[i - 1].left && Math.abs(r.top - at[0].top) < 2);
			})()`, row)) {
				t.Errorf("%s: %s does not go from the left", sc.Name, row)
			}
		}
		found := evaluate[struct {
			Seen   int
			Faults []string
		}](b, measured)
		checked += found.Seen
		for _, what := range found.Faults {
			t.Errorf("%s: %s", sc.Name, what)
		}
		if evaluate[int](b, `document.querySelectorAll(".keys .key").length`) > 0 {
			pads++
		}
		b.shoot(filepath.Join(small().name, "rtl"), sc.Name)
	}
	if pads < 5/share || checked < 1000/share {
		t.Errorf("%d pads were seen, and %d places measured", pads, checked)
	}
}

const overTheEdge = `[...document.querySelectorAll(".main *, .top *, .foot *")].filter(e => {
	const r = e.getBoundingClientRect();
	return r.width > 1 && r.height > 1 && !e.closest(".pad-field") && (r.left < -1 || r.right > innerWidth + 1);
}).map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 30))`

// measured looks at the gaps of a page that is written from the right. What comes
// first in a line stands at the right of what follows.
const measured = `(() => {
	const faults = [];
	let seen = 0;
	const box = node => { // of what is read: a number to call is larger for the finger
		const r = document.createRange(), texts = [], w = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
		while (w.nextNode()) if (w.currentNode.data.trim()) texts.push(w.currentNode);
		r.selectNodeContents(node);
		if (texts.length) { r.setStart(texts[0], 0); r.setEnd(texts.at(-1), texts.at(-1).length); }
		return r.getBoundingClientRect();
	};
	const shown = r => r.width > 0 && r.height > 0;
	const apart = (first, next, least, what) => {
		if (!shown(first) || !shown(next) || first.bottom <= next.top + 1 || next.bottom <= first.top + 1) return;
		seen++;
		if (first.left - next.right < least) faults.push(what + ": a gap of " + Math.round(first.left - next.right) + " px");
	};
	document.querySelectorAll(".cell").forEach(c => apart(box(c.querySelector("dt")), box(c.querySelector("dd")), 8, "label and value of " + c.textContent.trim()));
	document.querySelectorAll(".brand").forEach(b => b.querySelector("svg") && apart(b.querySelector("svg").getBoundingClientRect(), box(b.lastChild), 4, "the sign of the brand"));
	document.querySelectorAll(".asker").forEach(a => apart(a.querySelector(".asker-mark").getBoundingClientRect(), box(a.querySelector(".asker-text")), 8, "the app's sign"));
	document.querySelectorAll("label.tick").forEach(l => apart(l.querySelector("input").getBoundingClientRect(), box(l.lastChild), 8, "the box to tick"));
	document.querySelectorAll(".switch").forEach(s => apart(box(s.querySelector(".switch-text")), s.querySelector(".switch-knob").getBoundingClientRect(), 8, "the switch"));
	document.querySelectorAll(".foot p").forEach(p => p.querySelector("a") && apart(box(p.firstChild), p.querySelector("a").getBoundingClientRect(), 0, "the help line"));
	document.querySelectorAll(".notice").forEach(n => {
		if (!shown(n.getBoundingClientRect())) return;
		seen++;
		const style = getComputedStyle(n);
		if (parseFloat(style.borderRightWidth) < 3 || parseFloat(style.borderLeftWidth) > 0) faults.push("the bar of a notice is not where its lines begin");
	});
	document.querySelectorAll(".tips").forEach(l => {
		seen++;
		const style = getComputedStyle(l);
		if (parseFloat(style.paddingRight) < 16 || parseFloat(style.paddingLeft) > 0) faults.push("no room for the marks of a list");
	});
	document.querySelectorAll(".toggle + .toggle").forEach(b => apart(b.previousElementSibling.getBoundingClientRect(), b.getBoundingClientRect(), 4, "the button " + b.textContent.trim()));
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const node = texts.currentNode, stop = node.data.search(/。\u2069?\s*$/), number = /\d+\*+\d+/.exec(node.data);
		const at = i => { const r = document.createRange(); r.setStart(node, i); r.setEnd(node, i + 1); return r.getBoundingClientRect(); };
		if (number && shown(at(number.index))) {
			seen++;
			if (at(number.index).left > at(number.index + number[0].length - 1).left) faults.push("a number is turned round: " + number[0]);
		}
		if (stop < 1) continue;
		const last = at(stop - 1), end = at(stop);
		if (!shown(last) || !shown(end) || Math.abs(last.top - end.top) > 4) continue;
		seen++;
		if (end.left < last.left) faults.push("a full stop before its sentence: " + node.data.trim());
	}
	return {seen, faults};
})()`

// fromTheRight is the program's catalogue with one more language: the English
// sentences in Hebrew letters. It lacks every third sentence, which is read in Chinese.
func fromTheRight(t *testing.T) *locale.Catalogue {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"zh-CN.json", "en.json"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "locale", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	var lines []string
	for i, line := range strings.Split(string(files["en.json"].Data), "\n") {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, ","), `": `)
		var sentence string
		if !ok || i%3 == 0 || strings.Contains(key, `"_`) || !strings.HasPrefix(key, `  "`) || json.Unmarshal([]byte(value), &sentence) != nil {
			continue
		}
		turned, err := json.Marshal(hebrew(sentence))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, key+`": `+string(turned))
	}
	text := "{\n" + `"_name": "ئۇيغۇرچە", "_dir": "rtl",` + "\n" + strings.Join(lines, ",\n") + "\n}"
	files["ug.json"] = &fstest.MapFile{Data: []byte(text)}
	c, err := locale.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hebrew turns Latin letters into Hebrew ones, but for placeholders.
func hebrew(sentence string) string {
	letters := []rune("אבגדהוזחטיכלמנסעפצקרשתאבגד")
	var out bytes.Buffer
	inside := false
	for _, r := range sentence {
		inside = r == '{' || inside && r != '}'
		if lower := r | 0x20; !inside && lower >= 'a' && lower <= 'z' {
			r = letters[lower-'a']
		}
		out.WriteRune(r)
	}
	return out.String()
}
