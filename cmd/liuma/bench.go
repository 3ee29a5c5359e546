package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/bench"
	"github.com/liuma-pin/liuma/locale"
)

type benchCmd struct {
	Verify benchVerifyCmd `cmd:""`
	Report benchReportCmd `cmd:""`
	Flood  benchFloodCmd  `cmd:""`

	Server  benchServerCmd  `cmd:"" hidden:""`
	Echo    benchEchoCmd    `cmd:"" hidden:""`
	Flooder benchFlooderCmd `cmd:"" hidden:""`
}

type benchVerifyCmd struct {
	Cards   int           `name:"cards" default:"1000"`
	For     time.Duration `name:"for" default:"15s"`
	Slices  int           `name:"slices" default:"5"`
	Beside  int           `name:"beside" default:"-1"`
	Clients int           `name:"clients" default:"64"`
	Cold    bool          `name:"cold"`
	Shape   string        `name:"shape" enum:"1/1,2/3,3/5" default:"1/1"`
	Keepers string        `name:"keepers" enum:"here,remote" default:"here"`
	Store   string        `name:"store" enum:"sqlite,postgres" default:"sqlite"`
	Standby bool          `name:"standby"`
	Keep    string        `name:"keep" placeholder:"DIR"`
	JSON    bool          `name:"json" xor:"format"`
	Lines   bool          `name:"lines" xor:"format"`
	Profile string        `name:"profile" placeholder:"FILE"`
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
	dir, remove, err := benchDir(b.Keep)
	if err != nil {
		return err
	}
	defer remove()
	into, done, err := profileFile(b.Profile)
	if err != nil {
		return err
	}
	r, err := bench.Run(ctx, bench.Config{Binary: binary, Dir: dir, Keep: b.Keep != "", Cards: b.Cards, For: b.For, Slices: b.Slices, Beside: b.beside(),
		Clients: b.Clients, Cold: b.Cold, Shape: b.Shape, Postgres: b.Store == "postgres", Standby: b.Standby, Remote: b.Keepers == "remote", Keeper: command, Profile: into, Out: t.err, Terminal: isTerminal(t.err)})
	switch err = errors.Join(err, done(err == nil)); {
	case err != nil:
		return benchRefusal(err)
	case b.JSON:
		return indented(t.out, r)
	case b.Lines:
		return r.Lines(t.out)
	}
	return t.measured(r)
}

// profileFile makes the file for a profile before anything is measured, so that a place where
// no file can be is refused at once. done closes the file, and removes it if there was nothing
// to keep. Without a name there is no file.
func profileFile(name string) (into io.Writer, done func(keep bool) error, err error) {
	if name == "" {
		return nil, func(bool) error { return nil }, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, func(keep bool) error {
		if err := f.Close(); keep || err != nil {
			return err
		}
		return os.Remove(name)
	}, nil
}

// fewCards is the number of cards with which many cards are compared.
const fewCards = 1000

// beside is how many cards the second database has: a thousand unless another number was
// given, if more are measured and the comparison is possible.
func (b *benchVerifyCmd) beside() int {
	if b.Beside >= 0 {
		return b.Beside
	}
	if b.Cards > fewCards && b.Shape == "1/1" && b.Keepers == "here" && b.Store == "sqlite" && !b.Cold {
		return fewCards
	}
	return 0
}

type benchReportCmd struct {
	Cards []int         `name:"cards" default:"1000,1000000"`
	For   time.Duration `name:"for" default:"15s"`
	Keep  string        `name:"keep" placeholder:"DIR"`
}

// Run measures and prints all tables.
func (b *benchReportCmd) Run(ctx context.Context, t *terminal) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	keeper, err := keeperCommand(binary)
	if err != nil {
		keeper = "" // the report names what it leaves out
	}
	dir, remove, err := benchDir(b.Keep)
	if err != nil {
		return err
	}
	defer remove()
	return benchRefusal(bench.Report(ctx, bench.ReportConfig{Sizes: b.Cards,
		Config: bench.Config{Binary: binary, Dir: dir, For: b.For, Keeper: keeper, Out: t.err, Terminal: isTerminal(t.err)}}, t.out))
}

// benchRefusal is an error of the bench with its sentence, if it has one.
func benchRefusal(err error) error {
	for _, known := range []struct {
		is  error
		say func(locale.Refused) string
	}{{bench.ErrNoServer, locale.Refused.BenchPostgres}, {bench.ErrCold, locale.Refused.BenchCold}, {bench.ErrStandby, locale.Refused.BenchStandby},
		{bench.ErrKeptServer, locale.Refused.BenchKeptServer}, {bench.ErrBeside, locale.Refused.BenchBeside}, {bench.ErrNotOurs, locale.Refused.BenchNotOurs},
		{bench.ErrOtherKept, locale.Refused.BenchOtherKept}, {bench.ErrSizes, locale.Refused.BenchSizes}} {
		if errors.Is(err, known.is) {
			return refuseFor(err, func(w *locale.Words, _ string) string { return known.say(w.Refused) })
		}
	}
	return err
}

// benchDir is the directory for the data: the given one, which stays, or a temporary one,
// with the function that removes it.
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
	// Results that were measured before an error are worth printing.
	if b.JSON {
		return errors.Join(err, indented(t.out, r))
	}
	return errors.Join(err, r.Markdown(t.out))
}

type benchFlooderCmd struct{}

// Run sends the flood that its standard input describes.
func (*benchFlooderCmd) Run(ctx context.Context, t *terminal) error {
	return bench.Flooder(ctx, t.in, t.out)
}

type benchServerCmd struct {
	Control string `name:"control" required:"" placeholder:"SOCKET"`
}

// Run is 'serve' at any free address of the loopback, with a socket at which this process
// can be profiled.
func (b *benchServerCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	if err := bench.ServeProfiles(ctx, b.Control); err != nil {
		return err
	}
	return (&serveCmd{Listen: "127.0.0.1:0"}).Run(ctx, c, t)
}

type benchEchoCmd struct{}

// Run serves until the bench is over.
func (*benchEchoCmd) Run(ctx context.Context, t *terminal) error { return bench.Echo(ctx, t.out) }
