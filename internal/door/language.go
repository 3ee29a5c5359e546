package door

import (
	"strings"

	"golang.org/x/text/language"
)

// Lang is a language of pages and errors, as a BCP 47 tag.
type Lang string

// The languages. Chinese is the default.
const (
	Chinese Lang = "zh-CN"
	English Lang = "en"
)

// Accepted returns the language that an Accept-Language header prefers: Chinese
// or English, and Chinese if it names neither.
func Accepted(header string) Lang {
	const longest = 256 // bytes; a longer list is not a reader's preference
	if header == "" || len(header) > longest {
		return Chinese
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return Chinese
	}
	for _, tag := range tags {
		switch base, _ := tag.Base(); base.String() {
		case "zh":
			return Chinese
		case "en":
			return English
		}
	}
	return Chinese
}

// parseLang reads the language that an address, a form or a cookie names.
func parseLang(s string) (Lang, bool) {
	switch strings.ToLower(s) {
	case "zh", "zh-cn", "zh-hans":
		return Chinese, true
	case "en":
		return English, true
	}
	return "", false
}
