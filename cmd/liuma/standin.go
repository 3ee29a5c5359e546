package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/evidence/standin"
	"github.com/liuma-pin/liuma/locale"
)

// standInKey is the stand-in's own key in the data directory. It is made at the
// first start.
const standInKey = "stand-in.pem"

// standInCmd is "liuma evidence stand-in".
type standInCmd struct {
	Provider string `name:"provider" default:"stand-in" placeholder:"ID"`
	Key      string `name:"key" placeholder:"FILE"`
	KeyID    string `name:"kid" placeholder:"KID"`
	Listen   string `name:"listen" default:"127.0.0.1:8602" placeholder:"HOST:PORT"`
	Network  bool   `name:"allow-network"`
	Origin   string `name:"origin" placeholder:"URL"`
}

// Run answers until ctx ends. Everything that can be refused is refused before
// anything is registered.
func (a *standInCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	if !conf.AllowStandIn {
		return refuse(func(w *locale.Words) string {
			return w.Refused.StandinOff(c.Data, filepath.Join(c.Data, config.FileName), "allow_stand_in_evidence: true")
		})
	}
	host, _, err := net.SplitHostPort(a.Listen)
	if err != nil {
		return wrongUse("liuma evidence stand-in", func(w *locale.Words) string { return w.Refused.StandinHostPort(strconv.Quote(a.Listen)) })
	}
	if !door.Loopback(host) && (!a.Network || a.Origin == "") {
		return wrongUse("liuma evidence stand-in", func(w *locale.Words) string { return w.Refused.StandinBeyondLoopback(a.Listen) })
	}
	ln, err := net.Listen("tcp", a.Listen)
	if err != nil {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StandinListen(why) })
	}
	origin := a.Origin
	if origin == "" {
		origin = "http://" + ln.Addr().String()
	}
	provider, err := a.provider(ctx, c, t, conf, origin)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	warnStandIn(t, c.Data, origin)
	say := t.words().Standin
	fmt.Fprintf(t.out, "%s\n  %s\n  %s\n  %s\n", say.Started(a.Provider, origin), say.StartedPage(origin+"/"),
		say.StartedAtOnce(origin+standin.EvidencePath), say.StartedSigns(conf.Issuer))
	if err := serveStandIn(ctx, ln, provider); err != nil {
		return err
	}
	fmt.Fprintln(t.out, say.Stopped())
	return nil
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
		return nil, wrongUseFor("liuma evidence stand-in", err, func(w *locale.Words, why string) string { return w.Refused.StandinOrigin(why) })
	}
	var done string
	err = c.administer(ctx, t, func(adm admin.Administration) (err error) {
		done, err = standin.Enlist(ctx, adm, standin.Registration{ID: a.Provider, Key: pair.Public, Register: a.Key == ""})
		return err
	})
	switch {
	case errors.Is(err, standin.ErrReal):
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StandinProvider(why) })
	case errors.Is(err, standin.ErrStopped):
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StandinResume(why, a.Provider) })
	case errors.Is(err, standin.ErrUnregistered):
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StandinRegister(why, a.Provider) })
	case errors.Is(err, admin.ErrTaken):
		return nil, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StandinProvider(why) })
	case err != nil:
		return nil, err
	}
	if done != "" {
		logger.InfoContext(ctx, "stand-in", "provider", a.Provider, "kid", pair.Public.KeyID, "done", done)
	}
	return provider, nil
}

// keyPair reads the given key, or the stand-in's own, which it makes if there is
// none. A crash after that leaves a key that the next start registers.
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

// warnStandIn prints at each start that this proves nothing, in red if a person is
// watching.
func warnStandIn(t *terminal, data, origin string) {
	red, plain := "", ""
	if isTerminal(t.err) {
		red, plain = "\x1b[1;31m", "\x1b[0m"
	}
	fmt.Fprintf(t.err, "%s%s%s\n", red, t.words().Standin.Warning(origin, data), plain)
}

// serveStandIn answers until ctx ends.
func serveStandIn(ctx context.Context, ln net.Listener, h http.Handler) error {
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
	return err
}
