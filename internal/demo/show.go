package demo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/parties"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/window"
)

// show opens the demo's window: two sample channels at the hosted door, with a
// few people to be, and what each party saw. It serves until the stage closes.
func (s *stage) show(ctx context.Context, p *play) error {
	people, err := window.RegistryCSV()
	if err != nil {
		return err
	}
	sum, err := s.system.Registry.Import(ctx, strings.NewReader(people), registry.ImportConfig{})
	if err != nil {
		return err
	}
	if sum.Rejected != 0 {
		return want("all people of the window kept", sum)
	}
	book, err := parties.New(parties.Config{Store: s.system.Store, Now: time.Now, Actor: "operator"})
	if err != nil {
		return err
	}
	doors, err := window.Listen(window.Addresses{Window: "127.0.0.1:0", Channels: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	if err != nil {
		return err
	}
	cast := []window.Cast{
		{ID: "zj-mini", Theme: "jade", Mark: "浙", Region: "33", Name: liuma.Text{ZH: "浙里社保（虚构）", EN: "Zhejiang HRSS (invented)"}},
		{ID: "gov-mini", Theme: "azure", Mark: "国", Name: liuma.Text{ZH: "国家社保平台（虚构）", EN: "National platform (invented)"}},
	}
	for i := range cast {
		if err := addCast(ctx, book, &cast[i], doors.RedirectURI(i)); err != nil {
			return err
		}
	}
	err = doors.Build(window.Parts{Hub: s.hub, Issuer: s.issuer, API: s.base, Channels: cast,
		Provider: s.provider, Now: time.Now, Logger: p.c.Logger})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.window, s.shown = doors.Origin(), make(chan error, 1)
	stopDoors := s.stop
	s.stop = func() { stop(); stopDoors() }
	go func() {
		err := doors.Serve(serving)
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		s.shown <- err
	}()
	return nil
}

// addCast registers a sample channel and gives it its key.
func addCast(ctx context.Context, book *parties.Book, c *window.Cast, back string) error {
	pair, err := parties.NewPair()
	if err != nil {
		return err
	}
	c.Key, c.KeyID = pair.Private, pair.Public.KeyID
	region := []liuma.Region{c.Region}
	return book.Add(ctx, parties.Party{ID: c.ID, Kind: store.ClientChannel, Name: c.Name, Key: pair.Public,
		Regions: region, Actions: liuma.Actions(), RedirectURIs: []string{back}})
}
