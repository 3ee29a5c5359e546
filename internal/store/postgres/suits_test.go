package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
)

// TestWeakSettings: settings of the database and the role that would lose commits or
// change what is read do not reach the store.
func TestWeakSettings(t *testing.T) {
	c := postgres.Config{DSN: database(t), Seal: keys(t)}
	f := newThief(t, c.DSN)
	for _, set := range []string{"synchronous_commit = off", "default_transaction_isolation = 'serializable'", "timezone = 'Asia/Shanghai'",
		"search_path = shadow, public", "default_transaction_read_only = off", "datestyle = 'German'", "bytea_output = 'escape'"} {
		f.exec("DO $do$ BEGIN EXECUTE format($q$ALTER DATABASE %I SET " + strings.ReplaceAll(set, "$", "") + "$q$, current_database()); END $do$")
	}
	f.exec("CREATE SCHEMA shadow")
	f.exec("CREATE TABLE shadow.cards (LIKE public.cards INCLUDING ALL)")
	f.exec("CREATE TABLE shadow.authorities (LIKE public.authorities INCLUDING ALL)")
	s := openAt(t, c)
	add(t, s, liuma.CardID{1})
	if n := len(f.Rows("public.cards")); n != 1 {
		t.Errorf("%d cards in the store's own schema, want 1", n)
	}
	if n := len(f.Rows("shadow.cards")); n != 0 {
		t.Errorf("%d cards went to another schema", n)
	}
	for _, name := range []string{"synchronous_commit", "timezone", "search_path"} {
		value, err := postgres.Setting(s, name)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"synchronous_commit": "on", "timezone": "UTC", "search_path": "public, pg_temp"}[name]; value != want {
			t.Errorf("%s is %q in the store's connections, want %q", name, value, want)
		}
	}
}

// TestAltered: what somebody had the database do by itself, or no longer do, is named at
// start.
func TestAltered(t *testing.T) {
	for what, statement := range map[string]string{
		"trigger swallow on evidence":               "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER swallow BEFORE INSERT ON evidence FOR EACH ROW EXECUTE FUNCTION swallow()",
		"trigger audit_no_update on audit, disable": "ALTER TABLE audit DISABLE TRIGGER audit_no_update",
		"no trigger audit_no_update on audit":       "DROP TRIGGER audit_no_update ON audit",
		"rule hidden on claims":                     "CREATE RULE hidden AS ON INSERT TO claims DO INSTEAD NOTHING",
		"row policies on cards":                     "ALTER TABLE cards ENABLE ROW LEVEL SECURITY",
		"inheritance of cards":                      "CREATE TABLE more () INHERITS (cards)",
	} {
		c := postgres.Config{DSN: database(t), Seal: keys(t)}
		newThief(t, c.DSN).exec(statement)
		s, err := postgres.Open(t.Context(), c)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, postgres.ErrAltered) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOtherEncoding: a database that keeps bytes for text is refused, before anything is
// made in it.
func TestOtherEncoding(t *testing.T) {
	dsn := database(t)
	f := newThief(t, dsn)
	f.exec("CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	defer f.exec("DROP DATABASE ascii WITH (FORCE)")
	var name string
	f.must(f.c.QueryRow(t.Context(), "SELECT current_database()").Scan(&name))
	c := postgres.Config{DSN: strings.Replace(dsn, "/"+name, "/ascii", 1), Seal: keys(t)}
	if _, err := postgres.Open(t.Context(), c); !errors.Is(err, postgres.ErrEncoding) {
		t.Errorf("SQL_ASCII: %v", err)
	}
	if err := postgres.Vacant(t.Context(), c); !errors.Is(err, postgres.ErrEncoding) {
		t.Errorf("init on SQL_ASCII: %v", err)
	}
}

// TestStandbyIsRefused: a server that takes no writes is none, whatever the address asks
// for.
func TestStandbyIsRefused(t *testing.T) {
	c := postgres.Config{DSN: database(t) + "&target_session_attrs=any", Seal: keys(t)}
	newThief(t, c.DSN).exec("DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $do$")
	if _, err := postgres.Open(t.Context(), c); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("a server that takes no writes: %v", err)
	}
}

// TestPoolerIsRefused: between store and server stands one that shows a process number of
// its own, as poolers do.
func TestPoolerIsRefused(t *testing.T) {
	cluster := pgtest.Begin(t)
	at := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(at, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go lend(client, filepath.Join(cluster.Socket(), ".s.PGSQL.5432"))
		}
	}()
	if err := postgres.Vacant(t.Context(), postgres.Config{DSN: cluster.DSN("postgres")}); err != nil {
		t.Fatalf("without a pooler: %v", err)
	}
	dsn := "postgres://" + pgtest.Role + "@/postgres?host=" + at
	if _, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, Seal: keys(t)}); !errors.Is(err, postgres.ErrPooler) {
		t.Errorf("through a pooler: %v, want %v", err, postgres.ErrPooler)
	}
}

// lend passes a connection on with another process number in the server's greeting.
func lend(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client) }() // ends with the connections
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if i := bytes.Index(buffer[:n], []byte{'K', 0, 0, 0, 12}); i >= 0 && i+8 < n {
			buffer[i+7] ^= 0x55
		}
		if _, werr := client.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// TestPasswordIsNowhere: neither errors nor the name of a database show the password.
func TestPasswordIsNowhere(t *testing.T) {
	const secret = "correct horse"
	c := postgres.Config{DSN: "postgres://liuma@127.0.0.1:1/liuma", Password: []byte(secret), Seal: keys(t)}
	_, err := postgres.Open(context.Background(), c)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a server that is not there: %v", err)
	}
	if strings.Contains(postgres.Name(c.DSN), secret) {
		t.Error("the name shows the password")
	}
}
