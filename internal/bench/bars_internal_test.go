package bench

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func flat(v float64) Figure { return Figure{Median: v, Min: v, Max: v, Slices: []float64{v}} }

func embeddedResult() Result {
	return Result{Cards: 1_000_000, Store: storeFile, Shape: embedded, Slices: 1, Verifications: 10, Processors: 2, RSS: 400,
		CPU: flat(700), AllCPU: flat(700), Rate: flat(1500), ToFloor: flat(1.7), ToBcrypt: flat(75), EchoCPU: flat(40), CryptoCPU: flat(370),
		Beside: &Beside{Cards: 1000, Ratio: flat(1.05), CPU: flat(690), Rate: flat(1510)}}
}

// TestBars at, above and below each limit.
func TestBars(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Result)
		missed BarName // empty: all are kept
	}{
		{"kept", func(*Result) {}, ""},
		{"at the floor's limit", func(r *Result) { r.ToFloor = flat(1.8) }, ""},
		{"above the floor's", func(r *Result) { r.ToFloor = flat(1.81) }, BarFloor},
		{"at bcrypt's limit", func(r *Result) { r.ToBcrypt = flat(70) }, ""},
		{"below bcrypt's", func(r *Result) { r.ToBcrypt = flat(69.9) }, BarBcrypt},
		{"a million cost more", func(r *Result) { r.Beside.Ratio = flat(1.11) }, BarCards},
		{"as much memory as cards allow", func(r *Result) { r.RSS = 446 }, ""},
		{"more memory", func(r *Result) { r.RSS = 447 }, BarMemory},
		{"the same memory for fewer cards", func(r *Result) { r.Cards = 1000 }, BarMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := embeddedResult()
			c.change(&r)
			var missed BarName
			for _, b := range r.bars() {
				if !b.Passed {
					missed = b.Name
				}
			}
			if missed != c.missed {
				t.Errorf("missed %q, want %q", missed, c.missed)
			}
		})
	}
}

// TestBarsAreOfTheEmbeddedShape: others are reported without.
func TestBarsAreOfTheEmbeddedShape(t *testing.T) {
	for name, change := range map[string]func(*Result){
		"cold": func(r *Result) { r.Cold = true }, "three keepers": func(r *Result) { r.Shape = "2/3" },
		"processes": func(r *Result) { r.Remote = true }, "server": func(r *Result) { r.Store = storeServer },
	} {
		r := embeddedResult()
		change(&r)
		if got := r.bars(); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFigure is a median, with the least and the most, in the order of time.
func TestFigure(t *testing.T) {
	f := figure([]float64{5, 1, 9, 3, 4}, func(v float64) float64 { return v })
	if f.Median != 4 || f.Min != 1 || f.Max != 9 || f.Slices[0] != 5 {
		t.Errorf("%+v", f)
	}
	if even := figure([]float64{2, 8}, func(v float64) float64 { return v }); even.Median != 5 {
		t.Errorf("of two: %+v", even)
	}
}

// TestRatiosAreOfOneSlice: a machine that becomes slower changes load and floor alike.
func TestRatiosAreOfOneSlice(t *testing.T) {
	m := measured{load: []sliced{{cpu: 100, rate: 10}, {cpu: 200, rate: 5}, {cpu: 400, rate: 2.5}},
		floors: []floored{{echoCPU: 10, cryptoCPU: 40, bcrypt: 1}, {echoCPU: 20, cryptoCPU: 80, bcrypt: 0.5}, {echoCPU: 40, cryptoCPU: 160, bcrypt: 0.25}}}
	var r Result
	m.compared(&r)
	if r.ToFloor.Min != 2 || r.ToFloor.Max != 2 || r.ToBcrypt.Min != 10 || r.ToBcrypt.Max != 10 {
		t.Errorf("%+v %+v", r.ToFloor, r.ToBcrypt)
	}
}

// TestLines are what benchstat reads: a line a slice.
func TestLines(t *testing.T) {
	var b strings.Builder
	if err := embeddedResult().Lines(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Unit verifications/s better=higher\n",
		"BenchmarkVerify/store=sqlite/shape=1of1/cards=1000000-2\t10\t7e+05 ns/op\t1.7 x-floor\t75 x-bcrypt10\t1500 verifications/s\n",
		"BenchmarkVerify/store=sqlite/shape=1of1/cards=1000-2\t10\t6.9e+05 ns/op\t1510 verifications/s\n",
		"BenchmarkFloorEcho-2\t10\t4e+04 ns/op\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestConfig refuses what cannot be measured.
func TestConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   error // nil: any
	}{
		{func(c *Config) { c.Standby = true }, ErrStandby},
		{func(c *Config) { c.Cold, c.Postgres = true, true }, ErrCold},
		{func(c *Config) { c.Keep, c.Postgres = true, true }, ErrKeptServer},
		{func(c *Config) { c.Beside, c.Cold = 1000, true }, ErrBeside},
		{func(c *Config) { c.Beside, c.Shape = 1000, "2/3" }, ErrBeside},
		{func(c *Config) { c.Cards = 0 }, nil},
		{func(c *Config) { c.Slices = -1 }, nil},
		{func(c *Config) { c.Beside = -1 }, nil},
		{func(c *Config) { c.For = time.Millisecond }, nil},
		{func(c *Config) { c.Remote = true }, nil},
	} {
		config := Config{Binary: "liuma", Dir: "d", Cards: 1, For: time.Second}
		if err := config.validate(); err != nil {
			t.Fatal(err)
		}
		c.change(&config)
		if err := config.validate(); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", config, err, c.want)
		}
	}
}
