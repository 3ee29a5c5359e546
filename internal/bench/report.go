package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// ReportConfig holds the settings of a report. Its Config says how long, on what and where;
// Report sets the values that differ between rows.
type ReportConfig struct {
	Config
	Sizes []int // cards of the embedded shape; the first are few, the last many
	// Keeper of Config may be empty: then the rows that need it are left out.
}

// ErrSizes means that a report has no numbers of cards that rise.
var ErrSizes = errors.New("bench: want numbers of cards, each higher than the one before")

// shape is one measurement of a report.
type shape struct {
	title string
	of    func(c *Config)
	dir   string // of its data, below Config.Dir
}

// shapes are those of production, in the order of the table. Each has as many cards as
// the first size.
func shapes() []shape {
	return []shape{
		{"1/1 here, SQLite", func(*Config) {}, "few"},
		{"2/3 here, SQLite", func(c *Config) { c.Shape = "2/3" }, "three"},
		{"2/3, a process each, SQLite", func(c *Config) { c.Shape, c.Remote = "2/3", true }, "remote"},
		{"1/1 here, PostgreSQL", func(c *Config) { c.Postgres = true }, "server"},
		{"1/1 here, PostgreSQL with a synchronous standby", func(c *Config) { c.Postgres, c.Standby = true, true }, "standby"},
		{"2/3, a process each, PostgreSQL", func(c *Config) { c.Postgres, c.Shape, c.Remote = true, "2/3", true }, "both"},
	}
}

// Report measures every row of the tables of docs/PERFORMANCE.md about verifications, and
// writes them as Markdown, each table when it is ready. What needs a program that is not
// on the machine is named as left out.
func Report(ctx context.Context, c ReportConfig, w io.Writer) error {
	for i, n := range c.Sizes {
		if n < 1 || i > 0 && n <= c.Sizes[i-1] {
			return ErrSizes
		}
	}
	if len(c.Sizes) == 0 {
		return ErrSizes
	}
	sized, err := c.sizes(ctx)
	if err != nil {
		return err
	}
	if err := write(w, head(sized[0]), sizesTable(sized), barsTable(sized), splitTable(sized)); err != nil {
		return err
	}
	shaped, left, err := c.shaped(ctx)
	if len(shaped) == 0 {
		return err
	}
	return errors.Join(err, write(w, shapesTable(shaped), strings.Join(left, "")))
}

// sizes measures the embedded shape: warm with each number of cards, and cold with the most.
func (c ReportConfig) sizes(ctx context.Context) (out []Result, err error) {
	for i, n := range append(c.Sizes, c.Sizes[len(c.Sizes)-1]) {
		one := c.Config
		one.Cards, one.Keep, one.Dir = n, true, filepath.Join(c.Dir, fmt.Sprintf("cards-%d", n))
		one.Cold = i == len(c.Sizes)
		if n > c.Sizes[0] && !one.Cold {
			one.Beside = c.Sizes[0]
		}
		r, err := Run(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("%d cards: %w", n, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// shaped measures the shapes for which this machine has the programs. One that fails is left
// out, and its error is returned after all others were measured.
func (c ReportConfig) shaped(ctx context.Context) (out []titled, left []string, err error) {
	for _, s := range shapes() {
		one := c.Config
		one.Cards, one.Keep, one.Dir = c.Sizes[0], false, filepath.Join(c.Dir, s.dir)
		s.of(&one)
		why := "no liuma-keeper"
		if !one.Remote || one.Keeper != "" {
			r, failed := Run(ctx, one)
			if failed == nil {
				out = append(out, titled{s.title, r})
				continue
			}
			if why = "no PostgreSQL server"; !errors.Is(failed, ErrNoServer) {
				why, err = "failed", errors.Join(err, fmt.Errorf("%s: %w", s.title, failed))
			}
		}
		left = append(left, fmt.Sprintf("\nLeft out: %s (%s).\n", s.title, why))
		if ctx.Err() != nil {
			break
		}
	}
	return out, left, err
}

type titled struct {
	title string
	Result
}

func write(w io.Writer, parts ...string) error {
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

func head(r Result) string {
	return fmt.Sprintf("%d processors, load average %.1f (%.1f to %.1f) in the first run; %d slices of %.1f s, %d connections. Each figure is a median, with the least and the most.\n",
		r.Processors, r.LoadAverage.Median, r.LoadAverage.Min, r.LoadAverage.Max, r.Slices, r.Seconds/float64(r.Slices), r.Clients)
}

// table writes rows, a column for each result.
func table[R any](of []R, title func(R) string, rows []tableRow[R]) string {
	var b strings.Builder
	b.WriteString("\n| |")
	for _, r := range of {
		fmt.Fprintf(&b, " %s |", title(r))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(of)) + "\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |", row.label)
		for _, r := range of {
			fmt.Fprintf(&b, " %s |", row.cell(r))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type tableRow[R any] struct {
	label string
	cell  func(R) string
}

// within is a figure with its least and most.
func (f Figure) within(format string) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", f.Median, f.Min, f.Max)
}

func ofCards(r Result) string {
	warm := "warm"
	if r.Cold {
		warm = "cold"
	}
	return fmt.Sprintf("%d cards, %s", r.Cards, warm)
}

func sizesTable(of []Result) string {
	figure := func(label, format string, f func(Result) Figure) tableRow[Result] {
		return tableRow[Result]{label, func(r Result) string { return f(r).within(format) }}
	}
	return table(of, ofCards, []tableRow[Result]{
		figure("server's processor time, µs", "%.0f", func(r Result) Figure { return r.CPU }),
		figure("that of echo server and cryptography, times", "%.2f", func(r Result) Figure { return r.ToFloor }),
		figure("verifications a second", "%.0f", func(r Result) Figure { return r.Rate }),
		figure("bcrypt's rate (cost 10), times", "%.1f", func(r Result) Figure { return r.ToBcrypt }),
		figure("Argon2id's rate (19 MiB, t=2), times", "%.1f", func(r Result) Figure { return r.ToArgon }),
		{"processor time of the fewest cards, in turn, times", func(r Result) string {
			if r.Beside == nil {
				return "–"
			}
			return r.Beside.Ratio.within("%.2f")
		}},
		figure("p50, ms, closed loop", "%.1f", func(r Result) Figure { return r.P50 }),
		figure("p99, ms, closed loop", "%.1f", func(r Result) Figure { return r.P99 }),
		{"p50 / p99 / worst, ms, open loop at half the rate", func(r Result) string {
			if r.Open == nil {
				return "–"
			}
			return fmt.Sprintf("%.1f / %.1f / %.0f", r.Open.P50, r.Open.P99, r.Open.Worst)
		}},
		{"memory, MiB", func(r Result) string { return fmt.Sprintf("%.0f", r.RSS) }},
		{"bytes a card, database and ledger", func(r Result) string { return fmt.Sprintf("%.0f", r.BytesPerCard) }},
		{"filled: cards a second / a processor second", func(r Result) string {
			return fmt.Sprintf("%.0f / %.0f", r.Filling.PerSecond, r.Filling.PerCPU)
		}},
		{"filling's memory, MiB", func(r Result) string { return fmt.Sprintf("%.0f", r.Filling.RSS) }},
		figure("load generator's processor time, µs", "%.0f", func(r Result) Figure { return r.Asker }),
		figure("echo server's processor time, µs", "%.1f", func(r Result) Figure { return r.EchoCPU }),
		figure("cryptography's processor time, µs", "%.0f", func(r Result) Figure { return r.CryptoCPU }),
		figure("durable spends alone, a second", "%.0f", func(r Result) Figure { return r.Spends }),
	})
}

func barsTable(of []Result) string {
	var b strings.Builder
	b.WriteString("\n| bar | cards | measured | limit | |\n|---|---|---|---|---|\n")
	for _, r := range of {
		for _, bar := range r.Bars {
			passed := "kept"
			if !bar.Passed {
				passed = "**missed**"
			}
			fmt.Fprintf(&b, "| %s | %d | %.2f | %s | %s |\n", strings.ReplaceAll(string(bar.Name), "_", " "), r.Cards, bar.Value, bar, passed)
		}
	}
	return b.String()
}

func splitTable(of []Result) string {
	var rows []tableRow[Result]
	for i, room := range Rooms() {
		rows = append(rows, tableRow[Result]{strings.ReplaceAll(string(room), "_", " "), func(r Result) string {
			return fmt.Sprintf("%.1f %%, %.0f µs", r.Split[i].Percent, r.Split[i].Each)
		}})
	}
	return table(of, ofCards, rows)
}

func shapesTable(of []titled) string {
	first := of[0].AllCPU.Median
	none := func(f *Figure) string {
		if f == nil {
			return "–"
		}
		return fmt.Sprintf("%.0f", f.Median)
	}
	return table(of, func(r titled) string { return r.title }, []tableRow[titled]{
		{"authority, µs", func(r titled) string { return r.CPU.within("%.0f") }},
		{"each keeper, µs", func(r titled) string {
			if len(r.KeeperCPU) == 0 {
				return "(in it)"
			}
			var each []string
			for _, k := range r.KeeperCPU {
				each = append(each, fmt.Sprintf("%.0f", k.Median))
			}
			return strings.Join(each, ", ")
		}},
		{"database, µs", func(r titled) string { return none(r.DatabaseCPU) }},
		{"standby, µs", func(r titled) string { return none(r.StandbyCPU) }},
		{"all together, µs", func(r titled) string { return r.AllCPU.within("%.0f") }},
		{"beside the first column, times", func(r titled) string { return fmt.Sprintf("%.2f", r.AllCPU.Median/first) }},
		{"authority, of echo server and cryptography, times", func(r titled) string { return r.ToFloor.within("%.2f") }},
		{"verifications a second", func(r titled) string { return r.Rate.within("%.0f") }},
		{"p50 / p99, ms, open loop at half the rate", func(r titled) string { return fmt.Sprintf("%.1f / %.1f", r.Open.P50, r.Open.P99) }},
		{"round trips / statements", func(r titled) string {
			if r.Store != storeServer {
				return "–"
			}
			return fmt.Sprintf("%.1f / %.1f", r.RoundTrips, r.Statements)
		}},
		{"load average", func(r titled) string { return fmt.Sprintf("%.1f", r.LoadAverage.Median) }},
	})
}
