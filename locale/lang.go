package locale

import (
	"strings"

	"golang.org/x/text/language"
)

// Lang is a language of pages and errors, as a BCP 47 tag.
type Lang string

// The languages that are always there. Chinese is the default.
const (
	Chinese Lang = "zh-CN"
	English Lang = "en"
)

// Dir is the direction in which a language is written, as HTML names it.
type Dir string

// The directions.
const (
	LeftToRight Dir = "ltr"
	RightToLeft Dir = "rtl"
)

// Accepted returns the language of the catalogue that an Accept-Language header
// prefers, and Chinese if it names none of them.
func (c *Catalogue) Accepted(header string) Lang {
	const longest = 256 // bytes; a longer list is not a reader's preference
	if header == "" || len(header) > longest {
		return Chinese
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return Chinese
	}
	for _, tag := range tags {
		base, _ := tag.Base()
		if l, ok := c.byBase(base.String()); ok {
			return l
		}
	}
	return Chinese
}

// OfTerminal is the language that the environment asks a program to speak: Chinese where it
// is a Chinese one, and English everywhere else.
func OfTerminal(getenv func(string) string) Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := strings.ToLower(getenv(name)); value != "" {
			if value == "zh" || strings.HasPrefix(value, "zh_") || strings.HasPrefix(value, "zh-") || strings.HasPrefix(value, "zh.") {
				return Chinese
			}
			return English
		}
	}
	return English
}

// byBase finds the language whose tag begins with a base language such as "zh".
func (c *Catalogue) byBase(base string) (Lang, bool) {
	for _, l := range c.langs {
		if first, _, _ := strings.Cut(string(l), "-"); first == base {
			return l, true
		}
	}
	return "", false
}

// Named reads the language that an address, a form or a cookie names: its tag or
// the base of it, in upper or lower case.
func (c *Catalogue) Named(s string) (Lang, bool) {
	s = strings.ToLower(s)
	for _, l := range c.langs {
		if strings.ToLower(string(l)) == s {
			return l, true
		}
	}
	if s == "zh-hans" {
		return Chinese, true
	}
	if strings.Contains(s, "-") {
		return "", false
	}
	return c.byBase(s)
}
