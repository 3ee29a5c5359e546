package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/bench"
	"github.com/liuma-pin/liuma/locale"
)

type benchCmd struct {
	Verify benchVerifyCmd `cmd:""`
	Flood  benchFloodCmd  `cmd:""`

	Echo    benchEchoCmd    `cmd:"" hidden:""`
	Flooder benchFlooderCmd `cmd:"" hidden:""`
}

type benchVerifyCmd struct {
	Cards   int           `name:"cards" default:"1000"`
	For     time.Duration `name:"for" default:"30s"`
	Clients int           `name:"clients" default:"64"`
	Cold    bool          `name:"cold"`
	Shape   string        `name:"shape" enum:"1/1,2/3,3/5" default:"1/1"`
	Keepers string        `name:"keepers" enum:"here,remote" default:"here"`
	Store   string        `name:"store" enum:"sqlite,postgres" default:"sqlite"`
	Standby bool          `name:"standby"`
	Dir     string        `name:"dir" placeholder:"DIR"`
	JSON    bool          `name:"json"`
}

// keeperCommand is the liuma-keeper command beside this program, or where commands are.
func keeperCommand(binary string) (string, error) {
	beside := filepath.Join(filepath.Dir(binary), "liuma-keeper")
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	found, err := exec.LookPath("liuma-keeper")
	if err != nil {
		return "", refuseFor(err, func(w *locale.Words, _ string) string { return w.Refused.BenchKeeper(filepath.Dir(binary)) })
	}
	return found, nil
}

// Run measures and prints.
func (b *benchVerifyCmd) Run(ctx context.Context, t *terminal) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	command := ""
	if b.Keepers == "remote" {
		if command, err = keeperCommand(binary); err != nil {
			return err
		}
	}
	dir, remove, err := benchDir(b.Dir)
	if err != nil {
		return err
	}
	defer remove()
	r, err := bench.Run(ctx, bench.Config{Binary: binary, Dir: dir, Cards: b.Cards, For: b.For,
		Clients: b.Clients, Cold: b.Cold, Shape: b.Shape, Postgres: b.Store == "postgres", Standby: b.Standby, Remote: b.Keepers == "remote", Keeper: command, Out: t.err, Terminal: isTerminal(t.err)})
	if err != nil {
		return benchRefusal(err)
	}
	if b.JSON {
		return indented(t.out, r)
	}
	return t.measured(r)
}

// benchRefusal is an error of the bench with its sentence, where it has one.
func benchRefusal(err error) error {
	for _, known := range []struct {
		is  error
		say func(locale.Refused) string
	}{{bench.ErrNoServer, locale.Refused.BenchPostgres}, {bench.ErrCold, locale.Refused.BenchCold}, {bench.ErrStandby, locale.Refused.BenchStandby}} {
		if errors.Is(err, known.is) {
			return refuseFor(err, func(w *locale.Words, _ string) string { return known.say(w.Refused) })
		}
	}
	return err
}

// measured prints what was measured.
func (t *terminal) measured(r bench.Result) error {
	say := t.shown()
	title := say.BenchWarm
	if r.Cold {
		title = say.BenchCold
	}
	var b strings.Builder
	row := func(label string, value float64, format string, args ...any) {
		fmt.Fprintf(&b, "%s %10.0f %s\n", padded(label, 18), value, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s\n\n", title(num(r.Cards), num(r.Clients), fmt.Sprintf("%.0f", r.Seconds), num(r.Processors)))
	row(say.BenchVerifications(), r.VerificationsPerSecond, "/s     p50 %.1f ms   p99 %.1f ms", r.P50, r.P99)
	row(say.BenchServer(), r.CPU, "%s", say.BenchServerCost(fmt.Sprintf("%.0f", r.RSS), fmt.Sprintf("%.0f", r.BytesPerCard)))
	for i, cpu := range r.KeeperCPU {
		row(say.BenchKeeper(num(i+1)), cpu, "%s", say.BenchKeeperCost())
	}
	if r.Store == "postgres" {
		row(say.BenchDatabase(), r.DatabaseCPU, "%s", say.BenchDatabaseCost(fmt.Sprintf("%.1f", r.RoundTrips), fmt.Sprintf("%.1f", r.Statements)))
	}
	if r.Standby {
		row(say.BenchStandby(), r.StandbyCPU, "%s", say.BenchStandbyCost())
	}
	fmt.Fprintln(&b)
	row(say.BenchEcho(), r.Echo, "/s")
	row(say.BenchCrypto(), r.Crypto, "/s")
	row(say.BenchSpends(), r.Spends, "/s")
	row(say.BenchFloor(), r.Floor, "/s     %s", say.BenchFloorOf())
	row("bcrypt, cost 10", r.Bcrypt, "/s")
	row("Argon2id 19MiB t=2", r.Argon2id, "/s")
	fmt.Fprintf(&b, "\n%s\n", say.BenchRatios(fmt.Sprintf("%.2f", r.RatioToFloor), fmt.Sprintf("%.1f", r.RatioToBcrypt), fmt.Sprintf("%.1f", r.RatioToArgon)))
	_, err := io.WriteString(t.out, b.String())
	return err
}

// benchDir is the directory for the data: the one that was named, which stays,
// or a temporary one and how to remove it.
func benchDir(named string) (dir string, remove func(), err error) {
	if named != "" {
		return named, func() {}, nil
	}
	tmp, err := os.MkdirTemp("", "liuma-bench-")
	return filepath.Join(tmp, "data"), func() { os.RemoveAll(tmp) }, err
}

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

type benchFloodCmd struct {
	Kind  []string      `name:"kind" default:"all"`
	For   time.Duration `name:"for" default:"30s"`
	Rate  float64       `name:"rate" default:"500"`
	Load  float64       `name:"load" default:"100"`
	Cards int           `name:"cards" default:"20000"`
	Open  int           `name:"open" default:"3000"`
	Dir   string        `name:"dir" placeholder:"DIR"`
	JSON  bool          `name:"json"`
}

// Run measures and prints.
func (b *benchFloodCmd) Run(ctx context.Context, t *terminal) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	dir, remove, err := benchDir(b.Dir)
	if err != nil {
		return err
	}
	defer remove()
	r, err := bench.Flood(ctx, bench.FloodConfig{Binary: binary, Dir: dir, Kinds: b.Kind, Cards: b.Cards, For: b.For,
		Rate: b.Rate, Load: b.Load, Open: b.Open, Out: t.err, Terminal: isTerminal(t.err)})
	if len(r.Floods) == 0 {
		return err
	}
	// What was measured before an error is worth printing.
	if b.JSON {
		return errors.Join(err, indented(t.out, r))
	}
	return errors.Join(err, r.Markdown(t.out))
}

type benchFlooderCmd struct{}

// Run sends the flood that it is told on its standard input.
func (*benchFlooderCmd) Run(ctx context.Context, t *terminal) error {
	return bench.Flooder(ctx, t.in, t.out)
}

type benchEchoCmd struct{}

// Run serves until the bench is over.
func (*benchEchoCmd) Run(ctx context.Context, t *terminal) error { return bench.Echo(ctx, t.out) }
