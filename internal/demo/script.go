package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/locale"
)

// Script prints the transcript: each sentence in Chinese and in English, the requested language
// first, with sender and receiver in a column on the left. Without a terminal it is plain text.
type Script struct {
	w        io.Writer
	terminal bool
	lang     locale.Lang // of the sentences that come first
	scene    int
	err      error // the first that writing met
}

// column is the width of the left column, in cells of a terminal.
const column = 24

func newScript(w io.Writer, terminal bool, lang locale.Lang) *Script {
	return &Script{w: w, terminal: terminal, lang: lang}
}

// words are the demo's sentences in one language.
type words = locale.Demo

// both is a sentence in both languages.
func both(say func(words) string) liuma.Text {
	return locale.Both(func(w *locale.Words) string { return say(w.Demo) })
}

// in picks the language of some words.
func in(w words, t liuma.Text) string {
	if w.Lang() == locale.Chinese {
		return t.ZH
	}
	return t.EN
}

// purposeOf is a purpose as a holder reads it.
func purposeOf(say func(words) string) client.Purpose {
	t := both(say)
	return client.PurposeIn(t.ZH, t.EN)
}

// ordered are both languages of a text, in the order of the transcript.
func (s *Script) ordered(t liuma.Text) (first, second string) {
	if s.lang == locale.English {
		return t.EN, t.ZH
	}
	return t.ZH, t.EN
}

// label is a short text in both languages, on one line.
func (s *Script) label(t liuma.Text) string {
	first, second := s.ordered(t)
	return first + " " + second
}

// mark is a character for an icon.
func (s *Script) mark(say func(words) string) string { return say(locale.In(s.lang).Demo) }

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
	first, second := s.ordered(both(words.Title))
	s.printf("%s\n%s\n%s\n", s.styled(bold, first), s.styled(faint, second), s.styled(faint, s.label(both(words.MadeUp))))
}

// Scene begins a numbered scene.
func (s *Script) Scene(t liuma.Text) {
	head := fmt.Sprintf("【%d】", s.scene)
	s.scene++
	first, second := s.ordered(t)
	s.printf("\n%s%s\n%s%s\n", s.styled(bold, head), s.styled(bold, first), pad("", cells(head)), s.styled(faint, second))
}

// who is a speaker, with a short name in both languages.
type who liuma.Text

// Say prints a message from one side to another.
func (s *Script) Say(from, to who, t liuma.Text) {
	s.row(both(func(w words) string {
		return w.To(in(w, liuma.Text(from)), in(w, liuma.Text(to)))
	}), t)
}

// Do prints an act of one speaker.
func (s *Script) Do(w who, t liuma.Text) { s.row(liuma.Text(w), t) }

func (s *Script) row(label, t liuma.Text) {
	label1, label2 := s.ordered(label)
	first, second := s.ordered(t)
	s.printf("  %s %s\n", pad(label1, column), first)
	s.printf("  %s %s\n", s.styled(faint, pad(label2, column)), s.styled(faint, second))
}

// Fact prints one value under a label in both languages.
func (s *Script) Fact(label liuma.Text, value string) {
	s.printf("  %s %s\n", pad(s.label(label), column), value)
}

// Note prints an explanation for the audience.
func (s *Script) Note(t liuma.Text) {
	first, second := s.ordered(t)
	s.printf("  · %s\n    %s\n", first, s.styled(faint, second))
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
