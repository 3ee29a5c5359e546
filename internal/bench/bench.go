// Package bench measures the cost of a verification, against a real server
// process over loopback HTTP, in slices between which the floors are measured:
// the rates of the same machine with HTTP and cryptography alone, and with the password
// hashes that others use; and what a normal load notices of floods. It
// guarantees that every figure of a result was measured in that run on that
// machine, and that the load it makes is verified: an answer that is not "right"
// fails the run of Run, and is counted as an error by Flood. It guarantees that
// what it fills a database with are rows as the store writes them, and that filling
// holds no more of them in memory for more cards. It trusts the system
// clock, the clocks of processes, and /proc.
//
// The figures mean something as ratios of each other; docs/PERFORMANCE.md says
// how to read them.
//
// Start here: Run for the cost, fill for the data, Flood and kinds for the floods.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// ErrCold means that only a file database can be measured cold.
var ErrCold = errors.New("bench: a PostgreSQL server keeps its own pages; --cold is for a file")

// ErrStandby means that there is no PostgreSQL server for a standby to follow.
var ErrStandby = errors.New("bench: a standby follows a PostgreSQL server; it goes with --store postgres")

// ErrKeptServer means that only file databases can be kept.
var ErrKeptServer = errors.New("bench: the PostgreSQL server goes with this process; --keep is for files")

// ErrBeside means that a second database is measured beside the first with one keeper in
// the process and warm only.
var ErrBeside = errors.New("bench: --beside is for one keeper in the process, and warm")

// Config is the size and duration of a measurement.
type Config struct {
	Binary   string        // the liuma command, for the server and the echo
	Dir      string        // an empty directory for the data, or with Keep one of an earlier run
	Keep     bool          // Dir stays: a later run, or one after an interruption, goes on with it
	Cards    int           // how many cards the database holds
	For      time.Duration // how long the load lasts, all slices together
	Slices   int           // number of slices; 5 if zero
	Beside   int           // cards of a second database that is measured in turn with the first; 0: none
	Clients  int           // connections that ask at once; 64 if zero
	Cold     bool          // in each slice the server begins with no file in the page cache
	Shape    string        // of the keepers; 1/1 if empty
	Remote   bool          // each keeper is a process of its own, behind TLS on the loopback
	Keeper   string        // the liuma-keeper command, with Remote
	Postgres bool          // the database is on a PostgreSQL server that is begun for it
	Standby  bool          // with Postgres: commits wait for a second server
	Profile  io.Writer     // takes the server's processor profile of all slices, as pprof reads it; nil: none
	Out      io.Writer     // progress; nil: none
	Terminal bool          // Out is one

	asked, chunk, window int // for the filling; mostAsked and so on if zero. Tests use small ones.
}

const (
	embedded      = "1/1"
	storeFile     = "sqlite"
	storeServer   = "postgres"
	defaultSlices = 5
)

func (c *Config) validate() error {
	if c.Clients == 0 {
		c.Clients = 64
	}
	if c.Slices == 0 {
		c.Slices = defaultSlices
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Shape == "" {
		c.Shape = embedded
	}
	c.asked, c.chunk, c.window = cmp.Or(c.asked, mostAsked), cmp.Or(c.chunk, chunk), cmp.Or(c.window, window)
	switch {
	case c.Remote && c.Keeper == "":
		return errors.New("bench: keepers that are processes need the liuma-keeper command")
	case c.Standby && !c.Postgres:
		return ErrStandby
	case c.Cold && c.Postgres:
		return ErrCold
	case c.Keep && c.Postgres:
		return ErrKeptServer
	case c.Beside > 0 && !c.paired():
		return ErrBeside
	case c.Binary == "" || c.Dir == "" || c.Cards < 1 || c.Beside < 0 || c.Slices < 1 || c.For < time.Second || c.Clients < 1:
		return errors.New("bench: want a binary, a directory, at least one card, one slice and one second")
	}
	return nil
}

// paired reports whether another database can be measured in turn with the first: one keeper in the
// process, warm.
func (c *Config) paired() bool { return c.Shape == embedded && !c.Remote && !c.Cold }

// expected is the highest rate for which verifications are prepared; a faster machine
// stops when they are used up.
const expected = 5000

// Run fills a database, starts the server on it, asks in slices, and measures the
// floors between them. It takes about four times Config.For, and more with many cards.
func Run(ctx context.Context, c Config) (r Result, err error) {
	if err := c.validate(); err != nil {
		return Result{}, err
	}
	s, err := raise(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var beside *subject
	if c.Beside > 0 {
		few := c
		few.Cards, few.Beside, few.Dir = c.Beside, 0, filepath.Join(c.Dir, "beside")
		if beside, err = raise(ctx, few); err != nil {
			return Result{}, err
		}
		defer func() { err = errors.Join(err, beside.close()) }()
	}
	f, err := beginFloors(ctx, c)
	if err != nil {
		return Result{}, fmt.Errorf("bench: floors: %w", err)
	}
	defer func() { err = errors.Join(err, f.close()) }()
	m, err := takeTurns(ctx, c, s, beside, f)
	if err != nil {
		return Result{}, err
	}
	if r, err = m.result(s); err != nil || !c.Postgres {
		return r, err
	}
	return r, s.countTrips(ctx, &r)
}

// measured is all slices of a run, in the order of time.
type measured struct {
	load, beside []sliced
	floors       []floored
	open         *OpenLoop
	loadAverage  []float64 // of the machine, before each slice
	each         time.Duration
}

// The least that a slice of a floor lasts, and the most.
const (
	leastFloor = 200 * time.Millisecond
	mostFloor  = time.Second
)

// takeTurns lets the load, the load on the other database and each floor take turns.
func takeTurns(ctx context.Context, c Config, s, beside *subject, f *floors) (m measured, err error) {
	m.each = c.For / time.Duration(c.Slices)
	turns := []*subject{s}
	if beside != nil {
		turns = append(turns, beside)
	}
	if !c.Cold { // first the work that is done only once: connections, prepared statements, pages
		for _, of := range turns {
			if _, err := of.slice(ctx, min(m.each, time.Second)); err != nil {
				return m, fmt.Errorf("bench: warm up: %w", err)
			}
		}
	}
	bar := c.bar("measuring", c.Slices)
	defer bar.Done()
	for range c.Slices {
		m.loadAverage = append(m.loadAverage, loadAverage())
		for i, of := range turns {
			one, err := of.slice(ctx, m.each)
			if err != nil {
				return m, fmt.Errorf("bench: load: %w", err)
			}
			if i == 0 {
				m.load = append(m.load, one)
			} else {
				m.beside = append(m.beside, one)
			}
		}
		floor, err := f.slice(ctx, min(max(m.each/3, leastFloor), mostFloor))
		if err != nil {
			return m, fmt.Errorf("bench: floors: %w", err)
		}
		m.floors = append(m.floors, floor)
		bar.Add(1)
	}
	if c.Cold {
		return m, nil
	}
	half := figure(m.load, func(s sliced) float64 { return s.rate }).Median / 2
	open, err := s.open(ctx, half, max(c.For/2, time.Second))
	m.open = &open
	return m, err
}
