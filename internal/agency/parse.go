package agency

import (
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
)

// maxLine is the longest line of a file, in bytes. The longest valid row is a third of
// it.
const maxLine = 16 << 10

// row is one line of a file: its agency, and which columns it has.
type row struct {
	line int
	store.Agency
}

// parser reads rows. Used by one goroutine.
type parser struct {
	layout
	regions *directory.Regions
	pinyin  *reader
}

// row returns the agency of a line, or the reason why the line is left out.
func (p *parser) row(line []byte) (row, string) {
	if reason := sheet.Check(line); reason != "" {
		return row{}, reason
	}
	cells, reason := sheet.Split(string(line), p.comma, p.cells)
	if reason == "" && len(cells) != p.cells {
		reason = sheet.ReasonColumns
	}
	if reason != "" {
		return row{}, reason
	}
	var r row
	for i, c := range p.columns {
		typed, has := p.cell(cells, i)
		if !has {
			continue
		}
		said, ok := written.Line(typed, c.most)
		if !ok {
			return row{}, c.reason
		}
		if reason := p.take(&r.Agency, &p.columns[i], said); reason != "" {
			return row{}, reason
		}
	}
	return r, p.whole(&r.Agency)
}

// take stores a cell in its member of the agency.
func (p *parser) take(a *store.Agency, c *column, said string) (reason string) {
	var err error
	switch c.headings[0] {
	case "code":
		if a.Code, err = liuma.ParseAgency(said); err != nil || said == "" {
			return ReasonCode
		}
	case "kind":
		return taken(&a.Kind, said, ReasonKind, map[string]store.AgencyKind{"": store.AgencyOffice, "AGENCY": store.AgencyOffice, "OFFICE": store.AgencyOffice,
			"经办机构": store.AgencyOffice, "机构": store.AgencyOffice, "柜台": store.AgencyOffice, "HOTLINE": store.AgencyHotline, "热线": store.AgencyHotline})
	case "region":
		return p.region(a, said)
	case "telephone":
		if a.Telephone = telephone(said); said != "" && a.Telephone == "" {
			return ReasonTelephone
		}
	case "status":
		return taken(&a.Closed, said, ReasonStatus, map[string]bool{"": false, "OPEN": false, "正常": false, "CLOSED": true, "撤销": true, "已撤销": true, "关闭": true})
	case "sample":
		var is store.Said
		reason = taken(&is, said, c.reason, saids())
		a.Sample = is == store.SaidYes
		return reason
	case "agent":
		return taken(&a.Agent, said, c.reason, saids())
	case "step_free":
		return taken(&a.StepFree, said, c.reason, saids())
	default:
		if Hides(said) {
			return ReasonHidden
		}
		*c.cell(a) = said
	}
	return ""
}

func saids() map[string]store.Said {
	return map[string]store.Said{"": store.SaidNothing, "YES": store.SaidYes, "Y": store.SaidYes, "TRUE": store.SaidYes, "1": store.SaidYes, "是": store.SaidYes, "可": store.SaidYes, "可以": store.SaidYes, "有": store.SaidYes,
		"NO": store.SaidNo, "N": store.SaidNo, "FALSE": store.SaidNo, "0": store.SaidNo, "否": store.SaidNo, "不可": store.SaidNo, "不可以": store.SaidNo, "无": store.SaidNo}
}

func taken[T any](into *T, said, otherwise string, known map[string]T) (reason string) {
	v, ok := known[written.Number(said)]
	if !ok {
		return otherwise
	}
	*into = v
	return ""
}

// region takes a listed code. The nation, which has none, must be written 全国 or
// "nation", so that an empty cell does not turn an agency's number into the nation's.
func (p *parser) region(a *store.Agency, said string) (reason string) {
	if key := written.Number(said); key == "全国" || key == "NATION" {
		a.Region = ""
		return ""
	}
	region, err := liuma.ParseRegion(written.Number(said))
	if _, listed := p.regions.Find(region); err != nil || region == "" || !listed {
		return ReasonRegion
	}
	a.Region = region
	return ""
}

// whole refuses an agency to which no holder could be sent, and adds how its name is
// typed.
func (p *parser) whole(a *store.Agency) (reason string) {
	if a.Kind == "" {
		a.Kind = store.AgencyOffice
	}
	switch {
	case a.Name.ZH == "":
		return ReasonName
	case a.Kind == store.AgencyOffice && a.Address.ZH == "":
		return ReasonAddress
	case a.Kind == store.AgencyOffice && a.Region == "":
		return ReasonRegion
	case a.Kind == store.AgencyHotline && a.Telephone == "":
		return ReasonTelephone
	}
	a.Pinyin, a.Initials = p.pinyin.read(a.Name.ZH)
	return ""
}

var telephonePattern = regexp.MustCompile(`^(?:[0-9]{2,4}-)?[0-9]{3,12}(?:-[0-9]{1,6})?$`)

// telephone brings a number to the form in which a phone dials it and pages show it:
// its digits, with single dashes where they were. Empty: it is no number, or one
// abroad.
func telephone(said string) string {
	s := written.Telephone(said)
	if !telephonePattern.MatchString(s) || len(s) > 20 || strings.HasPrefix(s, "00") {
		return ""
	}
	return s
}
