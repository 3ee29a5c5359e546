package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/sheet"
)

// The columns of an import file, in the order of header.
const (
	colIDNumber = iota
	colName
	colPhone
	colCardNo
	colRegion
	colStatus
	colReplacedBy
	colFormer
	colDocumentType
	colDocumentNumber
	colBirthDate
	colHousehold
	colAddress
	colPostcode
	columns
)

// header is the first line that Sample writes.
const header = "id_number,name,phone,card_no,region,status"

// headings are the accepted names of each column: ours first, then others in use.
func headings(column int) []string {
	return [columns][]string{
		{"id_number", "idnumber", "id_no", "身份证号", "身份证号码", "公民身份号码", "证件号码", "证件号", "社会保障号码", "社会保障号"},
		{"name", "full_name", "姓名", "持卡人姓名"},
		{"phone", "mobile", "phone_number", "手机", "手机号", "手机号码", "移动电话", "联系电话"},
		{"card_no", "card_number", "卡号", "社保卡号", "社保卡卡号", "社会保障卡号", "社会保障卡卡号"},
		{"region", "region_code", "地区", "地区代码", "行政区划", "行政区划代码", "统筹区"},
		{"status", "card_status", "状态", "卡状态"},
		{"replaced_by", "new_card_no", "新卡号", "补换后卡号"},
		{"former_id_number", "old_id_number", "原身份证号", "原身份证号码", "曾用身份证号", "更正前身份证号", "原证件号码", "原社会保障号码"},
		{"document_type", "证件类型"},
		{"document_number", "document_no"},
		{"birth_date", "birthday", "date_of_birth", "出生日期"},
		{"household", "household_id", "户号", "家庭编号"},
		{"address", "postal_address", "mailing_address", "通讯地址", "通信地址", "联系地址", "邮寄地址", "住址", "家庭住址", "地址"},
		{"postcode", "postal_code", "zip", "邮政编码", "邮编"},
	}[column]
}

// ErrHeader says that no line at the start of a file is the header.
var ErrHeader = errors.New("the first line must be " + header)

// maxHeader is how many lines are searched for the header: exported files begin with
// a title.
const maxHeader = 10

// layout says which cell of a line belongs to which column.
type layout struct {
	comma byte
	cells int
	known int          // number of known columns
	at    [columns]int // -1: the file does not have the column
}

// parseHeader reads a header line with any separator.
func parseHeader(line string) (layout, error) {
	line = strings.TrimPrefix(line, "\ufeff")
	l := layout{comma: sheet.Separator(line)}
	for i := range l.at {
		l.at[i] = -1
	}
	names, reason := sheet.Split(line, l.comma, maxCells)
	if reason != "" {
		return l, unknownHeader(line, nil)
	}
	var wrong []string
	for i, column := range columnsOf(names) {
		name := names[i]
		switch {
		case column < 0:
			wrong = append(wrong, guess(name))
		case l.at[column] >= 0:
			wrong = append(wrong, fmt.Sprintf("%q comes twice", sheet.Show(name)))
		default:
			l.at[column] = i
			l.known++
		}
	}
	l.cells = len(names)
	for _, column := range []int{colIDNumber, colName, colCardNo} {
		byDocument := column == colIDNumber && l.at[colDocumentType] >= 0 && l.at[colDocumentNumber] >= 0
		if l.at[column] < 0 && !byDocument {
			wrong = append(wrong, "no column "+columnName(column))
		}
	}
	if len(wrong) > 0 {
		return l, unknownHeader(line, wrong)
	}
	return l, nil
}

func unknownHeader(line string, wrong []string) error {
	if strings.TrimSpace(line) == "" {
		return fmt.Errorf("%w; it is empty", ErrHeader)
	}
	if digits := strings.Count(sheet.Show(line), "#"); digits > 6 {
		return fmt.Errorf("%w; found what looks like a person's row", ErrHeader)
	}
	said := ""
	if len(wrong) > 0 {
		said = ": " + strings.Join(wrong, "; ")
	}
	return fmt.Errorf("%w (in any order; phone, region, status, replaced_by, former_id_number, birth_date, household, address and postcode may be missing, and document_type with document_number may stand for id_number); found %q%s", ErrHeader, sheet.Show(line), said)
}

// columnsOf finds the column of each heading. 证件号码 is the number of the document that
// 证件类型 names, if the ID number has another column; alone it is the one column for all
// numbers.
func columnsOf(names []string) []int {
	found := make([]int, len(names))
	general, numbers := -1, 0
	for i, name := range names {
		if found[i] = columnOf(name); found[i] != colIDNumber {
			continue
		}
		numbers++
		if key := sheet.HeadingKey(name); key == "证件号码" || key == "证件号" {
			general = i
		}
	}
	if general >= 0 && numbers == 2 && slices.Contains(found, colDocumentType) && !slices.Contains(found, colDocumentNumber) {
		found[general] = colDocumentNumber
	}
	return found
}

// columnName is how a message names a column: with its Chinese heading, if that is
// another one.
func columnName(column int) string {
	for _, h := range headings(column) {
		if h[0] >= utf8.RuneSelf {
			return headings(column)[0] + " (" + h + ")"
		}
	}
	return headings(column)[0]
}

func columnOf(name string) int {
	key := sheet.HeadingKey(name)
	for column := range columns {
		for _, h := range headings(column) {
			if sheet.HeadingKey(h) == key {
				return column
			}
		}
	}
	return -1
}

// guess names the column whose headings are nearest to a heading.
func guess(name string) string {
	key := []rune(sheet.HeadingKey(name))
	best, least := "", len(key)/2+2
	for column := range columns {
		for _, h := range headings(column) {
			if d := sheet.Distance(key, []rune(sheet.HeadingKey(h))); d < least {
				best, least = columnName(column), d
			}
		}
	}
	if best == "" {
		return fmt.Sprintf("no column %q is known", sheet.Show(name))
	}
	return fmt.Sprintf("no column %q is known, did you mean %s?", sheet.Show(name), best)
}

// cell returns a cell of a line, and whether the file has that column.
func (l *layout) cell(cells []string, column int) (string, bool) {
	at := l.at[column]
	if at < 0 {
		return "", false
	}
	return cells[at], true
}
