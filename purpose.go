package liuma

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Purpose is what the holder is told that a PIN is for: one text, or one text in
// each of the two languages that are always there (PurposeIn). Its bytes are what
// the purpose hash covers. One text stands as it is. Texts in languages are lines,
// Chinese first, each with a line feed at its end:
//
//	zh-CN:查询社保缴费年限
//	en:See the years of contribution
//
// A text itself is one line, so the two forms cannot be taken for each other. As
// JSON it is a string, or an object with the members zh-CN and en.
type Purpose string

// MostPurpose bounds each text of a purpose, in characters, since a page shows it.
const MostPurpose = 60

// The languages of a purpose, as the members of the object name them.
const (
	purposeZH = "zh-CN"
	purposeEN = "en"
)

// PurposeIn makes a purpose with a Chinese and an English text; en may be empty.
// Readers of other languages are shown the Chinese one.
func PurposeIn(zh, en string) Purpose {
	p := purposeZH + ":" + zh + "\n"
	if en != "" {
		p += purposeEN + ":" + en + "\n"
	}
	return Purpose(p)
}

// texts takes the purpose apart. languages is false for one text, which is zh.
func (p Purpose) texts() (zh, en string, languages bool) {
	s, ended := strings.CutSuffix(string(p), "\n")
	if !ended {
		return string(p), "", false
	}
	zh, en, _ = strings.Cut(s, "\n"+purposeEN+":")
	return strings.TrimPrefix(zh, purposeZH+":"), en, true
}

// In returns the text for a reader of a language (a BCP 47 tag): the Chinese one
// where there is none in that language.
func (p Purpose) In(language string) string {
	zh, en, _ := p.texts()
	if en != "" && language == purposeEN {
		return en
	}
	return zh
}

// Check reports a purpose that cannot be shown: each text has 1 to 60 characters,
// and none that could make it look different on the holder's screen.
func (p Purpose) Check() error {
	zh, en, languages := p.texts()
	shown := []string{zh}
	if en != "" {
		shown = append(shown, en)
	}
	for _, s := range shown {
		if n := utf8.RuneCountInString(s); n < 1 || n > MostPurpose {
			return fmt.Errorf("want 1 to %d characters", MostPurpose)
		}
		if !utf8.ValidString(s) || !showable(s) {
			return errors.New("want text on one line")
		}
	}
	if languages && PurposeIn(zh, en) != p {
		return errors.New("want the texts of languages")
	}
	return nil
}

// showable refuses control, format (bidirectional overrides among them),
// private-use and unassigned characters, line breaks, and blanks at the ends.
func showable(s string) bool {
	last := rune(' ')
	for i, c := range s {
		if unicode.IsSpace(c) && (i == 0 || c != ' ' && c != '\u3000') || !unicode.IsPrint(c) && c != '\u3000' {
			return false
		}
		last = c
	}
	return !unicode.IsSpace(last)
}

// purposeTexts is the object that a purpose in languages is in JSON.
type purposeTexts struct {
	ZH string `json:"zh-CN"`
	EN string `json:"en,omitempty"`
}

// MarshalJSON writes a string, or an object with a member for each language.
func (p Purpose) MarshalJSON() ([]byte, error) {
	zh, en, languages := p.texts()
	if !languages {
		return json.Marshal(zh)
	}
	return json.Marshal(purposeTexts{ZH: zh, EN: en})
}

// UnmarshalJSON reads what MarshalJSON writes. The doors, which read what
// strangers send, do not use it: they refuse unknown and doubled members.
func (p *Purpose) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*p = Purpose(one)
		return nil
	}
	var in purposeTexts
	if err := json.Unmarshal(b, &in); err != nil || in.ZH == "" {
		return errors.New("purpose: want a string, or an object with zh-CN and en")
	}
	*p = PurposeIn(in.ZH, in.EN)
	return nil
}
