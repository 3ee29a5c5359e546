package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/tally"
	"github.com/liuma-pin/liuma/locale"
)

// tallyCmd is "liuma tally".
type tallyCmd struct {
	Days    int    `name:"days" default:"30" placeholder:"N"`
	Channel string `name:"channel" placeholder:"ID"`
	Region  string `name:"region" placeholder:"CODE"`
	JSON    bool   `name:"json"`
}

// Run prints the numbers.
func (a *tallyCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if a.Days < 1 || a.Days > admin.MostDays {
		return wrongUseFor("liuma tally", admin.ErrDays, func(w *locale.Words, why string) string { return w.Refused.PolicyOption("--days", why) })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		n, err := adm.Numbers(ctx, admin.NumbersQuery{Days: a.Days, Channel: liuma.ChannelID(a.Channel), Region: liuma.Region(a.Region)})
		if err != nil {
			return err
		}
		if a.JSON {
			return json.NewEncoder(t.out).Encode(n)
		}
		_, err = io.WriteString(t.out, tallied(t.words(), n))
		return err
	})
}

// tallied writes numbers, a line for each span, channel and region. Kinds with a sum
// of zero are left out.
func tallied(w *locale.Words, n admin.Numbers) string {
	china := clock.China()
	form := "2006-01-02"
	if n.Days == 1 {
		form = "2006-01-02 15:04"
	}
	var b strings.Builder
	line := func(name string, row tally.Row) {
		fmt.Fprintf(&b, "%s  %s\n", name, countsOf(w, n.Kinds, row))
	}
	for _, row := range n.Spans {
		line(row.At.In(china).Format(form), row)
	}
	line(w.Terminal.TallyTotal(), n.Total)
	fmt.Fprintln(&b, w.Terminal.TallyByChannel())
	for _, row := range n.Channels {
		line("  "+cmp.Or(string(row.Channel), w.Terminal.TallyNoChannel()), row)
	}
	if len(n.Channels) == 0 {
		line("", tally.Row{})
	}
	fmt.Fprintln(&b, w.Terminal.TallyByRegion())
	for _, row := range n.Regions {
		line("  "+cmp.Or(string(row.Region), w.Terminal.TallyNoRegion()), row)
	}
	if len(n.Regions) == 0 {
		line("", tally.Row{})
	}
	fmt.Fprintln(&b, w.Terminal.TallyUntil(n.Until.In(china).Format("2006-01-02 15:04")))
	fmt.Fprintln(&b, w.Terminal.TallyStepped("<5"))
	if n.Lost > 0 {
		fmt.Fprintln(&b, w.Terminal.TallyLost(fmt.Sprint(n.Lost)))
	}
	return b.String()
}

// countsOf writes the counts of a row that are not zero.
func countsOf(w *locale.Words, kinds []string, row tally.Row) string {
	var parts []string
	for i, s := range row.Counts {
		if s != (tally.Shown{}) && i < len(kinds) {
			parts = append(parts, fmt.Sprintf("%s %s", cmp.Or(w.Word("tally", kinds[i]), kinds[i]), s))
		}
	}
	if len(parts) == 0 {
		return w.Terminal.TallyNothing()
	}
	return w.Listed(parts)
}

// alarmsCmd is "liuma alarms".
type alarmsCmd struct {
	JSON bool `name:"json"`
}

// Run lists them; its exit status says only whether they could be read.
func (a *alarmsCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		all, err := adm.Alarms(ctx)
		if err != nil {
			return err
		}
		w := t.words()
		if len(all) == 0 && !a.JSON {
			_, err = fmt.Fprintln(t.out, w.Terminal.AlarmsNone())
		}
		for _, al := range all {
			if a.JSON {
				err = errors.Join(err, json.NewEncoder(t.out).Encode(al))
				continue
			}
			since := strings.Repeat(" ", len("2006-01-02T15:04:05Z"))
			if !al.Since.IsZero() {
				since = al.Since.UTC().Format(time.RFC3339)
			}
			said := w.Alarm(al.Kind, al.About, al.N)
			_, e := fmt.Fprintf(t.out, "%s  %s\n%s  %s\n", since, said.What, strings.Repeat(" ", len(since)), w.Terminal.AlarmNext(said.Next))
			err = errors.Join(err, e)
		}
		return err
	})
}
