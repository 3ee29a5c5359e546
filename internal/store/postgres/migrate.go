package postgres

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/liuma-pin/liuma/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Vacant refuses a database that does not answer, or that has a record. It changes
// nothing.
func Vacant(ctx context.Context, cfg Config) (err error) {
	c, err := parseDSN(cfg.DSN, cfg.Password)
	if err != nil {
		return err
	}
	limits(c.ConnConfig, "liuma init")
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig)
	if err != nil {
		return told(err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := suits(ctx, conn); err != nil {
		return err
	}
	if there, _, err := carryingIn(ctx, conn); err != nil || there {
		return errors.Join(told(err), ErrNotEmpty)
	}
	var there, written bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('audit') IS NOT NULL").Scan(&there); err != nil || !there {
		return told(err)
	}
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM audit) OR EXISTS (SELECT 1 FROM shared)").Scan(&written); err != nil {
		return told(err)
	}
	if written {
		return ErrNotEmpty
	}
	return nil
}

// migrate brings the schema up to date. It refuses a database with tables of another
// program (ErrForeign), and one of a later release, unless that says that this program can
// work with it (ErrTooNew). Where others work with the database, they go on: what the
// schema becomes is theirs, too, or ErrServed. A crash here leaves whole migrations done or
// not done: each is one transaction. The caller has the lock of the schema.
func (m *member) migrate(ctx context.Context, alone bool) (failed error) {
	c := m.dsn.Copy()
	limits(c, "liuma migration")
	db := stdlib.OpenDB(*c)
	defer func() { failed = errors.Join(failed, db.Close()) }()
	var versions, ours, others int // a crash may have left the first alone
	if err := db.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE c.relname = 'goose_db_version'),
		count(*) FILTER (WHERE c.relname IN ('lease', 'authorities')), count(*) FILTER (WHERE c.relname NOT IN ('goose_db_version', 'lease', 'authorities'))
		FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')`).Scan(&versions, &ours, &others); err != nil {
		return told(err)
	}
	if others > 0 && versions+ours < 2 {
		return ErrForeign
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, m.known, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	m.knows = target
	switch {
	case err != nil:
		return fmt.Errorf("store: migrate: %w", err)
	case current > target:
		return m.serves(ctx, current, target)
	case current == target:
		return nil
	}
	if !alone {
		need, nobody, err := needed(m.known, p.ListSources(), current)
		if err != nil {
			return err
		}
		next := fmt.Sprintf("stop it, or start a release there first that knows schema %d, as the one before this does; then start this one again", need)
		if nobody {
			next = "stop it, start one of this release, and then the others"
		}
		if err := m.goAlong(ctx, current, need, next); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// goAlong refuses migrations which authorities that work with the database cannot go along
// with. Of these, those that are connected are named; one that is not is ended, once it has
// been gone for as long as a process may be: from then on nothing of it is kept. Nobody starts
// meanwhile, since the lock of the schema is this process's. next is what to do about those who
// are named.
//
// A crash here leaves the schema as it was, and processes ended that were gone.
func (m *member) goAlong(ctx context.Context, current, need int64, next string) error {
	var schema, least int64 // what programs know that work with the schema as it is
	if err := m.conn.QueryRow(ctx, "SELECT schema, serves_from FROM serving").Scan(&schema, &least); err != nil {
		return told(err)
	}
	if schema != current {
		least = current
	}
	gone := map[string]time.Time{}
	for {
		peers, err := peersOf(ctx, m.conn)
		if err != nil {
			return err
		}
		older := slices.DeleteFunc(peers, func(p store.Peer) bool { return max(p.Knows, least) >= need })
		if len(older) == 0 {
			return nil
		}
		var names []string
		for _, p := range older {
			if !p.Absent {
				names = append(names, said(p))
			}
		}
		if len(names) > 0 {
			return fmt.Errorf("%w: %s: %s", ErrServed, strings.Join(names, "; "), next)
		}
		for _, p := range older {
			if since, ok := gone[p.Process]; !ok {
				gone[p.Process] = time.Now()
			} else if time.Since(since) >= m.absence {
				did, err := m.end(ctx, p)
				if did {
					m.dead = append(m.dead, p)
				}
				if err != nil {
					return err
				}
			}
		}
		pause(ctx, min(m.every, 100*time.Millisecond))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

var (
	down   = regexp.MustCompile(`(?s)-- \+goose Down.*`)
	remark = regexp.MustCompile(`(?m)--.*$`)
	serves = regexp.MustCompile(`(?:UPDATE serving SET schema = (\d+), serves_from = (\d+)|INSERT INTO serving \(schema, serves_from\) VALUES \((\d+), (\d+)\))\s*;`)
)

// needed is the newest migration that programs must know which go on while those after
// current run. Each says so itself (the table serving); one that says nothing has nobody go on.
// nobody says that none of them can know it, since it is a migration that is still to run and
// serves nobody from before it.
func needed(files fs.FS, sources []*goose.Source, current int64) (need int64, nobody bool, err error) {
	for _, f := range sources {
		if f.Version <= current {
			continue
		}
		text, err := fs.ReadFile(files, path.Base(f.Path))
		if err != nil {
			return 0, false, err
		}
		from := f.Version
		if m := serves.FindSubmatch(remark.ReplaceAll(down.ReplaceAll(text, nil), nil)); m != nil {
			of, says := cmp.Or(string(m[1]), string(m[3])), cmp.Or(string(m[2]), string(m[4]))
			if of != strconv.FormatInt(f.Version, 10) {
				return 0, false, fmt.Errorf("store: migration %d says that it leaves schema %s", f.Version, of)
			}
			if from, err = strconv.ParseInt(says, 10, 64); err != nil {
				return 0, false, err
			}
		}
		if from > need {
			need, nobody = from, false
		}
		nobody = nobody || from == need && from == f.Version
	}
	return need, nobody, nil
}

// serves reports whether a schema that a later release made is one that this program can
// work with. The later release says so, of the very schema that is there.
func (m *member) serves(ctx context.Context, current, target int64) error {
	var schema, from int64
	if err := m.conn.QueryRow(ctx, "SELECT schema, serves_from FROM serving").Scan(&schema, &from); err != nil {
		return errors.Join(fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target), told(err))
	}
	if schema != current || from > target {
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrTooNew, current, target)
	}
	m.later = true
	return nil
}
