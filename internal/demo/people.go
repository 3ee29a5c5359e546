package demo

import (
	"context"
	_ "embed" // people.json
	"encoding/json"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/registry"
)

// storyCard is the number of the story's first physical card, above the numbers
// of the demo window's people.
const storyCard = 90500000

// people is read only; the compiler fills it.
//
//go:embed people.json
var people []byte

// storyPeople are the people of the story at the hosted door. They are not the
// people of the demo window, whose cards its visitors enrol themselves. The
// fraudster, "video", shows a video of the holder's face.
func storyPeople() (all []miniapp.Person, err error) {
	if err := json.Unmarshal(people, &all); err != nil {
		return nil, fmt.Errorf("demo: people.json: %w", err)
	}
	return all, nil
}

// theatre is the sample channels of the story.
type theatre struct {
	province, nation string // origins
	granny           *holder
	letters          *letterbox
}

// openTheatre opens two sample channels at the hosted door, for the story on
// the terminal, with its own people.
func (s *stage) openTheatre(ctx context.Context, p *play) error {
	people, err := storyPeople()
	if err != nil {
		return err
	}
	cast := []window.Cast{
		{ID: "zj-story", Theme: "jade", Mark: p.mark(words.MarkZhejiang), Region: "33", Name: both(words.StoryZhejiang)},
		{ID: "gov-story", Theme: "azure", Mark: p.mark(words.MarkNational), Name: both(words.StoryNational)},
	}
	// These channels have a hub of their own, so that the story's events do not
	// appear in the demo window.
	doors, err := window.OnLoopback(ctx, window.Parts{World: s.world, Hub: window.NewHub(s.clock.Now), Channels: cast,
		People: people, FirstCard: storyCard, Base: s.transport, Logger: p.c.Logger})
	if err != nil {
		return err
	}
	s.shows = append(s.shows, doors)
	granny := people[0]
	h := &holder{facts: registry.Facts{IDNumber: granny.IDNumber, Name: granny.Name, Phone: granny.Phone}, handles: map[*channel]string{}}
	if h.pin, err = goodPIN(h, 41, ""); err != nil {
		return err
	}
	s.theatre = &theatre{granny: h, letters: &letterbox{inbox: s.world.Inbox, phone: granny.Phone, read: map[string]bool{}}}
	s.theatre.province, s.theatre.nation = doors.ChannelOrigin(0), doors.ChannelOrigin(1)
	return nil
}

// later moves the clock by a minute: the least time between two one-time codes
// to a number.
func (p *play) later() {
	p.stage.clock.Advance(time.Minute + time.Second)
	p.Note(both(words.MinuteLater))
}
