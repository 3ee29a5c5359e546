// Package simulate says how much guessing brings a thief under a policy: how many cards the
// best guesses hit, and how many people are refused the PIN that they think of first. It
// guarantees that the same policy and frequencies give the same answer, that refusals come
// from the Judge that the service itself uses and limits from the tally that the keepers
// keep, and that nothing about a card or a holder is read. It trusts the frequencies;
// docs/PINS.md says what the embedded ones are and are not.
//
// Start here: Simulator.Run.
package simulate

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
)

// Guesses are the numbers of guesses for which results are given.
func Guesses() []int { return []int{1, 3, 6, 10, 30} }

// Simulator has the embedded frequencies, and caches the PINs that each set of rules
// refuses. Any number of goroutines may use it.
type Simulator struct {
	own  *Frequencies
	none *refused // refuses nothing

	mu      sync.Mutex
	made    map[pin.Rules]*refused // guarded by mu
	thieves map[trying][2]int      // guarded by mu
}

// trying holds everything on which the answer of Thieves depends.
type trying struct {
	rules    pin.Rules
	attempts int
}

// refused are the PINs that rules refuse to everybody.
type refused struct {
	is [pins]bool
	n  int
}

// New reads the embedded frequencies.
func New() (*Simulator, error) {
	own, err := ReadFrequencies(strings.NewReader(pin.Choices()))
	if err != nil {
		return nil, err
	}
	return &Simulator{own: own, none: new(refused), made: map[pin.Rules]*refused{}, thieves: map[trying][2]int{}}, nil
}

// Result compares a policy with no rules and with only the basic list, all under the limits
// of the policy.
type Result struct {
	Limits Limits `json:"limits"`
	// YearAlone is how many guesses a year of locks permits on a card whose holder never
	// enters the PIN; YearProved is the number if the holder enters the right PIN after
	// every lock.
	YearAlone  int    `json:"year_alone"`
	YearProved int    `json:"year_proved"`
	PINs       int    `json:"pins"`    // of the frequencies
	Choices    uint64 `json:"choices"` // of the frequencies
	None       Row    `json:"none"`
	Basic      Row    `json:"basic"`
	Policy     Row    `json:"policy"`
}

// Limits are the limits that apply to the thief.
type Limits struct {
	Attempts int    `json:"attempts"`
	Window   string `json:"window"`
	LockFor  string `json:"lock_for"`
	Failures int    `json:"failures"`
}

// Row is the result for one set of rules.
type Row struct {
	Refused     int     `json:"refused_pins"` // of a million
	RefusedOnce float64 `json:"refused_once"` // share of the choosers
	// Alike assumes that refused choosers choose again like those who were not refused; Lot
	// that they draw at random from all PINs that pass. The truth lies between.
	Alike Success `json:"alike"`
	Lot   Success `json:"lot"`
}

// Success is the share of cards, from 0 to 1, that a thief hits who guesses the most
// frequent PINs in order.
type Success struct {
	After      []float64 `json:"after"` // after each of Guesses
	YearAlone  float64   `json:"year_alone"`
	YearProved float64   `json:"year_proved"`
	// PerMillion is how many cards of a million one guess each hits.
	PerMillion int `json:"per_million"`
}

// Run measures a policy on frequencies, or on the embedded ones if they are nil.
func (s *Simulator) Run(p policy.Policy, f *Frequencies) (Result, error) {
	if f == nil {
		f = s.own
	}
	basic, err := s.refusedBy(pin.Rules{Common: true, List: pin.ListBasic, Run: pin.Digits})
	if err != nil {
		return Result{}, err
	}
	own, err := s.refusedBy(p.PIN)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Limits:    Limits{p.Limits.Attempts, p.Limits.Window.String(), p.Limits.LockFor.String(), p.Limits.Failures},
		YearAlone: yearOf(p.Limits, false), YearProved: yearOf(p.Limits, true), PINs: f.PINs(), Choices: f.Choices(),
	}
	r.None, r.Basic, r.Policy = r.row(s.none, f), r.row(basic, f), r.row(own, f)
	return r, nil
}

// Thieves says how many of 10,000 thieves guess right, each with a card of another holder
// and the tries that the policy gives before a lock: without any rules, and under the
// policy. It rounds up, and assumes that refused choosers choose like those who were not
// refused.
func (s *Simulator) Thieves(p policy.Policy) (none, under int, err error) {
	own, err := s.refusedBy(p.PIN)
	if err != nil {
		return 0, 0, err
	}
	key := trying{forAll(p.PIN), p.Limits.Attempts}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.thieves[key]
	if !ok {
		for i, of := range []*refused{s.none, own} {
			n[i] = int(math.Ceil(1e4*newChances(of, s.own, false).best(p.Limits.Attempts) - 1e-9))
		}
		s.thieves[key] = n
	}
	return n[0], n[1], nil
}

func (r Result) row(of *refused, f *Frequencies) Row {
	alike := newChances(of, f, false)
	return Row{Refused: of.n, RefusedOnce: alike.once, Alike: r.success(alike), Lot: r.success(newChances(of, f, true))}
}

func (r Result) success(c chances) Success {
	s := Success{YearAlone: c.best(r.YearAlone), YearProved: c.best(r.YearProved), PerMillion: int(math.Ceil(1e6*c.best(1) - 1e-9))}
	for _, n := range Guesses() {
		s.After = append(s.After, c.best(n))
	}
	return s
}

// chances are those of the best guesses.
type chances struct {
	sums []float64 // sums[k]: of the first k PINs that were chosen and pass
	rest float64   // of each PIN that passes and was never chosen
	pass int       // how many PINs pass
	once float64   // the share of choosers that are refused
}

func newChances(of *refused, f *Frequencies, lot bool) chances {
	var passed uint64
	for _, row := range f.rows {
		if !of.is[row.pin] {
			passed += row.count
		}
	}
	c := chances{sums: []float64{0}, pass: pins - of.n, once: 1 - float64(passed)/float64(f.total)}
	if c.pass == 0 {
		return c
	}
	whole := float64(f.total)
	if lot || passed == 0 { // no data says how they choose
		c.rest = c.once / float64(c.pass)
	} else {
		whole = float64(passed)
	}
	sum := 0.0
	for _, row := range f.rows {
		if !of.is[row.pin] {
			sum += float64(row.count)/whole + c.rest
			c.sums = append(c.sums, sum)
		}
	}
	return c
}

// best is the share of cards that so many guesses hit.
func (c chances) best(guesses int) float64 {
	guesses = min(guesses, c.pass)
	known := min(guesses, len(c.sums)-1)
	return min(1, c.sums[known]+float64(guesses-known)*c.rest)
}

// refusedBy asks the judge about every PIN, for a holder of whom nothing is known, once for
// each set of rules.
func (s *Simulator) refusedBy(rules pin.Rules) (*refused, error) {
	rules = forAll(rules)
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.made[rules]; ok {
		return made, nil
	}
	judge, err := pin.NewJudge(rules)
	if err != nil {
		return nil, err
	}
	made := new(refused)
	for n := range made.is {
		if made.is[n] = judge.RefusesToAll(n); made.is[n] {
			made.n++
		}
	}
	s.made[rules] = made
	return made, nil
}

// forAll leaves out the rules that need the holder's numbers, which refuse nothing here.
func forAll(r pin.Rules) pin.Rules {
	r.Birthday, r.IDNumber, r.Phone, r.CardNumber, r.Current, r.Run = false, false, false, false, false, pin.Digits
	return r
}

// yearOf counts the guesses that a keeper's tally permits in a year of 365 days to a thief
// who guesses whenever it allows. With proved, the holder enters the right PIN after every
// lock, which clears the thief's guesses.
func yearOf(l ledger.Limits, proved bool) (guesses int) {
	var t ledger.Tally
	now := time.Unix(0, 0)
	for end := now.Add(365 * 24 * time.Hour); now.Before(end); {
		_, refusal := t.Check(now, ledger.Stranger, 0, l)
		switch {
		case refusal == nil:
			t.Spend(now, ledger.Stranger)
			guesses++
		case refusal.Reason != ledger.Locked:
			return guesses
		default:
			now = refusal.Until
			if proved {
				if _, still := t.Check(now, ledger.Stranger, 0, l); still != nil {
					return guesses // blocked: the holder can no longer enter it
				}
				t.Clear(t.Spend(now, ledger.Stranger), true)
			}
		}
	}
	return guesses
}
