package bench

import (
	"fmt"
	"io"
	"strings"
)

// Lines writes the slices as lines of Go benchmarks, a line for each, so that benchstat
// compares two runs of different releases.
func (r Result) Lines(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Unit verifications/s better=higher\nUnit x-bcrypt10 better=higher\n")
	for i := range r.CPU.Slices {
		line := func(name string, pairs ...any) {
			fmt.Fprintf(&b, "Benchmark%s-%d\t%d", name, r.Processors, max(1, r.Verifications/r.Slices))
			for ; len(pairs) > 0; pairs = pairs[2:] {
				fmt.Fprintf(&b, "\t%.4g %s", pairs[0], pairs[1])
			}
			b.WriteByte('\n')
		}
		line(r.name(r.Cards), r.AllCPU.Slices[i]*1000, "ns/op", r.ToFloor.Slices[i], "x-floor", r.ToBcrypt.Slices[i], "x-bcrypt10", r.Rate.Slices[i], "verifications/s")
		if r.Beside != nil {
			line(r.name(r.Beside.Cards), r.Beside.CPU.Slices[i]*1000, "ns/op", r.Beside.Rate.Slices[i], "verifications/s")
		}
		line("FloorEcho", r.EchoCPU.Slices[i]*1000, "ns/op")
		line("FloorCryptography", r.CryptoCPU.Slices[i]*1000, "ns/op")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// name says what was measured, as benchmarks do.
func (r Result) name(cards int) string {
	name := fmt.Sprintf("Verify/store=%s/shape=%s/cards=%d", r.Store, strings.ReplaceAll(r.Shape, "/", "of"), cards)
	if r.Cold {
		name += "/cold"
	}
	if r.Remote {
		name += "/keepers=remote"
	}
	if r.Standby {
		name += "/standby"
	}
	return name
}
