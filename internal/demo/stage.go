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
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// headStart is how far behind the real time a play begins: more than all the time
// that its scenes skip.
const headStart = 4 * 24 * time.Hour

// stage is the demo's world with its sample clients.
type stage struct {
	dir      string
	world    *world.World
	clock    *world.Clock
	people   []registry.Facts // people with a physical card in use
	national *channel
	regional *channel
	theatre  *theatre
	desk     *desk // the staff console
	lan      *lan  // nil on loopback
	// transport sends requests to the authority and the channels.
	transport http.RoundTripper
	house     *posts.House   // the keepers, if each is a process of its own; else nil
	hub       *window.Hub    // watches the system for the demo window; nil without one
	doors     *window.Show   // of the demo window
	shows     []*window.Show // all that are listening, to be closed
	shut      func()         // shuts the loopback doors; nil without them
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// build makes the data directory, fills it and starts the server. On an error
// it closes everything that it opened.
func build(ctx context.Context, p *play) (_ *stage, err error) {
	s := &stage{dir: p.c.Dir, clock: world.Running(-headStart), transport: http.DefaultTransport}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.findLAN(p.c); err != nil {
		return nil, err
	}
	if err := s.openKeepers(ctx, p); err != nil {
		return nil, err
	}
	if err := s.open(ctx, p); err != nil {
		return nil, err
	}
	if err := s.importPeople(ctx, p); err != nil {
		return nil, err
	}
	if err := s.register(ctx); err != nil {
		return nil, err
	}
	if err := s.world.Serve(); err != nil {
		return nil, err
	}
	if s.desk, err = s.openDesk(ctx); err != nil {
		return nil, err
	}
	if err := s.openTheatre(ctx, p); err != nil {
		return nil, err
	}
	if p.c.Beside != nil {
		beside, stop := context.WithCancel(context.WithoutCancel(ctx))
		shut := p.c.Beside(beside, s.path("data"), s.world.System)
		s.shut = func() { stop(); shut() }
	}
	p.Fact(both(words.FactDoor), s.world.API())
	if s.house == nil {
		p.Note(both(words.OneProcess))
	}
	return s, nil
}

// open makes the world, and its window's listeners. Listening comes first,
// because the configuration has the addresses.
func (s *stage) open(ctx context.Context, p *play) error {
	native, hosted, err := s.listen(p.c)
	if err != nil {
		return err
	}
	console, err := world.Loopback()
	if err != nil {
		return errors.Join(err, native.Close(), hosted.Close())
	}
	layers, err := s.writePolicy()
	if err != nil {
		return err
	}
	c := world.Config{
		Dir: s.path("data"), Clock: s.clock, Native: native, Hosted: hosted, Console: console, Phones: true,
		Server: server.Options{Logger: p.c.Logger},
		Configure: func(conf *config.Config) error {
			conf.Issuer = s.scheme() + "://" + conf.Hosted.Listen
			conf.Policy = layers
			return s.keepCertificate(conf)
		},
	}
	if s.house != nil {
		c.House = s.house
	}
	if !p.c.Once {
		s.hub = window.NewHub(s.clock.Now)
		c.Server.BetweenStore, c.Server.BetweenKeeper = s.hub.Store, s.hub.Keeper
	}
	if s.world, err = world.New(ctx, c); err != nil {
		return err
	}
	if s.hub != nil {
		s.world.System.Hosted.Handler = s.hub.Door(s.world.System.Hosted.Handler)
	}
	p.Fact(both(words.FactData), s.path("data"))
	return nil
}

// listen opens the listeners of the authority's doors and, unless Once is set, of the
// demo window.
func (s *stage) listen(c Config) (native, hosted net.Listener, err error) {
	if native, err = process.Listen("--listen", c.Listen); err != nil {
		return nil, nil, err
	}
	if !c.Once {
		if s.doors, err = s.listenWindow(); err != nil {
			return nil, nil, errors.Join(err, native.Close())
		}
		s.shows = append(s.shows, s.doors)
	}
	if hosted, err = s.listenHosted(); err != nil {
		return nil, nil, errors.Join(err, native.Close())
	}
	return native, hosted, nil
}

// importPeople makes the registry and imports it, as an operator would.
func (s *stage) importPeople(ctx context.Context, p *play) error {
	people, inUse, err := world.Sample(p.c.People, p.c.Seed)
	if err != nil {
		return err
	}
	s.people = inUse
	if err := writePrivate(s.path("people.csv"), people); err != nil {
		return err
	}
	bar := progress.Bytes(p.c.Progress, p.label(both(words.Importing)), int64(len(people)), p.c.ProgressTerminal)
	start := time.Now()
	if _, err := s.world.System.Agencies.Import(ctx, bytes.NewReader(agencies.File), agency.ImportConfig{Actor: "operator"}); err != nil {
		return err
	}
	kept, err := s.world.Import(ctx, bytes.NewReader(people), bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	if kept != int64(p.c.People) {
		return want(fmt.Sprintf("%d people kept", p.c.People), kept)
	}
	took := fmt.Sprintf("%.1f", time.Since(start).Seconds())
	p.row(both(words.FactPeople), both(func(w words) string { return w.Imported(strconv.FormatInt(kept, 10), took) }))
	return nil
}

// register registers two channels, and keeps their keys.
func (s *stage) register(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.path("keys"), 0o700); err != nil {
		return err
	}
	national := world.NationalChannel("gov-app")
	national.Name = both(words.ChannelNational)
	if s.national, err = s.newChannel(ctx, national, who(both(words.WhoPlatform))); err != nil {
		return err
	}
	s.regional, err = s.newChannel(ctx, store.Client{
		ID: "zj-app", Kind: store.ClientChannel, Name: both(words.ChannelZhejiang),
		Regions: []liuma.Region{"33"}, Actions: []liuma.Action{liuma.ActionLink, liuma.ActionVerify},
	}, who(both(words.WhoZhejiang)))
	return err
}

// newChannel registers a channel and makes its client, which gets only address,
// identifier and key.
func (s *stage) newChannel(ctx context.Context, c store.Client, name who) (*channel, error) {
	party, err := s.world.Register(ctx, c)
	if err != nil {
		return nil, err
	}
	private, err := party.PrivatePEM()
	if err != nil {
		return nil, err
	}
	defer clear(private)
	ch := &channel{id: party.ID, kid: party.KeyID, keyFile: s.path(filepath.Join("keys", party.ID+".pem")), name: name}
	if err := writePrivate(ch.keyFile, private); err != nil {
		return nil, err
	}
	ch.client, err = party.Connect(s.world.API(), nil)
	return ch, err
}

// close shuts all doors and closes the world.
func (s *stage) close() error {
	var err error
	for _, show := range s.shows {
		err = errors.Join(err, show.Close())
	}
	if s.shut != nil {
		s.shut()
	}
	if s.world != nil {
		err = errors.Join(err, s.world.Close())
	}
	if s.house != nil {
		err = errors.Join(err, s.house.Close())
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

// copyFile copies a file, as a thief would.
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
