package postgres_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLeaseEndsNoWait: while no standby is there, an authority says in vain that it is there,
// and each of its rounds ends after some seconds. None of them ends the server's wait: what it
// wrote, the end of another authority too, would be shown although a failover takes it back.
func TestLeaseEndsNoWait(t *testing.T) {
	c := pgtest.Borrow(t)
	dsn := c.Make(t, "liuma")
	openAt(t, postgres.Config{DSN: dsn, Name: "a", Seal: keys(t), Every: 50 * time.Millisecond})
	admin, err := pgx.Connect(t.Context(), c.DSN("liuma"))
	must(t, err)
	exec := func(statement string) {
		t.Helper()
		_, err := admin.Exec(context.Background(), statement)
		must(t, err)
	}
	exec("SET synchronous_commit = local")
	exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	exec("SELECT pg_reload_conf()")
	t.Cleanup(func() {
		exec("ALTER SYSTEM SET synchronous_standby_names = ''")
		exec("SELECT pg_reload_conf()")
		_ = admin.Close(context.Background())
	})
	waiting := 0
	for end := time.Now().Add(time.Minute); waiting == 0; time.Sleep(20 * time.Millisecond) {
		must(t, admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'liuma lease' AND wait_event = 'SyncRep'").Scan(&waiting))
		if time.Now().After(end) {
			t.Fatal("no round waits for a standby")
		}
	}
	seen := func() (at int64) {
		t.Helper()
		must(t, admin.QueryRow(t.Context(), "SELECT seen FROM authorities WHERE name = 'a'").Scan(&at))
		return at
	}
	was := seen()
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // a round has five
		if seen() != was {
			t.Fatal("what the round wrote is shown, and no standby has it")
		}
	}
}

// TestSilentHostKeepsNoLease: of two hosts the first is cut off and says nothing at all. An
// authority that loses the connection of its locks has another soon.
func TestSilentHostKeepsNoLease(t *testing.T) {
	c := pgtest.Borrow(t)
	c.Make(t, "liuma")
	p := newProxy(t, c)
	silent := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(silent, socketName))
	must(t, err)
	t.Cleanup(func() { _ = ln.Close() }) // the kernel takes connections, and nobody answers
	openAt(t, postgres.Config{DSN: "postgres://" + pgtest.Role + "@/liuma?host=" + silent + "," + p.dir, Name: "a", Seal: keys(t), Writers: 1, Readers: 1,
		Every: 50 * time.Millisecond})
	admin, err := pgx.Connect(t.Context(), c.DSN("liuma"))
	must(t, err)
	t.Cleanup(func() { _ = admin.Close(context.Background()) })
	lease := func() (began string) {
		t.Helper()
		must(t, admin.QueryRow(t.Context(), "SELECT coalesce(max(backend_start)::text, '') FROM pg_stat_activity WHERE application_name = 'liuma lease'").Scan(&began))
		return began
	}
	was := lease()
	p.cutAll()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if now := lease(); now != "" && now != was {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the locks are not taken again")
		}
	}
}

// TestAllLoseTheirConnections, as in a failover. One is back at once, the other one later than
// a process that is alone in losing its connection has time for, and is not ended.
func TestAllLoseTheirConnections(t *testing.T) {
	const absence = 8 * time.Second
	c := pgtest.Borrow(t)
	c.Make(t, "liuma")
	k := keys(t)
	soon, late := newProxy(t, c), newProxy(t, c)
	at := func(p *proxy, name string) *postgres.Store {
		return openAt(t, postgres.Config{DSN: p.dsn("liuma"), Name: name, Seal: k, Writers: 1, Readers: 1, Every: 50 * time.Millisecond, Absence: absence,
			Patience: time.Minute})
	}
	at(soon, "a")
	b := at(late, "b")
	card := liuma.CardID{1}
	add(t, b, card)
	late.shut.Store(true)
	late.cutAll()
	soon.cutAll()
	time.Sleep(absence * 3 / 2)
	late.shut.Store(false)
	if err := raise(b, card); err != nil {
		t.Fatalf("it was ended while it came back: %v", err)
	}
}
