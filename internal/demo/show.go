package demo

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/store"
)

// show opens the demo's window: two sample channels at the hosted door, with a
// few people to be, their texts, and what each party saw. It serves until the
// stage closes.
func (s *stage) show(ctx context.Context, p *play) error {
	people, err := window.RegistryCSV()
	if err != nil {
		return err
	}
	if err := s.admit(ctx, people); err != nil {
		return err
	}
	messages, err := window.Messages(s.inbox, s.clock.now())
	if err != nil {
		return err
	}
	doors := s.doors
	s.doors = nil // serveDoors serves them, or closes them
	cast := []window.Cast{
		{ID: "zj-mini", Theme: "jade", Mark: "浙", Region: "33", Name: liuma.Text{ZH: "浙里社保（虚构）", EN: "Zhejiang (invented)"}},
		{ID: "gov-mini", Theme: "azure", Mark: "国", Name: liuma.Text{ZH: "国家社保平台（虚构）", EN: "National (invented)"}},
	}
	parts := window.Parts{Hub: s.hub, SMS: messages, Pass: s.clock.pass}
	if s.lan != nil {
		parts.CA = s.lan.ca
	}
	if err := s.serveDoors(ctx, p, doors, cast, parts); err != nil {
		return err
	}
	s.window, s.evidenceAt = doors.Origin(), doors.EvidenceURL()
	s.hub.Forget() // the window shows what its visitors do, not the play
	return nil
}

// closing closes doors that will not serve.
func closing(doors *window.Show, err error) error { return errors.Join(err, doors.Close()) }

// addCast registers a sample channel and gives it its key.
func addCast(ctx context.Context, a *admin.Admin, c *window.Cast, back string) error {
	pair, err := admin.NewKeyPair()
	if err != nil {
		return err
	}
	c.Key, c.KeyID = pair.Private, pair.Public.KeyID
	region := []liuma.Region{c.Region}
	return a.AddClient(ctx, admin.Client{ID: c.ID, Kind: store.ClientChannel, Name: c.Name, Key: pair.Public,
		Regions: region, Actions: liuma.Actions(), RedirectURIs: []string{back}})
}
