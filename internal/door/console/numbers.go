package console

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/chart"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/tally"
)

// numbersRoutes are the pages of counts and alarms.
func (h *console) numbersRoutes() []Route {
	return []Route{
		{Pattern: "GET /alarms", Method: "Alarms", do: alarmsPage},
		{Pattern: "GET /numbers", Method: "Numbers", do: numbersPage},
	}
}

// alarmsPage lists the alarms, each with its beginning, its meaning and the next step.
func alarmsPage(v *visit) (*view, error) {
	rows, err := v.alarms()
	if err != nil {
		return nil, err
	}
	return &view{Title: v.t.NavAlarms(), Lead: v.t.AlarmsLead(), Blocks: []block{{Table: v.alarmsTable("", rows)}}}, nil
}

func (v *visit) alarmsTable(caption string, rows [][]cell) *table {
	return &table{Caption: caption, Head: []string{v.t.AlarmsSince(), v.t.AlarmsWhat(), v.t.AlarmsNext()}, Rows: rows, None: v.t.AlarmsNone()}
}

// drawn is one chart of the page: its subject, and the kinds that it shows.
type drawn struct {
	title string
	kinds []tally.Kind
	lines bool
}

// drawings are the charts, in their order. Counts of failures are small beside those of
// successes, so they have a chart of their own.
func (v *visit) drawings() []drawn {
	return []drawn{
		{v.t.ChartChecks(), []tally.Kind{tally.Right, tally.Wrong, tally.Locked, tally.Refused}, false},
		{v.t.ChartTrouble(), []tally.Kind{tally.Wrong, tally.Locked, tally.Blocked}, true},
		{v.t.ChartActs(), []tally.Kind{tally.Reset, tally.Rebound, tally.Frozen, tally.Reported}, false},
		{v.t.ChartTexts(), []tally.Kind{tally.Codes, tally.Sent, tally.Dead}, false},
	}
}

func numbersPage(v *visit) (*view, error) {
	q := v.r.URL.Query()
	days, _ := strconv.Atoi(cmp.Or(q.Get("days"), "1")) // what is no number is refused as zero days
	if days == 0 {
		days = -1
	}
	n, err := v.admin().Numbers(v.ctx(), admin.NumbersQuery{Days: days, Channel: liuma.ChannelID(q.Get("channel")), Region: liuma.Region(q.Get("region"))})
	if err != nil {
		return nil, err
	}
	at := func(days int) string {
		return "/numbers?" + url.Values{"days": {strconv.Itoa(days)}, "channel": {q.Get("channel")}, "region": {q.Get("region")}}.Encode()
	}
	tabs := []tab{{v.t.NumbersToday(), at(1), n.Days == 1}, {v.t.NumbersDays("7"), at(7), n.Days == 7}, {v.t.NumbersDays("30"), at(30), n.Days == 30}}
	page := &view{Title: v.t.NavNumbers(), Blocks: []block{{Tabs: tabs, Facts: v.numbersFacts(n)}, {Title: v.t.NumbersChoose(), Folded: true, Form: v.numbersForm(q, n)}}}
	for i, d := range v.drawings() {
		page.Blocks = append(page.Blocks, v.drawing(fmt.Sprintf("c%d", i+1), d, n)...)
	}
	page.Blocks = append(page.Blocks, block{Table: v.rowsTable(v.t.NumbersByChannel(), v.t.Channel(), n.Channels, func(r tally.Row) string { return cmp.Or(string(r.Channel), v.t.NoChannel()) })},
		block{Table: v.rowsTable(v.t.NumbersByRegion(), v.t.Region(), n.Regions, func(r tally.Row) string {
			if r.Region == "" {
				return v.t.NoRegion()
			}
			return v.t.region(r.Region)
		})})
	return page, nil
}

// numbersForm asks for a channel and a region. A member who may not list the channels
// types the channel.
func (v *visit) numbersForm(q url.Values, n admin.Numbers) *form {
	channel := field{Name: "channel", Label: v.t.Channel(), Value: q.Get("channel"), Most: 64}
	if v.may("Clients") {
		if all, err := v.admin().Clients(v.ctx(), store.ClientChannel); err == nil {
			channel.Type, channel.Options = "choice", []option{{Text: v.t.EveryChannel(), On: channel.Value == ""}}
			for _, c := range all {
				channel.Options = append(channel.Options, option{Value: c.ID, Text: v.t.of(c.Name) + " (" + c.ID + ")", On: c.ID == channel.Value})
			}
		}
	}
	return &form{Get: true, Post: "/numbers", Button: v.t.NumbersButton(), Kind: "plain", Fields: []field{
		{Name: "days", Type: "hidden", Value: strconv.Itoa(n.Days)}, channel,
		{Name: "region", Label: v.t.Region(), Hint: v.t.NumbersRegionHint(), Value: q.Get("region"), Mode: "numeric", Most: 6},
	}}
}

// numbersFacts say what the numbers are about, and how to read them.
func (v *visit) numbersFacts(n admin.Numbers) []fact {
	facts := []fact{{v.t.CountedUntil(), text(v.moment(n.Until))}, {v.t.Region(), text(v.t.region(n.Region))}}
	if n.Channel != "" {
		facts = append(facts, fact{v.t.Channel(), cell{Text: string(n.Channel), Class: "mono"}})
	}
	if facts = append(facts, fact{v.t.NumbersSteps(), text(v.t.NumbersStepsText("<5"))}); n.Lost > 0 {
		facts = append(facts, fact{v.t.NumbersLost(), text(v.t.NumbersLostText(strconv.Itoa(n.Lost)))})
	}
	return facts
}

// drawing is a chart, and the table of its numbers.
func (v *visit) drawing(id string, d drawn, n admin.Numbers) []block {
	form := "01-02"
	if n.Days == 1 {
		form = "15:04"
	}
	c := chart.Chart{ID: id, Title: d.title}
	most := map[tally.Kind]tally.Row{}
	list := &table{Caption: d.title, Head: []string{v.t.NumbersWhen()}}
	for _, k := range d.kinds {
		c.Series = append(c.Series, chart.Series{Name: v.kind(k)})
		list.Head = append(list.Head, v.kind(k))
	}
	for _, span := range n.Spans {
		label := span.At.In(v.h.c.Zone).Format(form)
		c.Labels = append(c.Labels, label)
		row := []cell{{Text: label, Class: "nowrap"}}
		for i, k := range d.kinds {
			x := count(span, k)
			c.Series[i].Values = append(c.Series[i].Values, chart.Value{N: about(x), Few: x.Few})
			row = append(row, cell{Text: x.String(), Class: "num"})
			if was, ok := most[k]; !ok || about(x) > about(count(was, k)) {
				most[k] = span
			}
		}
		list.Rows = append(list.Rows, row)
	}
	var said []string
	for _, k := range d.kinds {
		if count(n.Total, k) == (tally.Shown{}) {
			said = append(said, v.t.ChartZero(v.kind(k)))
			continue
		}
		said = append(said, v.t.ChartSeries(v.kind(k), count(n.Total, k).String(), count(most[k], k).String(), most[k].At.In(v.h.c.Zone).Format(form)))
	}
	c.Desc = v.t.ChartDesc(v.t.list(said))
	svg := c.Bars()
	if d.lines {
		svg = c.Lines()
	}
	// The chart escapes every text that it is given.
	return []block{{Title: d.title, Text: v.t.list(said), Chart: template.HTML(svg)}, {Title: v.t.ChartTable(d.title), Folded: true, Table: list}}
}

// rowsTable lists the counts of each channel or region.
func (v *visit) rowsTable(caption, first string, rows []tally.Row, name func(tally.Row) string) *table {
	list := &table{Caption: caption, Head: []string{first}, None: v.t.NumbersNothing(caption), Wide: true}
	kinds := slices.DeleteFunc(tally.Kinds(), func(k tally.Kind) bool { // kinds without any count
		return !slices.ContainsFunc(rows, func(r tally.Row) bool { return count(r, k) != tally.Shown{} })
	})
	for _, k := range kinds {
		list.Head = append(list.Head, v.kind(k))
	}
	for _, r := range rows {
		row := []cell{text(name(r))}
		for _, k := range kinds {
			row = append(row, cell{Text: count(r, k).String(), Class: "num"})
		}
		list.Rows = append(list.Rows, row)
	}
	return list
}

func (v *visit) kind(k tally.Kind) string { return v.t.all.Word("tally", k.String()) }

// count is one count of a row.
func count(r tally.Row, k tally.Kind) tally.Shown {
	if int(k) >= len(r.Counts) {
		return tally.Shown{}
	}
	return r.Counts[k]
}

// about is the value at which a count is drawn.
func about(s tally.Shown) float64 {
	if s.Few {
		return tally.Step / 2.0
	}
	return float64(s.N)
}
