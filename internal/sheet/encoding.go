// Package sheet reads files of rows as offices export them from spreadsheets: in UTF-8,
// UTF-16 or GB 18030, with any of several separators, a title above the header, and
// headings in either language. It guarantees that memory is bounded for every file, that
// a line is a row (a bad line does not swallow the lines after it), and that messages
// about a file show none of its digits. It knows no column and trusts nothing in the
// file.
//
// Start here: Decoded, then Lines and Split.
package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Encoding is how an import file is written.
type Encoding string

// The encodings that are read. Guess means UTF-8, unless another one is certain: UTF-16
// by its byte order mark or its zero bytes, GBK if the lines with non-ASCII characters
// are valid GBK and nearly all of them not UTF-8.
const (
	Guess Encoding = ""
	UTF8  Encoding = "utf-8"
	UTF16 Encoding = "utf-16" // by its byte order mark; little endian without one
	GBK   Encoding = "gbk"    // GB 18030, which contains it and GB 2312
)

// ErrEncoding says that an encoding is not known.
var ErrEncoding = errors.New("encoding: want utf-8, utf-16 or gbk")

// ErrOtherEncoding says that a file is certainly not in the named encoding, in which its
// names would become other characters.
var ErrOtherEncoding = errors.New("the file is UTF-8, not GBK: leave --encoding out")

// ParseEncoding reads the name of an encoding, in the spellings in use.
func ParseEncoding(s string) (Encoding, error) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s)) {
	case "":
		return Guess, nil
	case "utf8", "utf8bom", "utf8sig", "65001":
		return UTF8, nil
	case "utf16", "utf16le", "utf16be", "unicode":
		return UTF16, nil
	case "gbk", "gb2312", "gb18030", "cp936", "936", "54936":
		return GBK, nil
	}
	return Guess, fmt.Errorf("%w, not %q", ErrEncoding, s)
}

// sampleSize is how much of the start of a file is examined to find its encoding.
const sampleSize = 256 << 10

// Counted counts the bytes that are read from a file.
type Counted struct {
	From io.Reader
	N    int64
}

func (c *Counted) Read(p []byte) (int, error) {
	n, err := c.From.Read(p)
	c.N += int64(n)
	return n, err
}

// Decoded returns a reader of the file's text as UTF-8, and the encoding of the file.
func Decoded(r io.Reader, named Encoding) (io.Reader, Encoding, error) {
	if named == UTF8 {
		return r, UTF8, nil
	}
	in := bufio.NewReaderSize(r, sampleSize)
	start, err := in.Peek(sampleSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	if named == Guess {
		named = recognised(start, err == nil)
	}
	switch named {
	case UTF8:
		return in, UTF8, nil
	case UTF16:
		order := unicode.LittleEndian
		if zerosFirst(start) {
			order = unicode.BigEndian
		}
		return transform.NewReader(in, unicode.UTF16(order, unicode.UseBOM).NewDecoder()), UTF16, nil
	case GBK:
		if certainlyUTF8(start, err == nil) {
			return nil, "", ErrOtherEncoding
		}
		return transform.NewReader(in, simplifiedchinese.GB18030.NewDecoder()), GBK, nil
	}
	return nil, "", fmt.Errorf("%w, not %q", ErrEncoding, named)
}

// recognised finds the encoding from the start of a file; cut says that the file goes on.
func recognised(start []byte, cut bool) Encoding {
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return UTF16
	}
	if bytes.HasPrefix(start, []byte("\xef\xbb\xbf")) {
		return UTF8
	}
	if head := start[:min(len(start), 64)]; len(head) >= 16 && halfZeros(head) {
		return UTF16
	}
	start = wholeLines(start, cut)
	wide, broken := 0, 0
	for line := range bytes.Lines(start) {
		if ascii(line) {
			continue
		}
		wide++
		if utf8.Valid(line) {
			continue
		}
		if !ValidGBK(line) {
			return UTF8 // its bad lines will be reported
		}
		broken++
	}
	if broken > 0 && broken*10 >= wide*9 {
		return GBK
	}
	return UTF8
}

// certainlyUTF8 reports whether the start of a file is UTF-8 and cannot be GBK: it has a
// byte order mark, or no line breaks the rules of UTF-8 and there are eight Han
// characters or more, which text in GBK does not make by chance.
func certainlyUTF8(start []byte, cut bool) bool {
	if bytes.HasPrefix(start, []byte("\xef\xbb\xbf")) {
		return true
	}
	start = wholeLines(start, cut)
	if !utf8.Valid(start) {
		return false
	}
	han := 0
	for _, r := range string(start) {
		if r >= 0x4e00 && r <= 0x9fff {
			han++
		}
	}
	return han >= 8
}

// wholeLines drops the last line of a start, which was cut off.
func wholeLines(start []byte, cut bool) []byte {
	if cut {
		return start[:bytes.LastIndexByte(start, '\n')+1]
	}
	return start
}

// halfZeros reports whether every other byte is zero, as in ASCII text in UTF-16.
func halfZeros(head []byte) bool {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	half := len(head) / 2
	return zeros[0] == 0 && zeros[1] >= half*3/4 || zeros[1] == 0 && zeros[0] >= half*3/4
}

// zerosFirst reports whether text in UTF-16 without a byte order mark is big
// endian.
func zerosFirst(start []byte) bool { return len(start) > 1 && start[0] == 0 && start[1] != 0 }

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// ValidGBK reports whether a line is GB 18030 with only assigned characters.
func ValidGBK(line []byte) bool {
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(line)
	return err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}
