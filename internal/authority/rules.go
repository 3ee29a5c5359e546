package authority

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/policy"
)

// Rules return the policy for a region and a channel; *policy.Layers and
// *policy.Running implement it.
type Rules interface {
	For(liuma.Region, liuma.ChannelID) policy.Policy
}

// listed are rules that know which regions have rules of their own; both
// implementations do.
type listed interface {
	Regions() []liuma.Region
}

// lasting are rules that can be replaced while acts are open, and that know the rules
// of the time when an act began; *policy.Running implements it.
type lasting interface {
	ForAct(region liuma.Region, channel liuma.ChannelID, began time.Time) policy.Policy
}

// RulesSince is the policy for an act that began at a given time: today's values and,
// where earlier ones since then were stricter, those. A zero time is an act that
// begins now.
func RulesSince(r Rules, region liuma.Region, channel liuma.ChannelID, began time.Time) policy.Policy {
	if l, ok := r.(lasting); ok && !began.IsZero() {
		return l.ForAct(region, channel, began)
	}
	return r.For(region, channel)
}
