package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
)

// stage is a running authority with its sample parties.
type stage struct {
	dir        string
	base       string // address of the channel door
	issuer     string // the authority's name: the address of the hosted door
	hub        *window.Hub
	window     string // address of the demo's window
	evidenceAt string // address of the stand-in provider
	system     *server.System
	stop       context.CancelFunc
	served     chan error // what Serve returned, once
	shut       func()     // shuts the doors beside; nil where there are none
	national   *channel
	regional   *channel
	provider   *evidence.Signer
	clock      *clock
	inbox      *notify.Inbox // every phone there is
	lan        *lan          // nil on loopback
	theatre    *theatre
	// transport sends what is for the authority and the channels.
	transport http.RoundTripper
	shown     []func() error // end the doors of channels and window
	doors     *window.Show   // of the window, while they only listen
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// build makes the data directory, fills it and starts the server. What it has
// opened when it fails is closed again.
func build(ctx context.Context, p *play) (_ *stage, err error) {
	s := &stage{dir: p.c.Dir, clock: newClock(), transport: http.DefaultTransport}
	s.inbox = notify.NewInbox(s.clock.now)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.findLAN(p.c); err != nil {
		return nil, err
	}
	// Listening comes first: the address is the authority's name.
	ln, err := net.Listen("tcp", p.c.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --listen", err)
	}
	defer func() {
		if s.served == nil {
			err = errors.Join(err, ln.Close())
		}
	}()
	if !p.c.Once {
		if s.doors, err = s.listenWindow(); err != nil {
			return nil, err
		}
	}
	hosted, err := s.listenHosted()
	if err != nil {
		return nil, err
	}
	defer func() {
		if s.served == nil {
			err = errors.Join(err, hosted.Close())
		}
	}()
	s.base, s.issuer = "http://"+ln.Addr().String(), s.scheme()+"://"+hosted.Addr().String()
	if err := s.open(ctx, p, ln.Addr().String(), hosted.Addr().String()); err != nil {
		return nil, err
	}
	if err := s.importPeople(ctx, p); err != nil {
		return nil, err
	}
	if err := s.register(ctx); err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop, s.served = stop, make(chan error, 1)
	go func() { s.served <- s.system.Serve(serving, ln, hosted) }()
	if err := s.openTheatre(ctx, p); err != nil {
		return nil, err
	}
	if p.c.Beside != nil {
		s.shut = p.c.Beside(serving, s.path("data"), s.system)
	}
	p.Fact(liuma.Text{ZH: "服务地址", EN: "door"}, s.base)
	p.Note(liuma.Text{
		ZH: "单进程形态：保管方（keeper）也在本进程里，密钥和计数放在自己的目录 keepers/k1。",
		EN: "One-process shape: the keeper runs inside, with its share key and ledger in a directory of its own, keepers/k1.",
	})
	return s, nil
}

func (s *stage) open(ctx context.Context, p *play, channel, hosted string) error {
	conf := config.Default()
	conf.Issuer, conf.Channel.Listen, conf.Hosted.Listen, conf.AllowStandIn = s.issuer, channel, hosted, true
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.keepCertificate(&conf); err != nil {
		return err
	}
	if err := server.Init(ctx, s.path("data"), conf); err != nil {
		return err
	}
	conf, err := config.Load(s.path("data"))
	if err != nil {
		return err
	}
	options := server.Options{Now: s.clock.now, Texts: s.inbox, Logger: p.c.Logger}
	if !p.c.Once {
		s.hub = window.NewHub(s.clock.now)
		options.BetweenStore, options.BetweenKeeper = s.hub.Store, s.hub.Keeper
	}
	s.system, err = server.Open(ctx, conf, options)
	if err == nil {
		if s.hub != nil {
			s.system.Hosted.Handler = s.hub.Door(s.system.Hosted.Handler)
		}
		p.Fact(liuma.Text{ZH: "数据目录", EN: "data"}, s.path("data"))
	}
	return err
}

// importPeople makes the registry and imports it, as an operator would.
func (s *stage) importPeople(ctx context.Context, p *play) error {
	var people bytes.Buffer
	if err := registry.Sample(&people, p.c.People, p.c.Seed); err != nil {
		return err
	}
	if err := writePrivate(s.path("people.csv"), people.Bytes()); err != nil {
		return err
	}
	bar := progress.Bytes(p.c.Progress, "导入名册 import", int64(people.Len()), p.c.ProgressTerminal)
	start := time.Now()
	sum, err := s.system.Registry.Import(ctx, &people, registry.ImportConfig{Progress: bar.Set})
	bar.Done()
	if err != nil {
		return err
	}
	if sum.Kept != int64(p.c.People) || sum.Rejected != 0 {
		return want(fmt.Sprintf("%d people kept", p.c.People), fmt.Sprintf("%d kept, %d rejected", sum.Kept, sum.Rejected))
	}
	p.Fact(liuma.Text{ZH: "样例名册", EN: "people"}, fmt.Sprintf("%d 人，%.1f 秒导入 (imported in %.1f s; sealed, found by blind index only)",
		sum.Kept, time.Since(start).Seconds(), time.Since(start).Seconds()))
	return nil
}

// register registers two channels and a provider, and keeps their keys.
func (s *stage) register(ctx context.Context) error {
	if err := os.MkdirAll(s.path("keys"), 0o700); err != nil {
		return err
	}
	var err error
	s.national, err = s.newChannel(ctx, admin.Client{
		ID: "gov-app", Name: liuma.Text{ZH: "国家平台（演示）", EN: "National platform (demo)"},
		Regions: []liuma.Region{""}, Actions: liuma.Actions(),
	}, who{ZH: "国家平台", EN: "platform"})
	if err != nil {
		return err
	}
	s.regional, err = s.newChannel(ctx, admin.Client{
		ID: "zj-app", Name: liuma.Text{ZH: "浙江人社（演示）", EN: "Zhejiang app (demo)"},
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionLink, liuma.ActionVerify},
	}, who{ZH: "浙江 App", EN: "Zhejiang"})
	if err != nil {
		return err
	}
	const provider = "stand-in-face"
	pair, err := admin.NewKeyPair()
	if err != nil {
		return err
	}
	err = s.system.Admin.AddClient(ctx, admin.Client{
		ID: provider, Kind: store.ClientProvider, StandIn: true, Key: pair.Public,
		Name: liuma.Text{ZH: "替身实人认证（不作数）", EN: "Stand-in identity check (proves nothing)"},
	})
	if err != nil {
		return err
	}
	s.provider, err = evidence.NewSigner(provider, pair.Private, pair.Public.KeyID)
	return err
}

// newChannel registers a channel and makes its client, which knows nothing
// but address, identifier and key.
func (s *stage) newChannel(ctx context.Context, p admin.Client, name who) (*channel, error) {
	pair, err := admin.NewKeyPair()
	if err != nil {
		return nil, err
	}
	p.Kind, p.Key = store.ClientChannel, pair.Public
	if err := s.system.Admin.AddClient(ctx, p); err != nil {
		return nil, err
	}
	private, err := pair.PrivatePEM()
	if err != nil {
		return nil, err
	}
	defer clear(private)
	ch := &channel{id: p.ID, kid: pair.Public.KeyID, keyFile: s.path(filepath.Join("keys", p.ID+".pem")), name: name}
	if err := writePrivate(ch.keyFile, private); err != nil {
		return nil, err
	}
	ch.client, err = client.New(client.Config{BaseURL: s.base, Audience: s.issuer, ID: p.ID, KeyID: ch.kid, Key: pair.Private, Now: s.clock.now})
	return ch, err
}

// serveOn waits until ctx ends or the server fails.
func (s *stage) serveOn(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		s.served <- err
		return err
	}
}

// close stops the server and closes the system.
func (s *stage) close() error {
	var err error
	if s.doors != nil {
		err = s.doors.Close()
	}
	for _, end := range s.shown {
		err = errors.Join(err, end())
	}
	if s.stop != nil {
		s.stop()
		err = errors.Join(err, <-s.served)
	}
	if s.shut != nil {
		s.shut()
	}
	if s.system != nil {
		err = errors.Join(err, s.system.Close())
	}
	return err
}

// writePrivate makes a file that only its owner can read.
func writePrivate(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// copyFile is how a thief takes a file.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only: nothing to lose
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
