package guard

import (
	"hash/maphash"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
)

const (
	// maxChannels bounds the channels that are counted separately. An operator
	// registers clients, so there are fewer.
	maxChannels = 1 << 12
	sourceWidth = 1 << 16

	// A channel without history is treated as if one in twenty of a thousand
	// guesses had been wrong.
	priorGuesses, priorWrong = 1000, 50
)

// answers counts strangers' guesses that got a verdict.
type answers struct{ all, wrong uint64 }

func (a *answers) add(b answers) { a.all, a.wrong = a.all+b.all, a.wrong+b.wrong }

// volume counts one channel's guesses: in the present short epoch, in the one
// before, and in the day before those.
type volume struct{ now, before, day answers }

// limit returns how many wrong guesses within the short window raise no alarm:
// floor plus twice the number that the channel's day lets expect. So the alarm
// is raised when the share of wrong guesses has doubled.
func (v *volume) limit(floor uint64) uint64 {
	all := v.now.all + v.before.all
	return floor + 2*all*(v.day.wrong+priorWrong)/(v.day.all+priorGuesses)
}

// traffic counts wrong guesses by channel and by source address, whatever their
// values. It covers this process only.
type traffic struct {
	short, long int64 // numbers of the present epochs
	channels    map[liuma.ChannelID]*volume
	sources     [2]sources // of the present short epoch and the one before
}

func newTraffic() traffic {
	return traffic{channels: map[liuma.ChannelID]*volume{}, sources: [2]sources{newSources(), newSources()}}
}

// turn moves on to the epochs of both spans, and reports whether the short epoch
// changed.
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

// countTraffic counts a stranger's guess and returns the alarms that it causes.
// The caller holds mu.
func (g *Guard) countTraffic(q Guess, wrong, right bool, now time.Time) []*Alarm {
	if !wrong && !right {
		return nil // a repeated wrong guess on one card
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

// sources is a count-min sketch of source addresses. Each process and epoch has
// its own seed.
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
