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

// bells remember when each alarm last rang. There is one for each kind, and one
// for each channel that the crowd has, so that a loud channel drowns no other.
type bells map[bell]time.Time

type bell struct {
	kind    Kind
	channel liuma.ChannelID
}

func newBells() bells { return bells{} }

// due reports whether an alarm may ring, and notes that it does. A clock that
// went back does not silence it.
func (b bells) due(kind Kind, channel liuma.ChannelID, now time.Time) bool {
	key := bell{kind, channel}
	last, rang := b[key]
	if since := now.Sub(last); rang && since >= 0 && since < quiet {
		return false
	}
	b[key] = now
	return true
}

// forget drops bells that rang long ago, so that they are no more than the
// channels of the last hours.
func (b bells) forget(now time.Time) {
	for key, at := range b {
		if now.Sub(at) > time.Hour {
			delete(b, key)
		}
	}
}

// ring tells an alarm. The caller holds no lock.
func (g *Guard) ring(a *Alarm) {
	if a != nil {
		g.cfg.Alarm(*a)
	}
}
