package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// shown are the sentences that commands print, in the terminal's language.
func (t *terminal) shown() locale.Shown { return t.words().Shown }

// told is an error in the terminal's language.
func (t *terminal) told(err error) string { return told(t.words(), err) }

// line prints a sentence.
func (t *terminal) line(said string) error {
	_, err := fmt.Fprintln(t.out, said)
	return err
}

// row prints a sentence behind a label, and note one that belongs to the row above
// it.
func (t *terminal) row(label, said string) error {
	return t.line("  " + padded(label, 13) + " " + said)
}

func (t *terminal) note(label, said string) error {
	return t.line("    " + padded(label, 12) + " " + said)
}

// columns is how many columns of a terminal a text takes; an ideograph takes two.
func columns(text string) int {
	n := 0
	for _, r := range text {
		if n++; wide(r) {
			n++
		}
	}
	return n
}

// padded fills a text up with blanks to so many columns; right does so from the left.
func padded(text string, to int) string { return text + strings.Repeat(" ", max(0, to-columns(text))) }

func right(text string, to int) string { return strings.Repeat(" ", max(0, to-columns(text))) + text }

// num writes a number as text, in the form that sentences take.
func num[N ~int | ~int32 | ~int64 | ~uint16 | ~uint32 | ~uint64](n N) string {
	return fmt.Sprintf("%d", n)
}

// many is a number in a sentence that has plural forms.
func many[N ~int | ~int64](n N) (int, string) { return int(n), strconv.FormatInt(int64(n), 10) }

// refuse and refuseFor make errors whose sentences are in the catalogue.
func refuse(say func(*locale.Words) string) error { return locale.Refuse(say) }

func refuseFor(cause error, say func(w *locale.Words, why string) string) error {
	return locale.RefuseFor(cause, say)
}

// told is an error in a language.
func told(w *locale.Words, err error) string {
	return w.Told(err, func(err error) string { return leaf(w, err) })
}

// leaf is the sentence of a known error, of the parser or another package, or of one
// with an error code.
func leaf(w *locale.Words, err error) string {
	//nolint:errorlint // what it wraps is looked at by itself
	switch e := err.(type) {
	case *kong.ParseError:
		return parserSaid(w.Refused, e.Error())
	case *liuma.Error:
		if e.Cause == nil {
			return withField(w, e)
		}
	}
	for _, k := range known() {
		if err == k.err { //nolint:errorlint // itself, and not what wraps it
			return k.say(w.Refused)
		}
	}
	if errors.Unwrap(err) != nil {
		return "" // what it wraps is said in it
	}
	return saidAs(w.Refused, valueSayings(), err.Error())
}

// withField is the sentence of an error code, with the field that it is about.
func withField(w *locale.Words, e *liuma.Error) string {
	said := strings.TrimRight(w.Explanation(e.Code, "").What, "。.")
	if e.Field != "" {
		return w.Refused.Field(said, e.Field)
	}
	return said
}
