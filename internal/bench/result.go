package bench

import (
	"fmt"
	"os"
	"runtime"

	"github.com/google/pprof/profile"
)

// Result holds the figures of one run. Rates are per second; the load generator
// runs beside the server on the same processors. Figures are medians of slices.
type Result struct {
	Cards         int     `json:"cards"`
	Clients       int     `json:"clients"`
	Slices        int     `json:"slices"`
	Seconds       float64 `json:"seconds"` // of the load, all slices together
	Processors    int     `json:"processors"`
	LoadAverage   Figure  `json:"load_average"` // of the machine in the last minute, before each slice
	Cold          bool    `json:"cold"`
	Shape         string  `json:"shape"`
	Remote        bool    `json:"keeper_processes"`
	Store         string  `json:"store"` // sqlite or postgres
	Standby       bool    `json:"synchronous_standby"`
	Verifications int     `json:"verifications"`

	Rate  Figure    `json:"verifications_per_second"`
	P50   Figure    `json:"p50_ms"` // of connections that ask again as soon as they are answered
	P99   Figure    `json:"p99_ms"`
	Open  *OpenLoop `json:"open_loop_at_half_the_rate,omitempty"`
	CPU   Figure    `json:"cpu_us_per_verification"` // of the server
	Split []Share   `json:"split"`                   // of it
	Asker Figure    `json:"cpu_us_per_verification_load_generator"`

	KeeperCPU   []Figure `json:"cpu_us_per_verification_keepers,omitempty"`  // of each keeper's process
	DatabaseCPU *Figure  `json:"cpu_us_per_verification_database,omitempty"` // of all processes of the PostgreSQL server
	StandbyCPU  *Figure  `json:"cpu_us_per_verification_standby,omitempty"`  // and of its standby
	AllCPU      Figure   `json:"cpu_us_per_verification_all"`                // of all that were named
	RoundTrips  float64  `json:"round_trips_per_verification,omitempty"`     // to the PostgreSQL server
	Statements  float64  `json:"statements_per_verification,omitempty"`      // in them

	RSS          float64 `json:"rss_mib"`        // of the server, highest
	BytesPerCard float64 `json:"bytes_per_card"` // database and ledgers, when they were filled
	Filling      Filling `json:"filling"`

	Echo      Figure `json:"floor_http_echo_per_second"`
	EchoCPU   Figure `json:"floor_http_echo_cpu_us"` // of the echo's server, a request
	Crypto    Figure `json:"floor_cryptography_per_second"`
	CryptoCPU Figure `json:"floor_cryptography_cpu_us"`
	Spends    Figure `json:"floor_durable_spends_per_second"`
	Bcrypt    Figure `json:"bcrypt10_per_second"`
	Argon2id  Figure `json:"argon2id_per_second"`

	ToFloor  Figure  `json:"cpu_to_echo_and_cryptography"` // of the server, slice by slice
	ToBcrypt Figure  `json:"rate_to_bcrypt10"`
	ToArgon  Figure  `json:"rate_to_argon2id"`
	Beside   *Beside `json:"beside,omitempty"`
	Bars     []Bar   `json:"bars,omitempty"`
}

// Beside is a second database that was measured in turn with the first.
type Beside struct {
	Cards int    `json:"cards"`
	Rate  Figure `json:"verifications_per_second"`
	CPU   Figure `json:"cpu_us_per_verification"`
	Ratio Figure `json:"cpu_of_the_first_to_it"`
	// The same of the PostgreSQL server; nil where the database is a file.
	Database      *Figure `json:"cpu_us_per_verification_database,omitempty"`
	DatabaseRatio *Figure `json:"database_cpu_of_the_first_to_it,omitempty"`
}

// result puts the slices together.
func (m *measured) result(s *subject) (r Result, err error) {
	c := s.c
	r = Result{Cards: c.Cards, Clients: c.Clients, Slices: c.Slices, Seconds: m.each.Seconds() * float64(c.Slices), Processors: runtime.NumCPU(),
		LoadAverage: figure(m.loadAverage, func(v float64) float64 { return v }), Cold: c.Cold, Shape: c.Shape, Remote: c.Remote, Store: storeFile, Standby: c.Standby,
		Rate: figure(m.load, func(s sliced) float64 { return s.rate }), P50: figure(m.load, func(s sliced) float64 { return s.p50 }),
		P99: figure(m.load, func(s sliced) float64 { return s.p99 }), CPU: figure(m.load, func(s sliced) float64 { return s.cpu }),
		Asker: figure(m.load, func(s sliced) float64 { return s.generator }), AllCPU: figure(m.load, sliced.all), Open: m.open, Filling: s.f.filling, BytesPerCard: float64(s.f.filling.Bytes) / float64(c.Cards)}
	if c.Postgres {
		r.Store = storeServer
	}
	var profiles []*profile.Profile
	for _, one := range m.load {
		r.Verifications += one.n
		r.RSS = max(r.RSS, one.rssMiB)
		profiles = append(profiles, one.profile)
	}
	if r.Split, err = sharesOf(profiles, r.CPU.Median); err != nil {
		return r, err
	}
	if c.Profile != nil {
		if err := writeProfile(c.Profile, profiles); err != nil {
			return r, err
		}
	}
	m.roles(&r, c)
	m.compared(&r)
	if m.beside != nil {
		r.Beside = &Beside{Cards: c.Beside, Rate: figure(m.beside, func(s sliced) float64 { return s.rate }),
			CPU: figure(m.beside, func(s sliced) float64 { return s.cpu }), Ratio: m.pairs(func(i int) float64 { return m.load[i].cpu / m.beside[i].cpu })}
		if c.Postgres {
			of := figure(m.beside, func(s sliced) float64 { return s.database })
			ratio := m.pairs(func(i int) float64 { return m.load[i].database / m.beside[i].database })
			r.Beside.Database, r.Beside.DatabaseRatio = &of, &ratio
		}
	}
	r.Bars = r.bars()
	return r, nil
}

func (s sliced) all() float64 {
	sum := s.cpu + s.database + s.standby
	for _, k := range s.keepers {
		sum += k
	}
	return sum
}

// roles are the figures of the processes beside the server.
func (m *measured) roles(r *Result, c Config) {
	for i := range m.load[0].keepers {
		r.KeeperCPU = append(r.KeeperCPU, figure(m.load, func(s sliced) float64 { return s.keepers[i] }))
	}
	if c.Postgres {
		f := figure(m.load, func(s sliced) float64 { return s.database })
		r.DatabaseCPU = &f
	}
	if c.Standby {
		f := figure(m.load, func(s sliced) float64 { return s.standby })
		r.StandbyCPU = &f
	}
}

// compared are the floors, and the load beside them. A ratio is of one slice each, so
// that what disturbs the machine for longer than a slice disturbs both.
func (m *measured) compared(r *Result) {
	of := func(f func(floored) float64) Figure { return figure(m.floors, f) }
	r.Echo, r.EchoCPU = of(func(f floored) float64 { return f.echo }), of(func(f floored) float64 { return f.echoCPU })
	r.Crypto, r.CryptoCPU = of(func(f floored) float64 { return f.crypto }), of(func(f floored) float64 { return f.cryptoCPU })
	r.Spends, r.Bcrypt, r.Argon2id = of(func(f floored) float64 { return f.spends }), of(func(f floored) float64 { return f.bcrypt }), of(func(f floored) float64 { return f.argon2id })
	r.ToFloor = m.pairs(func(i int) float64 { return m.load[i].cpu / (m.floors[i].echoCPU + m.floors[i].cryptoCPU) })
	r.ToBcrypt = m.pairs(func(i int) float64 { return m.load[i].rate / m.floors[i].bcrypt })
	r.ToArgon = m.pairs(func(i int) float64 { return m.load[i].rate / m.floors[i].argon2id })
}

func (m *measured) pairs(of func(i int) float64) Figure {
	at := make([]int, len(m.load))
	for i := range at {
		at[i] = i
	}
	return figure(at, of)
}

// loadAverage is that of the last minute; zero where the machine does not say.
func loadAverage() (v float64) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(raw), &v)
	}
	if err != nil {
		return 0
	}
	return v
}
