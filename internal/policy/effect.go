package policy

import (
	"cmp"
	"slices"

	"github.com/liuma-pin/liuma"
)

// Place is a region and a channel; either may be empty, which is the nation, and no
// channel.
type Place struct {
	Region  liuma.Region
	Channel liuma.ChannelID
}

// Effect is a value that holds otherwise in some places.
type Effect struct {
	Value       string
	Before, Now string
	Looser      bool   // than before
	By          Origin // the layer that sets it now
	Places      []Place
}

// Effects lists what holds otherwise with now than with before, and where. A region
// stands for all in it that are not listed themselves; a channel is listed where its
// own layer makes a difference to its region.
func Effects(before, now *Layers) []Effect {
	var all []Effect
	add := func(at Place, was, is *Policy, by func() Explanation, skip func(value) bool) {
		var origins Explanation
		for _, v := range now.values {
			if v.text(was) == v.text(is) || skip(v) {
				continue
			}
			if origins == nil {
				origins = by()
			}
			o, _ := origins.Of(v.name)
			e := Effect{Value: v.name, Before: v.text(was), Now: v.text(is), Looser: v.eased(is, was), By: o}
			i := slices.IndexFunc(all, func(x Effect) bool {
				return x.Value == e.Value && x.Before == e.Before && x.Now == e.Now && x.By == e.By
			})
			if i < 0 {
				i, all = len(all), append(all, e)
			}
			all[i].Places = append(all[i].Places, at)
		}
	}
	regions, channels := places(before, now)
	for _, region := range regions {
		was, is := before.For(region, ""), now.For(region, "")
		if was != is {
			add(Place{Region: region}, &was, &is, func() Explanation { return now.Explain(region, "") }, func(value) bool { return false })
		}
		for _, channel := range channels {
			wasIn, isIn := before.For(region, channel), now.For(region, channel)
			if wasIn == isIn {
				continue
			}
			add(Place{region, channel}, &wasIn, &isIn, func() Explanation { return now.Explain(region, channel) },
				func(v value) bool { return v.text(&wasIn) == v.text(&was) && v.text(&isIn) == v.text(&is) })
		}
	}
	order := map[string]int{}
	for i, v := range now.values {
		order[v.name] = i
	}
	slices.SortStableFunc(all, func(a, b Effect) int { return cmp.Compare(order[a.Value], order[b.Value]) })
	return all
}

// places are the regions and channels that either set names; the nation is the first
// region.
func places(sets ...*Layers) (regions []liuma.Region, channels []liuma.ChannelID) {
	for _, l := range sets {
		for r := range l.regions {
			regions = append(regions, r)
		}
		for c := range l.channels {
			channels = append(channels, c)
		}
	}
	slices.Sort(regions)
	slices.Sort(channels)
	return slices.Compact(regions), slices.Compact(channels)
}

// eased reports whether is permits what was did not.
func (v value) eased(is, was *Policy) bool {
	if b, ok := v.at(is).(*bool); ok && v.stricter == named {
		return *b
	}
	return v.looser(is, was)
}
