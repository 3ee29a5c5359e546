package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
)

// Layer is the kind of layer that a value comes from.
type Layer string

// The layers, from the top down. Each may only tighten the one above it, except for
// values that a region may loosen for its holders (docs/POLICY.md).
const (
	LayerNational Layer = "national"
	LayerRegion   Layer = "region"
	LayerChannel  Layer = "channel"
)

// Origin is one value of a policy, and the layer that set it.
type Origin struct {
	Value string // name in snake case, dotted: "limits.attempts"
	Is    string // the value as text: "6", "1d", "true"
	Layer Layer  // the layer that set it
	Of    string // region or channel of that layer; empty for the nation
	// File and Line are where the layer sets the value; empty and 0 for the national
	// rule that is built into the program.
	File string
	Line int
}

// Explanation has one Origin for every value of a Policy, in the order of its fields.
type Explanation []Origin

// Of returns the origin of a value by its name.
func (e Explanation) Of(value string) (Origin, bool) {
	for _, o := range e {
		if o.Value == value {
			return o, true
		}
	}
	return Origin{}, false
}

// Layers gives the policy for a region and a channel. It never changes after
// NewLayers, so any number of goroutines may use it.
type Layers struct {
	values   []value
	files    map[Scope]File
	regions  map[liuma.Region]Policy // the national policy under "", and each region that has a file
	channels map[liuma.ChannelID][]setting
	words    bool // some region allows its holders passphrases
}

// ErrLayers means that the layers of a policy contradict one another or the national
// rule. The error names every fault up to MaxFaults, with its file and line.
var ErrLayers = errors.New("layers of policy")

// maxPairs bounds the combinations of regions' rules and channels that are checked, and
// that Effects compares. Regions with the same rules count once, so a nation with 400
// different sets of rules has room for 250 channels with their own layers; each
// combination takes some microseconds.
const maxPairs = 100_000

// NewLayers applies files on top of the national rule. It refuses all of them if one is
// looser than the layer above it, if two have the same scope, or if a region and a
// channel together give a policy that Validate refuses.
func NewLayers(national Policy, files ...File) (*Layers, error) {
	if err := national.Validate(); err != nil {
		return nil, fmt.Errorf("national layer: %w", err)
	}
	l := &Layers{values: values(), files: map[Scope]File{},
		regions: map[liuma.Region]Policy{"": national}, channels: map[liuma.ChannelID][]setting{}}
	files = slices.Clone(files)
	// Each layer is compared with the layers above it, so those come first: the nation,
	// then regions from the largest to the smallest, then channels.
	slices.SortStableFunc(files, func(a, b File) int { return a.Scope.depth() - b.Scope.depth() })
	faults := Faults{kind: ErrLayers}
	for _, f := range files {
		if other, twice := l.files[f.Scope]; twice {
			faults.add(other.Name, 0, fmt.Errorf("%s and %s are both for %s", other.Name, f.Name, f.Scope))
			continue
		}
		l.files[f.Scope] = f
		l.add(f, &faults)
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	if err := l.together(); err != nil {
		return nil, err
	}
	for _, p := range l.regions {
		l.words = l.words || p.Passphrase
	}
	return l, nil
}

// Passphrases reports whether the nation or any region allows passphrases.
func (l *Layers) Passphrases() bool { return l.words }

// add adds a file below the layers that are already there.
func (l *Layers) add(f File, faults *Faults) {
	wrong := func(s setting, format string, a ...any) {
		faults.add(f.Name, s.line, fmt.Errorf("%s: "+format, append([]any{s.name}, a...)...))
	}
	for _, s := range f.settings {
		if s.stricter == nation && f.Scope.Layer != LayerNational {
			wrong(s, "only the nation's layer sets it")
		}
	}
	if f.Scope.Layer == LayerChannel {
		for _, s := range f.settings {
			if s.stricter == free || s.stricter == shorter || s.stricter == lowered {
				wrong(s, "a region decides it, a channel cannot")
			}
			if permits, ok := s.at(&s.policy).(*bool); ok && s.stricter == off && *permits {
				wrong(s, "a region permits it, a channel can only switch it off")
			}
		}
		l.channels[liuma.ChannelID(f.Scope.Of)] = f.settings
		return
	}
	p, sound := l.region(liuma.Region(f.Scope.Of)), true
	above := p
	for _, s := range f.settings {
		s.copied(&p, &s.policy)
		if !s.mayLoosen(f.Scope.Layer) && s.looser(&p, &above) {
			sound = false
			wrong(s, "%s is %w, which has %s%s", s.text(&p), errLooser, s.text(&above), s.instead())
		}
	}
	if err := p.Validate(); sound && err != nil {
		faults.add(f.Name, 0, err)
	}
	l.regions[liuma.Region(f.Scope.Of)] = p
}

// kinds returns one region for each different set of rules: the one with the smallest
// code.
func (l *Layers) kinds() []liuma.Region {
	seen := map[Policy]bool{}
	var all []liuma.Region
	for _, region := range slices.Sorted(maps.Keys(l.regions)) {
		if p := l.regions[region]; !seen[p] {
			seen[p] = true
			all = append(all, region)
		}
	}
	return all
}

// together validates every combination of region and channel: each alone may be valid
// although, for example, a channel's ration for a day is smaller than the region's for
// an hour.
func (l *Layers) together() error {
	kinds := l.kinds()
	if len(kinds)*len(l.channels) > maxPairs {
		return fmt.Errorf("%w: %w", ErrLayers, tooMany(len(kinds), len(l.channels)))
	}
	faults := Faults{kind: ErrLayers}
	for _, channel := range slices.Sorted(maps.Keys(l.channels)) {
		of := Scope{LayerChannel, string(channel)}
		for _, region := range kinds {
			if err := l.For(region, channel).Validate(); err != nil {
				faults.add(l.files[of].Name, 0, fmt.Errorf("%s in %s: %w", of, Scope{LayerRegion, string(region)}, err))
			}
		}
	}
	return faults.err()
}

func tooMany(kinds, channels int) error {
	return fmt.Errorf("%d kinds of rules of regions and %d channels with layers make more than %d combinations: let regions share their rules, or fewer channels have a layer of their own", kinds, channels, maxPairs)
}

// region returns the policy of the smallest region with a file that contains r.
func (l *Layers) region(r liuma.Region) Policy {
	for len(r) > 2 {
		if p, ok := l.regions[r]; ok {
			return p
		}
		r = r[:len(r)-2]
	}
	if p, ok := l.regions[r]; ok {
		return p
	}
	return l.regions[""]
}

// For returns the policy for a card of this region in this channel. Either may be
// empty.
func (l *Layers) For(region liuma.Region, channel liuma.ChannelID) Policy {
	settings := l.channels[channel]
	if len(settings) == 0 { // most channels have no layer of their own, and this is asked often
		p := l.region(region)
		p.EvidenceAlone = false // no layer names it
		return p
	}
	p := l.region(region)
	for i := range settings {
		if s := &settings[i]; s.looser(&p, &s.policy) {
			s.tightened(&p, &s.policy)
		}
	}
	p.EvidenceAlone = p.EvidenceAlone && l.names(channel, evidenceAlone)
	return p
}

// evidenceAlone is the one value that applies only to channels whose own layer names
// it.
const evidenceAlone = "evidence_alone"

// names reports whether a channel's layer sets a value to true.
func (l *Layers) names(channel liuma.ChannelID, value string) bool {
	s, ok := l.files[Scope{LayerChannel, string(channel)}].setting(value)
	if !ok {
		return false
	}
	is, _ := s.at(&s.policy).(*bool)
	return is != nil && *is
}

// Regions returns the regions that have a file, smallest code first.
func (l *Layers) Regions() []liuma.Region {
	var all []liuma.Region
	for r := range l.regions {
		if r != "" {
			all = append(all, r)
		}
	}
	slices.Sort(all)
	return all
}

// Files returns the files that the layers were read from, by their names.
func (l *Layers) Files() []File {
	files := slices.Collect(maps.Values(l.files))
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// File returns the file of a layer.
func (l *Layers) File(s Scope) (File, bool) {
	f, ok := l.files[s]
	return f, ok
}

// Sum identifies a policy: two authorities with the same sum run the same files. It is
// the hex SHA-256 over the name and sum of each file; empty without any file, when only
// the program's national rule applies.
func (l *Layers) Sum() string {
	if len(l.files) == 0 {
		return ""
	}
	h := sha256.New()
	for _, f := range l.Files() {
		fmt.Fprintf(h, "%d %s %x\n", len(f.Name), f.Name, f.Sum) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Scopes returns the layers that have a file, from the top down.
func (l *Layers) Scopes() []Scope {
	var all []Scope
	for s := range l.files {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Scope) int {
		if d := a.depth() - b.depth(); d != 0 {
			return d
		}
		return strings.Compare(a.Of, b.Of)
	})
	return all
}

// Explain returns the origin of each value of For: the lowest layer that sets it. A
// channel counts as setting a value only if it is stricter than the region.
func (l *Layers) Explain(region liuma.Region, channel liuma.ChannelID) Explanation {
	p := l.For(region, channel)
	e, chain := make(Explanation, len(l.values)), l.chain(region, channel)
	for i, v := range l.values {
		e[i] = l.origin(v, &p, chain, region, channel)
	}
	return e
}

// ExplainUnder is Explain for a channel under another channel (Policy.Under); above is
// empty if there is none.
func (l *Layers) ExplainUnder(region liuma.Region, channel, above liuma.ChannelID) Explanation {
	e := l.Explain(region, channel)
	if above == "" {
		return e
	}
	p := l.For(region, channel)
	both, up := p.Under(l.For(region, above)), l.Explain(region, above)
	for i, v := range l.values {
		if !v.same(&both, &p) {
			e[i] = up[i]
			e[i].Is = v.text(&both)
		}
	}
	return e
}

// origin returns the lowest file of a region and channel that sets a value of their
// policy.
func (l *Layers) origin(v value, p *Policy, chain []File, region liuma.Region, channel liuma.ChannelID) Origin {
	o := Origin{Value: v.name, Is: v.text(p), Layer: LayerNational}
	for _, f := range chain {
		if s, ok := f.setting(v.name); ok && l.holds(f, s, region, channel) {
			o.Layer, o.Of, o.File, o.Line = f.Scope.Layer, f.Scope.Of, f.Name, s.line
		}
	}
	return o
}

// holds reports whether a setting of a file counts in a region and channel. A channel's
// setting counts if it is stricter than the region's. A value that applies only to
// named channels is set by the region and the channel together, so the channel's file
// counts.
func (l *Layers) holds(f File, s *setting, region liuma.Region, channel liuma.ChannelID) bool {
	above := l.region(region)
	switch {
	case s.stricter == named:
		return above.EvidenceAlone && l.names(channel, s.name) && f.Scope.Layer == LayerChannel
	case f.Scope.Layer == LayerChannel:
		return s.looser(&above, &s.policy)
	}
	return true
}

// chain returns the files that make up the policy of a region in a channel, from the
// top down.
func (l *Layers) chain(region liuma.Region, channel liuma.ChannelID) []File {
	scopes := []Scope{{LayerNational, ""}}
	for n := 2; n <= len(region); n += 2 {
		scopes = append(scopes, Scope{LayerRegion, string(region[:n])})
	}
	var files []File
	for _, s := range append(scopes, Scope{LayerChannel, string(channel)}) {
		if f, ok := l.files[s]; ok {
			files = append(files, f)
		}
	}
	return files
}

// Change is a value that differs between two Layers in one layer's file.
type Change struct {
	Scope       Scope
	Value       string
	Before, Now string // empty if the layer does not set it
	File        string // the file that sets it now, and the line
	Line        int
}

// Diff lists the values that the files of now set differently from the files of before,
// from the top layer down.
func Diff(before, now *Layers) []Change {
	var changes []Change
	scopes := before.Scopes()
	for _, s := range now.Scopes() {
		if _, there := before.files[s]; !there {
			scopes = append(scopes, s)
		}
	}
	slices.SortStableFunc(scopes, func(a, b Scope) int { return a.depth() - b.depth() })
	for _, scope := range scopes {
		if before.files[scope].Sum == now.files[scope].Sum {
			continue
		}
		for _, v := range now.values {
			c := Change{Scope: scope, Value: v.name}
			if s, ok := before.files[scope].setting(v.name); ok {
				c.Before = s.text(&s.policy)
			}
			if s, ok := now.files[scope].setting(v.name); ok {
				c.Now, c.File, c.Line = s.text(&s.policy), now.files[scope].Name, s.line
			}
			if c.Before != c.Now {
				changes = append(changes, c)
			}
		}
	}
	return changes
}
