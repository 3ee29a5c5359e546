package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// awaitStandby has the commits of a server wait for a standby of this name, or for none if it
// is empty, and returns when they do: the server takes a setting up some time after it was told.
func awaitStandby(t *testing.T, dsn, name string) {
	t.Helper()
	connect := func() *pgx.Conn {
		t.Helper()
		c, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	admin := connect()
	defer func() { _ = admin.Close(context.Background()) }()
	do(t, admin, "SET synchronous_commit = local")
	do(t, admin, "ALTER SYSTEM SET synchronous_standby_names = '"+name+"'")
	do(t, admin, "SELECT pg_reload_conf()")
	patience.Until(t, "commits wait for a standby as they are to", func() bool {
		c := connect()
		defer func() { _ = c.Close(context.Background()) }()
		do(t, c, "SET synchronous_commit = on")
		committed := make(chan struct{})
		go func() { // ends with its backend at the latest
			defer close(committed)
			_, _ = c.Exec(context.Background(), "SELECT pg_logical_emit_message(true, 'probe', '')")
		}()
		if name == "" {
			<-committed
			return true
		}
		waits := 0
		patience.Until(t, "a commit waits or is done", func() bool {
			select {
			case <-committed:
				return true
			default:
			}
			if err := admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'", c.PgConn().PID()).Scan(&waits); err != nil {
				t.Fatal(err)
			}
			return waits == 1
		})
		do(t, admin, "SELECT pg_terminate_backend($1)", int(c.PgConn().PID()))
		<-committed
		return waits == 1
	})
}
