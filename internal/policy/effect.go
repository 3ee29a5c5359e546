package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/liuma-pin/liuma"
)

// Place is a region and a channel; either may be empty: the nation, and no channel.
type Place struct {
	Region  liuma.Region
	Channel liuma.ChannelID
}

// Effect is a value that applies differently in some places.
type Effect struct {
	Value       string
	Before, Now string
	Looser      bool   // looser than before
	By          Origin // the layer that sets it now
	Places      []Place
}

// ErrLarge means that a change is too large to be compared, or to be shown to the member
// who approves it. The error says what to do.
var ErrLarge = errors.New("the change is too large to be judged as one")

// maxPlaces bounds the places of all effects together, so that a proposal that shows them
// is not too large (proposal.MaxBody): ten national values in each of the nation's regions
// are 35,000.
const maxPlaces = 40_000

// Effects lists the values that apply differently with now than with before, and where. A
// region stands for all regions in it that are not listed separately. A channel is listed
// where its own layer makes a difference to its region. It may return ErrLarge.
//
// Regions with the same rules before and the same rules now are compared once, and at
// most maxPairs of those with channels. So the answer takes a second or two, whatever the
// files contain.
func Effects(before, now *Layers) ([]Effect, error) {
	c := comparison{before: before, now: now, at: map[effectKey]int{}}
	regions, channels := places(before, now)
	channels = slices.DeleteFunc(channels, func(id liuma.ChannelID) bool { return c.of(id).neither() })
	kinds := map[[2]Policy][]liuma.Region{}
	var order [][2]Policy // in the order of the regions
	for _, region := range regions {
		k := [2]Policy{before.For(region, ""), now.For(region, "")}
		if kinds[k] == nil {
			order = append(order, k)
		}
		kinds[k] = append(kinds[k], region)
	}
	if len(order)*len(channels) > maxPairs {
		return nil, fmt.Errorf("%w: %w", ErrLarge, tooMany(len(order), len(channels)))
	}
	for _, k := range order {
		was, is := &k[0], &k[1]
		c.add(kinds[k], "", was, is, nil, nil)
		for _, id := range channels {
			if *was == *is && c.of(id).same {
				continue // no layer of it was changed
			}
			wasIn, isIn := before.For(kinds[k][0], id), now.For(kinds[k][0], id)
			c.add(kinds[k], id, &wasIn, &isIn, was, is)
		}
		if c.places > maxPlaces {
			return nil, fmt.Errorf("%w: more than %d values and places would hold otherwise; propose it in parts", ErrLarge, maxPlaces)
		}
	}
	rank := map[string]int{}
	for i, v := range now.values {
		rank[v.name] = i
	}
	slices.SortStableFunc(c.all, func(a, b Effect) int { return cmp.Compare(rank[a.Value], rank[b.Value]) })
	for _, e := range c.all {
		slices.SortFunc(e.Places, func(a, b Place) int {
			return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Channel, b.Channel))
		})
	}
	return c.all, nil
}

// comparison collects effects.
type comparison struct {
	before, now *Layers
	all         []Effect
	at          map[effectKey]int // index of an effect in all
	places      int
}

// effectKey is what places must have in common to be listed as one effect.
type effectKey struct {
	before, now string
	by          Origin
}

// layerOf says of a channel's layer whether it existed, exists, and is unchanged.
type layerOf struct{ was, is, same bool }

func (l layerOf) neither() bool { return !l.was && !l.is }

func (c *comparison) of(id liuma.ChannelID) layerOf {
	s := Scope{LayerChannel, string(id)}
	was, okWas := c.before.files[s]
	is, okIs := c.now.files[s]
	return layerOf{okWas, okIs, was.Sum == is.Sum}
}

// add records the differences for a channel in regions with the same rules, except
// differences that these regions have in the same way without the channel.
func (c *comparison) add(regions []liuma.Region, id liuma.ChannelID, was, is, regionWas, regionIs *Policy) {
	if *was == *is {
		return
	}
	var chains [][]File
	for _, v := range c.now.values {
		if v.same(was, is) || id != "" && v.same(was, regionWas) && v.same(is, regionIs) {
			continue
		}
		if chains == nil {
			for _, r := range regions {
				chains = append(chains, c.now.chain(r, id))
			}
		}
		before, looser := v.text(was), v.eased(is, was)
		for i, r := range regions {
			if c.places++; c.places > maxPlaces {
				return
			}
			o := c.now.origin(v, is, chains[i], r, id)
			k := effectKey{before, o.Is, o}
			if _, there := c.at[k]; !there {
				c.at[k] = len(c.all)
				c.all = append(c.all, Effect{Value: v.name, Before: before, Now: o.Is, Looser: looser, By: o})
			}
			e := &c.all[c.at[k]]
			e.Places = append(e.Places, Place{r, id})
		}
	}
}

// places returns the regions and channels that either set of layers names; the nation
// is the first region.
func places(sets ...*Layers) (regions []liuma.Region, channels []liuma.ChannelID) {
	for _, l := range sets {
		regions = slices.AppendSeq(regions, maps.Keys(l.regions))
		channels = slices.AppendSeq(channels, maps.Keys(l.channels))
	}
	slices.Sort(regions)
	slices.Sort(channels)
	return slices.Compact(regions), slices.Compact(channels)
}

// eased reports whether is permits something that was did not permit.
func (v value) eased(is, was *Policy) bool {
	if b, ok := v.at(is).(*bool); ok && v.stricter == named {
		return *b
	}
	return v.looser(is, was)
}
