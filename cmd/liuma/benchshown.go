package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/liuma-pin/liuma/internal/bench"
	"github.com/liuma-pin/liuma/locale"
)

// figures writes rows of measured values.
type figures struct {
	strings.Builder
	say locale.Shown
}

func (f *figures) row(label string, of bench.Figure, digits int, format string, args ...any) {
	fmt.Fprintf(f, "%s %9.*f  (%.*f - %.*f) %s\n", padded(label, 20), digits, of.Median, digits, of.Min, digits, of.Max, fmt.Sprintf(format, args...))
}

// measured prints what was measured.
func (t *terminal) measured(r bench.Result) error {
	f := &figures{say: t.shown()}
	title := f.say.BenchWarm
	if r.Cold {
		title = f.say.BenchCold
	}
	fmt.Fprintf(f, "%s\n%s\n\n", title(num(r.Cards), num(r.Clients), fmt.Sprintf("%.0f", r.Seconds), num(r.Processors)),
		f.say.BenchSlices(num(r.Slices), fmt.Sprintf("%.1f", r.LoadAverage.Median)))
	f.load(r)
	f.roles(r)
	f.split(r)
	f.floors(r)
	f.bars(r)
	_, err := io.WriteString(t.out, f.String())
	return err
}

func (f *figures) load(r bench.Result) {
	f.row(f.say.BenchVerifications(), r.Rate, 0, "/s     p50 %.1f ms   p99 %.1f ms", r.P50.Median, r.P99.Median)
	if r.Open != nil {
		fmt.Fprintf(f, "%s %9.0f  /s     p50 %.1f ms   p99 %.1f ms\n", padded(f.say.BenchOpen(), 20), r.Open.Rate, r.Open.P50, r.Open.P99)
	}
	f.row(f.say.BenchServer(), r.CPU, 0, "%s", f.say.BenchServerCost(fmt.Sprintf("%.0f", r.RSS), fmt.Sprintf("%.0f", r.BytesPerCard)))
	f.row(f.say.BenchAsker(), r.Asker, 0, "%s", f.say.BenchTogetherCost())
	if r.Beside != nil {
		f.row(f.say.BenchFew(num(r.Beside.Cards)), r.Beside.CPU, 0, "%s", f.say.BenchKeeperCost())
		if r.Beside.Database != nil {
			f.row(f.say.BenchFewDatabase(num(r.Beside.Cards)), *r.Beside.Database, 0, "%s", f.say.BenchKeeperCost())
		}
	}
	if r.Filling.Cards > 0 {
		fmt.Fprintf(f, "%s %9.0f  %s\n", padded(f.say.BenchFilled(), 20), r.Filling.PerSecond,
			f.say.BenchFilledCost(fmt.Sprintf("%.0f", r.Filling.PerCPU), fmt.Sprintf("%.0f", r.Filling.RSS)))
	}
}

func (f *figures) roles(r bench.Result) {
	for i, cpu := range r.KeeperCPU {
		f.row(f.say.BenchKeeper(num(i+1)), cpu, 0, "%s", f.say.BenchKeeperCost())
	}
	if r.DatabaseCPU != nil {
		f.row(f.say.BenchDatabase(), *r.DatabaseCPU, 0, "%s", f.say.BenchDatabaseCost(fmt.Sprintf("%.1f", r.RoundTrips), fmt.Sprintf("%.1f", r.Statements)))
	}
	if r.StandbyCPU != nil {
		f.row(f.say.BenchStandby(), *r.StandbyCPU, 0, "%s", f.say.BenchStandbyCost())
	}
	if len(r.KeeperCPU) > 0 || r.DatabaseCPU != nil {
		f.row(f.say.BenchTogether(), r.AllCPU, 0, "%s", f.say.BenchTogetherCost())
	}
}

// split says where the server's processor time went.
func (f *figures) split(r bench.Result) {
	fmt.Fprintf(f, "\n%s\n", f.say.BenchSplit())
	for _, s := range r.Split {
		label := map[bench.Room]func() string{bench.RoomCrypto: f.say.BenchCrypto, bench.RoomStore: f.say.BenchStore, bench.RoomLedger: f.say.BenchLedger,
			bench.RoomHTTP: f.say.BenchHttp, bench.RoomGC: f.say.BenchGc, bench.RoomRest: f.say.BenchRest}[s.Room]
		fmt.Fprintf(f, "  %s %5.1f %%  %5.0f µs\n", padded(label(), 20), s.Percent, s.Each)
	}
}

func (f *figures) floors(r bench.Result) {
	fmt.Fprintln(f)
	f.row(f.say.BenchEcho(), r.Echo, 0, "/s     %s", f.say.BenchEach(fmt.Sprintf("%.0f", r.EchoCPU.Median)))
	f.row(f.say.BenchCrypto(), r.Crypto, 0, "/s     %s", f.say.BenchEach(fmt.Sprintf("%.0f", r.CryptoCPU.Median)))
	f.row(f.say.BenchSpends(), r.Spends, 0, "/s")
	f.row("bcrypt, cost 10", r.Bcrypt, 1, "/s")
	f.row("Argon2id 19MiB t=2", r.Argon2id, 1, "/s")
	fmt.Fprintf(f, "\n%s\n", f.say.BenchRatios(fmt.Sprintf("%.2f", r.ToFloor.Median), fmt.Sprintf("%.1f", r.ToBcrypt.Median), fmt.Sprintf("%.1f", r.ToArgon.Median)))
}

// bars says which limits were met.
func (f *figures) bars(r bench.Result) {
	if len(r.Bars) > 0 {
		fmt.Fprintf(f, "\n%s\n", f.say.BenchQuiet(num(r.Processors)))
	}
	for _, b := range r.Bars {
		label := map[bench.BarName]func() string{bench.BarFloor: f.say.BenchBarFloor, bench.BarBcrypt: f.say.BenchBarBcrypt,
			bench.BarCards: f.say.BenchBarCards, bench.BarMemory: f.say.BenchBarMemory}[b.Name]
		kept := f.say.BenchKept()
		if !b.Passed {
			kept = f.say.BenchMissed()
		}
		fmt.Fprintf(f, "  %s  %s: %.2f, %s\n", kept, label(), b.Value, b)
	}
}
