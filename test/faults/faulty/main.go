// Command faulty is a keeper with a fault, for trials only: one whose clock is wrong, or
// one that lies to the authority. It is made of the same packages as liuma-keeper and
// serves a directory of liuma-keeper; liuma-keeper itself has no switch of this kind.
//
//	faulty clock DIR 5m        its clock is five minutes ahead; -5m: behind
//	faulty lie DIR guesses     it answers guesses with shares of another secret
//	faulty lie DIR everything  and proposals as well
//
// It guarantees nothing, and trusts its caller to keep it from real cards.
//
// Start here: main.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "faulty:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("want clock DIR OFFSET or lie DIR WHAT")
	}
	dir, err := host.Open(args[1])
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	switch args[0] {
	case "clock":
		ahead, err := time.ParseDuration(args[2])
		if err != nil {
			return err
		}
		h, err := host.Start(ctx, dir, host.Options{Logger: logger, Machine: wrong{clock.System(), ahead}, Release: "faulty"})
		if err != nil {
			return err
		}
		return h.Serve(ctx, func(host.Addresses) { fmt.Println("serving") })
	case "lie":
		return lie(ctx, dir, args[2] == "everything", logger)
	}
	return errors.New("no such fault")
}

// wrong is a machine whose wall clock is off.
type wrong struct {
	clock.Machine
	ahead time.Duration
}

// Read implements clock.Machine.
func (w wrong) Read() clock.Reading {
	r := w.Machine.Read()
	r.Wall = r.Wall.Add(w.ahead)
	return r
}

// lie serves a keeper's directory and lies.
func lie(ctx context.Context, dir *host.Dir, everything bool, logger *slog.Logger) error {
	door, err := tls.LoadX509KeyPair(filepath.Join(dir.Path(), "server.pem"), filepath.Join(dir.Path(), "server.pem"))
	if err != nil {
		return err
	}
	issuer, err := os.ReadFile(filepath.Join(dir.Path(), "issuer.pem"))
	if err != nil {
		return err
	}
	callers := x509.NewCertPool()
	callers.AppendCertsFromPEM(issuer)
	n, err := keeper.OpenNode(ctx, dir.Path(), keeper.OpenConfig{Limits: ledger.NationalLimits(), Logger: logger})
	if err != nil {
		return err
	}
	s, err := wire.NewServer(wire.ServerConfig{Keeper: liar{n, everything}, Rows: n, Logger: logger, Release: "faulty",
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{door}, ClientCAs: callers}})
	if err != nil {
		return errors.Join(err, n.Close())
	}
	ln, err := net.Listen("tcp", dir.Listen)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Serve(ln) }()
	fmt.Println("serving")
	<-ctx.Done()
	err = s.Close()
	if ended := <-stopped; !errors.Is(ended, wire.ErrClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, n.Close())
}

// liar counts as it must, and answers with shares of a point that nobody asked about.
type liar struct {
	*keeper.Node
	everything bool
}

// Attempt implements keeper.Keeper.
func (l liar) Attempt(ctx context.Context, r keeper.AttemptRequest) (keeper.AttemptAnswer, error) {
	a, err := l.Node.Attempt(ctx, r)
	if err == nil {
		a.Shares = lies(a.Shares, r.Card, r.Version)
	}
	return a, err
}

// Propose implements keeper.Keeper.
func (l liar) Propose(ctx context.Context, r keeper.ProposeRequest) (keeper.ProposeAnswer, error) {
	a, err := l.Node.Propose(ctx, r)
	if err == nil && l.everything {
		a.Shares = lies(a.Shares, r.Card, r.Version)
	}
	return a, err
}

// lies are well-formed shares that have nothing to do with those that are asked for.
func lies(shares []split.Share, card liuma.CardID, version liuma.Version) []split.Share {
	out := make([]split.Share, 0, len(shares))
	for _, s := range shares {
		key := split.NewShareKey()
		scalar, err := split.Derive(key, split.Scope{KeySet: 1, Subset: s.Subset, Card: card, Version: version})
		if err != nil {
			continue // a share is missing then, which is a lie as well
		}
		if made, err := scalar.Evaluate(s.Point); err == nil {
			out = append(out, made)
		}
	}
	return out
}
