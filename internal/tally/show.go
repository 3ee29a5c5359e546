package tally

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
)

// Step is the step in which counts of a region or a channel are shown, so that none singles
// one person out: what is fewer than a step is "<5", everything else is rounded down to
// whole steps. Those of a channel are too: many a channel serves one city alone, and what
// is left of the whole service without the others is its own count.
const Step = 5

// Shown is a count as it is shown.
type Shown struct {
	N   uint64
	Few bool // more than none, and fewer than Step; N is 0
}

// stepped is such a count as it is shown.
func stepped(n uint64) Shown {
	if n > 0 && n < Step {
		return Shown{Few: true}
	}
	return Shown{N: n - n%Step}
}

// few is how JSON has a count that is too small to be shown.
const few = `"<5"`

// MarshalJSON writes a number, or "<5".
func (s Shown) MarshalJSON() ([]byte, error) {
	if s.Few {
		return []byte(few), nil
	}
	return json.Marshal(s.N)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Shown) UnmarshalJSON(b []byte) error {
	*s = Shown{}
	switch {
	case string(b) == few || string(b) == `"\u003c5"`:
		s.Few = true
		return nil
	case json.Unmarshal(b, &s.N) != nil:
		return errors.New("tally: not a count")
	}
	return nil
}

// Question says which part of a count is asked for.
type Question struct {
	From, To time.Time // of hours that begin from From on and before To
	Channel  liuma.ChannelID
	Region   liuma.Region // that contains those counted; empty: all, without one too
}

// Row is what came of one channel, region or span of time, by kind.
type Row struct {
	Channel liuma.ChannelID `json:"channel,omitempty"`
	Region  liuma.Region    `json:"region,omitempty"`
	At      time.Time       `json:"at,omitzero"` // the span's beginning
	Counts  []Shown         `json:"counts"`
}

// Answer is a part of a count.
type Answer struct {
	Total    Row
	Spans    []Row // as many as were asked for, also where nothing came
	Channels []Row // those with any, in steps; a row without one is of what no channel is known of
	Regions  []Row // likewise
	Stepped  bool  // all counts are of a region or a channel, and in steps
}

// Answer answers a question by spans that begin at the times in begins, in their order;
// each ends where the next begins, and the last at To. Where the question names a
// region or a channel, all counts are in steps of five; otherwise those by region and by
// channel, and only the whole service's are exact.
func (c *Count) Answer(q Question, begins []time.Time) Answer {
	var total [kinds]uint64
	spans := make([][kinds]uint64, len(begins))
	channels, regions := map[liuma.ChannelID][kinds]uint64{}, map[liuma.Region][kinds]uint64{}
	for at, n := range c.at {
		begin := time.Unix(at.hour*3600, 0).UTC()
		if begin.Before(q.From) || !begin.Before(q.To) || q.Channel != "" && at.channel != q.Channel || !q.Region.Contains(at.region) {
			continue
		}
		i, exact := slices.BinarySearchFunc(begins, begin, time.Time.Compare)
		if !exact {
			i--
		}
		for k := range n {
			total[k] += n[k]
			if i >= 0 {
				spans[i][k] += n[k]
			}
		}
		channels[at.channel], regions[at.region] = sum(channels[at.channel], n), sum(regions[at.region], n)
	}
	out := Answer{Stepped: q.Region != "" || q.Channel != ""}
	out.Total.Counts = shown(total, out.Stepped)
	for i, n := range spans {
		out.Spans = append(out.Spans, Row{At: begins[i].UTC(), Counts: shown(n, out.Stepped)})
	}
	for id, n := range channels {
		out.Channels = append(out.Channels, Row{Channel: id, Counts: shown(n, true)})
	}
	for r, n := range regions {
		out.Regions = append(out.Regions, Row{Region: r, Counts: shown(n, true)})
	}
	slices.SortFunc(out.Channels, func(a, b Row) int { return cmp.Compare(a.Channel, b.Channel) })
	slices.SortFunc(out.Regions, func(a, b Row) int { return cmp.Compare(a.Region, b.Region) })
	return out
}

func sum(a, b [kinds]uint64) [kinds]uint64 {
	for k := range a {
		a[k] += b[k]
	}
	return a
}

func shown(n [kinds]uint64, inSteps bool) []Shown {
	out := make([]Shown, kinds)
	for k := range n {
		if out[k] = (Shown{N: n[k]}); inSteps {
			out[k] = stepped(n[k])
		}
	}
	return out
}

// String is the count as people read it.
func (s Shown) String() string {
	if s.Few {
		return "<5"
	}
	return strconv.FormatUint(s.N, 10)
}
