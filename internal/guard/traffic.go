package guard

import (
	"hash/maphash"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

const (
	// maxChannels bounds the channels that are counted apart. Clients are registered
	// by an operator, so there are fewer.
	maxChannels = 1 << 12
	sourceWidth = 1 << 16

	// A channel about which nothing is known yet is taken to have one wrong guess
	// in twenty, as if it had been seen with a thousand.
	priorGuesses, priorWrong = 1000, 50
)

// answers count guesses of strangers that came to a verdict.
type answers struct{ all, wrong uint64 }

func (a *answers) add(b answers) { a.all, a.wrong = a.all+b.all, a.wrong+b.wrong }

// volume is one channel's guesses: of the present short epoch, of the one
// before, and of the day before those.
type volume struct{ now, before, day answers }

// limit is how many wrong guesses within the short window are no alarm: floor,
// and twice what the channel's day makes one expect. It alarms when the share of
// wrong guesses has doubled.
func (v *volume) limit(floor uint64) uint64 {
	all := v.now.all + v.before.all
	return floor + 2*all*(v.day.wrong+priorWrong)/(v.day.all+priorGuesses)
}

// traffic counts wrong guesses by channel and by address, whatever their values.
// It is this process's alone.
type traffic struct {
	short, long int64 // the epochs that it is at
	channels    map[liuma.ChannelID]*volume
	sources     [2]sources // of the present short epoch and the one before
}

func newTraffic() traffic {
	return traffic{channels: map[liuma.ChannelID]*volume{}, sources: [2]sources{newSources(), newSources()}}
}

// turn goes on to the epochs of both spans, and reports whether the short one is
// another.
func (c *traffic) turn(short, long int64) bool {
	if short == c.short {
		return false
	}
	for id, v := range c.channels {
		v.day.add(v.before)
		v.before, v.now = v.now, answers{}
		if short > c.short+1 {
			v.day.add(v.before)
			v.before = answers{}
		}
		if long != c.long {
			v.day = answers{v.day.all / 2, v.day.wrong / 2}
		}
		if *v == (volume{}) {
			delete(c.channels, id)
		}
	}
	c.sources[1], c.sources[0] = c.sources[0], newSources()
	if short > c.short+1 {
		c.sources[1] = newSources()
	}
	c.short, c.long = short, long
	return true
}

// countTraffic counts a stranger's guess and returns the alarms that it gives. The
// caller holds mu.
func (g *Guard) countTraffic(q Guess, wrong, right bool, now time.Time) []*Alarm {
	if !wrong && !right {
		return nil // a repeated wrong guess of one card
	}
	one := answers{all: 1}
	if wrong {
		one.wrong = 1
	}
	var rung []*Alarm
	if v := g.traffic.channel(q.Channel); v != nil {
		v.now.add(one)
		if n := v.now.wrong + v.before.wrong; wrong && n > v.limit(g.cfg.Limits.Channel) && g.alarmed.due(ChannelWrong, q.Channel, now) {
			rung = append(rung, &Alarm{Kind: ChannelWrong, At: now, Channel: q.Channel, Guesses: n})
		}
	}
	if q.Source == "" {
		return rung
	}
	g.traffic.sources[0].add(q.Source, one)
	s := g.traffic.sources[0].count(q.Source)
	s.add(g.traffic.sources[1].count(q.Source))
	if wrong && s.wrong >= g.cfg.Limits.Source && 2*s.wrong >= s.all && g.alarmed.due(SourceWrong, "", now) {
		rung = append(rung, &Alarm{Kind: SourceWrong, At: now, Channel: q.Channel, Source: q.Source, Guesses: s.wrong})
	}
	return rung
}

func (c *traffic) channel(id liuma.ChannelID) *volume {
	v := c.channels[id]
	if v == nil && len(c.channels) < maxChannels {
		v = &volume{}
		c.channels[id] = v
	}
	return v
}

// sources is a count-min sketch of addresses. Its seed is of this process and
// epoch.
type sources struct {
	seed       maphash.Seed
	all, wrong []uint16
}

func newSources() sources {
	return sources{seed: maphash.MakeSeed(), all: make([]uint16, rows*sourceWidth), wrong: make([]uint16, rows*sourceWidth)}
}

func (s *sources) cells(source string) (at [rows]uint32) {
	h := maphash.String(s.seed, source)
	step := uint32(h>>32) | 1
	for r := range at {
		at[r] = uint32(r)*sourceWidth + (uint32(h)+uint32(r)*step)%sourceWidth
	}
	return at
}

func (s *sources) add(source string, a answers) {
	for _, i := range s.cells(source) {
		s.all[i] = uint16(min(uint64(s.all[i])+a.all, math.MaxUint16))
		s.wrong[i] = uint16(min(uint64(s.wrong[i])+a.wrong, math.MaxUint16))
	}
}

func (s *sources) count(source string) answers {
	least := answers{math.MaxUint16, math.MaxUint16}
	for _, i := range s.cells(source) {
		least.all = min(least.all, uint64(s.all[i]))
		least.wrong = min(least.wrong, uint64(s.wrong[i]))
	}
	return least
}
