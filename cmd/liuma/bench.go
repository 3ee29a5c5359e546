package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/bench"
)

type benchCmd struct {
	Verify benchVerifyCmd `cmd:"" help:"Measure verifications against a real server process, beside the floors and the password hashes that others use."`
	Echo   benchEchoCmd   `cmd:"" hidden:"" help:"Answer HTTP and do nothing else: the floor of 'bench verify'."`
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
	dir := b.Dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "liuma-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = filepath.Join(tmp, "data")
	}
	r, err := bench.Run(ctx, bench.Config{Binary: binary, Dir: dir, Cards: b.Cards, For: b.For,
		Clients: b.Clients, Cold: b.Cold, Out: t.err, Terminal: isTerminal(t.err)})
	if err != nil {
		return err
	}
	if b.JSON {
		e := json.NewEncoder(t.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
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

type benchEchoCmd struct{}

// Run serves until the bench is over.
func (*benchEchoCmd) Run(ctx context.Context, t *terminal) error { return bench.Echo(ctx, t.out) }
