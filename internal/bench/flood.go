package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/progress"
)

// FloodConfig is the size and duration of a measurement of floods.
type FloodConfig struct {
	Binary   string        // the liuma command, for the server and the flooder
	Dir      string        // an empty directory for the data; a file beside it keeps the gateway's secret
	Kinds    []string      // which floods, by name; none: all
	Cards    int           // how many cards the floods are about; 20,000 if zero
	For      time.Duration // how long each flood lasts, at most four minutes
	Rate     float64       // requests a second that a flood tries to send; 500 if zero
	Load     float64       // verifications a second of the normal load; 100 if zero
	Open     int           // ceremonies that are opened on one card for Stall; none if zero
	Out      io.Writer     // progress; nil shows nothing
	Terminal bool          // Out is one
}

// The longest flood: challenges and tokens, which live five minutes, are made
// once for each.
const longestFlood = 4 * time.Minute

// calmCards is how many cards the normal load is about. Each has a PIN of its
// own, which takes the keeper a millisecond to set.
const calmCards = 500

// spareCards is how many cards are kept for the resets of Stall.
const spareCards = 2

// FloodReport holds the figures of one run: the normal load alone, then beside
// each flood.
type FloodReport struct {
	Processors int        `json:"processors"`
	Cards      int        `json:"cards"`
	Seconds    float64    `json:"seconds"`       // of each row
	Rate       float64    `json:"rate"`          // that each flood tried, a second
	Load       float64    `json:"verifications"` // of the normal load, a second
	Quiet      FloodRow   `json:"quiet"`
	Floods     []FloodRow `json:"floods"`
	Stall      *Stall     `json:"stall,omitempty"`
}

// FloodRow is the measurement of one flood. The quiet row has no flood.
type FloodRow struct {
	Kind    string         `json:"kind"`
	What    string         `json:"what"`
	Sent    int            `json:"sent"`
	Rate    float64        `json:"sent_per_second"`
	Answers map[string]int `json:"answers"` // by HTTP status and code, or what became of the connection
	// Values of the normal load: in the last seconds before the flood, and beside it.
	// The ratios are of these two, so that they change little on a machine whose
	// speed varies from minute to minute.
	Before   Noticed `json:"before"`
	Verify   Noticed `json:"verifications"`
	Hosted   Noticed `json:"ceremonies"`
	P50Ratio float64 `json:"p50_ratio"`
	P99Ratio float64 `json:"p99_ratio"`
	// The server's process while the flood lasted.
	CPU       float64 `json:"cpu"` // processors that it kept busy
	RSSBefore float64 `json:"rss_before_mib"`
	RSSPeak   float64 `json:"rss_peak_mib"`
	RSSAfter  float64 `json:"rss_after_mib"`
	// The files of the store and the ledger after the server was stopped and had
	// written everything into them, less the growth in the quiet row; and the
	// write-ahead logs at their largest.
	DiskHour float64 `json:"disk_mib_an_hour"`
	WALPeak  float64 `json:"wal_peak_mib"`
	LogHour  float64 `json:"log_mib_an_hour"` // of the server's log at level info
}

// Noticed holds the values of one part of the normal load. Times count from when a
// request was due, so they include waiting for a turn.
type Noticed struct {
	Sent   int            `json:"sent"`
	Errors int            `json:"errors"` // answers that were not the right one
	Why    map[string]int `json:"why,omitempty"`
	P50    float64        `json:"p50_ms"`
	P99    float64        `json:"p99_ms"`
	Worst  float64        `json:"worst_ms"`
}

func (c *FloodConfig) validate() error {
	if c.Cards == 0 {
		c.Cards = 20_000
	}
	if c.Rate == 0 {
		c.Rate = 500
	}
	if c.Load == 0 {
		c.Load = 100
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if len(c.Kinds) == 0 || slices.Contains(c.Kinds, "all") {
		c.Kinds = FloodKinds()
	}
	for _, name := range c.Kinds {
		if _, ok := kindOf(name); !ok {
			return fmt.Errorf("bench: no flood of kind %q; there are %s", name, strings.Join(FloodKinds(), ", "))
		}
	}
	switch {
	case c.Binary == "" || c.Dir == "":
		return errors.New("bench: want a binary and a directory")
	case c.Cards < fewestTargets:
		return fmt.Errorf("bench: want at least %d cards", fewestTargets)
	case c.For <= 0 || c.For > longestFlood:
		return fmt.Errorf("bench: want a duration of at most %v", longestFlood)
	case c.Rate < 1 || c.Load < 1 || c.Rate > 100_000 || c.Load > 10_000:
		return errors.New("bench: want a rate from 1 to 100000 and a load from 1 to 10000")
	}
	return nil
}

// Flood measures the effect of floods on a normal load, one kind after the other.
// Each has a server process of its own on the same data, and the flood comes from a
// third process, of lower priority, since an attacker has processors of his own. A
// row takes a third longer than For, and a few seconds. Even with an error, the
// report has the rows measured so far.
func Flood(ctx context.Context, c FloodConfig) (r FloodReport, err error) {
	if err := c.validate(); err != nil {
		return r, err
	}
	phones, err := newPhones()
	if err != nil {
		return r, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, phones.close()) }()
	s, err := newStage(ctx, c, phones.url())
	if err != nil {
		return r, fmt.Errorf("bench: stage: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(s.secretFile)) }()
	r = FloodReport{Processors: runtime.NumCPU(), Cards: c.Cards, Seconds: c.For.Seconds(), Rate: c.Rate, Load: c.Load}
	bar := progress.Count(c.Out, "floods", int64(len(c.Kinds)+1), c.Terminal)
	defer bar.Done()
	// The first start writes more than any later one, so it is not measured.
	if _, err := measure(ctx, c, s, kind{name: "first"}, FloodRow{}); err != nil {
		return r, fmt.Errorf("bench: first start: %w", err)
	}
	if r.Quiet, err = measure(ctx, c, s, kind{name: "quiet", what: "the normal load alone"}, FloodRow{}); err != nil {
		return r, fmt.Errorf("bench: quiet: %w", err)
	}
	bar.Add(1)
	for _, name := range c.Kinds {
		k, _ := kindOf(name)
		row, err := measure(ctx, c, s, k, r.Quiet)
		if err != nil {
			return r, fmt.Errorf("bench: %s: %w", name, err)
		}
		r.Floods = append(r.Floods, row)
		bar.Add(1)
	}
	if c.Open > 0 {
		if r.Stall, err = stall(ctx, c, s, phones); err != nil {
			return r, fmt.Errorf("bench: stall: %w", err)
		}
	}
	return r, nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// quietPart is how much of a row's time the normal load runs alone before the
// flood.
const quietPart = 3

// measure measures one row. quiet is the quiet one, or empty while that is
// measured itself.
func measure(ctx context.Context, c FloodConfig, s *stage, k kind, quiet FloodRow) (row FloodRow, err error) {
	row = FloodRow{Kind: k.name, What: k.what}
	disk, err := size(s.files()...)
	if err != nil {
		return row, err
	}
	server, err := s.serve(c.Binary)
	if err != nil {
		return row, err
	}
	alone, err := flooded(ctx, c, s, k, server.cmd.Process.Pid, &row)
	// Stopping writes everything into the files.
	if err := errors.Join(err, s.stop(server)); err != nil {
		return row, err
	}
	grown, err := size(s.files()...)
	row.DiskHour = float64(grown-disk)/(1<<20)/c.For.Hours() - quiet.DiskHour*alone.Hours()/c.For.Hours()
	row.P50Ratio, row.P99Ratio = ratio(row.Verify.P50, row.Before.P50), ratio(row.Verify.P99, row.Before.P99)
	return row, err
}

// flooded runs the normal load against a server, alone for as long as it
// returns, and then beside the flood where the kind has one.
func flooded(ctx context.Context, c FloodConfig, s *stage, k kind, server int, row *FloodRow) (alone time.Duration, err error) {
	load, err := newCalm(ctx, s, c.Load, c.For)
	if err != nil {
		return 0, err
	}
	var flood *flooding
	if k.sender != nil {
		if flood, err = startFlooder(c, s, k); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, flood.end()) }()
		alone = c.For / quietPart
		before, err := newCalm(ctx, s, c.Load, alone)
		if err != nil {
			return 0, err
		}
		row.Before, _ = before.run(ctx)
	}
	before, err := usage(server)
	if err != nil {
		return 0, err
	}
	logged, wal := s.log.size(), watchWAL(s)
	begun := time.Now()
	if flood != nil {
		flood.begin()
	}
	row.Verify, row.Hosted = load.run(ctx)
	if flood != nil {
		if row.Sent, row.Answers, err = flood.result(); err != nil {
			return 0, errors.Join(err, ctx.Err())
		}
		row.Rate = float64(row.Sent) / c.For.Seconds()
	}
	took := time.Since(begun)
	row.WALPeak = wal()
	after, err := usage(server)
	if err != nil {
		return 0, err
	}
	row.CPU = (after.cpu - before.cpu).Seconds() / took.Seconds()
	row.RSSBefore, row.RSSPeak, row.RSSAfter = before.nowMiB, after.rssMiB, after.nowMiB
	row.LogHour = float64(s.log.size()-logged) / (1 << 20) / took.Hours()
	return alone, ctx.Err()
}

// watchWAL samples the write-ahead logs until the result is asked for, and
// returns their largest size together, in MiB.
func watchWAL(s *stage) func() float64 {
	stop, peak := make(chan struct{}), make(chan float64)
	go func() {
		largest := int64(0)
		look := func() {
			total := int64(0)
			for _, f := range s.files() {
				if fi, err := os.Stat(f + "-wal"); err == nil {
					total += fi.Size()
				}
			}
			largest = max(largest, total)
		}
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for {
			look()
			select {
			case <-every.C:
			case <-stop:
				look()
				peak <- float64(largest) / (1 << 20)
				return
			}
		}
	}()
	return func() float64 { close(stop); return <-peak }
}

// files are the store's and the ledger's.
func (s *stage) files() []string {
	return []string{s.config.Database, filepath.Join(s.config.Keepers.Directories[0], "ledger.db")}
}
