package console

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/record"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// recordRoutes are the pages of the audit record, for members who examine it.
func (h *console) recordRoutes() []Route {
	return []Route{
		{Pattern: "GET /record", Method: "FindEntries", do: recordPage},
		{Pattern: "GET /record/stream/{id}", Method: "CheckStream", do: streamPage},
		{Pattern: "GET /record/export", Method: "ExportRecord", do: exportRecord},
		{Pattern: "GET /record/card", Method: "SeekCard", do: seekPage},
		{Pattern: "POST /record/card", Method: "SeekCard", do: seekCard, again: seekPage},
	}
}

// recordReasons are the refusals of the pages in this file and of texts.go and numbers.go.
func recordReasons() []reason {
	return []reason{
		{store.ErrNotFound, "text", http.StatusNotFound}, {notify.ErrNotRetriable, "not_retriable", http.StatusConflict},
		{notify.ErrNotDead, "not_dead", http.StatusConflict}, {admin.ErrDays, "days", http.StatusUnprocessableEntity},
		{admin.ErrSearch, "search", http.StatusUnprocessableEntity}, {admin.ErrNoStream, "stream", http.StatusNotFound},
		{errDay, "day", http.StatusUnprocessableEntity}, {registry.ErrNobody, "nobody", http.StatusNotFound},
	}
}

// errDay says that a text is no day.
var errDay = errors.New("want a day as 2026-03-04")

// recordPage searches the record if the address has a search, and otherwise shows its
// state.
func recordPage(v *visit) (*view, error) {
	q := v.r.URL.Query()
	page := &view{Title: v.t.NavRecord(), Lead: v.t.RecordLead(), Blocks: []block{{Title: v.t.SearchTitle(), Form: v.searchForm(q)}}}

	asked := false
	for name, values := range q {
		asked = asked || name != "said" && strings.Join(values, "") != ""
	}
	if !asked {
		return v.recordStands(page)
	}
	s := admin.RecordSearch{Stream: q.Get("stream"), Actor: q.Get("actor"), Event: q.Get("event"), Outcome: q.Get("outcome"),
		BusinessNo: q.Get("business_no"), After: q.Get("after")}
	var err error
	if s.Since, err = v.day(q.Get("since"), 0); err != nil {
		return nil, err
	}
	if s.Until, err = v.day(q.Get("until"), 1); err != nil {
		return nil, err
	}
	found, err := v.admin().FindEntries(v.ctx(), s)
	if err != nil {
		return nil, err
	}
	b := block{Text: v.t.SearchLooked(strconv.Itoa(found.Looked)), Table: v.entries(found.Entries)}
	if found.Next != "" {
		q.Set("after", found.Next)
		b.Text, b.Links = v.t.SearchMore(strconv.Itoa(found.Looked)), []link{{v.t.GoOn(), "/record?" + q.Encode()}}
	}
	page.Blocks[0].Folded = true // the results come first
	page.Blocks = append([]block{b}, page.Blocks...)
	return page, nil
}

// day reads a day of the console's zone; later is a number of days to add.
func (v *visit) day(typed string, later int) (time.Time, error) {
	if typed == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, typed, v.h.c.Zone)
	if err != nil {
		return at, errDay
	}
	return at.AddDate(0, 0, later), nil
}

// searchForm puts the search into the address, so that it can be kept and shown to others.
func (v *visit) searchForm(q url.Values) *form {
	f := func(name, label, hint, class string) field {
		return field{Name: name, Label: label, Hint: hint, Value: q.Get(name), Class: class, Most: 100}
	}
	return &form{Get: true, Post: "/record", Button: v.t.SearchButton(), Fields: []field{
		f("stream", v.t.SearchCard(), v.t.SearchCardHint(), "mono"), f("event", v.t.EntryEvent(), v.t.SearchEventHint(), "mono"),
		f("actor", v.t.EntryActor(), v.t.SearchActorHint(), "mono"), f("outcome", v.t.EntryOutcome(), "", "mono"),
		f("business_no", v.t.EntryBusinessNo(), "", "mono"), f("since", v.t.SearchSince(), v.t.SearchDayHint(), ""), f("until", v.t.SearchUntil(), v.t.SearchDayHint(), ""),
	}}
}

// entries is a table of entries.
func (v *visit) entries(all []admin.EntryView) *table {
	list := &table{Head: []string{v.t.EntryPlace(), v.t.EntryAt(), v.t.EntryActor(), v.t.EntryEvent(), v.t.EntryOutcome(), v.t.EntryBusinessNo(), v.t.EntryNote()}, None: v.t.EntriesNone()}
	for _, e := range all {
		kind, id, _ := strings.Cut(e.Stream, ":")
		list.Rows = append(list.Rows, []cell{
			{Text: fmt.Sprintf("%s:%s… %d", kind, id[:min(8, len(id))], e.Number), Link: "/record/stream/" + url.PathEscape(e.Stream)},
			{Text: v.moment(e.At), Class: "nowrap"}, {Text: e.Actor, Class: "mono"}, {Text: v.event(e.Event)}, {Text: e.Outcome, Class: "mono"},
			{Text: e.BusinessNo, Class: "mono"}, {Text: e.Note, Class: "mono"}})
	}
	return list
}

// event is an event's name, in words if there are some.
func (v *visit) event(name string) string {
	if said := v.t.all.Word("event", name); said != "" {
		return name + " " + said
	}
	return name
}

// recordStands shows when the record was last checked and digested, and where to get it.
func (v *visit) recordStands(page *view) (*view, error) {
	s, err := v.admin().Status(v.ctx())
	if err != nil {
		return nil, err
	}
	r := s.Record
	state := cell{Text: v.t.RecordWhole(), Tag: "good"}
	if len(r.Faults) > 0 {
		state = cell{Text: v.t.RecordFaults(strconv.Itoa(len(r.Faults))), Tag: "bad"}
	}
	facts := []fact{{v.t.State(), state}, {v.t.RecordDigest(), text(strconv.FormatUint(r.Digest, 10))}}
	if r.At != nil {
		facts = append(facts, fact{v.t.RecordDigestAt(), text(v.moment(*r.At))})
	}
	if r.Checked != nil {
		facts = append(facts, fact{v.t.RecordChecked(), text(v.moment(*r.Checked))})
	}
	b := block{Title: v.t.RecordTitle(), Text: v.t.RecordText(), Facts: facts, Links: []link{{v.t.RecordExport(), "/record/export"}}}
	if v.may("SeekCard") {
		b.Links = append(b.Links, link{v.t.SeekTitle(), "/record/card"})
	}
	stands := []block{b}
	if len(r.Faults) > 0 {
		stands = append(stands, block{Title: v.t.RecordFaultsTitle(), Pre: strings.Join(r.Faults, "\n")})
	}
	page.Blocks = append(stands, page.Blocks...)
	return page, nil
}

// streamPage checks the chain of a stream, and shows its entries.
func streamPage(v *visit) (*view, error) {
	name := v.r.PathValue("id")
	c, err := v.admin().CheckStream(v.ctx(), name)
	if err != nil {
		return nil, err
	}
	after := v.r.URL.Query().Get("after")
	found, err := v.admin().FindEntries(v.ctx(), admin.RecordSearch{Stream: name, After: after})
	if err != nil {
		return nil, err
	}
	state := cell{Text: v.t.StreamWhole(), Tag: "good"}
	if !c.Whole {
		state = cell{Text: v.t.StreamFault(v.t.all.Word("fault", c.Fault), strconv.FormatUint(c.At, 10)), Tag: "bad"}
	}
	digested := v.t.StreamUndigested()
	if c.Digested > 0 {
		digested = v.t.StreamUpTo(strconv.FormatUint(c.Digested, 10))
	}
	facts := []fact{{v.t.StreamName(), cell{Text: c.Stream, Class: "mono"}}, {v.t.State(), state},
		{v.t.StreamEntries(), text(v.t.StreamFromTo(strconv.FormatUint(c.From, 10), strconv.FormatUint(c.To, 10)))},
		{v.t.StreamHead(), cell{Text: c.Hash, Class: "mono"}}, {v.t.StreamDigested(), text(digested)}}
	b := block{Table: v.entries(found.Entries)}
	if found.Next != "" {
		b.Links = []link{{v.t.GoOn(), "/record/stream/" + url.PathEscape(c.Stream) + "?" + url.Values{"after": {found.Next}}.Encode()}}
	}
	return &view{Title: v.t.StreamTitle(), Lead: v.t.StreamLead(), Blocks: []block{{Facts: facts}, b}}, nil
}

// writePatience is how long a browser may take for each part of an export.
const writePatience = 30 * time.Second

// patient gives the browser time for each write.
type patient struct {
	to      io.Writer
	control *http.ResponseController
	wrote   bool // something was written
}

func (p *patient) Write(b []byte) (int, error) {
	// If the connection takes no deadlines, the server's own limit applies.
	if err := p.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	p.wrote = true
	return p.to.Write(b)
}

// exportRecord writes the record as a file, while it is read. If it is cut off, the last
// line is missing, as the page tells the reader.
func exportRecord(v *visit) (*view, error) {
	out := &patient{to: v.w, control: http.NewResponseController(v.w)}
	name := "record-" + v.h.c.Now().In(v.h.c.Zone).Format("20060102-1504") + ".jsonl"
	v.w.Header().Set("Content-Type", "application/x-ndjson")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	err := v.admin().ExportRecord(v.ctx(), record.Query{}, out)
	if err != nil && !out.wrote {
		v.w.Header().Del("Content-Disposition")
		return nil, err
	}
	if err != nil {
		v.h.c.Logger.Warn("export not complete", "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil, nil
}

// seekPage asks for a person's document. The form is posted, so no number is in an
// address.
func seekPage(v *visit) (*view, error) {
	return &view{Title: v.t.SeekTitle(), Lead: v.t.SeekLead(), Blocks: []block{{Form: &form{Post: "/record/card", Button: v.t.SeekButton(), Fields: []field{
		{Name: "number", Label: v.t.SeekNumber(), Hint: v.t.SeekNumberHint(), Required: true, Most: 64, Class: "mono"}, v.reason(),
	}}}}}, nil
}

// seekCard finds the card. The search is recorded before the answer is given.
func seekCard(v *visit) (*view, error) {
	found, err := v.admin().SeekCard(v.ctx(), v.typed("number"), audit.Reason(v.typed("reason")))
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.Name(), text(found.Name)}, {v.t.SeekNumber(), text(found.Number)}, {v.t.Region(), text(v.t.region(found.Region))}}
	b := block{Facts: facts, Links: []link{{v.t.GoBack(), "/record"}}}
	if found.Card == "" {
		b.Notice = &notice{Title: v.t.SeekNoCard(), Text: v.t.SeekNoCardText()}
	} else {
		b.Facts = append(b.Facts, fact{v.t.Card(), cell{Text: found.Card, Class: "mono"}})
		b.Links = append([]link{{v.t.SeekStream(), "/record/stream/card:" + url.PathEscape(found.Card)}}, b.Links...)
	}
	return &view{Title: v.t.SeekTitle(), Blocks: []block{b}}, nil
}
