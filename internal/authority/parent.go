package authority

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
)

// A sub-channel works under another channel (store.Client.Parent). The layers of both bind
// it, of each value the stricter, and what it does counts to the rations and the budget of
// codes of both: whoever has the keys of a hundred sub-channels reaches no further than the
// channel above them may.

// under are rules that know which channel works under which.
type under struct {
	of     Rules
	parent func(liuma.ChannelID) liuma.ChannelID
}

// For is the policy for a region and a channel, and the channel above it.
func (u under) For(region liuma.Region, channel liuma.ChannelID) policy.Policy {
	p := u.of.For(region, channel)
	if up := u.parent(channel); up != "" {
		p = p.Under(u.of.For(region, up))
	}
	return p
}

// ForAct is For of what has held since an act began.
func (u under) ForAct(region liuma.Region, channel liuma.ChannelID, began time.Time) policy.Policy {
	p := RulesSince(u.of, region, channel, began)
	if up := u.parent(channel); up != "" {
		p = p.Under(RulesSince(u.of, region, up, began))
	}
	return p
}

// Regions are those that have rules of their own, as far as is known.
func (u under) Regions() []liuma.Region {
	if l, ok := u.of.(listed); ok {
		return l.Regions()
	}
	return nil
}

// passphrases reports whether the nation or any region allows passphrases.
func (u under) passphrases() bool {
	if l, ok := u.of.(interface{ Passphrases() bool }); ok {
		return l.Passphrases()
	}
	return u.of.For("", "").Passphrase
}

// Rules are those that this authority goes by, for the acts that go by them too.
func (a *Authority) Rules() Rules { return a.policy }

// lookTime bounds the look-up of a channel that this process has not heard of.
const lookTime = 5 * time.Second

// registered is a registered client, mostly from memory: which channel a client works under and
// which regions it is for never changes. One that another process registered is looked up
// once. Where that fails there is no database, and nothing is decided either.
func (a *Authority) registered(id liuma.ChannelID) store.Client {
	if id == "" || strings.HasPrefix(string(id), staffSpace) {
		return store.Client{}
	}
	if c, ok := a.clients.get(string(id)); ok { // as Recall does, without a timer
		return c
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	c, err := a.Recall(ctx, string(id))
	if err != nil {
		return store.Client{}
	}
	return c
}

// parentOf is the channel above a channel, or empty.
func (a *Authority) parentOf(id liuma.ChannelID) liuma.ChannelID {
	return liuma.ChannelID(a.registered(id).Parent)
}

// RegionOf is Caller.Region of the client of a channel.
func (a *Authority) RegionOf(id liuma.ChannelID, region liuma.Region) liuma.Region {
	return Caller{Client: a.registered(id)}.Region(region)
}

// payers are whose rations an act of a client counts to: its own, and those of the channel
// above it.
func payers(c Caller, client func(id string) (store.Client, error)) ([]Caller, error) {
	if c.Client.Parent == "" {
		return []Caller{c}, nil
	}
	up, err := client(c.Client.Parent)
	return []Caller{c, {Client: up}}, err
}

// budgets are the channels whose budgets of codes a code of a channel counts to.
func budgets(r store.Reader, ch liuma.ChannelID) ([]liuma.ChannelID, error) {
	c, err := r.Client(string(ch))
	if errors.Is(err, store.ErrNotFound) {
		err = nil // its name is in a ceremony of before
	}
	all := []liuma.ChannelID{ch}
	if c.Parent != "" {
		all = append(all, liuma.ChannelID(c.Parent))
	}
	return all, err
}
