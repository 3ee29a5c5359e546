package pin

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/written"
)

// RuleName: the passphrase is only the holder's own name, as written or as typed in
// pinyin, with signs and obvious digits. A thief who has the card's numbers has the name
// too. It goes with RuleCommon.
const RuleName Rule = "name"

// mostLetters is how many letters are compared with a name: no passphrase is longer.
const mostLetters = MaxPassphrase

// called holds the forms in which a holder's name may be in a passphrase: its characters,
// their readings and its Latin words in small letters, and all initials together.
type called struct{ parts []string }

// newCalled makes these forms of a name.
func newCalled(name string) called {
	var c called
	initials := [][]string{}
	add := func(spellings ...string) {
		var first []string
		for _, s := range spellings {
			c.parts = append(c.parts, s)
			if s[0] < utf8.RuneSelf {
				first = append(first, s[:1])
			}
		}
		initials = append(initials, first)
	}
	for _, word := range strings.FieldsFunc(written.Name(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		latin := ""
		for _, r := range strings.ToLower(written.NameKey(word)) {
			if written.Ideograph(r) {
				add(readings(r)...)
			} else {
				latin += string(r)
			}
		}
		if latin != "" {
			add(latin)
		}
	}
	c.parts = append(c.parts, together(initials)...)
	return c
}

// readings are a character and everything that is typed for it; ü as keyboards and
// passports write it.
func readings(r rune) []string {
	all := []string{string(r)}
	for _, s := range written.Readings(r) {
		all = append(all, s)
		if strings.Contains(s, "v") {
			all = append(all, strings.Replace(s, "v", "u", 1), strings.Replace(s, "v", "yu", 1))
		}
	}
	return all
}

// together are the initials in the order of the name, and with the first part's behind
// the others, as names are written abroad.
func together(initials [][]string) (all []string) {
	if len(initials) < 2 || len(initials) > 8 {
		return nil
	}
	for _, order := range [][][]string{initials, append(initials[1:len(initials):len(initials)], initials[0])} {
		some := []string{""}
		for _, one := range order {
			var next []string
			for _, s := range some {
				for _, letter := range one {
					if len(next) < 64 {
						next = append(next, s+letter)
					}
				}
			}
			some = next
		}
		all = append(all, some...)
	}
	return all
}

// named reports whether a folded passphrase is a holder's name with nothing else that is
// hard to guess.
func (j *Judge) named(folded []byte, c called) bool {
	if len(c.parts) == 0 {
		return false
	}
	var letters, digits []byte
	letters, digits = make([]byte, 0, len(folded)), make([]byte, 0, len(folded))
	defer func() { clear(letters[:cap(letters)]); clear(digits[:cap(digits)]) }()
	ended := func() bool {
		foreseen := j.foreseen(digits)
		digits = digits[:0]
		return foreseen
	}
	for i := 0; i < len(folded); {
		r, size := utf8.DecodeRune(folded[i:])
		value, _ := written.Digit(r)
		switch {
		case unicode.IsDigit(r): // and not 一, which may be a part of the name
			digits = append(digits, byte('0'+value))
		case unicode.IsLetter(r) || unicode.IsMark(r):
			if !ended() {
				return false
			}
			letters = append(letters, folded[i:i+size]...)
		}
		i += size
	}
	return ended() && c.spells(letters)
}

// spells reports whether letters consist only of parts of the name, in any order.
func (c called) spells(letters []byte) bool {
	if len(letters) == 0 || utf8.RuneCount(letters) > mostLetters {
		return false
	}
	reached := make([]bool, len(letters)+1) // by parts laid end to end
	reached[0] = true
	for i := range letters {
		if !reached[i] {
			continue
		}
		for _, p := range c.parts {
			if bytes.HasPrefix(letters[i:], []byte(p)) {
				reached[i+len(p)] = true
			}
		}
	}
	return reached[len(letters)]
}
