package keepers

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/split"
)

// Wired is a keeper of this process behind a connection of the loopback.
type Wired struct {
	*wire.Client
	server *wire.Server
	served chan error
}

// Wire puts a keeper behind a connection. Whoever closes it closes the keeper afterwards.
func Wire(k keeper.Keeper) (*Wired, error) {
	p := &Post{ID: k.ID(), member: 1, house: &House{shape: split.Shape{T: 1, N: 1}}}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	s, err := wire.NewServer(wire.ServerConfig{Keeper: k, Rows: noRows{}, TLS: p.door, Logger: slog.New(slog.DiscardHandler), Connections: 64})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.Address = ln.Addr().String()
	w := &Wired{server: s, served: make(chan error, 1)}
	go func() { w.served <- s.Serve(ln) }()
	settings, err := p.called()
	if err == nil {
		w.Client, err = wire.NewClient(wire.ClientConfig{ID: p.ID, Address: p.Address, TLS: settings})
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return w, nil
}

// called are the settings of somebody who has every role.
func (p *Post) called() (*tls.Config, error) {
	key, err := admission.NewKey()
	if err != nil {
		return nil, err
	}
	r, err := admission.NewRequest("authority", wire.Authority|wire.Closer|wire.Administrator, key)
	if err != nil {
		return nil, err
	}
	a, err := p.Admit(r)
	if err != nil {
		return nil, err
	}
	return a.TLS(key)
}

// Close ends the connection, on both sides.
func (w *Wired) Close() error {
	err := errors.Join(w.Client.Close(), w.server.Close())
	if ended := <-w.served; !errors.Is(ended, wire.ErrClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// noRows is for a keeper whose rows nobody reads over its connection.
type noRows struct{}

func (noRows) About(context.Context) (keeper.About, error) { return keeper.About{}, keeper.ErrNoRows }

func (noRows) Scan(context.Context, liuma.CardID, func(ledger.Row) error) error {
	return keeper.ErrNoRows
}
