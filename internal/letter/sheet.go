package letter

import (
	"cmp"
	_ "embed" // sheet.html
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// sheetHTML is the paper: A4, with the address where envelopes have a window, no script,
// and nothing loaded from elsewhere.
//
//go:embed sheet.html
var sheetHTML string

// line is one act in one language.
type line struct{ At, Where, What, More string }

// sheet is a page, in the printed languages.
type sheet struct {
	Ref, Postcode, Address, Name, ReturnTo string
	Long                                   bool   // the address needs smaller type to fit the window
	Code                                   string // grouped; empty: it no longer stops anything
	Words                                  []sheetWords
}

// sheetWords are the sentences of a sheet in one language.
type sheetWords struct {
	Lang, Sender, Title, Dear, Why, Mine, NotMine, ByPhone, ByCode, AtCounter, CodeTitle, CodeUntil, Never, Date string
	Lines                                                                                                        []line
}

// render writes the file of a batch.
func (b *Letters) render(batch string, pages []page, chinese bool) (string, error) {
	t, err := template.New("sheet").Parse(sheetHTML)
	if err != nil {
		return "", fmt.Errorf("letter: %w", err)
	}
	sheets := make([]sheet, 0, len(pages))
	for _, p := range pages {
		sheets = append(sheets, b.sheetOf(p, chinese))
	}
	var out strings.Builder
	err = t.Execute(&out, struct {
		Batch  string
		Sheets []sheet
	}{batch, sheets})
	if err != nil {
		return "", fmt.Errorf("letter: %w", err)
	}
	return out.String(), nil
}

func (b *Letters) sheetOf(p page, chinese bool) sheet {
	s := sheet{Ref: sheetName(p.letters[0]), Postcode: p.to.Postcode, Address: p.to.Address, Name: p.to.Name, ReturnTo: b.c.ReturnTo}
	s.Long = utf8.RuneCountInString(s.Address) > longAddress
	newest := p.parts[len(p.parts)-1]
	if b.now().Before(newest.Until) {
		s.Code = written.FreezeCode(newest.Freeze)
	}
	for _, lang := range []locale.Lang{locale.Chinese, locale.English} {
		if chinese && lang != locale.Chinese {
			continue
		}
		s.Words = append(s.Words, b.wordsOf(p, newest, locale.In(lang)))
	}
	return s
}

func (b *Letters) wordsOf(p page, newest sealedPart, w *locale.Words) sheetWords {
	hotline := cmp.Or(b.c.Hotline, locale.NationalHotline)
	sender := b.c.Sender.ZH
	if w.Lang() == locale.English {
		sender = b.c.Sender.EN
	}
	day := func(t time.Time) string { return w.Day(b.c.ToWall(t).In(clock.China())) }
	out := sheetWords{Lang: string(w.Lang()), Sender: cmp.Or(sender, w.Letter.Sender()), Title: w.Letter.Title(), Dear: w.Letter.Dear(p.to.Name), Why: w.Letter.Why(),
		Mine: w.Letter.Mine(), NotMine: w.Letter.NotMine(), ByPhone: w.Letter.ByPhone(hotline), ByCode: w.Letter.ByCode(), AtCounter: b.atCounter(p, w),
		CodeTitle: w.Letter.CodeTitle(), CodeUntil: w.Letter.CodeUntil(day(newest.Until)), Never: w.Letter.Never(), Date: w.Letter.Date(day(b.now()))}
	for i, l := range p.letters {
		params := p.parts[i].ZH
		if w.Lang() == locale.English {
			params = p.parts[i].EN
		}
		out.Lines = append(out.Lines, lineOf(l, params, w))
	}
	return out
}

// atCounter says where to come: the region's nearest office by its name, and by nothing
// else of the directory. The only number in a letter is the help line. Offices that
// were made up are left out, a name is whole or absent, and a full sheet has no room for
// one.
func (b *Letters) atCounter(p page, w *locale.Words) string {
	if b.c.Agencies == nil || len(p.letters) == maxOnASheet {
		return w.Letter.AtCounter()
	}
	for _, a := range b.c.Agencies.Listing().Nearest(p.letters[len(p.letters)-1].Region, 1).Offices {
		name, most := a.Name.ZH, longestOffice
		if w.Lang() == locale.English && a.Name.EN != "" {
			name, most = a.Name.EN, longestOfficeEN
		}
		if !a.Sample && utf8.RuneCountInString(name) <= most {
			return w.Letter.AtOffice(name)
		}
	}
	return w.Letter.AtCounter()
}

// lineOf describes an act. Times are China's.
func lineOf(l store.Letter, params map[string]string, w *locale.Words) line {
	moment := func(v string) string {
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return ""
		}
		return w.Moment(t.In(clock.China()))
	}
	out := line{At: moment(params["at"]), Where: shortened(params["channel"], longestWord(w)), What: w.Word("letter", l.Template)}
	if more := params["what"] + params["phone"]; more != "" {
		out.What = w.Letter.Named(out.What, shortened(more, longestWord(w)))
	}
	if named, until := w.Word("letter_until", l.Template), moment(params["until"]); named != "" && until != "" {
		out.More = w.Letter.Named(named, until)
	}
	return out
}

// longAddress is how many characters of the usual size fit two lines of the window.
const longAddress = 34

// The longest name of an office, in characters; English is in small type.
const (
	longestOffice   = 22
	longestOfficeEN = 60
)

// longestWord is the longest name on paper, in characters: others register the names, and
// Latin letters take half the room.
func longestWord(w *locale.Words) int {
	if w.Lang() == locale.Chinese {
		return 22
	}
	return 40
}

func shortened(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
