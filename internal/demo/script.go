package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"github.com/liuma-pin/liuma"
)

// Script prints the transcript: Chinese first, English beneath it, sender and
// receiver in a column on the left. Without a terminal it is plain text.
type Script struct {
	w        io.Writer
	terminal bool
	scene    int
	err      error // the first that writing met
}

// column is how wide the left column is, in cells of a terminal.
const column = 24

func newScript(w io.Writer, terminal bool) *Script { return &Script{w: w, terminal: terminal} }

// Err is the first error that writing met.
func (s *Script) Err() error { return s.err }

func (s *Script) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format, args...)
	}
}

// Escape sequences of a terminal.
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

func (s *Script) styled(style, text string) string {
	if !s.terminal || text == "" {
		return text
	}
	return style + text + plain
}

// Title opens the transcript.
func (s *Script) Title() {
	s.printf("%s\n%s\n", s.styled(bold, "六码 Liuma · 电子社保卡密码服务演示 · a demo"),
		s.styled(faint, "人物、号码、密码和实人认证都是编的。 People, numbers, PINs and evidence are made up."))
}

// Scene begins a numbered scene.
func (s *Script) Scene(t liuma.Text) {
	head := fmt.Sprintf("【%d】", s.scene)
	s.scene++
	s.printf("\n%s%s\n%s%s\n", s.styled(bold, head), s.styled(bold, t.ZH), pad("", cells(head)), s.styled(faint, t.EN))
}

// who is a speaker, with a short name in both languages.
type who liuma.Text

// Say prints a message from one side to another.
func (s *Script) Say(from, to who, t liuma.Text) {
	s.row(liuma.Text{ZH: from.ZH + " → " + to.ZH, EN: from.EN + " → " + to.EN}, t)
}

// Do prints an act of one side alone.
func (s *Script) Do(w who, t liuma.Text) { s.row(liuma.Text(w), t) }

func (s *Script) row(label, t liuma.Text) {
	s.printf("  %s %s\n", pad(label.ZH, column), t.ZH)
	s.printf("  %s %s\n", s.styled(faint, pad(label.EN, column)), s.styled(faint, t.EN))
}

// Fact prints one value under a label in both languages.
func (s *Script) Fact(label liuma.Text, value string) {
	s.printf("  %s %s\n", pad(label.ZH+" "+label.EN, column), value)
}

// Note prints an explanation for the audience.
func (s *Script) Note(t liuma.Text) {
	s.printf("  · %s\n    %s\n", t.ZH, s.styled(faint, t.EN))
}

// cells is how many cells of a terminal s takes up: two for a wide character.
func cells(s string) int {
	n := 0
	for _, c := range s {
		switch width.LookupRune(c).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// pad fills s up with blanks to a number of cells.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

// grouped writes a number with commas: 1,000,000.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// tries writes a number of tries in English.
func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return strconv.Itoa(n) + " tries"
}
