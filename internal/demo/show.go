package demo

import (
	"context"

	"github.com/liuma-pin/liuma/internal/demo/window"
)

// show opens the demo window: two sample channels at the hosted door, a few
// people to act as, their messages, and the events that each side saw. It
// serves until the stage closes.
func (s *stage) show(ctx context.Context, p *play) error {
	parts := window.Parts{World: s.world, Hub: s.hub, Pass: true, Lang: p.c.Lang, Base: s.transport, Logger: p.c.Logger, Keepers: s.house, Channels: []window.Cast{
		{ID: "zj-mini", Theme: "jade", Mark: p.mark(words.MarkZhejiang), Region: "33", Name: both(words.WindowZhejiang)},
		{ID: "gov-mini", Theme: "azure", Mark: p.mark(words.MarkNational), Name: both(words.WindowNational)},
	}}
	if s.lan != nil {
		parts.CA = s.lan.ca
	}
	if err := s.doors.Build(ctx, parts); err != nil {
		return err
	}
	if err := s.doors.Serve(); err != nil {
		return err
	}
	s.hub.Forget() // the window shows its visitors' acts, not the play's
	return nil
}
