package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/progress"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/cluster"
)

// ErrNoServer means that PostgreSQL is not installed.
var ErrNoServer = cluster.ErrNotInstalled

// databaseName is the one on the bench's server.
const databaseName = "liuma_bench"

// counted is how many verifications the round trips are counted over.
const counted = 200

// onServer is a PostgreSQL server of the bench's own.
type onServer struct {
	primary *cluster.Cluster
	standby *cluster.Cluster // nil without one
}

// beginDatabase starts the server before anything is made, so that one that is not there is
// noticed at once. Nil without Config.Postgres.
func beginDatabase(c Config) (*onServer, error) {
	if !c.Postgres {
		return nil, nil
	}
	p, err := cluster.Begin(cluster.Config{Synced: true, Settings: []string{"shared_buffers=256MB", "max_wal_size=4GB"}})
	if err != nil {
		return nil, err
	}
	return &onServer{primary: p}, p.Make(databaseName)
}

func (o *onServer) end() {
	if o == nil {
		return
	}
	if o.standby != nil {
		o.standby.End()
	}
	o.primary.End()
}

// toServer carries the database, which has no cards yet, to the server as
// 'liuma migrate-store' does. The cards follow by COPY.
func (f *filled) toServer(ctx context.Context, c Config) (err error) {
	to := f.config
	to.Database = f.on.primary.DSN(databaseName)
	var bar *progress.Bar
	defer func() {
		if bar != nil {
			bar.Done()
		}
	}()
	table, checking := "", false
	err = server.Carry(ctx, f.config, to, func(p postgres.Carrying) {
		if p.Of == 0 {
			return
		}
		if p.Table != table || p.Checking != checking {
			if bar != nil {
				bar.Done()
			}
			table, checking = p.Table, p.Checking
			what := "carrying " + table
			if checking {
				what = "comparing " + table
			}
			bar = c.bar(what, int(p.Of))
		}
		bar.Set(p.Rows)
	})
	if err != nil {
		return err
	}
	if err := config.MoveDatabase(c.data(), to.Database, ""); err != nil {
		return err
	}
	f.config, err = c.loadConfig()
	return err
}

// settle completes the filling of a server: its planner has statistics, its files are
// written, and a standby has everything before the measurement.
func (f *filled) settle(ctx context.Context, c Config) (err error) {
	for _, statement := range []string{"ANALYZE cards", "ANALYZE claims"} {
		if err := cluster.Run(f.on.primary.DSN(databaseName), statement); err != nil {
			return err
		}
	}
	if err := f.on.primary.Run("CHECKPOINT"); err != nil {
		return err
	}
	if c.Standby {
		if f.on.standby, err = f.on.primary.Standby(ctx); err != nil {
			return err
		}
	}
	n, err := f.on.primary.Size(ctx, databaseName)
	if err != nil {
		return err
	}
	ledgers, err := size(f.ledgers()...)
	f.filling.Bytes = ledgers + n
	return err
}

// cpu is the processor time of both servers so far; zero where there is none.
func (o *onServer) cpu() (primary, standby time.Duration, err error) {
	if o == nil {
		return 0, 0, nil
	}
	if primary, err = o.primary.CPU(); err != nil || o.standby == nil {
		return primary, 0, err
	}
	standby, err = o.standby.CPU()
	return primary, standby, err
}

// countTrips starts the server once more, behind a relay that counts its round trips to the
// database, and gives one PIN after the other.
func (s *subject) countTrips(ctx context.Context, r *Result) (err error) {
	q, err := s.seal(ctx, 2*counted)
	if err != nil {
		return err
	}
	if err := s.stop(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "liuma-relay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newRelay(filepath.Join(s.f.on.primary.Socket(), ".s.PGSQL.5432"), filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := config.MoveDatabase(s.c.data(), cluster.At(dir, databaseName), ""); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for i := range 2 * counted { // the first half is for work that is done only once
		if i == counted {
			w.reset()
		}
		if err := s.give(ctx, q[i]); err != nil {
			return err
		}
	}
	trips, statements := w.read()
	r.RoundTrips, r.Statements = float64(trips)/counted, float64(statements)/counted
	return nil
}
