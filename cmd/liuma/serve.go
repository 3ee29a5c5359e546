package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
)

// serveCmd is "liuma serve".
type serveCmd struct {
	Listen string `name:"listen" placeholder:"HOST:PORT" help:"Listen here instead of where the configuration says; loopback only, unless it has a certificate or says behind_proxy."`
	Log    string `name:"log" enum:"debug,info,warn,error," default:"" help:"Log this much instead of what the configuration says: debug, info, warn or error."`
}

// Run serves until ctx ends. The door opens only after recovery.
func (s *serveCmd) Run(ctx context.Context, c *cli, t *terminal) (err error) {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if s.Listen != "" {
		conf.Channel.Listen = s.Listen
	}
	if s.Log != "" {
		conf.Log = s.Log
	}
	if err := conf.Validate(); err != nil {
		return err
	}
	logger, err := newLogger(t.err, conf.Log)
	if err != nil {
		return err
	}
	system, err := server.Open(ctx, conf, server.Options{Logger: logger})
	if err != nil {
		return explainOpen(c.Data, err)
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	ln, err := system.Listen()
	if err != nil {
		return err
	}
	hosted, err := system.ListenHosted()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	gateway, err := system.ListenGateway()
	if err != nil {
		return errors.Join(err, ln.Close(), shutIf(hosted))
	}
	base := address(conf, ln.Addr().String())
	fmt.Fprintf(t.out, "Serving %s at %s\n", c.Data, base)
	fmt.Fprintf(t.out, "  ready?   %s/readyz\n  document %s/openapi.json\n", base, base)
	if hosted != nil {
		fmt.Fprintf(t.out, "  holders  %s (the hosted door listens at %s)\n", conf.Issuer, hosted.Addr())
	}
	if gateway != nil {
		fmt.Fprintf(t.out, "  receipts %s (the gateway door listens at %s)\n", config.ReceiptPath, gateway.Addr())
	}
	if conf.Texts.Driver == config.DriverNone && hosted != nil {
		logger.Warn("texts.driver is none: no phone is bound, nobody is told, and a forgotten PIN leads to the counter")
	}
	if conf.AllowStandIn {
		logger.Warn("allow_stand_in_evidence is on: whoever runs a stand-in passes for any holder. For development only")
	}
	logger.Info("serving", "texts", conf.Texts.Driver, "address", base, "issuer", conf.Issuer, "shape", conf.Keepers.Shape)
	if err := ready(ctx, system); err != nil {
		logger.Warn("not ready yet", "err", err)
	}
	shut := system.ServeAdmin(ctx, c.Data)
	err = system.Serve(ctx, ln, hosted, gateway)
	shut()
	if err != nil {
		logger.Error("stopped", "err", err)
		return err
	}
	logger.Info("stopped")
	fmt.Fprintln(t.out, "Stopped.")
	return nil
}

// shutIf closes a listener that may not be there.
func shutIf(ln net.Listener) error {
	if ln == nil {
		return nil
	}
	return ln.Close()
}

func ready(ctx context.Context, s *server.System) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.Authority.Ready(ctx)
}

func address(c config.Config, host string) string {
	if c.Channel.Certificate != "" {
		return "https://" + host
	}
	return "http://" + host
}

// newLogger writes text for people and JSON for machines.
func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return slog.New(slog.NewJSONHandler(w, o)), nil
}

// isTerminal reports whether a person is watching w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
