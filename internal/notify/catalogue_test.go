package notify

import (
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// TestEveryTemplateHasItsSentence: one in the catalogue for each template, a call
// for each one-time code, and no sentence for a template that there is not.
func TestEveryTemplateHasItsSentence(t *testing.T) {
	want := map[string]bool{"text.sender_mark": true, "text.moment": true, "text.pair": true, "text.warn": true, "call.pair": true, "call.masked": true}
	for _, s := range shapes() {
		want["text."+string(s.name)] = true
		if s.kind == KindCode && !s.written {
			want["call."+string(s.name)] = true
		}
	}
	for _, k := range locale.Own().Keys() {
		if area, _, _ := strings.Cut(k.Name, "."); (area == "text" || area == "call") && !want[k.Name] && !strings.HasPrefix(k.Name, "text.month.") {
			t.Errorf("nothing says %s", k.Name)
		}
		delete(want, k.Name)
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

// longestHotline is the longest number that a region may configure and still send
// every notice in the national wording: an area code and eight digits.
const longestHotline = "0571-12345678"

// TestNoTextExceedsItsLimit: in every language of the catalogue, with the longest
// values and the longest hotline, a text is no more short messages than its
// template may be. A language that has no limit of its own keeps to the English
// one.
func TestNoTextExceedsItsLimit(t *testing.T) {
	texts := 0
	for _, l := range locale.Own().Languages() {
		language, mark := string(l), locale.In(l).SenderMark()
		for _, s := range shapes() {
			if slices.Contains(locale.Own().Missing(l), "text."+string(s.name)) {
				continue
			}
			limit := s.limits[language]
			if limit == 0 {
				limit = s.limits[English]
			}
			worst := mark + fill(strings.ReplaceAll(s.national(language), "{hotline}", longestHotline), longest(language))
			if n := Segments(worst); n > limit {
				t.Errorf("%s, %s: %d units make %d short messages, %d are allowed: %s", s.name, language, units(worst), n, limit, worst)
			}
			texts++
		}
	}
	if texts < 2*len(shapes()) {
		t.Errorf("only %d texts were measured", texts)
	}
	if _, err := NewTemplates(liuma.Text{}, longestHotline, nil); err != nil {
		t.Error(err)
	}
}
