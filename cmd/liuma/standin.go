package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
)

// standInKey is the stand-in's own key in the data directory. It is made at the
// first start.
const standInKey = "stand-in.pem"

// standInCmd is "liuma evidence stand-in".
type standInCmd struct {
	Provider string `name:"provider" default:"stand-in" placeholder:"ID" help:"The provider that it signs as. It is registered, as a stand-in, if it is not there."`
	Key      string `name:"key" placeholder:"FILE" help:"Private key (PEM) of a stand-in that is registered already. Default: a key of its own in the data directory."`
	KeyID    string `name:"kid" placeholder:"KID" help:"The kid that --key is registered under. Default: its thumbprint."`
	Listen   string `name:"listen" default:"127.0.0.1:8602" placeholder:"HOST:PORT" help:"Where it listens. Other than on loopback it needs --allow-network and --origin."`
	Network  bool   `name:"allow-network" help:"Let others on the network use it: each of them is then anybody they say."`
	Origin   string `name:"origin" placeholder:"URL" help:"The address at which browsers open it. Default: http:// and where it listens."`
}

// Run answers until ctx ends. Everything that can be refused is refused before
// anything is registered.
func (a *standInCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if !conf.AllowStandIn {
		return fmt.Errorf("%s takes no evidence of stand-ins, as it must be where there are real holders. In a directory for development, set allow_stand_in_evidence: true in %s and start the server again ('liuma init --allow-stand-in-evidence' makes one so)",
			c.Data, filepath.Join(c.Data, config.FileName))
	}
	host, _, err := net.SplitHostPort(a.Listen)
	if err != nil {
		return badUsage("liuma evidence stand-in", "--listen %q: want host:port", a.Listen)
	}
	if !door.Loopback(host) && (!a.Network || a.Origin == "") {
		return badUsage("liuma evidence stand-in", "--listen %s is not loopback, and whoever reaches it is anybody they say; give --allow-network and --origin if you want that", a.Listen)
	}
	ln, err := net.Listen("tcp", a.Listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	origin := a.Origin
	if origin == "" {
		origin = "http://" + ln.Addr().String()
	}
	provider, err := a.provider(ctx, c, t, conf, origin)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	warnStandIn(t.err, c.Data, origin)
	fmt.Fprintf(t.out, "Stand-in %s at %s\n  page     %s/\n  at once  %s%s (the sample channel's -evidence)\n  signs    for %s\n",
		a.Provider, origin, origin, origin, standin.EvidencePath, conf.Issuer)
	return serveStandIn(ctx, ln, provider, t.out)
}

// provider makes the stand-in, registered with the authority.
func (a *standInCmd) provider(ctx context.Context, c *cli, t *terminal, conf config.Config, origin string) (http.Handler, error) {
	pair, err := a.keyPair(c.Data)
	if err != nil {
		return nil, err
	}
	signer, err := evidence.NewSigner(a.Provider, pair.Private, pair.Public.KeyID)
	if err != nil {
		return nil, badUsage("liuma evidence stand-in", "%v", err)
	}
	logger, err := newLogger(t.err, conf.Log)
	if err != nil {
		return nil, err
	}
	provider, err := standin.New(standin.Config{Signer: signer, Audience: conf.Issuer, Origin: origin, Now: time.Now, Logger: logger})
	if err != nil {
		return nil, badUsage("liuma evidence stand-in", "--origin: %v", err)
	}
	var done string
	err = c.administer(ctx, t, func(adm admin.Administration) (err error) {
		done, err = standin.Enlist(ctx, adm, standin.Registration{ID: a.Provider, Key: pair.Public, Register: a.Key == ""})
		return err
	})
	switch {
	case errors.Is(err, standin.ErrReal):
		return nil, fmt.Errorf("%w; choose another identifier with --provider", err)
	case errors.Is(err, standin.ErrStopped):
		return nil, fmt.Errorf("%w; 'liuma evidence provider resume %s' takes its evidence again", err, a.Provider)
	case errors.Is(err, standin.ErrUnregistered):
		return nil, fmt.Errorf("%w; register it with 'liuma evidence provider add %s --stand-in' or add the key with 'liuma evidence provider rotate'", err, a.Provider)
	case errors.Is(err, admin.ErrTaken):
		return nil, fmt.Errorf("%w; choose another identifier with --provider", err)
	case err != nil:
		return nil, err
	}
	if done != "" {
		logger.Info("stand-in", "provider", a.Provider, "kid", pair.Public.KeyID, "done", done)
	}
	return provider, nil
}

// keyPair reads the key that was given, or the stand-in's own, which it makes if
// there is none. A crash after that leaves a key that the next start registers.
func (a *standInCmd) keyPair(data string) (admin.KeyPair, error) {
	if a.Key != "" {
		return readKeyPair(a.Key, a.KeyID)
	}
	file := filepath.Join(data, standInKey)
	pair, err := readKeyPair(file, "")
	if !errors.Is(err, fs.ErrNotExist) {
		return pair, err
	}
	if pair, err = admin.NewKeyPair(); err != nil {
		return pair, err
	}
	private, err := pair.PrivatePEM()
	if err != nil {
		return pair, err
	}
	defer clear(private)
	return pair, writeNew(file, 0o600, private)
}

// warnStandIn says at each start what this is, in red where a person watches.
func warnStandIn(w io.Writer, data, origin string) {
	red, plain := "", ""
	if isTerminal(w) {
		red, plain = "\x1b[1;31m", "\x1b[0m"
	}
	fmt.Fprintf(w, "%sSTAND-IN · 替身认证: proves nothing 什么也不证明. Whoever reaches %s passes for any holder of %s. For development only.%s\n", red, origin, data, plain)
}

// serveStandIn answers until ctx ends.
func serveStandIn(ctx context.Context, ln net.Listener, h http.Handler, out io.Writer) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(drain)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	fmt.Fprintln(out, "Stopped.")
	return err
}
