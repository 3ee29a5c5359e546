package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma/internal/chart"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
)

// PolicyOf is the policy in an answer of the administration.
func PolicyOf(a edition.Answer) (policy.Policy, error) {
	texts := map[string]string{}
	for _, v := range a.Values {
		texts[v.Value] = v.Is
	}
	return policy.FromValues(texts)
}

// column is one of the columns that are shown side by side.
type column struct {
	name string
	row  Row
	is   Success
}

func (r Result) columns(w *locale.Words) []column {
	s := w.Shown
	return []column{{s.SimulateNone(), r.None, r.None.Alike}, {s.SimulateBasic(), r.Basic, r.Basic.Alike},
		{s.SimulateAlike(), r.Policy, r.Policy.Alike}, {s.SimulateLot(), r.Policy, r.Policy.Lot}}
}

// Caution is the text to read before the numbers: whose choices they count, and, if a policy
// that refuses more than the basic list has a higher number than that list, why this makes
// neither the better one.
func Caution(w *locale.Words, r Result, embedded bool) []string {
	said := []string{w.Shown.SimulateFileIs()}
	if embedded {
		said[0] = w.Shown.SimulateIsNot()
	}
	higher := func(policy, basic Success) bool {
		for i := range policy.After {
			if policy.After[i] > basic.After[i] {
				return true
			}
		}
		return policy.YearAlone > basic.YearAlone || policy.YearProved > basic.YearProved
	}
	if r.Policy.Refused > r.Basic.Refused && higher(r.Policy.Alike, r.Basic.Alike) {
		said = append(said, w.Shown.SimulateHigher())
	}
	return said
}

// Table has a heading and the numbers, in words.
func Table(w *locale.Words, r Result) [][]string {
	s := w.Shown
	lines := [][]string{{""}, {s.SimulateRefused()}, {s.SimulateOnce()}}
	for _, n := range Guesses() {
		lines = append(lines, []string{s.SimulateAfter(strconv.Itoa(n))})
	}
	lines = append(lines, []string{s.SimulateYearAlone()}, []string{s.SimulateYearProved()}, []string{s.SimulateSprayed()})
	for _, c := range r.columns(w) {
		values := []string{c.name, grouped(c.row.Refused), fmt.Sprintf("%.1f %%", 100*c.row.RefusedOnce)}
		for _, share := range c.is.After {
			values = append(values, Percent(share))
		}
		values = append(values, Percent(c.is.YearAlone), Percent(c.is.YearProved), grouped(c.is.PerMillion))
		for i := range lines {
			lines[i] = append(lines[i], values[i])
		}
	}
	return lines
}

// Chart draws the shares of cards that guesses hit, in percent.
func Chart(id string, w *locale.Words, r Result) chart.Chart {
	c := chart.Chart{ID: id, Title: w.Shown.SimulateChart()}
	for _, n := range Guesses() {
		c.Labels = append(c.Labels, strconv.Itoa(n))
	}
	c.Labels = append(c.Labels, w.Shown.SimulateYear())
	var said []string
	for _, col := range r.columns(w) {
		s := chart.Series{Name: col.name}
		for _, share := range append(col.is.After[:len(col.is.After):len(col.is.After)], col.is.YearAlone) {
			s.Values = append(s.Values, chart.Value{N: 100 * share})
		}
		c.Series = append(c.Series, s)
		said = append(said, col.name+" "+Percent(col.is.YearAlone))
	}
	c.Desc = w.Shown.SimulateYearAlone() + ": " + strings.Join(said, "; ")
	return c
}

// Percent writes a share; a small one with enough digits to differ from zero.
func Percent(share float64) string {
	if share > 0 && share < .001 {
		return fmt.Sprintf("%.4f %%", 100*share)
	}
	return fmt.Sprintf("%.2f %%", 100*share)
}

func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
