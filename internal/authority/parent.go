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

// A sub-channel works under another channel (store.Client.Parent). The policy layers of both
// bind it, of each value the stricter, and its acts count to the rations and the code budgets
// of both. So a thief with the keys of a hundred sub-channels can do no more than the channel
// above them may.

// under wraps rules with the knowledge which channel works under which.
type under struct {
	of     Rules
	parent func(liuma.ChannelID) liuma.ChannelID
}

// For is the policy for a region, a channel and the channel above it.
func (u under) For(region liuma.Region, channel liuma.ChannelID) policy.Policy {
	p := u.of.For(region, channel)
	if up := u.parent(channel); up != "" {
		p = p.Under(u.of.For(region, up))
	}
	return p
}

// ForAct is For with every stricter value that has held since an act began.
func (u under) ForAct(region liuma.Region, channel liuma.ChannelID, began time.Time) policy.Policy {
	p := RulesSince(u.of, region, channel, began)
	if up := u.parent(channel); up != "" {
		p = p.Under(RulesSince(u.of, region, up, began))
	}
	return p
}

// Regions lists the regions that have rules of their own, as far as is known.
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

// Rules are the rules that this authority follows, for the acts to follow too.
func (a *Authority) Rules() Rules { return a.policy }

// lookTime bounds the look-up of a channel that is not in this process's memory.
const lookTime = 5 * time.Second

// registered is a registered client, mostly from memory: which channel a client works under and
// which regions it is for never changes. A client that another process registered is looked up
// once. If that fails there is no database, and then nothing is decided either.
func (a *Authority) registered(id liuma.ChannelID) store.Client {
	if id == "" || strings.HasPrefix(string(id), staffSpace) {
		return store.Client{}
	}
	if c, ok := a.clients.get(string(id)); ok { // like Recall, but without a timer
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

// RegionOf is Caller.Region for the client of a channel.
func (a *Authority) RegionOf(id liuma.ChannelID, region liuma.Region) liuma.Region {
	return Caller{Client: a.registered(id)}.Region(region)
}

// payers are the clients whose rations an act counts to: the client itself and the channel
// above it.
func payers(c Caller, client func(id string) (store.Client, error)) ([]Caller, error) {
	if c.Client.Parent == "" {
		return []Caller{c}, nil
	}
	up, err := client(c.Client.Parent)
	return []Caller{c, {Client: up}}, err
}

// budgets are the channels whose code budgets a code of a channel counts to.
func budgets(r store.Reader, ch liuma.ChannelID) ([]liuma.ChannelID, error) {
	c, err := r.Client(string(ch))
	if errors.Is(err, store.ErrNotFound) {
		err = nil // an older ceremony may name a channel that is gone
	}
	all := []liuma.ChannelID{ch}
	if c.Parent != "" {
		all = append(all, liuma.ChannelID(c.Parent))
	}
	return all, err
}
