package written

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

// readingTable has a line for each character, in the order of the characters: it and its
// readings, with commas between. It is searched as it is, so that a program which reads no
// pinyin spends nothing on it: the library that it is made from fills a map of 44,000
// entries whenever a program starts.
//
//go:embed readings.txt
var readingTable string

// Readings are the syllables that a Chinese character is typed by on a keyboard, without
// tones and with v for ü, the commonest first and each once. Nil: it has none.
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
