package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/locale"
)

// TestEveryCommandHasItsSentence: in the catalogue, which has none of a command
// that there is not.
func TestEveryCommandHasItsSentence(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("liuma"))
	if err != nil {
		t.Fatal(err)
	}
	en := locale.In(locale.English)
	said := map[string]bool{}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if n, ok := node.(*kong.Node); ok && n.Type == kong.CommandNode {
			if n.Help != "" {
				t.Errorf("%s: its sentence stands in the code: %q; put it into locale/*.json as command.%s", n.FullPath(), n.Help,
					strings.Join(strings.Fields(strings.TrimPrefix(n.FullPath(), "liuma")), "."))
			}
			sentence := commandSentence(en, n)
			if sentence == "" {
				t.Errorf("%s has no sentence", n.FullPath())
			}
			said[sentence] = true
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range locale.Own().Keys() {
		name, ok := strings.CutPrefix(k.Name, "command.")
		if sentence := en.Command(strings.Split(name, ".")); ok && !said[sentence] {
			t.Errorf("nothing says %s", k.Name)
		}
	}
}

// TestEveryFlagHasItsSentence: in the catalogue and not in its tag; and the
// catalogue has none of a flag that there is not.
func TestEveryFlagHasItsSentence(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("liuma"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{} // and whether a flag says it
	for _, k := range locale.Own().Keys() {
		if strings.HasPrefix(k.Name, "flag.") {
			keys[k.Name] = false
		}
	}
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, v := range values(n) {
			possible := locale.FlagKeys(commandPath(n), v.Name)
			if v.Help != "" && v.Name != "help" {
				t.Errorf("%s %s: its sentence stands in the code: %q; put it into locale/*.json as %s", n.FullPath(), v.Name, v.Help, possible[0])
			}
			i := slices.IndexFunc(possible, func(key string) bool { _, there := keys[key]; return there })
			if i < 0 {
				t.Errorf("%s %s has no sentence; put it into locale/*.json as %s", n.FullPath(), v.Name, possible[0])
				continue
			}
			keys[possible[i]] = true
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(parser.Model.Node)
	for key, said := range keys {
		if !said {
			t.Errorf("nothing says %s", key)
		}
	}
}

// TestChineseLinesAreBroken: where a line may be broken, and nothing is left of
// what it takes to break it.
func TestChineseLinesAreBroken(t *testing.T) {
	for _, command := range [][]string{{}, {"init"}, {"registry", "import"}, {"audit", "verify"}, {"registry", "client", "stop"}} {
		var out bytes.Buffer
		if status := run(t.Context(), append(command, "--help"), &terminal{out: &out, err: &out, lang: locale.Chinese}); status != exitOK {
			t.Fatalf("status %d", status)
		}
		help := out.String()
		for line := range strings.Lines(help) {
			columns := 0
			for _, r := range strings.TrimSpace(line) {
				columns++
				if wide(r) {
					columns++
				}
			}
			if columns > 100 {
				t.Errorf("%q: %d columns: %s", command, columns, line)
			}
			if text := strings.TrimSpace(line); text != "" && strings.ContainsAny(text[:1], "，。；：、）”") {
				t.Errorf("%q begins a line: %s", command, line)
			}
		}
		if strings.ContainsAny(help, filler+heldBlank) || regexp.MustCompile(`\p{Han} \p{Han}`).MatchString(help) {
			t.Errorf("%q: marks are left in\n%s", command, help)
		}
		if regexp.MustCompile(`\b(the|of|and|is|that|with)\b`).MatchString(help) {
			t.Errorf("%q: English is left in\n%s", command, help)
		}
	}
}

// TestHelpInBothLanguages: of the program and of a command, with its headings.
func TestHelpInBothLanguages(t *testing.T) {
	for lang, want := range map[locale.Lang][]string{
		locale.Chinese: {"用法：", "选项：", "命令：", "用数据目录提供服务", "退出状态"},
		locale.English: {"Usage: liuma <command>", "Flags:", "Commands:", "Serve the data directory until", "Exit status"},
		"":             {"Usage: liuma <command>"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), []string{"--help"}, &terminal{out: &out, err: &out, lang: lang}); status != exitOK {
			t.Fatalf("status %d", status)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q: no %q in\n%s", lang, w, out.String())
			}
		}
		if lang == locale.Chinese && (strings.Contains(out.String(), "Usage:") || strings.Contains(out.String(), "Commands:")) {
			t.Errorf("headings in English:\n%s", out.String())
		}
	}
}
