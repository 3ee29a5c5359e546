package drills

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// runbook is a section of a document, with the commands that are printed in it.
type runbook struct {
	name     string // docs/INCIDENTS.md#a-seal-key
	commands []string
}

// anchor is what a heading of Markdown is linked by.
func anchor(heading string) string {
	h := strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	h = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(h, "")
	return strings.ReplaceAll(h, " ", "-")
}

// readRunbook reads the section that a link leads to, up to the next heading of its level
// or above.
func readRunbook(link string) (runbook, error) {
	path, want, ok := strings.Cut(link, "#")
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil || !ok {
		return runbook{}, fmt.Errorf("%q is no section of a document: %w", link, err)
	}
	var text []string
	level, fenced := 0, false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if strings.HasPrefix(line, "#") && !fenced {
			depth := len(line) - len(strings.TrimLeft(line, "#"))
			switch {
			case level == 0 && anchor(line) == want:
				level = depth
				continue
			case level > 0 && depth <= level:
				return runbook{link, commandsOf(text)}, nil
			}
		}
		if level > 0 {
			text = append(text, line)
		}
	}
	if level == 0 {
		return runbook{}, fmt.Errorf("%s has no section %s", path, want)
	}
	return runbook{link, commandsOf(text)}, nil
}

// commandsOf are the commands of liuma in a text: what stands between backticks, which may
// begin on one line and end on the next, and in lines that are set as code.
func commandsOf(lines []string) (out []string) {
	add := func(s string) {
		s = strings.Join(strings.Fields(s), " ")
		if (strings.HasPrefix(s, "liuma ") || strings.HasPrefix(s, "liuma-keeper ")) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	var prose []string
	fenced := false
	for _, line := range lines {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if code, ok := strings.CutPrefix(line, "    "); ok || fenced {
			if fenced {
				code = line
			}
			if _, after, found := strings.Cut(code, "$ "); found && fenced {
				code = after
			}
			add(code)
			if !strings.Contains(code, "`") {
				continue
			}
		}
		prose = append(prose, line)
	}
	for _, m := range regexp.MustCompile("(?s)`([^`]+)`").FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
		add(m[1])
	}
	return out
}
