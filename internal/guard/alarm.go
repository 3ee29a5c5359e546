package guard

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// Kind says what an alarm is about.
type Kind string

// The kinds of alarms. Only with the first kind are guesses refused: a single
// guess of a mistaken holder looks the same as one of a thief who tries many
// values on many cards.
const (
	ValueSprayed Kind = "value_sprayed" // one value on many cards; strangers' guesses with it are refused
	ChannelWrong Kind = "channel_wrong" // a channel has many more wrong guesses than is usual for it
	SourceWrong  Kind = "source_wrong"  // a source address has many wrong guesses and few right ones
)

// Alarm tells an operator about a spray. It contains no values or cards.
type Alarm struct {
	Kind Kind
	At   time.Time
	// Channel is the channel of the last guess.
	Channel liuma.ChannelID
	// Source is the address, for SourceWrong. It is personal data.
	Source string
	// Guesses is about how many wrong guesses caused the alarm.
	Guesses uint64
	// Slowed is how many strangers' guesses were refused since the last alarm of
	// this kind; for ValueSprayed.
	Slowed uint64
}

// quiet is the least time between two alarms of the same cause: a kind and, for
// ChannelWrong, a channel.
const quiet = time.Minute

// alarmTimes has the time of each cause's last alarm. Each channel is a separate
// cause, so that a channel with many alarms does not silence another.
type alarmTimes map[cause]time.Time

type cause struct {
	kind    Kind
	channel liuma.ChannelID
}

// due reports whether a cause may raise an alarm now, and records the time if
// so. A clock that went back does not silence it.
func (t alarmTimes) due(kind Kind, channel liuma.ChannelID, now time.Time) bool {
	key := cause{kind, channel}
	last, before := t[key]
	if since := now.Sub(last); before && since >= 0 && since < quiet {
		return false
	}
	t[key] = now
	return true
}

// forget removes old times, so that there are no more causes than channels in
// the last hour.
func (t alarmTimes) forget(now time.Time) {
	for key, at := range t {
		if now.Sub(at) > time.Hour {
			delete(t, key)
		}
	}
}

// tell passes on an alarm. The caller holds no lock.
func (g *Guard) tell(a *Alarm) {
	if a != nil {
		g.cfg.Alarm(*a)
	}
}
