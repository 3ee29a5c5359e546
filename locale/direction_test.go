package locale

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestDirectionsDoNotMix: in a language that is written from the right a sentence that
// it lacks, and each value in one of its own, are laid out by themselves. Other
// languages have no such marks.
func TestDirectionsDoNotMix(t *testing.T) {
	files := fstest.MapFS{"ug.json": {Data: []byte(`{"_name": "ئۇيغۇرچە", "_dir": "rtl", "page.back_to": "{channel} غا قايتىش"}`)}}
	own := map[Lang]*Words{}
	for _, l := range []Lang{Chinese, English} {
		text, err := embedded.ReadFile(string(l) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		files[string(l)+".json"], own[l] = &fstest.MapFile{Data: text}, In(l)
	}
	c, err := Read(files)
	if err != nil {
		t.Fatal(err)
	}
	ug := c.In("ug")
	if got, want := ug.Page.BackTo("浙里社保（虚构）"), "\u2068浙里社保（虚构）\u2069 غا قايتىش"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	lacks := ug.Explanation("frozen", "").What
	if want := "\u2066" + own["zh-CN"].Explanation("frozen", "").What + "\u2069"; lacks != want {
		t.Errorf("%q, want %q", lacks, want)
	}
	if title := WithoutStop(lacks); strings.Contains(title, "。") || !strings.HasSuffix(title, "\u2069") {
		t.Errorf("as a heading %q", title)
	}
	if title := WithoutStop("It is locked."); title != "It is locked" {
		t.Errorf("as a heading %q", title)
	}
	if ug.Word("standing", "no-such") != "" {
		t.Error("no sentence became marks")
	}
	if got := ug.Apart("生日。"); got != "\u2068生日。\u2069" || own[Chinese].Apart("生日。") != "生日。" {
		t.Errorf("%q", got)
	}
	for l, w := range own {
		if s := w.Page.BackTo("浙里"); strings.ContainsAny(s, "\u2066\u2067\u2068\u2069") {
			t.Errorf("%s: %q", l, s)
		}
	}
}
