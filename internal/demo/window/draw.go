package window

import (
	"bytes"
	"html/template"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// pair is a sentence in the language of the page, and in the other one beside it.
type pair struct{ First, Second, Lang string } // Lang is the second's

// drawn is what the template sees: W and O are the sentences in the language of the
// page and in the other one.
type drawn struct {
	Config
	W, O  words
	Words map[string]liuma.Text // for the script
}

// draw makes the page. It is the same for everybody.
func draw(c Config) ([]byte, error) {
	first, second := locale.In(c.Lang), locale.In(locale.English)
	if c.Lang == locale.English {
		second = locale.In(locale.Chinese)
	}
	both := func(a, b string) pair { return pair{First: a, Second: b, Lang: string(second.Lang())} }
	t, err := template.New("window.html").Funcs(template.FuncMap{"both": both, "order": func(t liuma.Text) pair {
		if c.Lang == locale.English {
			return both(t.EN, t.ZH)
		}
		return both(t.ZH, t.EN)
	}}).ParseFS(files, "page/window.html")
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, drawn{Config: c, W: first.Window, O: second.Window, Words: scriptWords()})
	return page.Bytes(), err
}

// scriptWords are the sentences that window.js puts in, by its names of them. It
// fills the placeholders.
func scriptWords() map[string]liuma.Text {
	return map[string]liuma.Text{
		"copy":          both(words.Copy),
		"copy_what":     both(func(w words) string { return w.CopyWhat("{what}") }),
		"copied":        both(words.Copied),
		"copy_by_hand":  both(words.CopyByHand),
		"also_reads":    both(func(w words) string { return w.AlsoReads("{who}") }),
		"rings":         both(words.Rings),
		"freeze_code":   both(words.FreezeCode),
		"not_you":       both(words.NotYou),
		"open_official": both(words.OpenOfficial),
		"days":          both(func(w words) string { return w.Days("{count}") }),
		"hours":         both(func(w words) string { return w.Hours("{count}") }),
		"minutes":       both(func(w words) string { return w.Minutes("{count}") }),
		"post_runs":     both(words.PostRuns),
		"post_killed":   both(words.PostKilled),
		"post_died":     both(words.PostDied),
		"post_mute":     both(words.PostMute),
		"post_cut_off":  both(words.PostCutOff),
		"post_whole":    both(words.PostWhole),
		"post_away":     both(words.PostAway),
		"post_nothing":  both(words.PostNothing),
		"post_failed":   both(words.PostFailed),
		"ahead":         both(func(w words) string { return w.Ahead("{time}") }),
	}
}
