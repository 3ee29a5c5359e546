package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/liuma-pin/liuma/internal/demo"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/locale"
)

// demoCmd is "liuma demo".
type demoCmd struct {
	Once    bool   `name:"once"`
	Keep    bool   `name:"keep"`
	People  int    `name:"people" default:"10000" placeholder:"N"`
	Seed    uint64 `name:"seed" default:"1"`
	Keepers int    `name:"keepers" default:"1" placeholder:"N"`
	Dir     string `name:"dir" placeholder:"DIR"`
	Listen  string `name:"listen" default:"127.0.0.1:0" placeholder:"HOST:PORT"`
	Seconds int    `name:"seconds" default:"8"`
	LAN     bool   `name:"lan"`
	Host    string `name:"host" placeholder:"IP"`
	Port    int    `name:"port" placeholder:"N"`
	Log     bool   `name:"log"`
}

// Run plays the demo.
func (d *demoCmd) Run(ctx context.Context, t *terminal) (err error) {
	const maxSeconds = 600
	if d.Seconds < 1 || d.Seconds > maxSeconds {
		return wrongUse("liuma demo", func(w *locale.Words) string { return w.Refused.DemoSeconds(num(d.Seconds), num(maxSeconds)) })
	}
	if d.Keepers != 1 && d.Keepers != 3 {
		return wrongUse("liuma demo", func(w *locale.Words) string { return w.Refused.DemoKeepers(num(d.Keepers)) })
	}
	if !d.LAN && (d.Host != "" || d.Port != 0) {
		return wrongUse("liuma demo", func(w *locale.Words) string { return w.Refused.DemoLan() })
	}
	program, err := posts.Itself()
	if err != nil {
		return err
	}
	logger, keepersLog := slog.New(slog.DiscardHandler), io.Writer(nil)
	if d.Log {
		keepersLog = t.err
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
		return refuse(func(w *locale.Words) string { return w.Refused.DemoNotEmpty(dir) })
	}
	if d.Keep || d.Dir != "" {
		defer d.leave(t, dir)
	}
	err = demo.Run(ctx, demo.Config{
		Dir: dir, Listen: d.Listen, People: d.People, Seed: d.Seed,
		Guessing: time.Duration(d.Seconds) * time.Second, Once: d.Once, Removed: d.Dir == "" && !d.Keep,
		Out: t.out, Lang: t.words().Lang(), Terminal: isTerminal(t.out), Progress: t.err, ProgressTerminal: isTerminal(t.err),
		Logger: logger, LAN: d.lan(), Keepers: d.Keepers, Program: program, KeepersLog: keepersLog,
		Beside: func(ctx context.Context, dir string, s *server.System) (shut func()) {
			return s.ServeAdmin(ctx, dir)
		},
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil && !d.Once {
		return nil // a demo is ended by Ctrl-C
	}
	if e, ok := errors.AsType[*process.ListenError](err); ok {
		return explainListener(e.Setting, e)
	}
	return err
}

// sweep removes the demo's files, and says so if a person is watching.
func (d *demoCmd) sweep(t *terminal, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.DemoLeft(dir, why) })
	}
	said := locale.Both(func(w *locale.Words) string { return w.Terminal.DemoRemoved(dir) })
	_, err := fmt.Fprintf(t.out, "\n%s\n%s\n", said.ZH, said.EN)
	return err
}

// leave says which files stay, and how to remove them.
func (d *demoCmd) leave(t *terminal, dir string) {
	said := locale.Both(func(w *locale.Words) string { return w.Terminal.DemoLeft(dir) })
	fmt.Fprintf(t.out, "\n%s\n%s\n", said.ZH, said.EN)
}

// lan says how other devices reach the demo; nil if they do not.
func (d *demoCmd) lan() *demo.LAN {
	if !d.LAN {
		return nil
	}
	return &demo.LAN{Host: d.Host, Port: d.Port}
}
