package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd is "liuma completion".
type completionCmd struct {
	Bash  completionBashCmd  `cmd:""`
	Zsh   completionZshCmd   `cmd:""`
	Fish  completionFishCmd  `cmd:""`
	Words completionWordsCmd `cmd:"" hidden:""`
}

type (
	completionBashCmd struct{}
	completionZshCmd  struct{}
	completionFishCmd struct{}
)

// The scripts ask the program itself, so they fit every release. If it has no answer
// they complete file names.
const (
	bashScript = `_liuma() {
    local IFS=$'\n'
    COMPREPLY=($(liuma completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _liuma liuma
`
	zshScript = `_liuma() {
    local -a found
    found=(${(f)"$(liuma completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -- $found; else _files; fi
}
compdef _liuma liuma
`
	fishScript = `complete -c liuma -f -a '(set -l found (liuma completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null); if set -q found[1]; printf "%s\n" $found; else; __fish_complete_path (commandline -ct); end)'
`
)

func (completionBashCmd) Run(t *terminal) error { return printScript(t, bashScript) }
func (completionZshCmd) Run(t *terminal) error  { return printScript(t, zshScript) }
func (completionFishCmd) Run(t *terminal) error { return printScript(t, fishScript) }

func printScript(t *terminal, script string) error {
	_, err := fmt.Fprint(t.out, script)
	return err
}

// completionWordsCmd is the command that the scripts call.
type completionWordsCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints one candidate a line.
func (a *completionWordsCmd) Run(app *kong.Kong, t *terminal) error {
	for _, word := range candidates(app.Model.Node, a.Words) {
		if _, err := fmt.Fprintln(t.out, word); err != nil {
			return err
		}
	}
	return nil
}

// candidates are the possible completions of the last word: commands, flags, or the
// values of the flag before it.
func candidates(node *kong.Node, words []string) (out []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	var value *kong.Flag // the flag whose value comes next
	for _, word := range words[:len(words)-1] {
		if value != nil {
			value = nil
			continue
		}
		if strings.HasPrefix(word, "-") {
			value = valued(node, word)
			continue
		}
		if child := childOf(node, word); child != nil {
			node = child
		}
	}
	switch {
	case value != nil:
		out = value.EnumSlice()
	case strings.HasPrefix(last, "-"):
		for _, f := range flagsOf(node) {
			out = append(out, "--"+f.Name)
		}
	default:
		for _, child := range node.Children {
			if !child.Hidden {
				out = append(out, child.Name)
			}
		}
	}
	out = slices.DeleteFunc(out, func(word string) bool { return word == "" || !strings.HasPrefix(word, last) })
	slices.Sort(out)
	return slices.Compact(out)
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name && !child.Hidden {
			return child
		}
	}
	return nil
}

// valued is the flag of that name, if its value is the next word.
func valued(node *kong.Node, word string) *kong.Flag {
	for _, f := range flagsOf(node) {
		if ("--"+f.Name == word || f.Short != 0 && "-"+string(f.Short) == word) && !f.IsBool() {
			return f
		}
	}
	return nil
}

// flagsOf are the flags that may follow a command, including those of its default
// subcommand.
func flagsOf(node *kong.Node) (out []*kong.Flag) {
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	for _, group := range node.AllFlags(true) {
		out = append(out, group...)
	}
	return out
}
