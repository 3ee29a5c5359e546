package notify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// units counts UTF-16 code units, the measure of a short message in UCS-2.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// Segments returns the number of short messages that s fills in UCS-2: 70 units in a
// single one, 67 in each of several.
func Segments(s string) int {
	const single, part = 70, 67
	n := units(s)
	if n <= single {
		return 1
	}
	return (n + part - 1) / part
}

var linkPattern = regexp.MustCompile(`(?i)[a-z][a-z0-9+-]*:/` + // a scheme
	`|[a-z]+:[a-z0-9]+[?=/]` + // a scheme of an app
	`|\bwww\b|\bhttps?\b` +
	`|[\p{L}\p{N}]\.[\p{L}-]{2,}` + // a domain, in any script
	`|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}` +
	`|\S@\S`)

// LooksLikeLink reports whether a phone, or a person, could take part of s for an
// address that can be opened.
func LooksLikeLink(s string) bool {
	// Many phones make links of full-width letters and dots.
	s = norm.NFKC.String(strip(s))
	return mayBeLink(s) && linkPattern.MatchString(s)
}

// mayBeLink is quick, and false for most sentences: each form of linkPattern has one of
// these signs between two characters that are not blanks, or one of these words.
func mayBeLink(s string) bool {
	for i := range len(s) - 1 {
		if c := s[i]; (c == ':' || c == '.' || c == '@') && i > 0 && s[i-1] != ' ' && s[i+1] != ' ' {
			return true
		}
	}
	s = strings.ToLower(s)
	return strings.Contains(s, "www") || strings.Contains(s, "http")
}

// strip removes invisible characters, and brackets that would look like a second sender
// mark.
func strip(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r <= '~' || r >= 0x4E00 && r <= 0x9FFF { // nearly all characters, without looking into tables
			return r
		}
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) ||
			r == '【' || r == '】' || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// ErrParam means that a value does not fit its placeholder. The error never contains
// the value.
var ErrParam = errors.New("notify: parameter")

var (
	codePattern   = regexp.MustCompile(`^[0-9]{6}$`)
	freezePattern = regexp.MustCompile(`^[0-9A-Za-z]{8}([0-9A-Za-z]{3})?$`) // also 8 characters, as release 0.1.0 queued them
	numberPattern = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
	maskedPhone   = regexp.MustCompile(`^[0-9]{3}\*{4}[0-9]{4}$`)
	phonePattern  = regexp.MustCompile(`^1[0-9]{10}$`)
	longNumber    = regexp.MustCompile(`[0-9]{6}`)
	starRun       = regexp.MustCompile(`\*{4,}`)
)

// noName stands where a name cannot be shown, noHolder where a holder's cannot.
const (
	noName   = "—"
	noHolder = "*"
)

// The largest lengths of names, in units; longer names are cut.
const (
	maxHolder  = 8
	maxChannel = 20
	maxWhat    = 32
)

// longest gives, for each placeholder, a value of the greatest possible length.
func longest(language string) map[string]string {
	w := locale.In(locale.Lang(language))
	at := w.Moment(time.Date(2026, time.December, 31, 23, 59, 0, 0, time.UTC))
	what := w.Listed([]string{w.Notice.ChangedName(), w.Notice.ChangedPhone(), w.Notice.ChangedRegion(), w.Notice.ChangedCardNo()})
	return map[string]string{
		"code": "000000", "minutes": "9999", "freeze": "AAA AAAA AAAA", "days": "9999", "phone": "138****0000",
		"holder": strings.Repeat("王", maxHolder), "channel": strings.Repeat("省", maxChannel), "at": at, "until": at, "what": what,
	}
}

// checkParams checks the values for a template and returns them in the form in which
// they are stored. A value with a fixed form must have that form; otherwise the caller
// made a mistake. Names are cut and cleaned, because a notice must not fail because of
// a channel's long name.
func (s shape) checkParams(given map[string]string) (map[string]string, error) {
	kept := make(map[string]string, len(s.params))
	for _, name := range s.params {
		v, ok := given[name]
		if !ok {
			return nil, fmt.Errorf("%w %q of %s is missing", ErrParam, name, s.name)
		}
		v, ok = checkParam(name, v)
		if !ok {
			return nil, fmt.Errorf("%w %q of %s has not its form", ErrParam, name, s.name)
		}
		kept[name] = v
	}
	return kept, nil
}

func checkParam(name, v string) (string, bool) {
	switch name {
	case "code":
		return v, codePattern.MatchString(v)
	case "freeze":
		return v, freezePattern.MatchString(v)
	case "minutes", "days":
		return v, numberPattern.MatchString(v)
	case "phone":
		return v, maskedPhone.MatchString(v)
	case "at", "until":
		t, err := time.Parse(time.RFC3339, v)
		return v, err == nil && !t.IsZero()
	case "holder":
		// A name without a star is a mistake of the caller: it is not masked. One that was cut
		// before its star, or cannot be shown, is left out, so that what is kept passes here
		// again when it is sent.
		if name := fit(starRun.ReplaceAllString(v, "***"), maxHolder); strings.Contains(name, "*") {
			return name, true
		}
		return noHolder, strings.Contains(v, "*")
	case "what":
		return fit(v, maxWhat), true
	case "channel":
		return fit(v, maxChannel), true
	}
	return "", false
}

// fit makes a name safe to show: without links, without anything that looks like a code
// or a telephone number, and with at most limit units.
func fit(v string, limit int) string {
	v = strings.Join(strings.Fields(strip(v)), " ")
	if v == "" || LooksLikeLink(v) || longNumber.MatchString(norm.NFKC.String(v)) {
		return noName
	}
	if units(v) <= limit {
		return v
	}
	cut := ""
	for _, r := range v {
		if units(cut)+units(string(r)) > limit-1 {
			break
		}
		cut += string(r)
	}
	return cut + "…"
}

// shown turns stored values into the values that the text shows.
func shown(kept map[string]string, language string) map[string]string {
	out := make(map[string]string, len(kept))
	for name, v := range kept {
		if t, err := time.Parse(time.RFC3339, v); (name == "at" || name == "until") && err == nil {
			t = t.In(clock.China())
			v = locale.In(locale.Lang(language)).Moment(t)
		}
		if name == "freeze" {
			v = written.FreezeCode(v)
		}
		out[name] = v
	}
	return out
}
