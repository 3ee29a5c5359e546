package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/locale"
)

// serveCmd is "liuma serve".
type serveCmd struct {
	Listen string `name:"listen" placeholder:"HOST:PORT"`
	Log    string `name:"log" enum:"debug,info,warn,error," default:""`
}

// endedWithin is how long a server that was ended by another authority may take to close.
const endedWithin = 20 * time.Second

// endedError is of a server that another authority ended: whoever watches it starts it again.
type endedError struct{ cause error }

func (e *endedError) Error() string { return e.cause.Error() }
func (e *endedError) Unwrap() error { return e.cause }

// ExitCode says that it is to be started again, and that nothing else is wrong.
func (e *endedError) ExitCode() int { return exitEnded }

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
	defer process.CollectSeldom()()
	system, err := server.Open(ctx, conf, server.Options{Logger: logger})
	if err != nil {
		return explainOpen(c.Data, err)
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	ln, err := system.Listen()
	if err != nil {
		return s.explainListen(c.Data, err)
	}
	beside, err := listenBeside(system)
	if err != nil {
		return errors.Join(s.explainListen(c.Data, err), ln.Close())
	}
	base := address(conf, ln.Addr().String())
	metricsAt, shutMetrics, err := system.ServeMetrics()
	if err != nil {
		return errors.Join(s.explainListen(c.Data, err), shutAll(append(beside, ln)))
	}
	defer shutMetrics()
	c.sayWhere(t, conf, base, beside, metricsAt)
	warn(ctx, conf, system, logger)
	if err := ready(ctx, system); err != nil {
		logger.WarnContext(ctx, "not ready yet", "err", err)
	}
	shut := system.ServeAdmin(ctx, c.Data)
	// Printed last: a script that waits for it may give the next command at once, which needs the
	// socket.
	logger.InfoContext(ctx, "serving", "texts", conf.Texts.Driver, "address", base, "issuer", conf.Issuer, "shape", conf.Keepers.Shape)
	err = system.Serve(ctx, ln, beside...)
	shut()
	if errors.Is(err, server.ErrEnded) {
		// What is closed from here on may wait for a server that does not answer. Ending in
		// the middle of it leaves what a crash leaves: the next start recovers.
		time.AfterFunc(endedWithin, func() { os.Exit(exitEnded) })
		err = &endedError{err}
	}
	if err != nil {
		logger.ErrorContext(ctx, "stopped", "err", err)
		return err
	}
	logger.InfoContext(ctx, "stopped")
	return t.line(t.shown().ServeStopped())
}

// sayWhere prints the addresses of the server; metricsAt is empty if it has no metrics.
func (c *cli) sayWhere(t *terminal, conf config.Config, base string, beside []net.Listener, metricsAt string) {
	say := t.shown()
	row := func(label, said string) { fmt.Fprintf(t.out, "  %s %s\n", padded(label, 8), said) }
	fmt.Fprintln(t.out, say.ServeServing(c.Data, base))
	row(say.ServeReady(), base+"/readyz")
	row(say.ServeDocument(), base+"/openapi.json")
	if beside[0] != nil {
		row(say.ServeHolders(), say.ServeHosted(conf.Issuer, beside[0].Addr().String()))
	}
	if beside[1] != nil {
		row(say.ServeReceipts(), say.ServeGateway(config.ReceiptPath, beside[1].Addr().String()))
	}
	if beside[2] != nil {
		row(say.ServeConsole(), say.ServeConsoleAt(conf.ConsoleAddress(), beside[2].Addr().String()))
	}
	if metricsAt != "" {
		row(say.ServeMetrics(), say.ServeMetricsAt(metricsAt))
	}
}

// warn prints what is missing or insecure, and the next steps.
func warn(ctx context.Context, conf config.Config, system *server.System, logger *slog.Logger) {
	if conf.Texts.Driver == config.DriverNone && conf.Hosted.Listen != "" {
		logger.WarnContext(ctx, "texts.driver is none: no phone is bound, nobody is told, and a forgotten PIN leads to the counter")
	}
	if conf.AllowStandIn {
		logger.WarnContext(ctx, "allow_stand_in_evidence is on: whoever runs a stand-in passes for any holder. For development only")
	}
	switch s, err := system.Admin.StaffStatus(ctx); {
	case err != nil:
		logger.WarnContext(ctx, "not known how the staff stands", "err", err)
	case !s.Begun:
		logger.WarnContext(ctx, "no member of staff yet: acts are recorded without a name. Invite the first two with 'liuma staff begin'")
	case s.Operators == 0 || s.Officers == 0:
		logger.InfoContext(ctx, "no active operator, or no active security officer: nothing that takes two is decided", "operators", s.Operators, "officers", s.Officers)
	}
}

// listenBeside opens the listeners of the hosted door, the gateway door and the console, in
// the order of server.System.Serve; nil for a door that is not configured.
func listenBeside(system *server.System) (out []net.Listener, err error) {
	for _, open := range []func() (net.Listener, error){system.ListenHosted, system.ListenGateway, system.ListenConsole} {
		ln, err := open()
		if err != nil {
			return nil, errors.Join(err, shutAll(out))
		}
		out = append(out, ln)
	}
	return out, nil
}

// shutAll closes listeners; some may be nil.
func shutAll(all []net.Listener) (err error) {
	for _, ln := range all {
		if ln != nil {
			err = errors.Join(err, ln.Close())
		}
	}
	return err
}

// explainListen adds the next step to the error of a listener that cannot be opened.
func (s *serveCmd) explainListen(dir string, err error) error {
	file := filepath.Join(dir, config.FileName)
	if cert, ok := errors.AsType[*server.CertificateError](err); ok {
		return refuseFor(cert.Err, func(w *locale.Words, why string) string { return w.Refused.ServeCertificate(cert.Door, why, file) })
	}
	e, ok := errors.AsType[*process.ListenError](err)
	if !ok {
		return err
	}
	setting := file + ": " + e.Setting
	if s.Listen != "" && e.Setting == "channel_door.listen" {
		setting = "--listen"
	}
	return explainListener(setting, e)
}

// explainListener is the reason why there is no listener, and the next step; setting is the setting
// with its address.
func explainListener(setting string, e *process.ListenError) error {
	return refuseFor(e, func(w *locale.Words, _ string) string {
		switch {
		case e.Taken():
			return w.Refused.ServeListenTaken(e.Address, setting)
		case e.Elsewhere():
			return w.Refused.ServeListenElsewhere(e.Address, setting)
		case e.Forbidden():
			return w.Refused.ServeListenForbidden(e.Address, setting)
		}
		return w.Refused.ServeListenOther(e.Address, e.Err.Error(), setting)
	})
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
		return nil, refuse(func(w *locale.Words) string { return w.Refused.ServeLevel(strconv.Quote(level)) })
	}
	o := &slog.HandlerOptions{Level: l}
	if isTerminal(w) {
		return slog.New(door.Traced(slog.NewTextHandler(w, o))), nil
	}
	return slog.New(door.Traced(slog.NewJSONHandler(w, o))), nil
}

// isTerminal reports whether a person is watching w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
