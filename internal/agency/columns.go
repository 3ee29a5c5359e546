package agency

import (
	"errors"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
)

// column is one column of a file: its headings, ours first, and how a cell is read from
// an agency.
type column struct {
	headings []string
	must     bool
	most     int    // characters
	reason   string // why a row is left out if this cell cannot be taken
	cell     func(*store.Agency) *string
}

// columns are the columns of a file, in the order in which it is written.
func columns() []column {
	plain := func(most int, reason string, cell func(*store.Agency) *string, headings ...string) column {
		return column{headings: headings, most: most, reason: reason, cell: cell}
	}
	all := []column{
		{headings: []string{"code", "agency", "agency_code", "机构编号", "机构代码", "编号", "代码"}, must: true, most: 40, reason: ReasonCode,
			cell: func(a *store.Agency) *string { return (*string)(&a.Code) }},
		plain(10, ReasonKind, func(a *store.Agency) *string { return (*string)(&a.Kind) }, "kind", "type", "类别", "类型"),
		{headings: []string{"region", "region_code", "地区", "地区代码", "行政区划", "行政区划代码"}, must: true, most: 20, reason: ReasonRegion,
			cell: func(a *store.Agency) *string { return (*string)(&a.Region) }},
	}
	all = append(all, bilingual(60, ReasonName, func(a *store.Agency) *liuma.Text { return &a.Name }, "name", "名称", "机构名称", "经办机构")...)
	all[3].must = true
	all = append(all, bilingual(100, ReasonAddress, func(a *store.Agency) *liuma.Text { return &a.Address }, "address", "地址", "机构地址")...)
	all = append(all, bilingual(100, ReasonHours, func(a *store.Agency) *liuma.Text { return &a.Hours }, "hours", "办公时间", "服务时间", "工作时间")...)
	all = append(all, column{headings: []string{"telephone", "phone", "tel", "电话", "联系电话", "咨询电话"}, must: true, most: 20, reason: ReasonTelephone,
		cell: func(a *store.Agency) *string { return &a.Telephone }})
	all = append(all, bilingual(160, ReasonDocuments, func(a *store.Agency) *liuma.Text { return &a.Documents }, "documents", "携带材料", "所需材料", "需带材料")...)
	all = append(all,
		plain(10, ReasonSaid, func(a *store.Agency) *string { return (*string)(&a.Agent) }, "agent", "agent_allowed", "可否代办", "代办", "可代办"),
		plain(10, ReasonSaid, func(a *store.Agency) *string { return (*string)(&a.StepFree) }, "step_free", "step_free_access", "无障碍", "无障碍通道"))
	all = append(all, bilingual(60, ReasonLanguages, func(a *store.Agency) *liuma.Text { return &a.Languages }, "languages", "语言", "服务语言")...)
	all = append(all, bilingual(120, ReasonServices, func(a *store.Agency) *liuma.Text { return &a.Services }, "services", "业务", "办理业务", "服务事项")...)
	return append(all,
		plain(10, ReasonStatus, nil, "status", "状态"),
		plain(10, ReasonSaid, nil, "sample", "样例"))
}

// bilingual is a column in Chinese and one in English.
func bilingual(most int, reason string, of func(*store.Agency) *liuma.Text, name string, chinese ...string) []column {
	other := []string{name + "_en"}
	for _, h := range chinese {
		other = append(other, "英文"+h)
	}
	return []column{
		{headings: append([]string{name}, chinese...), most: most, reason: reason, cell: func(a *store.Agency) *string { return &of(a).ZH }},
		{headings: other, most: 3 * most, reason: reason, cell: func(a *store.Agency) *string { return &of(a).EN }},
	}
}

// ErrHeader says that no line at the start of a file is the header.
var ErrHeader = errors.New("the first line must name the columns: " + header())

// header is the first line of a file that we write.
func header() string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.headings[0])
	}
	return strings.Join(names, ",")
}

// maxHeader is how many lines are searched for the header: exported files begin with a
// title.
const (
	maxHeader = 10
	maxCells  = 64
)

// layout says which cell of a line belongs to which column.
type layout struct {
	comma   byte
	cells   int
	known   int
	columns []column
	at      []int // by column; -1: the file does not have it
}

// readHeader finds the header among the first lines. If none of them is a header, the
// error is about the line that comes nearest.
func readHeader(in *sheet.Lines) (layout, error) {
	var nearest error
	most := 0
	for range maxHeader {
		line, tooLong, err := in.Next()
		if err != nil || tooLong || sheet.Check(line) != "" {
			break
		}
		found, err := parseHeader(string(line))
		if err == nil {
			return found, nil
		}
		if found.known > most {
			nearest, most = err, found.known
		}
	}
	if nearest == nil {
		nearest = ErrHeader
	}
	return layout{}, nearest
}

// parseHeader reads a header line with any separator.
func parseHeader(line string) (layout, error) {
	line = strings.TrimPrefix(line, "\ufeff")
	l := layout{comma: sheet.Separator(line), columns: columns()}
	l.at = make([]int, len(l.columns))
	for i := range l.at {
		l.at[i] = -1
	}
	names, reason := sheet.Split(line, l.comma, maxCells)
	if reason != "" {
		return l, ErrHeader
	}
	l.cells = len(names)
	var wrong []string
	for i, name := range names {
		column := columnOf(l.columns, name)
		switch {
		case column < 0:
			wrong = append(wrong, fmt.Sprintf("no column %q is known", sheet.Show(name)))
		case l.at[column] >= 0:
			wrong = append(wrong, fmt.Sprintf("%q comes twice", sheet.Show(name)))
		default:
			l.at[column] = i
			l.known++
		}
	}
	for i, c := range l.columns {
		if c.must && l.at[i] < 0 {
			wrong = append(wrong, fmt.Sprintf("no column %s (%s)", c.headings[0], c.headings[len(c.headings)-1]))
		}
	}
	if len(wrong) > 0 {
		return l, fmt.Errorf("%w; found %q: %s", ErrHeader, sheet.Show(line), strings.Join(wrong, "; "))
	}
	return l, nil
}

func columnOf(all []column, name string) int {
	key := sheet.HeadingKey(name)
	for i, c := range all {
		for _, h := range c.headings {
			if sheet.HeadingKey(h) == key {
				return i
			}
		}
	}
	return -1
}

// cell returns a cell of a line, and whether the file has that column.
func (l *layout) cell(cells []string, column int) (string, bool) {
	if at := l.at[column]; at >= 0 {
		return cells[at], true
	}
	return "", false
}
