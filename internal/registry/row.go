package registry

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
)

// maxLine bounds a line of an import file, in bytes. The longest valid row is a
// fifth of it.
const maxLine = 2048

// Reasons for which a row is rejected. They are stable, and reveal no content.
const (
	ReasonEncoding   = "encoding"            // not UTF-8
	ReasonTooLong    = "line_too_long"       // more than 2,048 bytes
	ReasonQuotes     = "quotes"              // a quoted field that does not end
	ReasonColumns    = "columns"             // not as many as the header has
	ReasonIDNumber   = "id_number"           // wrong shape, check character or birthday
	ReasonIDNumber15 = "id_number_15_digits" // the old form
	ReasonName       = "name"
	ReasonPhone      = "phone"
	ReasonCardNo     = "card_no"
	ReasonRegion     = "region"
	ReasonStatus     = "status"         // not empty, normal, lost or cancelled
	ReasonDuplicate  = "duplicate"      // the ID number was in an earlier row
	ReasonCardTwice  = "card_duplicate" // the card number was in an earlier row
	ReasonCardTaken  = "card_taken"     // the card number is another person's in the registry
)

// errHeader is returned when the first line is not the header.
var errHeader = errors.New("registry: import: the first line must be " + header)

const header = "id_number,name,phone,card_no,region,status"

// columns is the number of columns in header.
const columns = 6

// row is one accepted line.
type row struct {
	line     int
	facts    Facts
	physical liuma.PhysicalStatus // normal where the file has no status
}

// lines reads physical lines of bounded length. A field never holds a line
// break, so a line is a row, and one bad line cannot swallow those after it.
type lines struct {
	r      *bufio.Reader
	number int   // of the last line returned, from 1
	read   int64 // bytes consumed
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns a line without its end; tooLong says that it was cut off. The
// slice is valid until the next call.
func (l *lines) next() (line []byte, tooLong bool, err error) {
	line, err = l.r.ReadSlice('\n')
	l.read += int64(len(line))
	if len(line) == 0 && err != nil {
		return nil, false, err
	}
	l.number++
	for errors.Is(err, bufio.ErrBufferFull) { // discard the rest, in bounded pieces
		tooLong = true
		var more []byte
		more, err = l.r.ReadSlice('\n')
		l.read += int64(len(more))
	}
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	return line, tooLong || len(line) > maxLine, nil
}

// readHeader checks the first line, with or without a byte order mark.
func (l *lines) readHeader() error {
	line, _, err := l.next()
	if err == io.EOF {
		return errHeader
	}
	if err != nil {
		return err
	}
	if string(bytes.TrimPrefix(line, []byte("\ufeff"))) != header {
		return errHeader
	}
	return nil
}

// parseRow returns the row, or the reason for which it is rejected.
func parseRow(line []byte) (row, string) {
	if !utf8.Valid(line) {
		return row{}, ReasonEncoding
	}
	fields, reason := splitRow(string(line))
	if reason != "" {
		return row{}, reason
	}
	var r row
	id, err := ParseIDNumber(fields[0])
	if errors.Is(err, &liuma.Error{Code: liuma.CodeIDNumber15}) {
		return row{}, ReasonIDNumber15
	}
	if err != nil {
		return row{}, ReasonIDNumber
	}
	r.facts.IDNumber = id.Canonical()
	if r.facts.Name, err = ParseName(fields[1]); err != nil {
		return row{}, ReasonName
	}
	if fields[2] != "" {
		if r.facts.Phone, err = ParsePhone(fields[2]); err != nil {
			return row{}, ReasonPhone
		}
	}
	if r.facts.CardNo, err = ParseCardNo(fields[3]); err != nil {
		return row{}, ReasonCardNo
	}
	if r.facts.Region, err = liuma.ParseRegion(fields[4]); err != nil {
		return row{}, ReasonRegion
	}
	if r.facts.Region == "" {
		r.facts.Region = id.Region()
	}
	if r.physical, err = parseStatus(fields[5]); err != nil {
		return row{}, ReasonStatus
	}
	return r, ""
}

func parseStatus(s string) (liuma.PhysicalStatus, error) {
	switch p := liuma.PhysicalStatus(s); p {
	case "":
		return liuma.PhysicalNormal, nil
	case liuma.PhysicalNormal, liuma.PhysicalLost, liuma.PhysicalCancelled:
		return p, nil
	}
	return "", errors.New("registry: unknown status")
}

// splitRow splits at commas; a field may be in double quotes, with a quote
// inside written twice (RFC 4180 without line breaks). Space around a field is
// dropped.
func splitRow(line string) ([]string, string) {
	fields := make([]string, 0, columns)
	for {
		field, rest, more, ok := splitField(line)
		if !ok {
			return nil, ReasonQuotes
		}
		fields = append(fields, strings.TrimSpace(field))
		if len(fields) > columns {
			return nil, ReasonColumns
		}
		if !more {
			break
		}
		line = rest
	}
	if len(fields) != columns {
		return nil, ReasonColumns
	}
	return fields, ""
}

func splitField(line string) (field, rest string, more, ok bool) {
	if !strings.HasPrefix(line, `"`) {
		field, rest, more = strings.Cut(line, ",")
		return field, rest, more, !strings.Contains(field, `"`)
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
		case after == "":
			return b.String(), "", false, true
		case after[0] == ',':
			return b.String(), after[1:], true, true
		default:
			return "", "", false, false
		}
	}
}

// rank orders the statuses of a physical card, from harmless to final.
func rank(p liuma.PhysicalStatus) int {
	return slices.Index([]liuma.PhysicalStatus{liuma.PhysicalNormal, liuma.PhysicalLost, liuma.PhysicalCancelled}, p)
}
