package registry

import (
	"bufio"
	_ "embed" // regions.csv
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// regionsCSV lists county-level codes of GB/T 2260 that are in force, with
// their names, from every province of the mainland.
//
//go:embed regions.csv
var regionsCSV string

// mobilePrefixes are the prefixes of the mainland's operators; a number is one
// of them and eight more digits.
var mobilePrefixes = [...]string{
	"130", "131", "132", "133", "135", "136", "137", "138", "139", "150", "151", "152", "153",
	"155", "156", "157", "158", "159", "176", "177", "178", "180", "181", "182", "183", "185",
	"186", "187", "188", "189", "198", "199",
}

// MaxSample is the largest sample; up to it card numbers and phones cannot run out.
const MaxSample = 100_000_000

// sampleYear is the year for which the ages of a sample are right. It is fixed, so
// that a seed makes the same file in every year.
const sampleYear = 2026

// Ages in a sample.
const (
	minAge = 16
	maxAge = 95
)

// Sample writes a registry of made-up people in the form that Import reads:
// valid check characters, real regions, plausible names, phones and card
// numbers, ages 16 to 95; one in a hundred cards is lost and one cancelled. No
// ID number, phone or card number comes twice. The same seed makes the same
// people. If a made-up number belongs to a living person, that is chance, and
// the rest of the row is not about them.
func Sample(w io.Writer, people int, seed uint64) error {
	if people < 1 || people > MaxSample {
		return fmt.Errorf("registry: sample: %d people, want 1 to %d", people, MaxSample)
	}
	s, err := newSampler(people, seed)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if _, err := out.WriteString(header + "\n"); err != nil {
		return fmt.Errorf("registry: sample: %w", err)
	}
	for i := range people {
		if _, err := out.Write(s.person(uint64(i))); err != nil {
			return fmt.Errorf("registry: sample: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("registry: sample: %w", err)
	}
	return nil
}

// sampler makes people, in one goroutine.
type sampler struct {
	r       *rand.Rand
	namer   namer
	regions []string
	used    map[uint64]struct{} // first 17 digits of the ID numbers given out
	phone   scatter
	card    scatter
	line    []byte // reused
}

func newSampler(people int, seed uint64) (*sampler, error) {
	s := &sampler{
		r:     rand.New(rand.NewPCG(seed, 0x6c69756d61)),
		namer: newNamer(),
		used:  make(map[uint64]struct{}, people),
	}
	for line := range strings.Lines(regionsCSV) {
		code, _, ok := strings.Cut(line, ",")
		if !ok || len(code) != 6 {
			return nil, errors.New("registry: sample: the list of regions is damaged")
		}
		s.regions = append(s.regions, code)
	}
	s.phone = newScatter(s.r, uint64(len(mobilePrefixes))*1e8)
	s.card = newScatter(s.r, 26*1e8)
	return s, nil
}

// scatter visits every number below size once, in an order that looks random:
// i*step+start modulo size, with a step that shares no factor with size.
type scatter struct{ size, step, start uint64 }

func newScatter(r *rand.Rand, size uint64) scatter {
	step := r.Uint64N(size/2) + size/4
	for gcd(step, size) != 1 {
		step++
	}
	return scatter{size: size, step: step, start: r.Uint64N(size)}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// The product in at stays below 2^64: i is below 1e8, step and start below
// 2^32.
func (s scatter) at(i uint64) uint64 { return (i*s.step + s.start) % s.size }

// person returns the line of the i-th person; it is valid until the next call.
func (s *sampler) person(i uint64) []byte {
	region := s.regions[s.r.IntN(len(s.regions))]
	b := s.line[:0]
	b = append(b, s.idNumber(region)...)
	b = append(b, ',')
	b = append(b, s.namer.name(s.r)...)
	b = append(b, ',')
	phone := s.phone.at(i)
	b = append(b, mobilePrefixes[phone/1e8]...)
	b = appendEight(b, phone%1e8)
	b = append(b, ',')
	card := s.card.at(i)
	b = append(b, byte('A'+card/1e8))
	b = appendEight(b, card%1e8)
	b = append(b, ',')
	b = append(b, region...)
	b = append(b, ',')
	switch s.r.IntN(100) {
	case 0:
		b = append(b, "lost"...)
	case 1:
		b = append(b, "cancelled"...)
	default:
		b = append(b, "normal"...)
	}
	s.line = append(b, '\n')
	return s.line
}

// idNumber draws until the number is new. Most people have a number from the region
// where they live, a quarter from elsewhere.
func (s *sampler) idNumber(region string) string {
	for {
		code := region
		if s.r.IntN(4) == 0 {
			code = s.regions[s.r.IntN(len(s.regions))]
		}
		first := time.Date(sampleYear-maxAge, 1, 1, 0, 0, 0, 0, time.UTC)
		days := int(time.Date(sampleYear-minAge, 1, 1, 0, 0, 0, 0, time.UTC).Sub(first).Hours()) / 24
		birthday := first.AddDate(0, 0, s.r.IntN(days)).Format("20060102")
		digits := code + birthday + fmt.Sprintf("%03d", 1+s.r.IntN(999))
		key, err := strconv.ParseUint(digits, 10, 64)
		if err != nil { // seventeen digits, so it cannot fail
			continue
		}
		if _, used := s.used[key]; used {
			continue
		}
		s.used[key] = struct{}{}
		return digits + string(checkCharacter(digits))
	}
}

func appendEight(b []byte, n uint64) []byte {
	for d := uint64(1e7); d > 0; d /= 10 {
		b = append(b, byte('0'+n/d%10))
	}
	return b
}
