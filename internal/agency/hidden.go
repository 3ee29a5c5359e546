package agency

import (
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma/internal/written"
)

// A telephone number belongs in its column, where every change is recorded, and a web
// address belongs nowhere. If one were hidden in another text, it could send holders to an
// attacker without any trace on the record. People also read other signs than digits as a
// number.

var (
	longNumber = regexp.MustCompile(`[0-9]{7}`)
	link       = regexp.MustCompile(`(?i)https?|www\.|://|@|[a-z0-9-]\.(?:com|cn|net|org|top|xyz|cc|vip|info|biz|shop|club|site|online|app|link|live|icu|work|wang|ltd|fun|store|tech)(?:[^a-z0-9]|$)` +
		`|\.(?:中国|中國|公司|网络|網絡|网址|网站|在线|商城|集团|我爱你|商店|手机|政务|公益)`)
	lowerLink = regexp.MustCompile(`[a-z0-9-]{2}\.[a-z]{2,}`) // St.John has a capital letter
	clockTime = regexp.MustCompile(`(^|[^0-9])[0-2]?[0-9][:.][0-5][0-9]([^0-9]|$)`)
	parted    = regexp.MustCompile(`[0-9]+(?:[^\pL\pN]{1,3}[0-9]+)+`) // groups of digits with no letter in between
	group     = regexp.MustCompile(`[0-9]+`)
	dialled   = regexp.MustCompile(`^(?:(?:00)?86)?(?:1[3-9][0-9]{9}|0[1-9][0-9]{8,10}|[48]00[0-9]{7})`)
)

// Hides reports whether a text has a telephone number or a web address, in any spelling, or
// something that a spreadsheet would take for a formula.
func Hides(s string) bool {
	folded := written.Number(s)
	if written.OtherDigits(folded) || longNumber.MatchString(written.Numerals(folded)) {
		return true
	}
	shown, _ := written.PageAddress(s)
	return link.MatchString(shown) || lowerLink.MatchString(shown) || partedNumber(written.Numerals(shown)) || formula(shown)
}

// partedNumber reports whether a text has a telephone number whose digits are separated by
// marks. Times of the day and house numbers in a row do not count.
func partedNumber(s string) bool {
	for range 2 { // two times may share the mark between them
		s = clockTime.ReplaceAllString(s, "${1}x${2}")
	}
	for _, found := range parted.FindAllString(s, -1) {
		groups := group.FindAllString(found, -1)
		if strings.ContainsAny(found, "、") && !containsLong(groups) {
			continue
		}
		for i := range groups {
			if dialled.MatchString(strings.Join(groups[i:], "")) {
				return true
			}
		}
	}
	return false
}

func containsLong(groups []string) bool {
	for _, g := range groups {
		if len(g) > 3 {
			return true
		}
	}
	return false
}

// formula reports whether a spreadsheet may take a text for a formula, also in full-width
// characters.
func formula(shown string) bool { return shown != "" && strings.ContainsRune("=+-@", rune(shown[0])) }
