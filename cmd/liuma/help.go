package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma/locale"
)

// description is the help text of the program itself.
func description(w *locale.Words) string {
	return breakable(strings.Join([]string{w.Terminal.Description(), w.Terminal.Start(), w.Terminal.ExitStatus()}, "\n\n"))
}

// sayWhatCommandsDo gives every command, flag and argument its sentence from the
// catalogue. If there is none it keeps the sentence of its tag, and a test fails.
func sayWhatCommandsDo(w *locale.Words) kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
			var n *kong.Node
			switch node := node.(type) {
			case *kong.Application:
				n = node.Node
			case *kong.Node:
				n = node
				if said := commandSentence(w, n); n.Type == kong.CommandNode && said != "" {
					n.Help = breakable(said)
				}
				if n.Target.Type() == reflect.TypeFor[PINCheckCmd]() {
					n.Detail = breakable(w.Shown.PINHelp()) // below the flags
				}
			default:
				return next(nil)
			}
			for _, v := range values(n) {
				if said := w.Flag(commandPath(n), v.Name); said != "" {
					v.Help = breakable(said)
				}
			}
			return next(nil)
		})
	})
}

// values are the flags and arguments that belong to a command itself.
func values(n *kong.Node) []*kong.Value {
	values := append([]*kong.Value(nil), n.Positional...)
	for _, f := range n.Flags {
		values = append(values, f.Value)
	}
	return values
}

// commandPath is the name of a command without the program's, word by word.
func commandPath(n *kong.Node) []string {
	var path []string
	for ; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		path = append([]string{n.Name}, path...)
	}
	return path
}

// commandSentence is the sentence of a command; commands that all kinds of clients
// have share one.
func commandSentence(w *locale.Words, n *kong.Node) string {
	if said := w.Command(commandPath(n)); said != "" {
		return said
	}
	return w.Command([]string{"client", n.Name})
}

// explained is the sentence of a flag, and the variable that sets it too.
func explained(v *kong.Value) string {
	if said, ok := strings.CutSuffix(v.Help, "。"); ok && len(v.Tag.Envs) > 0 {
		return said + filler + "（$" + strings.Join(v.Tag.Envs, "、$") + "）。"
	}
	return kong.DefaultHelpValueFormatter(v)
}

// The parser breaks lines at blanks, but Chinese has none between ideographs. So each
// ideograph gets a blank after it, which counts as its second column and is removed
// when the lines are printed; real blanks are protected meanwhile. A filler is put
// before a mark that may not begin a line.
const (
	filler    = "\ue001" // nothing, one column wide
	heldBlank = "\ue000" // a blank that is none yet
)

func wide(r rune) bool {
	return unicode.Is(unicode.Han, r) || strings.ContainsRune("，。；：、！？（）“”《》…", r)
}

// breakable allows lines of a Chinese sentence to be broken between its ideographs.
func breakable(said string) string {
	if !strings.ContainsFunc(said, wide) {
		return said
	}
	runes := []rune(strings.ReplaceAll(said, " ", heldBlank))
	var b strings.Builder
	for i, r := range runes {
		b.WriteRune(r)
		switch {
		case !wide(r) || i+1 == len(runes) || runes[i+1] == '\n':
		case strings.ContainsRune("（“《", r) || strings.ContainsRune("，。；：、！？）”》…"+heldBlank, runes[i+1]):
			b.WriteString(filler)
		default:
			b.WriteString(" ")
		}
	}
	return b.String()
}

var between = regexp.MustCompile(`([\p{Han}，。；：、！？）”》…]) (\S)`)

// unbroken removes the marks that breakable added.
func unbroken(lines string) string {
	for range 2 { // a match consumes the ideograph with which the next match begins
		lines = between.ReplaceAllString(lines, "$1$2")
	}
	return strings.NewReplacer(filler, "", heldBlank, " ").Replace(lines)
}

var heading = regexp.MustCompile(`(?m)^(Usage|Arguments|Flags|Commands):`)

// footer is the last line of help that lists commands.
const footer = `Run "liuma <command> --help" for more information on a command.`

// printHelp prints help with its headings in the language of the terminal.
func (t *terminal) printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	var out bytes.Buffer
	to := ctx.Stdout
	ctx.Stdout = &out
	err := kong.DefaultHelpPrinter(options, ctx)
	ctx.Stdout = to
	if err != nil {
		return err
	}
	w := t.words().Terminal
	headings := map[string]string{"Usage:": w.Usage(), "Arguments:": w.Arguments(), "Flags:": w.Flags(), "Commands:": w.Commands()}
	said := heading.ReplaceAllStringFunc(unbroken(out.String()), func(h string) string { return headings[h] })
	_, err = fmt.Fprint(to, strings.Replace(said, footer, w.MoreHelp("<", ">"), 1))
	return err
}
