package written

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Dot joins the parts of names: 阿依古丽·买买提.
const Dot = '·'

// gbk are the characters that GB 18030 and GBK kept at U+E815 to U+E864 of the
// private-use area before Unicode had them, in order (0xFE50 to 0xFEA0 in GBK).
// GB 18030-2005 and -2022 name the same characters at their places in Unicode.
const gbk = "⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻"

// standard maps a private-use code of GB 18030 to its character in Unicode, and any
// other character to itself. Private-use codes outside GB 18030 are not changed: two
// systems may use them for different characters.
func standard(r rune, table []rune) rune {
	switch {
	case r < 0xE5E5 || r > 0xE864:
		return r
	case r >= 0xE815:
		return table[r-0xE815]
	case r == 0xE5E5: // 0xA3A0, a blank
		return '\u3000'
	case r == 0xE76C: // 0xA2E3
		return '€'
	case r == 0xE7C7: // 0xA8BC
		return 'ḿ'
	case r == 0xE7C8: // 0xA8BF
		return 'ǹ'
	case r >= 0xE78D && r <= 0xE796: // 0xA6D9 to 0xA6F3, punctuation of upright lines
		return []rune("︐︒︑︓︔︕︖︗︘︙")[r-0xE78D]
	case r >= 0xE7E7 && r <= 0xE7F3: // 0xA989 to 0xA995
		return []rune("〾⿰⿱⿲⿳⿴⿵⿶⿷⿸⿹⿺⿻")[r-0xE7E7]
	}
	return r
}

// visible drops invisible characters and names private-use codes.
func visible(s string) string {
	var table []rune
	return strings.Map(func(r rune) rune {
		if r >= 0xE5E5 && r <= 0xE864 {
			if table == nil {
				table = []rune(gbk)
			}
			return standard(r, table)
		}
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}

// halfWidth brings full-width Latin letters and half-width kana to their usual
// width, and blanks, dashes, apostrophes and middle dots to one of each.
func halfWidth(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case middleDot(r):
			return Dot
		case apostrophe(r):
			return '\''
		case blank(r):
			return ' '
		case dash(r):
			return '-'
		case r == '，' || r == '﹐':
			return ','
		case r == '﹒':
			return '.'
		case r == '○' || r == '◯': // typed instead of 〇
			return '〇'
		}
		return r
	}, width.Fold.String(s))
}

// dotted turns full stops that stand for a middle dot into one, and leaves those of
// Latin names: a stop after or before an ideograph is a dot, as is a hyphenation
// point beside a blank that belongs to it.
func dotted(s []rune) []rune {
	for i, r := range s {
		if r != '.' && r != '。' && r != '｡' {
			continue
		}
		next := rune(0)
		for _, n := range s[i+1:] {
			if n != ' ' {
				next = n
				break
			}
		}
		last := rune(0)
		for j := i - 1; j >= 0 && last == 0; j-- {
			if s[j] != ' ' && !selector(s[j]) {
				last = s[j]
			}
		}
		if r != '.' || Ideograph(last) || Ideograph(next) {
			s[i] = Dot
		}
	}
	return s
}

// spaced keeps a single blank between two words if neither has an ideograph or a dot
// beside the blank, and removes all other blanks.
func spaced(s []rune) string {
	var b strings.Builder
	pending := false
	last := rune(0)
	for _, r := range s {
		if r == ' ' {
			pending = last != 0
			continue
		}
		if pending && wordy(last) && wordy(r) {
			b.WriteByte(' ')
		}
		pending = false
		b.WriteRune(r)
		if !selector(r) {
			last = r
		}
	}
	return b.String()
}

func wordy(r rune) bool { return !Ideograph(r) && r != Dot }

// Ideograph reports whether r is an ideograph, by its block, so that characters that
// Unicode adds to a block later are known today. Planes 2 and 3 are reserved for
// ideographs.
func Ideograph(r rune) bool {
	switch {
	case r >= 0x3400 && r <= 0x4DBF, // extension A
		r >= 0x4E00 && r <= 0x9FFF,
		r >= 0xF900 && r <= 0xFAFF,   // compatibility
		r >= 0x20000 && r <= 0x2FFFD, // extensions B to F and I, compatibility supplement
		r >= 0x30000 && r <= 0x3FFFD, // extensions G, H and J
		r >= 0x2E80 && r <= 0x2FD5,   // radicals
		r >= 0x31C0 && r <= 0x31E3:   // strokes
		return true
	}
	return r == '〇' || r == '々' || r == '〻'
}

// invisible reports whether r shows nothing and is not a blank: Unicode's format
// characters and those that displays may ignore, including fillers of Hangul, but not
// variation selectors.
func invisible(r rune) bool {
	if r < 0x80 {
		return false
	}
	switch {
	case selector(r):
		return false
	case unicode.Is(unicode.Cf, r):
		return true
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0,
		r >= 0x2060 && r <= 0x206F, r >= 0xFFF0 && r <= 0xFFFB, r >= 0xE0000 && r <= 0xE0FFF:
		return true
	}
	return false
}

// selector reports whether r is a variation selector, also of Mongolian.
func selector(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF || r >= 0x180B && r <= 0x180D || r == 0x180F
}

// blank reports whether r shows as empty room: white space of any kind, line
// breaks, and the empty cell of Braille.
func blank(r rune) bool { return unicode.IsSpace(r) || r == 0x2800 }

// dash reports whether r is a dash, a hyphen or a minus sign.
func dash(r rune) bool {
	if r < 0x80 {
		return r == '-'
	}
	switch r {
	case '⁃', '−', '˗', '➖', '─', '━', '╴', '╶', '⁻', '₋', '﹘', '﹣', '－':
		return true
	}
	return unicode.Is(unicode.Pd, r)
}

// apostrophe reports whether r is one of the characters that keyboards write for
// the apostrophe.
func apostrophe(r rune) bool {
	switch r {
	case '\'', '’', '‘', '‛', '′', 'ʼ', 'ʻ', 'ʽ', 'ʹ', 'ˈ', 'ˊ', 'ˋ', '`', '´', '＇', '՚', '׳', 'ꞌ', 'Ꞌ', '‵':
		return true
	}
	return false
}

// middleDot reports whether r is one of the characters that keyboards and older
// systems write for the middle dot. Full stops are not among them: dotted.
func middleDot(r rune) bool {
	switch r {
	case Dot, '•', '‧', '∙', '⋅', '・', '･', '●', '᛫', '⸱', '⸰', '⸳', '⦁', '◦', '\u0387', 'ꞏ', '․', '˙', '▪', '⬤', '🞄', '⚫', 'ᐧ', '𐄁', '⚬':
		return true
	}
	return false
}

// tibetan reports whether r separates syllables in Tibetan names.
func tibetan(r rune) bool { return r == '་' || r == '༌' }
