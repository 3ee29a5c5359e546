package bench

import "fmt"

// Bar is a limit for the embedded shape, and this run's result for it.
type Bar struct {
	Name   BarName `json:"name"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Least  bool    `json:"at_least"` // the value must not be below the limit; otherwise not above it
	Passed bool    `json:"passed"`
}

// BarName names a bar.
type BarName string

// The bars.
const (
	BarFloor  BarName = "processor_time_to_echo_and_cryptography"
	BarBcrypt BarName = "rate_to_bcrypt10"
	BarCards  BarName = "processor_time_to_few_cards"
	BarMemory BarName = "memory_mib"
)

// The limits of the bars.
const (
	mostToFloor   = 1.8
	leastToBcrypt = 70
	mostToFew     = 1.1
	memoryMiB     = 256 // plus memoryPerCard for each card
	memoryPerCard = 200 // bytes
)

func bar(name BarName, value, limit float64, least bool) Bar {
	passed := value <= limit
	if least {
		passed = value >= limit
	}
	return Bar{Name: name, Value: value, Limit: limit, Least: least, Passed: passed}
}

// bars compares a result with the limits. They apply to the embedded shape, warm;
// other shapes have none.
func (r *Result) bars() (out []Bar) {
	if r.Cold || r.Remote || r.Store != storeFile || r.Shape != embedded {
		return nil
	}
	out = []Bar{bar(BarFloor, r.ToFloor.Median, mostToFloor, false), bar(BarBcrypt, r.ToBcrypt.Median, leastToBcrypt, true)}
	if r.Beside != nil {
		out = append(out, bar(BarCards, r.Beside.Ratio.Median, mostToFew, false))
	}
	return append(out, bar(BarMemory, r.RSS, memoryMiB+memoryPerCard*float64(r.Cards)/(1<<20), false))
}

// String is the limit with its sign.
func (b Bar) String() string {
	sign := "≤"
	if b.Least {
		sign = "≥"
	}
	return fmt.Sprintf("%s %.4g", sign, b.Limit)
}
