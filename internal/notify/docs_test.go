package notify

import (
	"os"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/locale"
)

// TestDocsShowEachText compares docs/NOTICES.md with the table.
func TestDocsShowEachText(t *testing.T) {
	b, err := os.ReadFile("../../docs/NOTICES.md")
	if err != nil {
		t.Fatal(err)
	}
	warn := locale.In(Chinese).Text("warn")
	rows := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.HasPrefix(line, "| `") {
			rows[name] = rest
		}
	}
	for _, s := range shapes() {
		row, ok := rows[string(s.name)]
		if !ok {
			t.Errorf("docs/NOTICES.md has no row for %s", s.name)
		}
		if s.kind == KindNotice && !strings.Contains(strings.ReplaceAll(row, "{warn}", warn), " "+s.national(Chinese)+" ") {
			t.Errorf("docs/NOTICES.md shows another text of %s", s.name)
		}
	}
	ts := mustTemplates(t)
	for _, language := range []string{Chinese, English} {
		call, err := ts.speak(CodeReset, language, "", given())
		if err != nil || !strings.Contains(string(b), "| "+call.Body+" |") {
			t.Errorf("docs/NOTICES.md shows another call in %s: %s, %v", language, call.Body, err)
		}
	}
	for _, want := range []string{FaultNoVoice, warn, shapes()[0].national(Chinese), FaultTimeout, FaultUndelivered, FaultExpired, FaultInterrupted, FaultUnreadable, FaultTemplate} {
		if !strings.Contains(string(b), want) {
			t.Errorf("docs/NOTICES.md has no %q", want)
		}
	}
}
