package simulate

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
)

var update = flag.Bool("update", false, "write the golden files")

func newSimulator(t testing.TB) *Simulator {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, rows string) *Frequencies {
	t.Helper()
	f, err := ReadFrequencies(strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestByHand works through a few choices that can be counted in the head: 123456 and
// 850307 are refused, the others pass.
func TestByHand(t *testing.T) {
	s := newSimulator(t)
	f := read(t, "123456\t50\n850307\t30\n907352\t15\n402817\t5\n")
	r, err := s.Run(policy.National(), f)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "none, one guess", r.None.Alike.After[0], .5)
	near(t, "none, three guesses", r.None.Alike.After[1], .95)
	near(t, "none, six guesses", r.None.Alike.After[2], 1)
	near(t, "none, refused", r.None.RefusedOnce, 0)
	near(t, "basic, refused", r.Basic.RefusedOnce, .5)
	near(t, "basic, one guess", r.Basic.Alike.After[0], .6)
	near(t, "policy, refused", r.Policy.RefusedOnce, .8)
	near(t, "policy, alike, one guess", r.Policy.Alike.After[0], .75)
	lot := .8 / float64(pins-r.Policy.Refused)
	near(t, "policy, by lot, one guess", r.Policy.Lot.After[0], .15+lot)
	near(t, "policy, by lot, three guesses", r.Policy.Lot.After[1], .2+3*lot)
	if r.None.Alike.PerMillion != 500_000 || r.Policy.Alike.PerMillion != 750_000 || r.None.Refused != 0 {
		t.Errorf("%+v", r)
	}
	if r.Choices != 100 || r.PINs != 4 {
		t.Errorf("%d choices of %d PINs", r.Choices, r.PINs)
	}
}

// TestNobodyIsLeft: where every choice is refused, nobody knows how they choose then, and
// both models draw by lot.
func TestNobodyIsLeft(t *testing.T) {
	r, err := newSimulator(t).Run(policy.National(), read(t, "123456\t1\n"))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "one guess", r.Policy.Alike.After[0], 1/float64(pins-r.Policy.Refused))
	near(t, "alike and by lot", r.Policy.Alike.YearProved, r.Policy.Lot.YearProved)
}

// TestAYearOfLocks: the ladder of the national limits, and of others, guess by guess.
func TestAYearOfLocks(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name          string
		l             ledger.Limits
		alone, proved int
	}{
		{"national", ledger.NationalLimits(), 30, 6 * 365},
		{"three tries, three days", ledger.Limits{Attempts: 3, Window: day, LockFor: 3 * day, Failures: 30}, 30, 3 * 122},
		{"ten in all", ledger.Limits{Attempts: 6, Window: day, LockFor: day, Failures: 10}, 10, 6 * 365},
		{"as few as a lock", ledger.Limits{Attempts: 6, Window: day, LockFor: day, Failures: 6}, 6, 6},
	} {
		if alone, proved := yearOf(c.l, false), yearOf(c.l, true); alone != c.alone || proved != c.proved {
			t.Errorf("%s: %d and %d, want %d and %d", c.name, alone, proved, c.alone, c.proved)
		}
	}
}

// TestStrongerIsNotEasier: on the embedded frequencies each rule that is added refuses more
// PINs and more choosers, and a thief's first six guesses are worth little.
func TestStrongerIsNotEasier(t *testing.T) {
	s := newSimulator(t)
	p := policy.National()
	strong, err := s.Run(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.PIN.List = pin.ListBasic
	basic, err := s.Run(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !(strong.Policy.Refused > basic.Policy.Refused && basic.Policy.Refused > basic.Basic.Refused) {
		t.Errorf("refused: %d, %d, %d", strong.Policy.Refused, basic.Policy.Refused, basic.Basic.Refused)
	}
	if !(strong.Policy.RefusedOnce > basic.Policy.RefusedOnce && basic.Policy.RefusedOnce > basic.Basic.RefusedOnce) {
		t.Error("choosers refused once do not grow with the rules")
	}
	for _, r := range []Row{strong.None, strong.Basic, strong.Policy, basic.Policy} {
		for i := 1; i < len(r.Alike.After); i++ {
			if r.Alike.After[i] < r.Alike.After[i-1] || r.Lot.After[i] > r.Alike.After[i]+1e-12 {
				t.Errorf("%+v", r)
			}
		}
	}
	if strong.None.Alike.After[2] < .3 || strong.Policy.Alike.After[2] > .002 {
		t.Errorf("six guesses: %v without rules, %v with", strong.None.Alike.After[2], strong.Policy.Alike.After[2])
	}
	none, under, err := s.Thieves(policy.National())
	if err != nil || none != int(math.Ceil(1e4*strong.None.Alike.After[2])) || under != int(math.Ceil(1e4*strong.Policy.Alike.After[2])) {
		t.Errorf("thieves: %d and %d, %v", none, under, err)
	}
}

// TestGolden holds the numbers of the national rule on the embedded frequencies.
func TestGolden(t *testing.T) {
	r, err := newSimulator(t).Run(policy.National(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const path = "testdata/national.json"
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != string(got) {
		t.Errorf("%v; go test ./internal/simulate -run TestGolden -update\n%s", err, got)
	}
}

func TestRowsAreRefused(t *testing.T) {
	for rows, want := range map[string]struct {
		line int
		err  error
	}{
		"12345\t1\n":                              {1, ErrRow},
		"1234567\t1\n":                            {1, ErrRow},
		"+12345\t1\n":                             {1, ErrRow},
		"123456 1\n":                              {1, ErrRow},
		"123456\n":                                {1, ErrRow},
		"123456\t\n":                              {1, ErrRow},
		"907352\t1\n123456\t-1\n":                 {2, ErrRow},
		"907352\t1\n\n":                           {2, ErrRow},
		"907352\t1\n123456\t0\n":                  {2, ErrCount},
		"123456\t1000000000001\n":                 {1, ErrCount},
		"123456\t99999999999999999999\n":          {1, ErrCount},
		"123456\t1\n907352\t1\n123456\t1\n":       {3, ErrTwice},
		"123456\t1\n" + strings.Repeat("9", 9000): {2, ErrRow},
		"１２３４５６\t1\n":                             {1, ErrRow},
	} {
		_, err := ReadFrequencies(strings.NewReader(rows))
		e, ok := errors.AsType[*RowError](err)
		if !ok || e.Line != want.line || !errors.Is(err, want.err) {
			t.Errorf("%.40q: %v", rows, err)
		}
	}
	if _, err := ReadFrequencies(strings.NewReader("")); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	if f := read(t, "\ufeff000009\t2\r\n907352\t1\r\n"); f.Choices() != 3 || f.rows[0].pin != 9 {
		t.Errorf("of Windows: %+v", f)
	}
}

func FuzzReadFrequencies(f *testing.F) {
	for _, s := range []string{"", "123456\t50\n907352\t15\n", "\ufeff000000\t1\r\n", "123456\t0\n", "123456\t1\n123456\t1\n", "1\t1", "999999\t1000000000000"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read, err := ReadFrequencies(strings.NewReader(string(raw)))
		if err != nil {
			if read != nil {
				t.Fatal("an error and frequencies")
			}
			return
		}
		c := newChances(&refused{}, read, false)
		if one, all := c.best(1), c.best(pins); one <= 0 || math.Abs(all-1) > 1e-6 || c.once != 0 {
			t.Fatalf("one guess %v, all %v, refused %v", one, all, c.once)
		}
	})
}

// TestWhatIsReadFirst: what the numbers are of stands before them, and where the stronger list
// looks worse, why that says nothing; where it does not, nothing of it.
func TestWhatIsReadFirst(t *testing.T) {
	w := locale.In(locale.English)
	basic, higher, lower := Row{Refused: 2}, Row{Refused: 3}, Row{Refused: 3}
	for r, after := range map[*Row]float64{&basic: .1, &higher: .2, &lower: .05} {
		r.Alike.After = []float64{after}
	}
	is, file, why := w.Shown.SimulateIsNot(), w.Shown.SimulateFileIs(), w.Shown.SimulateHigher()
	for _, c := range []struct {
		policy   Row
		embedded bool
		want     []string
	}{{higher, true, []string{is, why}}, {lower, true, []string{is}}, {higher, false, []string{file, why}}, {basic, false, []string{file}}} {
		if got := Caution(w, Result{Basic: basic, Policy: c.policy}, c.embedded); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.policy, got, c.want)
		}
	}
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(policy.National(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := Caution(w, r, true); !slices.Equal(got, []string{is, why}) {
		t.Errorf("of the nation's policy: %q", got)
	}
}
