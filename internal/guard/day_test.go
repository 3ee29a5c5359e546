package guard

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
)

// wholeDay makes TestDay play every guess of 24 hours. make nightly sets it.
var wholeDay = flag.Bool("whole-day", false, "play every guess of a day at 1,000 verifications a second")

// settable draws different PINs that the rules leave to everybody.
func settable(t testing.TB, r *rand.Rand, n int) []pin.PIN {
	t.Helper()
	var found []pin.PIN
	for _, s := range settableDigits(t, r, n) {
		found = append(found, value(t, s))
	}
	return found
}

func settableDigits(t testing.TB, r *rand.Rand, n int) []string {
	t.Helper()
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	seen := map[int]bool{}
	for len(found) < n {
		x := r.IntN(1_000_000)
		if !seen[x] && len(judge.Check(value(t, digits(x)), pin.Facts{}, nil)) == 0 {
			found = append(found, digits(x))
		}
		seen[x] = true
	}
	return found
}

func digits(n int) string { return strconv.Itoa(1_000_000 + n)[1:] }

// people choose PINs and mistype them. What they choose follows the list of
// leaked choices as far as the rules allow. The rules refuse the whole list; all
// that it says of the rest is that no other PIN was chosen as often as the last
// one in it. So the worst for the guard is that many PINs are exactly as popular
// as that one, and here half of all people have such a PIN.
type people struct {
	r       *rand.Rand
	head    []string // as popular as the list leaves possible
	listed  []string // refused to everybody
	upTo    []int    // for each of listed: how many choices fell to it or one before
	choices int
	share   float64 // of each PIN of head, among all
}

func newPeople(t *testing.T, seed uint64) *people {
	t.Helper()
	// The list belongs to package pin, whose data directory has its source and
	// licence.
	raw, err := os.ReadFile("../pin/data/pwdb-6digit-counts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	p := &people{r: random(seed)}
	least := math.MaxInt
	for line := range strings.Lines(string(raw)) {
		s, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.Atoi(count)
		if err != nil {
			t.Fatal(err)
		}
		p.choices += n
		least = min(least, n)
		p.listed, p.upTo = append(p.listed, s), append(p.upTo, p.choices)
	}
	p.share = float64(least) / float64(p.choices)
	p.head = settableDigits(t, p.r, int(0.5/p.share))
	return p
}

// pin is what a person chose.
func (p *people) pin() string {
	if p.r.IntN(2) == 0 {
		return p.head[p.r.IntN(len(p.head))]
	}
	return digits(p.r.IntN(1_000_000))
}

// elsewhere is a PIN that a person has elsewhere, under no rules.
func (p *people) elsewhere() string {
	n := p.r.IntN(p.choices)
	low, high := 0, len(p.upTo)-1
	for low < high {
		if mid := (low + high) / 2; p.upTo[mid] > n {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return p.listed[low]
}

// Shares of the kinds of wrong guesses, in a hundred. The rest are typos.
const oldPINs, othersPINs = 42, 3

// wrong is what a person types who does not get it right: an old PIN, one from
// elsewhere, a key beside the right one, two digits swapped, one typed twice.
func (p *people) wrong() string {
	switch kind := p.r.IntN(100); {
	case kind < oldPINs:
		return p.pin()
	case kind < oldPINs+othersPINs:
		return p.elsewhere()
	}
	b, i := []byte(p.pin()), p.r.IntN(pin.Digits-1)
	switch p.r.IntN(4) {
	case 0:
		b[i], b[i+1] = b[i+1], b[i]
	case 1:
		b[i+1] = b[i]
	default:
		beside := [10]string{"8", "24", "135", "26", "157", "2468", "359", "48", "5790", "68"}[b[i]-'0']
		b[i] = beside[p.r.IntN(len(beside))]
	}
	return string(b)
}

// poisson draws from the Poisson distribution.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p := 0, r.Float64()
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= r.Float64()
	}
	return n
}

// fill puts wrong guesses into a long epoch as counts, the way that so many
// people would have made them: a typo may be any value.
func (p *people) fill(e *epoch, guesses float64) {
	add := func(s string, n int) {
		for r, i := range cellsOf(&e.key, []byte(s), e.width) {
			at := uint32(r)*e.width + i
			e.cells()[at] = uint16(min(int(e.cells()[at])+n, math.MaxUint16))
		}
		e.total += uint64(n)
	}
	typos := float64(100-oldPINs-othersPINs) / 100
	for n := range 1_000_000 {
		if k := poisson(p.r, guesses*(typos+oldPINs/200.0)/1e6); k > 0 {
			add(digits(n), k)
		}
	}
	for _, s := range p.head {
		add(s, poisson(p.r, guesses*oldPINs/100*p.share))
	}
	for i, s := range p.listed {
		before := 0
		if i > 0 {
			before = p.upTo[i-1]
		}
		add(s, poisson(p.r, guesses*othersPINs/100*float64(p.upTo[i]-before)/float64(p.choices)))
	}
}

// day is a busy service: 1,000 verifications a second, all of strangers, one in
// twenty wrong, through five channels, a third from behind fifty carriers'
// addresses.
type day struct {
	*world
	*people
	sample int // one in so many right ones is played; each stands for all of them
	made   int
	// sprayed is a PIN whose owners are refused, too, since it is being sprayed.
	sprayed string
}

// second plays one second.
func (d *day) second(t *testing.T) error {
	for range 50 {
		if err := d.play(t, d.wrong(), liuma.Wrong); err != nil {
			return err
		}
	}
	for range 950 / d.sample {
		q := d.guess()
		if err := d.playAs(t, d.pin(), q, liuma.Right); err != nil {
			return err
		}
		rest := answers{all: uint64(d.sample - 1)}
		d.traffic.channel(q.Channel).now.add(rest)
		d.traffic.sources[0].add(q.Source, rest)
	}
	d.wait(time.Second)
	return nil
}

func (d *day) guess() target {
	d.made++
	q := target{Card: cardNo(d.r.IntN(20_000_000)), Guess: Guess{Lane: ledger.Stranger,
		Channel: liuma.ChannelID(fmt.Sprint("app-", d.r.IntN(5))), Source: "home " + strconv.Itoa(d.made)}}
	if d.r.IntN(3) == 0 {
		q.Source = "carrier " + strconv.Itoa(d.r.IntN(50))
	}
	return q
}

func (d *day) play(t *testing.T, s string, v liuma.Verdict) error {
	return d.playAs(t, s, d.guess(), v)
}

func (d *day) playAs(t *testing.T, s string, q target, v liuma.Verdict) error {
	err := d.try(t, value(t, s), q, v)
	if errors.Is(err, ErrSlowDown) && s == d.sprayed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("after %v, a verdict %s: %w", d.Now().Sub(begin), v, err)
	}
	return nil
}

// TestDay plays a usual day, in which nothing may be refused and there may
// be no alarm; then the same service is sprayed, with a value that is as popular as any
// can be. Without -whole-day, the first hours are put in as counts, and the
// last part of the day is played, with one in nineteen right guesses.
func TestDay(t *testing.T) {
	d := &day{world: newWorld(t), people: newPeople(t, 11), sample: 19}
	seconds := 1500
	if raceEnabled {
		seconds = 60 // there is one goroutine, so the detector learns nothing from more
	}
	if *wholeDay {
		seconds, d.sample = 24*3600, 1
	} else {
		d.wait(6*time.Hour + 20*time.Minute) // nearly at the end of a long epoch
		if err := errors.Join(d.turn(d.Now()), d.long.make(d.long.now-1, testKey)); err != nil {
			t.Fatal(err)
		}
		d.fill(d.long.epochs[d.long.now-1], 50*12*3600)
		d.fill(d.long.epochs[d.long.now], 50*11.5*3600)
	}
	for range seconds {
		if err := d.second(t); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.alarms) > 0 {
		t.Fatalf("an alarm on a usual day: %+v", d.alarms[0])
	}
	short, long := d.most(t)
	t.Logf("most guesses of one value that somebody may have: %d and %d", short, long)

	d.sprayed = d.head[0]
	through, p := 0, value(t, d.sprayed)
	from := d.Now()
	for n := range 10_000 {
		if d.try(t, p, guess(n), liuma.Wrong) == nil {
			through++
		}
		if n%100 == 0 {
			if err := d.second(t); err != nil {
				t.Fatal(err)
			}
		}
	}
	if through >= 300 {
		t.Errorf("%d of 10,000 went through beside the day", through)
	}
	if d.rung(ValueSprayed) == 0 || d.alarms[0].At.Sub(from) > time.Minute {
		t.Errorf("no alarm within a minute: %+v", d.alarms)
	}
}

// most is the largest count of a popular value, in each span.
func (d *day) most(t *testing.T) (short, long uint64) {
	for _, s := range d.head {
		w := d.tally(t, value(t, s))
		short, long = max(short, w.short.value), max(long, w.long.value)
	}
	return short, long
}
