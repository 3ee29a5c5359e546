package registry

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/sheet"
	"github.com/liuma-pin/liuma/internal/written"
)

const (
	// maxLine is the longest line of an import file, in bytes. The longest valid row
	// is a quarter of it.
	maxLine = 2048
	// maxCells is the most cells of a header.
	maxCells = 64
)

// row is one accepted line.
type row struct {
	line     int
	facts    Facts
	physical liuma.PhysicalStatus // normal if the file has no status
	// Empty if the file does not have it, or it cannot be read: a registered person
	// then keeps theirs.
	keepPhone, keepRegion, keepStatus bool
	keepBirthDate, keepHousehold      bool
	keepAddress, keepPostcode         bool
	died                              bool
	replacedBy                        string   // the new card number, with status replaced
	abolished                         bool     // the region is no longer in use
	cells                             []string // reasons for which cells were left out
	id                                IDNumber
	former                            IDNumber // zero if the row has none, or its own number
}

// readHeader finds the header among the first lines, with or without a byte order
// mark. Only blank lines and titles may come before it. If no line is a header, the
// error is about the line that comes nearest.
func readHeader(l *sheet.Lines) (layout, error) {
	var nearest error
	most := -1
	for range maxHeader {
		line, tooLong, err := l.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return layout{}, err
		}
		if tooLong || !utf8.Valid(line) {
			return layout{}, ErrHeader
		}
		found, err := parseHeader(string(line))
		if err == nil {
			return found, nil
		}
		if found.known > most && strings.TrimSpace(string(line)) != "" {
			nearest, most = err, found.known
		}
	}
	if nearest == nil {
		nearest = unknownHeader("", nil)
	}
	return layout{}, nearest
}

// parser reads rows. Used by one goroutine.
type parser struct {
	layout
	regions *directory.Regions
	// mobiles remembers which first digits of a number belong to mobile phones; the
	// numbering plan looks at no digit after the fifth.
	mobiles map[string]bool
}

// row returns the row, or the reason why it is left out.
func (p *parser) row(line []byte) (row, string) {
	if reason := sheet.Check(line); reason != "" {
		return row{}, reason
	}
	cells, reason := sheet.Split(string(line), p.comma, p.cells)
	if reason == "" && len(cells) != p.cells {
		reason = ReasonColumns
	}
	if reason != "" {
		return row{}, reason
	}
	var r row
	id, reason := p.number(cells)
	if reason != "" {
		return row{}, reason
	}
	r.id, r.facts.IDNumber = id, id.Canonical()
	if reason = p.must(&r, cells); reason != "" {
		return row{}, reason
	}
	// A row whose former number cannot be read is left out: taken without it, it
	// would be another person.
	if typed, _ := p.cell(cells, colFormer); typed != "" {
		if r.former, reason = idNumber(typed); reason != "" {
			return row{}, ReasonFormer
		}
		if r.former.Canonical() == id.Canonical() {
			r.former = IDNumber{}
		}
	}
	p.phone(&r, cells)
	p.region(&r, cells, id)
	p.birthDate(&r, cells, id)
	p.household(&r, cells)
	p.address(&r, cells)
	if reason = p.status(&r, cells); reason != "" {
		return row{}, reason
	}
	return r, ""
}

// must reads the cells without which a person cannot be kept.
func (p *parser) must(r *row, cells []string) (reason string) {
	var err error
	typed, _ := p.cell(cells, colName)
	if r.facts.Name, err = ParseName(typed); err != nil {
		if written.PrivateUse(typed) {
			return ReasonNamePrivate
		}
		return ReasonName
	}
	typed, _ = p.cell(cells, colCardNo)
	if excel(typed) {
		return ReasonCardNoExcel
	}
	if r.facts.CardNo, err = ParseCardNo(typed); err != nil {
		return ReasonCardNo
	}
	return ""
}

var excelPattern = regexp.MustCompile(`^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$`)

// excel reports whether a spreadsheet wrote a number as a power of ten.
func excel(s string) bool {
	return strings.ContainsAny(s, "eE") && excelPattern.MatchString(strings.TrimSpace(s))
}

// number reads the document that a row is about: its ID number, or the type and
// number of another one. In a file with a type and no column document_number, one
// column has the numbers of all documents.
func (p *parser) number(cells []string) (IDNumber, string) {
	plain, _ := p.cell(cells, colIDNumber)
	kind, _ := p.cell(cells, colDocumentType)
	typed, has := p.cell(cells, colDocumentNumber)
	switch {
	case plain != "" && typed != "":
		// Exports repeat the ID number in the column for other documents.
		id, reason := idNumber(plain)
		other, _ := idNumber(typed)
		if kind != "" && documentType(kind) != liuma.DocumentIDNumber || reason == "" && id.Canonical() != other.Canonical() {
			return IDNumber{}, ReasonDocumentTwice
		}
		return id, reason
	case kind != "" && !has:
		typed = plain
	case typed == "" && kind != "" && documentType(kind) != liuma.DocumentIDNumber:
		return IDNumber{}, ReasonDocument
	case typed == "":
		return idNumber(plain)
	}
	known := documentType(kind)
	if known == liuma.DocumentIDNumber {
		return idNumber(typed)
	}
	id, err := ParseDocument(liuma.Document{Type: known, Number: typed})
	switch {
	case err == nil:
		return id, ""
	case liuma.CodeOf(err) == liuma.CodeDocumentState:
		return id, ReasonDocumentState
	}
	return id, ReasonDocument
}

// documentType reads a type in the spelling of this program or of a registry.
func documentType(typed string) liuma.DocumentType {
	for _, t := range liuma.DocumentTypes() {
		if written.Number(string(t)) == written.Number(typed) {
			return t
		}
	}
	switch written.Number(typed) {
	case "居民身份证", "身份证", "公民身份号码", "港澳居民居住证", "台湾居民居住证", "港澳台居民居住证":
		return liuma.DocumentIDNumber
	case "外国人永久居留身份证", "外国人永久居留证":
		return liuma.DocumentPermanentResidence
	case "护照", "外国护照":
		return liuma.DocumentPassport
	case "港澳居民来往内地通行证":
		return liuma.DocumentHKMacaoPermit
	case "台湾居民来往大陆通行证":
		return liuma.DocumentTaiwanPermit
	case "外国人社会保障号码":
		return liuma.DocumentForeignerNumber
	}
	return ""
}

// birthDate reads an optional cell; with an ID number it is superfluous. An empty one
// changes nothing, and is reported if the birthday is not known otherwise.
func (p *parser) birthDate(r *row, cells []string, id IDNumber) {
	typed, _ := p.cell(cells, colBirthDate)
	if r.keepBirthDate = true; typed == "" {
		if id.Born() == "" {
			r.cells = append(r.cells, ReasonBirthDateMissing)
		}
		return
	}
	date, ok := parseBirthDate(written.Number(typed))
	born := id.Born()
	if !ok || born != "" && date[2:] != born[2:] || id.Document().Type == liuma.DocumentIDNumber && date != born {
		r.cells = append(r.cells, ReasonBirthDate)
		return
	}
	if date != born {
		r.facts.BirthDate, r.keepBirthDate = date, false
	}
}

const maxHousehold = 64

// household reads an optional cell; only whether two rows have the same one matters.
// A person who moves out has an empty one.
func (p *parser) household(r *row, cells []string) {
	typed, has := p.cell(cells, colHousehold)
	folded := written.Number(typed)
	if utf8.RuneCountInString(folded) > maxHousehold || strings.ContainsFunc(folded, unicode.IsControl) {
		r.keepHousehold = true
		r.cells = append(r.cells, ReasonHousehold)
		return
	}
	r.facts.Household, r.keepHousehold = folded, !has
}

// The limits of an address, in characters. It fits two lines of a window envelope.
const (
	minAddress = 5
	maxAddress = 60
)

// address reads two optional cells, for letters. If a person moves to an unknown
// address they are empty; one that cannot be read changes nothing.
func (p *parser) address(r *row, cells []string) {
	typed, has := p.cell(cells, colAddress)
	address, ok := written.Address(typed)
	if n := utf8.RuneCountInString(address); !ok || n > maxAddress || n > 0 && n < minAddress {
		address, has = "", false
		r.cells = append(r.cells, ReasonAddress)
	}
	r.facts.Address, r.keepAddress = address, !has
	typed, has = p.cell(cells, colPostcode)
	postcode := written.Number(typed)
	if postcode != "" && (len(postcode) != 6 || !allDigits(postcode)) {
		postcode, has = "", false
		r.cells = append(r.cells, ReasonPostcode)
	}
	r.facts.Postcode, r.keepPostcode = postcode, !has
}

func idNumber(typed string) (IDNumber, string) {
	id, err := ParseIDNumber(typed)
	switch {
	case err == nil:
		return id, ""
	case errors.Is(err, &liuma.Error{Code: liuma.CodeIDNumber15}):
		return id, ReasonIDNumber15
	case excel(typed):
		return id, ReasonIDNumberExcel
	case errors.Is(err, errDigits):
		return id, ReasonDigits
	}
	// A spreadsheet keeps only fifteen digits of a number.
	if c := written.Number(typed); len(c) == 18 && allDigits(c) && strings.HasSuffix(c, "000") {
		return id, ReasonIDNumberRound
	}
	return id, ReasonIDNumber
}

// phone reads an optional cell: one that cannot be read is left out, and the
// person is kept.
func (p *parser) phone(r *row, cells []string) {
	typed, has := p.cell(cells, colPhone)
	if typed == "" {
		r.keepPhone = !has
		return
	}
	if number := written.Number(typed); len(number) == 11 && allDigits(number) {
		mobile, known := p.mobiles[number[:5]]
		if !known {
			_, err := ParsePhone(number)
			mobile = err == nil
			p.mobiles[number[:5]] = mobile
		}
		if mobile {
			r.facts.Phone = number
			return
		}
	}
	phone, err := ParsePhone(typed)
	if err == nil {
		r.facts.Phone = phone
		return
	}
	r.keepPhone = true
	if excel(typed) {
		r.cells = append(r.cells, ReasonPhoneExcel)
	} else {
		r.cells = append(r.cells, ReasonPhone)
	}
}

// region reads an optional cell. A code that is not listed is replaced by the nearest
// listed one above it. The region in an ID number is not checked: many were given out
// under codes that were abolished before there were lists.
func (p *parser) region(r *row, cells []string, id IDNumber) {
	typed, has := p.cell(cells, colRegion)
	r.facts.Region = id.Region()
	if typed == "" {
		r.keepRegion = !has
		return
	}
	region, err := liuma.ParseRegion(written.Number(typed))
	if err != nil {
		r.keepRegion = true
		r.cells = append(r.cells, ReasonRegion)
		return
	}
	entry, listed := p.regions.Find(region)
	if !listed {
		r.cells = append(r.cells, ReasonRegion)
		if above := p.regions.Above(region); above != "" {
			r.facts.Region = above
		}
		return
	}
	r.facts.Region = region
	r.abolished = entry.Abolished != ""
}

// status reads the status and, with replaced, the new card number.
func (p *parser) status(r *row, cells []string) (reason string) {
	typed, has := p.cell(cells, colStatus)
	r.physical, r.keepStatus = liuma.PhysicalNormal, !has || typed == ""
	switch strings.ToLower(written.Number(typed)) {
	case "", "normal", "正常":
	case "lost", "挂失", "已挂失":
		r.physical = liuma.PhysicalLost
	case "cancelled", "canceled", "注销", "已注销":
		r.physical = liuma.PhysicalCancelled
	case "died", "dead", "deceased", "死亡", "已死亡", "已故":
		// A card of a person who died is never used again.
		r.physical, r.died = liuma.PhysicalCancelled, true
	case "replaced", "补换", "已补换", "换卡", "补卡", "换发":
		typed, _ = p.cell(cells, colReplacedBy)
		number, err := ParseCardNo(typed)
		if err != nil || number == r.facts.CardNo {
			return ReasonReplacedBy
		}
		r.replacedBy = number
	default:
		r.keepStatus = true
		r.physical = liuma.PhysicalLost // for a new person: no use without evidence
		r.cells = append(r.cells, ReasonStatus)
	}
	return ""
}

// rank orders the statuses of a physical card, from harmless to final.
func rank(p liuma.PhysicalStatus) int {
	return slices.Index([]liuma.PhysicalStatus{liuma.PhysicalNormal, liuma.PhysicalLost, liuma.PhysicalCancelled}, p)
}
