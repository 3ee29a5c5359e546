package written

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// readingTable has a line for each character, in the order of the characters: the character
// and its readings, with commas between. It is searched as text, so that a program which
// reads no pinyin pays nothing for it: the library from which it is made fills a map of
// 44,000 entries at every start.
//
//go:embed readings.txt
var readingTable string

// Readings are the syllables by which a Chinese character is typed on a keyboard, without
// tones and with v for ü, the most common first and each once. Nil: it has none.
func Readings(c rune) []string {
	// The line, if there is one, begins within [from, to), both of them beginnings of lines.
	for from, to := 0, len(readingTable); from < to; {
		middle := from + (to-from)/2
		begin := from + strings.LastIndexByte(readingTable[from:middle], '\n') + 1
		end := begin + strings.IndexByte(readingTable[begin:], '\n')
		switch at, size := utf8.DecodeRuneInString(readingTable[begin:end]); {
		case at == c:
			return strings.Split(readingTable[begin+size:end], ",")
		case at < c:
			from = end + 1
		default:
			to = begin
		}
	}
	return nil
}
