package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/liuma-pin/liuma/internal/demo"
	"github.com/liuma-pin/liuma/internal/server"
)

// demoCmd is "liuma demo".
type demoCmd struct {
	Once    bool   `name:"once" help:"End after the play instead of serving on, with status 0 only if every step went as it should."`
	Keep    bool   `name:"keep" help:"Leave the directory behind at the end. Without it, and without --dir, everything is removed again."`
	People  int    `name:"people" default:"10000" placeholder:"N" help:"How many made-up people are in the registry, 20 or more."`
	Seed    uint64 `name:"seed" default:"1" help:"The same seed casts the same people."`
	Dir     string `name:"dir" placeholder:"DIR" help:"New or empty directory to play in. Default: a fresh one among the temporary files."`
	Listen  string `name:"listen" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Loopback address of the server; port 0 takes any free one."`
	Seconds int    `name:"seconds" default:"8" help:"How long the Argon2id hash is guessed at, 1 to 600."`
	LAN     bool   `name:"lan" help:"Serve window, channels and hosted pages by TLS on this machine's LAN address, with a certificate of its own, and show a QR code for your phone. Everybody on the network can open it."`
	Host    string `name:"host" placeholder:"IP" help:"With --lan: the address to be reached at. Default: a private one of this machine."`
	Port    int    `name:"port" placeholder:"N" help:"With --lan: the first of four ports in a row. Default: any free ones."`
	Log     bool   `name:"log" help:"Show the server's log on standard error."`
}

// Run plays the demo.
func (d *demoCmd) Run(ctx context.Context, t *terminal) (err error) {
	const maxSeconds = 600
	if d.Seconds < 1 || d.Seconds > maxSeconds {
		return badUsage("liuma demo", "--seconds %d: want 1 to %d", d.Seconds, maxSeconds)
	}
	if !d.LAN && (d.Host != "" || d.Port != 0) {
		return badUsage("liuma demo", "--host and --port go with --lan")
	}
	logger := slog.New(slog.DiscardHandler)
	if d.Log {
		if logger, err = newLogger(t.err, "info"); err != nil {
			return err
		}
	}
	dir := d.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "liuma-demo-"); err != nil {
			return err
		}
		if !d.Keep {
			defer func() { err = errors.Join(err, d.sweep(t, dir)) }()
		}
	} else if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty; choose a new directory, or none", dir)
	}
	if d.Keep || d.Dir != "" {
		defer d.leave(t, dir)
	}
	err = demo.Run(ctx, demo.Config{
		Dir: dir, Listen: d.Listen, People: d.People, Seed: d.Seed,
		Guessing: time.Duration(d.Seconds) * time.Second, Once: d.Once, Removed: d.Dir == "" && !d.Keep,
		Out: t.out, Terminal: isTerminal(t.out), Progress: t.err, ProgressTerminal: isTerminal(t.err),
		Logger: logger, LAN: d.lan(),
		Beside: func(ctx context.Context, dir string, s *server.System) (shut func()) {
			return s.ServeAdmin(ctx, dir)
		},
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil && !d.Once {
		return nil // Ctrl-C is how a demo ends
	}
	return err
}

// sweep removes what the demo made, and says so where a person watched it.
func (d *demoCmd) sweep(t *terminal, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("%s is left behind: %w", dir, err)
	}
	_, err := fmt.Fprintf(t.out, "\n已删除演示目录 %[1]s。\nRemoved the demo's directory %[1]s; nothing is left behind.\n", dir)
	return err
}

// leave says what is left behind, and how it is removed.
func (d *demoCmd) leave(t *terminal, dir string) {
	fmt.Fprintf(t.out, "\n演示数据、密钥和虚构的人都留在 %[1]s。\nThe demo's data, keys and made-up people are left in %[1]s; remove them with: rm -r %[1]s\n", dir)
}

// lan says how other devices reach the demo; nil where they do not.
func (d *demoCmd) lan() *demo.LAN {
	if !d.LAN {
		return nil
	}
	return &demo.LAN{Host: d.Host, Port: d.Port}
}
