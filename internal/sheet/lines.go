package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/written"
)

// Reasons why a line is no row, in any file. They are stable, and reveal no content;
// the catalogue has a sentence for each (locale.Words.ImportReason).
const (
	ReasonEncoding = "encoding"      // not text in the file's encoding
	ReasonGBK      = "encoding_gbk"  // GBK in a file of UTF-8
	ReasonTooLong  = "line_too_long" // more bytes than a row has
	ReasonQuotes   = "quotes"        // a quoted field that does not end
	ReasonColumns  = "columns"       // not as many as the header has
)

// Lines reads physical lines of bounded length. A field never holds a line
// break, so a line is a row, and one bad line cannot swallow those after it.
type Lines struct {
	r      *bufio.Reader
	most   int
	Number int   // number of the last line returned, from 1
	Read   int64 // bytes consumed of the UTF-8 text
}

// NewLines reads lines of at most so many bytes, which may not be more than 64 KiB.
func NewLines(r io.Reader, most int) *Lines {
	return &Lines{r: bufio.NewReaderSize(r, 64<<10), most: most}
}

// Next returns a line without its end; tooLong says that it was cut off. The
// slice is valid until the next call.
func (l *Lines) Next() (line []byte, tooLong bool, err error) {
	line, err = l.r.ReadSlice('\n')
	l.Read += int64(len(line))
	if len(line) == 0 && err != nil {
		return nil, false, err
	}
	l.Number++
	for errors.Is(err, bufio.ErrBufferFull) { // discard the rest, in bounded pieces
		tooLong = true
		var more []byte
		more, err = l.r.ReadSlice('\n')
		l.Read += int64(len(more))
	}
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	return line, tooLong || len(line) > l.most, nil
}

// Check refuses a line that is not valid text, with the reason.
func Check(line []byte) (reason string) {
	switch {
	case !utf8.Valid(line) && ValidGBK(line):
		return ReasonGBK
	case !utf8.Valid(line), bytes.ContainsRune(line, utf8.RuneError): // a decoder writes RuneError for bytes that it cannot read
		return ReasonEncoding
	}
	return ""
}

// Blank reports whether a line has nothing but separators, as at the end of exports.
func Blank(line []byte) bool {
	for _, c := range line {
		if c != ',' && c != ';' && c != '\t' && c != ' ' && c != '|' {
			return false
		}
	}
	return true
}

// Split splits a line at its commas; a field may be in double quotes, with a quote
// inside written twice (RFC 4180 without line breaks). It drops space around a field,
// and the marks by which spreadsheets keep a number as text: ="123" and '123.
func Split(line string, comma byte, most int) ([]string, string) {
	fields := make([]string, 0, min(most, 16))
	for {
		field, rest, more, ok := splitField(line, comma)
		if !ok {
			return nil, ReasonQuotes
		}
		fields = append(fields, asText(strings.TrimSpace(field)))
		if len(fields) > most {
			return nil, ReasonColumns
		}
		if !more {
			return fields, ""
		}
		line = rest
	}
}

func asText(field string) string {
	if inner, ok := strings.CutPrefix(field, `="`); ok {
		return strings.TrimSuffix(inner, `"`)
	}
	if len(field) > 1 && field[0] == '\'' && field[1] >= '0' && field[1] <= '9' {
		return field[1:]
	}
	return field
}

func splitField(line string, comma byte) (field, rest string, more, ok bool) {
	if !strings.HasPrefix(line, `"`) {
		at := strings.IndexByte(line, comma)
		if at < 0 {
			field = line
		} else {
			field, rest, more = line[:at], line[at+1:], true
		}
		return field, rest, more, !strings.Contains(field, `"`) || strings.HasPrefix(field, `="`) && strings.Count(field, `"`) == 2
	}
	line = line[1:]
	var b strings.Builder
	for {
		before, after, found := strings.Cut(line, `"`)
		b.WriteString(before)
		switch {
		case !found:
			return "", "", false, false
		case strings.HasPrefix(after, `"`):
			b.WriteByte('"')
			line = after[1:]
		case strings.TrimLeft(after, " ") == "":
			return b.String(), "", false, true
		case strings.TrimLeft(after, " ")[0] == comma:
			return b.String(), strings.TrimLeft(after, " ")[1:], true, true
		default:
			return "", "", false, false
		}
	}
}

// Separator is the character between the cells of a header.
func Separator(line string) byte {
	comma, most := byte(','), strings.Count(line, ",")
	for _, c := range []byte(";\t|") {
		if n := strings.Count(line, string(c)); n > most {
			comma, most = c, n
		}
	}
	return comma
}

// HeadingKey is the same for two spellings of one heading.
func HeadingKey(name string) string {
	return strings.NewReplacer("_", "", ".", "", "*", "", "(", "", ")", "", "/", "").Replace(written.Number(name))
}

// Distance is the number of characters to change, add or drop.
func Distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := i
		row[0] = i + 1
		for j := range b {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

// Show shortens text of a file for an error message, and leaves out its digits.
func Show(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if utf8.RuneCountInString(s) > 80 {
		s = string([]rune(s)[:80]) + "…"
	}
	return s
}
