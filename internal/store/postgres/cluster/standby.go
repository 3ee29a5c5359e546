package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// standbyName is how the standby is called at its primary.
const standbyName = "liuma_standby"

// Standby makes another server that follows this one, and has this one's commits wait for
// it. It returns once they do.
func (c *Cluster) Standby(ctx context.Context) (s *Cluster, err error) {
	if s, err = place(c.cfg); err != nil {
		return nil, err
	}
	from := "host=" + c.dir + " user=" + Role + " application_name=" + standbyName
	if out, err := s.command("pg_basebackup", "-D", s.Data(), "-c", "fast", "-X", "stream", "-R", "-d", from).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w: %s", err, out), os.RemoveAll(s.dir))
	}
	if err := s.first(); err != nil {
		return nil, err
	}
	if err := c.await(ctx); err != nil {
		s.End()
		return nil, err
	}
	return s, nil
}

// await waits until the standby is one that commits wait for.
func (c *Cluster) await(ctx context.Context) error {
	if err := errors.Join(c.Run("ALTER SYSTEM SET synchronous_standby_names = '"+standbyName+"'"), c.Run("SELECT pg_reload_conf()")); err != nil {
		return err
	}
	for until := time.Now().Add(time.Minute); ; {
		n, err := c.number(ctx, "postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
		switch {
		case err != nil:
			return err
		case n == 1:
			return nil
		case time.Now().After(until):
			return errors.New("cluster: the standby does not follow")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Size is how many bytes a database takes.
func (c *Cluster) Size(ctx context.Context, name string) (int64, error) {
	return c.number(ctx, name, "SELECT pg_database_size(current_database())")
}

func (c *Cluster) number(ctx context.Context, name, query string) (n int64, err error) {
	conn, err := pgx.Connect(ctx, c.DSN(name))
	if err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, query).Scan(&n)
	return n, errors.Join(err, conn.Close(ctx))
}

// At is the address of a database through another directory of sockets.
func At(dir, name string) string {
	return "postgres://" + Role + "@/" + name + "?host=" + url.QueryEscape(dir)
}
