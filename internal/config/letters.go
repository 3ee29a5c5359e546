package config

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// Letters says what stands on letters to people without a phone.
type Letters struct {
	// SenderZH says who writes, in Chinese, at most 40 characters. Default: the name of the
	// service.
	SenderZH string `yaml:"sender_zh"`
	// SenderEN is the same in English.
	SenderEN string `yaml:"sender_en"`
	// ReturnTo is a line above the address: where the post brings back what it cannot
	// deliver, at most 60 characters. Default: the sender.
	ReturnTo string `yaml:"return_to"`
}

// Sender returns the sender's name, in both languages.
func (l Letters) Sender() liuma.Text { return liuma.Text{ZH: l.SenderZH, EN: l.SenderEN} }

func (l Letters) validate() error {
	var errs []error
	for _, m := range []struct {
		name, given string
		most        int
	}{{"sender_zh", l.SenderZH, 40}, {"sender_en", l.SenderEN, 40}, {"return_to", l.ReturnTo, 60}} {
		if utf8.RuneCountInString(m.given) > m.most || strings.ContainsFunc(m.given, unicode.IsControl) {
			errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigLetters(m.name, strconv.Itoa(m.most)) }))
		}
	}
	return errors.Join(errs...)
}
