package registry

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

// The encodings that are read. Guess means UTF-8, or another one if it is
// certain: UTF-16 by its byte order mark or its zero bytes, GBK where the lines
// with other than ASCII characters are valid GBK and nearly all not UTF-8.
const (
	Guess Encoding = ""
	UTF8  Encoding = "utf-8"
	UTF16 Encoding = "utf-16" // by its byte order mark; little endian without one
	GBK   Encoding = "gbk"    // GB 18030, which contains it and GB 2312
)

// ErrEncoding says that an encoding is not known.
var ErrEncoding = errors.New("registry: import: encoding: want utf-8, utf-16 or gbk")

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

// sampleSize is how much of the start of a file is looked at to tell its
// encoding.
const sampleSize = 256 << 10

// counted counts the bytes that are read from a file.
type counted struct {
	r    io.Reader
	read int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	return n, err
}

// decoded returns a reader of the file's text as UTF-8, and what the file is
// written in.
func decoded(r io.Reader, named Encoding) (io.Reader, Encoding, error) {
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
		return transform.NewReader(in, simplifiedchinese.GB18030.NewDecoder()), GBK, nil
	}
	return nil, "", fmt.Errorf("%w, not %q", ErrEncoding, named)
}

// recognised tells the encoding from the start of a file; cut says that the file
// goes on.
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
	if cut {
		start = start[:bytes.LastIndexByte(start, '\n')+1]
	}
	wide, broken := 0, 0
	for line := range bytes.Lines(start) {
		if ascii(line) {
			continue
		}
		wide++
		if utf8.Valid(line) {
			continue
		}
		if !validGBK(line) {
			return UTF8 // and its bad lines are named
		}
		broken++
	}
	if broken > 0 && broken*10 >= wide*9 {
		return GBK
	}
	return UTF8
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

// validGBK reports whether a line is GB 18030 whose characters are all given out.
func validGBK(line []byte) bool {
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(line)
	return err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}
