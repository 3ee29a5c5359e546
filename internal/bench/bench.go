// Package bench measures the cost of a verification, against a real server
// process over loopback HTTP, and in the same run against the floors: the rates
// of the same machine with HTTP and cryptography alone, and with the password
// hashes that others use; and what a normal load notices of floods. It
// guarantees that every figure of a result was measured in that run on that
// machine, and that the load it makes is verified: an answer that is not "right"
// fails the run of Run, and is counted as an error by Flood. It trusts the system
// clock and /proc.
//
// The figures mean something as ratios of each other; docs/PERFORMANCE.md says
// how to read them.
//
// Start here: Run for the cost, Flood and kinds for the floods.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/liuma-pin/liuma/internal/progress"
)

// ErrCold means that only files can be dropped from the page cache.
var ErrCold = errors.New("bench: a PostgreSQL server keeps its own pages; --cold is for a file")

// ErrStandby means that there is nothing for a standby to follow.
var ErrStandby = errors.New("bench: a standby follows a PostgreSQL server; it goes with --store postgres")

// Config is the size and duration of a measurement.
type Config struct {
	Binary   string        // the liuma command, for the server and the echo
	Dir      string        // an empty directory for the data
	Cards    int           // how many cards the database holds
	For      time.Duration // how long the load lasts
	Clients  int           // connections that ask at once; 64 if zero
	Cold     bool          // drop the files from the page cache before the load
	Shape    string        // of the keepers; 1/1 if empty
	Remote   bool          // each keeper is a process of its own, behind TLS on the loopback
	Keeper   string        // the liuma-keeper command, with Remote
	Postgres bool          // the database is on a PostgreSQL server that is begun for it
	Standby  bool          // with Postgres: commits wait for a second server
	Out      io.Writer     // progress; nil shows nothing
	Terminal bool          // Out is one
}

// Result holds the figures of one run. Rates are per second; the load generator
// runs beside the server on the same processors.
type Result struct {
	Cards                  int       `json:"cards"`
	Clients                int       `json:"clients"`
	Seconds                float64   `json:"seconds"`
	Processors             int       `json:"processors"`
	Cold                   bool      `json:"cold"`
	Shape                  string    `json:"shape"`
	Remote                 bool      `json:"keeper_processes"`
	Verifications          int       `json:"verifications"`
	VerificationsPerSecond float64   `json:"verifications_per_second"`
	P50                    float64   `json:"p50_ms"`
	P99                    float64   `json:"p99_ms"`
	CPU                    float64   `json:"cpu_us_per_verification"`                   // of the server
	KeeperCPU              []float64 `json:"cpu_us_per_verification_keepers,omitempty"` // of each keeper's process
	Store                  string    `json:"store"`                                     // sqlite or postgres
	Standby                bool      `json:"synchronous_standby"`
	DatabaseCPU            float64   `json:"cpu_us_per_verification_database,omitempty"` // of all processes of the PostgreSQL server
	StandbyCPU             float64   `json:"cpu_us_per_verification_standby,omitempty"`  // and of its standby
	RoundTrips             float64   `json:"round_trips_per_verification,omitempty"`     // to the PostgreSQL server
	Statements             float64   `json:"statements_per_verification,omitempty"`      // in them
	RSS                    float64   `json:"rss_mib"`                                    // of the server, highest
	BytesPerCard           float64   `json:"bytes_per_card"`                             // database and ledger
	Echo                   float64   `json:"floor_http_echo_per_second"`
	Crypto                 float64   `json:"floor_cryptography_per_second"`
	Spends                 float64   `json:"floor_durable_spends_per_second"`
	Bcrypt                 float64   `json:"bcrypt10_per_second"`
	Argon2id               float64   `json:"argon2id_per_second"`
	// Floor is the rate that HTTP and cryptography alone would allow, one after
	// the other on the same processors.
	Floor         float64 `json:"floor_per_second"`
	RatioToFloor  float64 `json:"ratio_to_floor"`
	RatioToBcrypt float64 `json:"ratio_to_bcrypt10"`
	RatioToArgon  float64 `json:"ratio_to_argon2id"`
}

func (c *Config) validate() error {
	if c.Clients == 0 {
		c.Clients = 64
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Shape == "" {
		c.Shape = "1/1"
	}
	if c.Remote && c.Keeper == "" {
		return errors.New("bench: keepers that are processes need the liuma-keeper command")
	}
	if c.Standby && !c.Postgres {
		return ErrStandby
	}
	if c.Cold && c.Postgres {
		return ErrCold
	}
	if c.Binary == "" || c.Dir == "" || c.Cards < 1 || c.For < time.Second || c.Clients < 1 {
		return errors.New("bench: want a binary, a directory, at least one card and one second")
	}
	return nil
}

// expected is the highest rate that verifications are prepared for; a faster
// machine stops when they are used up.
const expected = 5000

// floorTime is how long each floor is measured.
const floorTime = 3 * time.Second

// Run fills a database, starts the server on it, asks, and measures the
// floors. It takes a few times Config.For, and more with many cards.
func Run(ctx context.Context, c Config) (r Result, err error) {
	if err := c.validate(); err != nil {
		return Result{}, err
	}
	on, err := beginDatabase(c)
	if err != nil {
		return Result{}, fmt.Errorf("bench: database: %w", err)
	}
	defer on.end()
	f, err := fill(ctx, c, on)
	if err != nil {
		return Result{}, fmt.Errorf("bench: fill: %w", err)
	}
	defer func() { err = errors.Join(err, f.keepers.stop()) }()
	r, err = load(ctx, c, f)
	if err != nil {
		return Result{}, fmt.Errorf("bench: load: %w", err)
	}
	if err := floors(ctx, c, f, &r); err != nil {
		return Result{}, fmt.Errorf("bench: floors: %w", err)
	}
	r.Floor = 1 / (1/r.Echo + 1/r.Crypto)
	r.RatioToFloor = r.VerificationsPerSecond / r.Floor
	r.RatioToBcrypt = r.VerificationsPerSecond / r.Bcrypt
	r.RatioToArgon = r.VerificationsPerSecond / r.Argon2id
	return r, nil
}

func (c Config) bar(label string, total int) *progress.Bar {
	return progress.Count(c.Out, label, int64(total), c.Terminal)
}
