package demo

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/examples/channel/miniapp"
	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/internal/registry"
)

// storyCard is the number of the story's first physical card, above the numbers
// of the demo window's people.
const storyCard = 90500000

// storyPeople are the people of the story at the hosted door. They are not the
// people of the demo window, whose cards its visitors enrol themselves. The
// thief shows a video of the holder's face.
func storyPeople() []miniapp.Person {
	granny := miniapp.Person{Key: "wang", Known: "王奶奶", KnownEN: "Granny Wang", About: "70 岁", AboutEN: "70",
		Name: "王秀珍", IDNumber: "330502195608210647", Phone: "13857219923"}
	thief, video := granny, granny
	thief.Key, thief.Known, thief.KnownEN, thief.Account, thief.IDNumber = "thief", "小偷", "The thief", "wang", "330109199004054410"
	video.Key, video.Known, video.KnownEN, video.Account = "video", "骗子", "The fraudster", "wang"
	return []miniapp.Person{granny, thief, video}
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
	people := storyPeople()
	cast := []window.Cast{
		{ID: "zj-story", Theme: "jade", Mark: "浙", Region: "33", Name: liuma.Text{ZH: "浙里社保（演示）", EN: "Zhejiang HRSS (demo)"}},
		{ID: "gov-story", Theme: "azure", Mark: "国", Name: liuma.Text{ZH: "国家平台小程序（演示）", EN: "National mini-program (demo)"}},
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
	p.Note(liuma.Text{ZH: "一分钟后（同一个号码一分钟只发一条验证码；演示把钟拨快，不用等）", EN: "A minute later: a number gets one code a minute. The demo sets its clock forward."})
}
