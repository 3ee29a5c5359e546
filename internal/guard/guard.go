// Package guard notices guess spraying: one guessed value tried on many cards,
// a few guesses each, so that no card locks. It keeps counts in memory and
// guarantees that
//
//   - a stranger's guess is refused with ErrSlowDown, before anything is counted
//     against a card, while its value is being sprayed (Limits says when); guesses
//     that have no verdict yet count as if they were wrong, so asking for many at once
//     gains nothing; a known lane is never refused;
//   - the refusal depends on the value alone, never on the card, its PIN or
//     whether the guess would be right;
//   - nobody can test PINs with the counts that it keeps. It counts strangers' wrong guesses by a keyed
//     hash of the value. It never keeps a value and a card together, not even as
//     hashes, and every count begins with random noise that hides single guesses
//     (noise). A right PIN counts nowhere once its verdict is there. Small counts never
//     leave the process;
//   - several authorities together notice about as much as a single one would, by
//     exchanging sums that hold only large counts (Sums, Merge), and so does an
//     authority that was restarted;
//   - memory is bounded whatever comes in, and a guess costs a fixed number of
//     hashes (BenchmarkGuess). Making a new epoch costs a few milliseconds, once in
//     ten minutes.
//
// It trusts its caller to call Saw or Drop once for every Pass, to name lanes
// truthfully, and to take sums only from other authorities: a forged sum can
// cause values to be refused to strangers, or hide a spray, but nothing else. A
// restart forgets the counts that no sum holds.
//
// The engine (internal/authority) asks it, and exchanges sums through the
// database. docs/SECURITY.md, "Spraying", says which counts are kept, for how long,
// and why.
//
// Start here: Guard.Allow, then Limits.
package guard

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

// ErrSlowDown refuses a stranger's guess because its value is being tried on many
// cards. Nothing was counted.
var ErrSlowDown = errors.New("guard: this value is being tried on many cards")

// ErrNoKey is returned if the key of an epoch cannot be had. Strangers' guesses are
// refused then, because they could not be counted without a key.
var ErrNoKey = errors.New("guard: no key for this epoch")

// Span names one of the two spans of time over which guesses are counted.
type Span string

// Short finds a fast spray, Long a slow one.
const (
	Short Span = "short"
	Long  Span = "long"
)

// Key is the secret of one epoch of one span. It prints as a placeholder.
type Key [32]byte

const redacted = "[guard key]"

// Format prints a placeholder under every verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue logs the placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Config is what a Guard needs. All members but Limits must be set.
type Config struct {
	// Key returns the key of an epoch; the epoch's number counts whole spans since
	// 1970. Authorities that exchange sums must have the same keys. It is called under
	// a lock, about seven times an hour.
	Key func(span Span, epoch int64) (Key, error)
	// Now may go back; epochs do not.
	Now func() time.Time
	// Judge recognises values that the rules refuse to every holder. Use the loosest
	// rules that a nation may choose (pin.Floor): stricter rules do not apply to all
	// cards, nor to PINs that were set before them.
	Judge *pin.Judge
	// Alarm is called with alarms for an operator, at most once a minute for each
	// cause, perhaps from several goroutines at once. No lock of the guard is held, but
	// the guess waits, perhaps within a transaction: Alarm must return at once and must
	// not write to the store itself.
	Alarm func(Alarm)
	// Limits are DefaultLimits if zero.
	Limits Limits
}

// Guess describes who guesses. The card is given only with the verdict: Allow can be
// called before the card is looked up, and should be if the caller must not learn
// whether a card exists.
type Guess struct {
	Channel liuma.ChannelID
	Source  string // the source address, in one spelling; empty if not known
	Lane    ledger.Lane
}

// Stats are totals since the start, for an operator.
type Stats struct {
	// Guesses and Wrong are by ledger.Lane.
	Guesses, Wrong [2]uint64
	Slowed         uint64 // strangers' guesses that were refused
}

// Guard counts guesses. Any number of goroutines may use it.
type Guard struct {
	cfg      Config
	origin   Origin
	underKey Key // key of the table of pending guesses; known to this process only

	mu       sync.Mutex // guards everything below, and the cells of epochs
	short    *layer
	long     *layer
	underWay underWay
	traffic  traffic
	stats    Stats
	alarmed  alarmTimes
	pending  uint64 // refusals since the last alarm of a sprayed value
}

// New checks the configuration and makes a Guard that has seen nothing.
func New(cfg Config) (*Guard, error) {
	if cfg.Key == nil || cfg.Now == nil || cfg.Judge == nil || cfg.Alarm == nil {
		return nil, errors.New("guard: Key, Now, Judge and Alarm must be set")
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if err := cfg.Limits.validate(); err != nil {
		return nil, err
	}
	g := &Guard{cfg: cfg, origin: newOrigin(), underKey: randomKey(),
		short:   newLayer(Short, cfg.Limits.ShortEpoch, shortWidth, shortCards, shortHide),
		long:    newLayer(Long, cfg.Limits.LongEpoch, longWidth, longCards, longHide),
		traffic: newTraffic(), alarmed: alarmTimes{}}
	if err := g.turn(cfg.Now()); err != nil {
		return nil, err
	}
	return g, nil
}

// turn moves on to the epochs of now. The caller holds mu, or is New.
func (g *Guard) turn(now time.Time) error {
	for _, l := range g.layers() {
		if err := l.turn(now, g.cfg.Key); err != nil {
			return err
		}
	}
	if g.traffic.turn(g.short.now, g.long.now) {
		g.alarmed.forget(now)
	}
	return nil
}

// Pass is a guess that was let through. It must end with Saw or Drop. Calling either on
// a nil Pass does nothing.
type Pass struct {
	g     *Guard
	guess Guess
	spots spots
	under [rows]uint32 // cells in the table of pending guesses
	done  bool         // guarded by g.mu
}

// Allow decides whether a guess may be counted. It refuses only strangers: with
// ErrSlowDown, or with ErrNoKey if it cannot decide. The PIN must not be wiped yet;
// Allow does not keep it.
func (g *Guard) Allow(p pin.PIN, q Guess) (*Pass, error) {
	pass := &Pass{g: g, guess: q}
	if q.Lane == ledger.Known {
		return pass, nil
	}
	now := g.cfg.Now()
	g.mu.Lock()
	err := g.turn(now)
	pass.spots = spots{short: g.short.window(), long: g.long.window()}
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := p.Use(func(value []byte) error { pass.locate(value); return nil }); err != nil {
		return nil, err
	}
	if g.enter(pass, false) {
		return pass, nil
	}
	// The count is high for a value that some holder may have. For a value that no
	// holder may have, higher counts are usual, because people type such values by
	// mistake.
	if g.refusedToAll(p) && g.enter(pass, true) {
		return pass, nil
	}
	g.tell(g.slowed(q, pass, now))
	return nil, ErrSlowDown
}

func (g *Guard) refusedToAll(p pin.PIN) bool {
	return len(g.cfg.Judge.Check(p, pin.Facts{}, nil)) > 0
}

// enter adds a guess to the pending ones, if the value's count allows it.
func (g *Guard) enter(p *Pass, refused bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	under := g.underWay.count(p.under)
	if g.cfg.Limits.sprayed(p.spots.tally(), under, refused) {
		return false
	}
	g.underWay.add(p.under, 1)
	return true
}

// slowed counts a refusal and makes its alarm.
func (g *Guard) slowed(q Guess, p *Pass, now time.Time) *Alarm {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Slowed++
	g.pending++
	if !g.alarmed.due(ValueSprayed, "", now) {
		return nil
	}
	t := p.spots.tally()
	a := &Alarm{Kind: ValueSprayed, At: now, Channel: q.Channel, Guesses: t.long.value, Slowed: g.pending}
	g.pending = 0
	return a
}

// Saw ends a pass with the guess's verdict at a card. Wrong guesses of strangers are
// counted under their value; other verdicts leave no trace of the value.
func (p *Pass) Saw(card liuma.CardID, v liuma.Verdict) {
	if p == nil {
		return
	}
	g := p.g
	now := g.cfg.Now()
	g.mu.Lock()
	alarms := g.saw(p, card, v, now)
	g.mu.Unlock()
	for _, a := range alarms {
		g.tell(a)
	}
}

// Drop ends a pass whose guess was refused elsewhere, or got no verdict.
func (p *Pass) Drop() { p.Saw(liuma.CardID{}, liuma.Unavailable) }

// saw is Saw with mu held.
func (g *Guard) saw(p *Pass, card liuma.CardID, v liuma.Verdict, now time.Time) []*Alarm {
	if p.done {
		return nil
	}
	p.done = true
	stranger := p.guess.Lane != ledger.Known
	if stranger {
		g.underWay.add(p.under, -1)
	}
	if v != liuma.Right && v != liuma.Wrong {
		return nil
	}
	lane, wrong := ledger.Known, v == liuma.Wrong
	if stranger {
		lane = ledger.Stranger
	}
	g.stats.Guesses[lane]++
	if wrong {
		g.stats.Wrong[lane]++
	}
	if !stranger {
		return nil
	}
	if wrong {
		// A holder who tries one value again and again is one card, not many.
		wrong = g.short.counts(card)
		if wrong {
			p.spots.short[0].raise()
		}
		if g.long.counts(card) {
			p.spots.long[0].raise()
		}
	}
	return g.countTraffic(p.guess, wrong, v == liuma.Right, now)
}

// Stats returns the totals.
func (g *Guard) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

// underWay counts the strangers' pending guesses, by value. A guess is removed when it
// gets its verdict, right or wrong.
type underWay [rows][underWayWidth]int32

func (f *underWay) add(cells [rows]uint32, n int32) {
	for r, i := range cells {
		f[r][i] += n
	}
}

func (f *underWay) count(cells [rows]uint32) uint64 {
	least := f[0][cells[0]]
	for r, i := range cells {
		least = min(least, f[r][i])
	}
	return uint64(max(least, 0))
}

// cardFilter counts, by card only, how many of a card's wrong guesses were counted in
// this epoch. Each process and epoch has its own seed.
type cardFilter struct {
	seed  maphash.Seed
	cells []uint8
	width uint32
	added int
}

func newCardFilter(width uint32) cardFilter {
	return cardFilter{seed: maphash.MakeSeed(), cells: make([]uint8, rows*width), width: width}
}

// counts reports whether another wrong guess on a card should be counted, and records
// it. After so many cards that it would confuse one with another, it counts all:
// refusing too much is the safe side.
func (f *cardFilter) counts(card liuma.CardID) bool {
	if f.added > fullFilter*int(f.width) {
		return true
	}
	h := maphash.Bytes(f.seed, card[:])
	step := uint32(h>>32) | 1
	var at [rows]uint32
	least := uint8(perCard)
	for r := range at {
		at[r] = uint32(r)*f.width + (uint32(h)+uint32(r)*step)%f.width
		least = min(least, f.cells[at[r]])
	}
	if least >= perCard {
		return false
	}
	for _, i := range at {
		if f.cells[i] < perCard {
			f.cells[i]++
		}
	}
	f.added++
	return true
}
