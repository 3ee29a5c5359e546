package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/bench"
)

type benchCmd struct {
	Verify benchVerifyCmd `cmd:"" help:"Measure verifications against a real server process, beside the floors and the password hashes that others use."`
	Flood  benchFloodCmd  `cmd:"" help:"Measure what a normal load notices of floods, against a real server process."`

	Echo    benchEchoCmd    `cmd:"" hidden:"" help:"Answer HTTP and do nothing else: the floor of 'bench verify'."`
	Flooder benchFlooderCmd `cmd:"" hidden:"" help:"Send one flood of 'bench flood'."`
}

type benchVerifyCmd struct {
	Cards   int           `name:"cards" default:"1000" help:"How many cards the database holds."`
	For     time.Duration `name:"for" default:"30s" help:"How long the load lasts."`
	Clients int           `name:"clients" default:"64" help:"How many connections ask at once."`
	Cold    bool          `name:"cold" help:"Drop the data files from the page cache before the load."`
	Dir     string        `name:"dir" placeholder:"DIR" help:"Make the data here, in a new directory, and keep it. Default: a temporary one that is removed."`
	JSON    bool          `name:"json" help:"Print one JSON object."`
}

// Run measures and prints.
func (b *benchVerifyCmd) Run(ctx context.Context, t *terminal) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	dir, remove, err := benchDir(b.Dir)
	if err != nil {
		return err
	}
	defer remove()
	r, err := bench.Run(ctx, bench.Config{Binary: binary, Dir: dir, Cards: b.Cards, For: b.For,
		Clients: b.Clients, Cold: b.Cold, Out: t.err, Terminal: isTerminal(t.err)})
	if err != nil {
		return err
	}
	if b.JSON {
		return indented(t.out, r)
	}
	warm := "warm"
	if r.Cold {
		warm = "cold"
	}
	fmt.Fprintf(t.out, `%d cards, %d clients, %.0f s, %d processors shared with the load generator, %s

verifications      %10.0f /s     p50 %.1f ms   p99 %.1f ms
server             %10.0f µs of processor each, %.0f MiB at the most, %.0f bytes a card

HTTP echo          %10.0f /s
cryptography       %10.0f /s
durable spends     %10.0f /s
floor              %10.0f /s     HTTP echo and cryptography, one after the other
bcrypt, cost 10    %10.0f /s
Argon2id 19MiB t=2 %10.0f /s

%.2f of the floor, %.1f times bcrypt, %.1f times Argon2id
`, r.Cards, r.Clients, r.Seconds, r.Processors, warm,
		r.VerificationsPerSecond, r.P50, r.P99, r.CPU, r.RSS, r.BytesPerCard,
		r.Echo, r.Crypto, r.Spends, r.Floor, r.Bcrypt, r.Argon2id,
		r.RatioToFloor, r.RatioToBcrypt, r.RatioToArgon)
	return nil
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
	Kind  []string      `name:"kind" default:"all" help:"Which floods; 'all', or names with commas between them. A wrong name lists them."`
	For   time.Duration `name:"for" default:"30s" help:"How long each flood lasts, at most 4m."`
	Rate  float64       `name:"rate" default:"500" help:"How many requests a second a flood tries to send."`
	Load  float64       `name:"load" default:"100" help:"How many verifications a second the normal load has."`
	Cards int           `name:"cards" default:"20000" help:"How many cards the floods are about."`
	Open  int           `name:"open" default:"3000" help:"How many ceremonies are opened on one card before it is reset; 0 leaves that measurement out."`
	Dir   string        `name:"dir" placeholder:"DIR" help:"Make the data here, in a new directory, and keep it. Default: a temporary one that is removed."`
	JSON  bool          `name:"json" help:"Print one JSON object instead of Markdown."`
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
