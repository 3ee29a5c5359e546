package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/simulate"
	"github.com/liuma-pin/liuma/locale"
)

// policySimulateCmd is "liuma policy simulate".
type policySimulateCmd struct {
	Layers      []string `arg:"" name:"layers" optional:""`
	Region      string   `name:"region" placeholder:"CODE"`
	Channel     string   `name:"channel" placeholder:"ID"`
	Frequencies string   `name:"frequencies" placeholder:"FILE"`
	SVG         string   `name:"svg" placeholder:"FILE"`
	JSON        bool     `name:"json"`
}

const simulateCommand = "liuma policy simulate"

// Run calculates, and changes nothing. With layers it asks no server.
func (a *policySimulateCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	q, err := a.question()
	if err != nil {
		return err
	}
	frequencies, err := a.read()
	if err != nil {
		return err
	}
	p, err := a.policy(ctx, c, t, &q)
	if err != nil {
		return err
	}
	s, err := simulate.New()
	if err != nil {
		return err
	}
	r, err := s.Run(p, frequencies)
	if err != nil {
		return err
	}
	if a.SVG != "" {
		chart := simulate.Chart("simulate", t.words(), r)
		chart.Caption = t.shown().SimulateCaption()
		if err := os.WriteFile(a.SVG, []byte(chart.Lines()), 0o644); err != nil {
			return err
		}
	}
	if a.JSON {
		return json.NewEncoder(t.out).Encode(r)
	}
	return a.print(t, q, r)
}

func (a *policySimulateCmd) question() (q edition.Question, err error) {
	if q.Region, err = liuma.ParseRegion(a.Region); err != nil {
		return q, wrongUseFor(simulateCommand, err, func(w *locale.Words, why string) string { return w.Refused.PolicyOption("--region", why) })
	}
	if a.Channel != "" {
		if q.Channel, err = liuma.ParseChannelID(a.Channel); err != nil {
			return q, wrongUseFor(simulateCommand, err, func(w *locale.Words, why string) string { return w.Refused.PolicyOption("--channel", why) })
		}
	}
	return q, nil
}

// policy is the policy of the layers, or the running one.
func (a *policySimulateCmd) policy(ctx context.Context, c *cli, t *terminal, q *edition.Question) (p policy.Policy, err error) {
	if len(a.Layers) > 0 {
		return a.drafted(q)
	}
	conf, err := c.load()
	if err != nil {
		return p, err
	}
	if err := listedRegion(conf, q.Region); err != nil {
		return p, err
	}
	err = c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.ExplainPolicy(ctx, *q)
		if err != nil {
			return err
		}
		p, err = simulate.PolicyOf(out)
		return err
	})
	return p, err
}

// drafted is the policy of layers that need not be in force. For a single layer it is
// the policy of that layer's region or channel, unless another was asked for.
func (a *policySimulateCmd) drafted(q *edition.Question) (p policy.Policy, err error) {
	draft, err := readLayers(simulateCommand, a.Layers)
	if err != nil {
		return p, err
	}
	var files []policy.File
	for _, d := range draft.Files {
		f, err := policy.ParseFile(d.Name, []byte(d.Text))
		if err != nil {
			return p, err
		}
		files = append(files, f)
	}
	layers, err := policy.NewLayers(policy.National(), files...)
	if err != nil {
		return p, err
	}
	if len(files) == 1 && *q == (edition.Question{}) {
		switch scope := files[0].Scope; scope.Layer {
		case policy.LayerRegion:
			q.Region = liuma.Region(scope.Of)
		case policy.LayerChannel:
			q.Channel = liuma.ChannelID(scope.Of)
		}
	}
	return layers.For(q.Region, q.Channel), nil
}

// read reads the frequencies; nil means the embedded ones.
func (a *policySimulateCmd) read() (*simulate.Frequencies, error) {
	if a.Frequencies == "" {
		return nil, nil
	}
	file, err := os.Open(a.Frequencies)
	if err != nil {
		return nil, err
	}
	defer file.Close() // read only
	f, err := simulate.ReadFrequencies(file)
	bad, ok := errors.AsType[*simulate.RowError](err)
	switch {
	case errors.Is(err, simulate.ErrEmpty):
		return nil, refuse(func(w *locale.Words) string { return w.Refused.SimulateEmpty(a.Frequencies) })
	case ok:
		return nil, refuse(func(w *locale.Words) string {
			why := w.Refused.SimulateFormat()
			switch {
			case errors.Is(bad, simulate.ErrCount):
				why = w.Refused.SimulateCount()
			case errors.Is(bad, simulate.ErrTwice):
				why = w.Refused.SimulateTwice()
			}
			return w.Refused.SimulateRow(a.Frequencies, num(bad.Line), why)
		})
	}
	return f, err
}

// widest is the width of a bar that stands for all cards.
const widest = 40

func (a *policySimulateCmd) print(t *terminal, q edition.Question, r simulate.Result) error {
	say := t.shown()
	var b strings.Builder
	fmt.Fprintln(&b, say.SimulateTitle(places(say, []edition.Place{{Region: q.Region, Channel: q.Channel}})))
	from := cmp.Or(a.Frequencies, say.SimulateEmbedded())
	fmt.Fprintln(&b, say.SimulateData(from, num(r.PINs), strconv.FormatUint(r.Choices, 10)))
	fmt.Fprintln(&b, say.SimulateLocks(num(r.YearAlone), num(r.YearProved)))
	for _, sentence := range simulate.Caution(t.words(), r, a.Frequencies == "") {
		fmt.Fprintln(&b, sentence)
	}
	b.WriteString("\n")
	for _, line := range simulate.Table(t.words(), r) {
		for i, c := range line {
			if i == 0 {
				b.WriteString(padded(c, 30))
				continue
			}
			b.WriteString(" " + right(c, 16))
		}
		b.WriteString("\n")
	}
	chart := simulate.Chart("simulate", t.words(), r)
	fmt.Fprintf(&b, "\n%s\n", chart.Title)
	for i, label := range chart.Labels {
		for k, s := range chart.Series {
			head := ""
			if k == 0 {
				head = label
			}
			v := s.Values[i].N
			fmt.Fprintf(&b, "%s %s %s %s\n", padded(head, 7), padded(s.Name, 16), strings.Repeat("▇", int(v*widest/100+.5)), simulate.Percent(v/100))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", say.SimulateModels())
	if a.SVG != "" {
		fmt.Fprintln(&b, say.SimulateSaved(a.SVG))
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}
