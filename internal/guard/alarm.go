package guard

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Kind is what an alarm is about.
type Kind string

// The kinds of alarms. Only the first goes with refusals: many values on many
// cards cannot be told from many holders who mistype, guess by guess.
const (
	ValueSprayed Kind = "value_sprayed" // one value on many cards; strangers' guesses with it are refused
	ChannelWrong Kind = "channel_wrong" // a channel has many more wrong guesses than is usual for it
	SourceWrong  Kind = "source_wrong"  // an address has many wrong guesses and few right ones
)

// Alarm tells an operator about a spray. It says nothing of values or cards.
type Alarm struct {
	Kind Kind
	At   time.Time
	// Channel is the one that the last guess came through.
	Channel liuma.ChannelID
	// Source is the address, for SourceWrong. It is personal data.
	Source string
	// Guesses is about how many wrong guesses the alarm rests on.
	Guesses uint64
	// Slowed is how many strangers' guesses were refused since the last alarm of
	// this kind, for ValueSprayed.
	Slowed uint64
}

// quiet is the least time between two alarms of one cause: of a kind, and for
// ChannelWrong of a channel.
const quiet = time.Minute

// alarmTimes says when each cause last had an alarm. A channel is a cause of its
// own, so that one with many alarms silences no other.
type alarmTimes map[cause]time.Time

type cause struct {
	kind    Kind
	channel liuma.ChannelID
}

// due reports whether a cause may have an alarm now, and notes that it has. A
// clock that went back does not silence it.
func (t alarmTimes) due(kind Kind, channel liuma.ChannelID, now time.Time) bool {
	key := cause{kind, channel}
	last, before := t[key]
	if since := now.Sub(last); before && since >= 0 && since < quiet {
		return false
	}
	t[key] = now
	return true
}

// forget drops what was long ago, so that there are no more causes than the
// channels of the last hours.
func (t alarmTimes) forget(now time.Time) {
	for key, at := range t {
		if now.Sub(at) > time.Hour {
			delete(t, key)
		}
	}
}

// tell hands out an alarm. The caller holds no lock.
func (g *Guard) tell(a *Alarm) {
	if a != nil {
		g.cfg.Alarm(*a)
	}
}
