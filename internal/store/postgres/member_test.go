package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/pgtest"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// among is a database with authorities that look at one another often.
func among(t *testing.T) postgres.Config {
	t.Helper()
	return postgres.Config{DSN: database(t), Seal: keys(t), Every: 20 * time.Millisecond, Absence: 100 * time.Millisecond}
}

func named(c postgres.Config, name string) postgres.Config {
	c.Name = name
	return c
}

// admin is a connection for what a test does behind the stores' backs.
func admin(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func do(t *testing.T, c *pgx.Conn, text string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	patience.Until(t, what, f)
}

// TestSeveralAuthorities work with one database beside one another; the same one twice,
// and one that wants it alone, are refused with who is there.
func TestSeveralAuthorities(t *testing.T) {
	c := among(t)
	first, second := openAt(t, named(c, "first")), openAt(t, named(c, "second"))
	card := liuma.CardID{1}
	add(t, first, card)
	for range 3 {
		if err := errors.Join(raise(first, card), raise(second, card)); err != nil {
			t.Fatal(err)
		}
	}
	if n := reserved(t, first, card); n != 6 {
		t.Errorf("%d changes, want 6", n)
	}
	_, err := postgres.Open(t.Context(), named(c, "second"))
	if !errors.Is(err, postgres.ErrSameName) || !strings.Contains(err.Error(), "second on ") {
		t.Errorf("the same authority twice: %v", err)
	}
	_, err = postgres.Open(t.Context(), c)
	if !errors.Is(err, postgres.ErrInUse) || !strings.Contains(err.Error(), "first on ") || !strings.Contains(err.Error(), "second on ") {
		t.Errorf("one that wants the database alone: %v", err)
	}
	peers, err := first.Peers(t.Context())
	if err != nil || len(peers) != 2 || peers[0].Name != "first" || peers[1].Process != second.Self().Process || first.Ended(peers[1].Process) {
		t.Errorf("there are %+v, %v", peers, err)
	}
	if away, err := first.Away(t.Context()); err != nil || len(away) != 0 {
		t.Errorf("away are %+v, %v", away, err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	away, err := first.Away(t.Context())
	if err != nil || len(away) != 1 || away[0].Name != "second" || away[0].Process != "" || away[0].Seen.IsZero() {
		t.Errorf("away are %+v, %v", away, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	alone := openAt(t, c)
	if _, err := postgres.Open(t.Context(), named(c, "first")); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("beside one that is alone: %v", err)
	}
	if !alone.Ended(second.Self().Process) {
		t.Error("who left has not ended")
	}
}

// TestWhoWasEndedHearsOfIt: one that another ended while it lives hears of it, once, and keeps
// nothing; one that only lost its connection does not, nor who is closed.
func TestWhoWasEndedHearsOfIt(t *testing.T) {
	c := among(t)
	c.Absence = time.Hour // however slow this machine is, neither ends the other
	var ended, other atomic.Int32
	first, second := named(c, "first"), named(c, "second")
	first.Lost, second.Lost = func() { ended.Add(1) }, func() { other.Add(1) }
	one, two := openAt(t, first), openAt(t, second)
	card := liuma.CardID{1}
	add(t, one, card)
	db := admin(t, c.DSN)
	do(t, db, `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a WHERE a.application_name = 'liuma lease' AND a.datname = current_database()`)
	until(t, "both have their locks again", func() bool {
		peers, err := two.Peers(t.Context())
		return err == nil && len(peers) == 2 && !peers[0].Absent && !peers[1].Absent
	})
	if err := errors.Join(raise(one, card), raise(two, card)); err != nil || ended.Load()+other.Load() != 0 {
		t.Errorf("who lost a connection: %v, %d and %d were told", err, ended.Load(), other.Load())
	}
	do(t, db, "UPDATE authorities SET epoch = epoch + 1, process = NULL WHERE name = 'first'")
	// Not until: it waits as long as a mutant that tells nobody is given.
	for end := time.Now().Add(time.Minute); ended.Load() == 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if err := raise(one, card); !errors.Is(err, store.ErrFailed) {
		t.Errorf("it writes on: %v", err)
	}
	if err := errors.Join(one.Close(), two.Close()); err != nil {
		t.Error(err)
	}
	if ended.Load() != 1 || other.Load() != 0 {
		t.Errorf("told %d times, and the other one %d", ended.Load(), other.Load())
	}
}

// TestDeadAuthority: one whose connections are gone is ended by another; what it held is
// free, and nothing that it still sends is kept.
func TestDeadAuthority(t *testing.T) {
	c := among(t)
	deaf := named(c, "dead")
	deaf.Every = time.Hour // suspended: it says nothing and takes no lock again
	var mu sync.Mutex
	var heard []store.Peer
	living := named(c, "living")
	living.Ended = func(p store.Peer) { mu.Lock(); heard = append(heard, p); mu.Unlock() }
	dead, lives := openAt(t, deaf), openAt(t, living)
	card := liuma.CardID{1}
	add(t, dead, card)
	if _, err := dead.Hold(t.Context(), store.HoldKey{1}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := dead.TakeDuty(t.Context(), store.DutyOutbox, time.Hour); err != nil || !got {
		t.Fatal(got, err)
	}
	if _, err := lives.Hold(t.Context(), store.HoldKey{1}, time.Hour); !errors.Is(err, store.ErrHeld) {
		t.Fatalf("held at another: %v", err)
	}
	if got, err := lives.TakeDuty(t.Context(), store.DutyOutbox, time.Hour); err != nil || got {
		t.Fatalf("a duty of another: taken %v, %v", got, err)
	}
	do(t, admin(t, c.DSN), `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
		WHERE l.locktype = 'advisory' AND l.objid = (SELECT number FROM authorities WHERE name = 'dead') AND l.objsubid = 2 AND l.classid = 1281979758`)
	until(t, "the dead one has ended", func() bool { return lives.Ended(dead.Self().Process) })
	until(t, "its hold is free", func() bool { _, err := lives.Hold(t.Context(), store.HoldKey{1}, time.Hour); return err == nil })
	until(t, "its duty is free", func() bool {
		got, err := lives.TakeDuty(t.Context(), store.DutyOutbox, time.Hour)
		return err == nil && got
	})
	if err := raise(dead, card); !errors.Is(err, store.ErrFailed) {
		t.Errorf("the dead one writes on: %v", err)
	}
	if n := reserved(t, lives, card); n != 0 {
		t.Errorf("%d changes of the dead one are kept", n)
	}
	until(t, "it was told of", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) == 1 && heard[0].Name == "dead" })
}

// TestEndingShowsNothing: what a process had committed when it died, and no standby has yet,
// is shown to nobody by those who end it: neither by another authority nor by its own next
// start, whatever the database's settings say.
func TestEndingShowsNothing(t *testing.T) {
	server := pgtest.Borrow(t)
	c := postgres.Config{DSN: server.Make(t, "liuma"), Seal: keys(t), Every: 100 * time.Millisecond, Absence: 300 * time.Millisecond,
		Doubt: 500 * time.Millisecond, Timeout: time.Second}
	conn := admin(t, c.DSN)
	do(t, conn, "SET synchronous_commit = local")
	do(t, conn, "ALTER DATABASE liuma SET synchronous_commit = local")
	deaf := named(c, "dead")
	deaf.Every = time.Hour
	dead, lives := openAt(t, deaf), openAt(t, named(c, "living"))
	card := liuma.CardID{1}
	add(t, dead, card)
	awaitStandby(t, c.DSN, "nobody")
	if err := raise(dead, card); !errors.Is(err, store.ErrUndecided) {
		t.Fatalf("%v, want doubt: no standby has it", err)
	}
	do(t, conn, `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
		WHERE l.locktype = 'advisory' AND l.objid = (SELECT number FROM authorities WHERE name = 'dead') AND l.objsubid = 2 AND l.classid = 1281979758`)
	time.Sleep(2 * time.Second) // the other one would have ended it long ago
	if n := reserved(t, lives, card); n != 0 {
		t.Error("a change is shown that no standby has")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if s, err := postgres.Open(ctx, named(c, "dead")); err == nil {
		t.Error("started without a standby")
		_ = s.Close()
	}
	if n := reserved(t, lives, card); n != 0 {
		t.Error("a start shows a change that no standby has")
	}
	awaitStandby(t, c.DSN, "")
	until(t, "the change is there", func() bool { return reserved(t, lives, card) == 1 })
}

// TestJoinAfterAMigration: who changed the schema in a way that older programs cannot go along
// with was alone for that, and no longer: others start beside it.
func TestJoinAfterAMigration(t *testing.T) {
	c := among(t)
	earlier(t, c)
	first := openAt(t, named(c, "first"))
	second := openAt(t, named(c, "second"))
	card := liuma.CardID{1}
	add(t, first, card)
	if err := raise(second, card); err != nil {
		t.Error(err)
	}
}

// earlier makes a database whose schema is from before a migration that nobody goes along
// with.
func earlier(t *testing.T, c postgres.Config) {
	t.Helper()
	if err := openAt(t, named(c, "first")).Close(); err != nil {
		t.Fatal(err)
	}
	conn := admin(t, c.DSN)
	for _, back := range []string{
		"DROP TABLE numbers", "DROP TABLE holders", "DROP TABLE keyring", "DELETE FROM goose_db_version WHERE version_id >= 5", "UPDATE serving SET schema = 3, serves_from = 2",
		"ALTER TABLE requests DROP COLUMN home", "ALTER TABLE messages DROP COLUMN home", "ALTER TABLE freeze_codes DROP COLUMN home",
		"ALTER TABLE former_contacts DROP COLUMN home", "ALTER TABLE ticks DROP COLUMN home",
		"ALTER TABLE ceremonies DROP COLUMN home", "ALTER TABLE codes DROP COLUMN home",
		"ALTER TABLE authorities DROP COLUMN knows", "ALTER TABLE authorities DROP COLUMN release", "ALTER TABLE authorities DROP COLUMN said_by",
	} {
		do(t, conn, back)
	}
}

// nothing makes a database without tables.
func nothing(t *testing.T, c postgres.Config) {
	t.Helper()
	conn := admin(t, c.DSN)
	do(t, conn, "DROP SCHEMA public CASCADE")
	do(t, conn, "CREATE SCHEMA public")
}

// TestSeveralStartAtOnce: of authorities that start at the same moment, on an earlier schema
// or on none, one changes it while the others wait, and then all serve.
func TestSeveralStartAtOnce(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, postgres.Config){"earlier schema": earlier, "no schema": nothing} {
		t.Run(name, func(t *testing.T) {
			c := among(t)
			prepare(t, c)
			names := []string{"first", "second", "third"}
			opened := make([]*postgres.Store, len(names))
			failed := make([]error, len(names))
			var starting sync.WaitGroup
			for i, n := range names {
				starting.Go(func() { opened[i], failed[i] = postgres.Open(t.Context(), named(c, n)) })
			}
			starting.Wait()
			for i, s := range opened {
				if failed[i] != nil {
					t.Errorf("%s: %v", names[i], failed[i])
					continue
				}
				t.Cleanup(func() { _ = s.Close() })
				add(t, s, liuma.CardID{byte(1 + i)})
			}
		})
	}
}

// number is a head in memory.
type number struct{ n atomic.Uint64 }

func (h *number) Number() uint64 { return h.n.Load() }

func (h *number) Raise(n uint64) error {
	h.n.Store(max(h.n.Load(), n))
	return nil
}

// TestClientsThatWereSeen: clients that another authority stopped, and that somebody puts
// back at once, are refused by an authority that has read of it, though its file of heads
// does not have it yet.
func TestClientsThatWereSeen(t *testing.T) {
	c := among(t)
	c.Every, c.Absence = time.Hour, 2*time.Hour
	first, second := named(c, "first"), named(c, "second")
	first.Head, second.Head = &number{}, &number{}
	one, other := openAt(t, first), openAt(t, second)
	act := func(f func(store.Tx) error) {
		t.Helper()
		if err := one.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, f(tx)
		}); err != nil {
			t.Fatal(err)
		}
	}
	reads := func() (stopped bool, err error) {
		err = other.View(t.Context(), func(r store.Reader) error {
			found, err := r.Client("app")
			stopped = found.Stopped
			return err
		})
		return stopped, err
	}
	act(func(tx store.Tx) error { return tx.InsertClient(store.Client{ID: "app"}) })
	thief := newThief(t, c.DSN)
	thief.exec("CREATE TEMP TABLE clients_were AS SELECT * FROM clients")
	thief.exec("CREATE TEMP TABLE shared_was AS SELECT * FROM shared")
	act(func(tx store.Tx) error { return tx.UpdateClient(store.Client{ID: "app", Stopped: true}) })
	if stopped, err := reads(); err != nil || !stopped {
		t.Fatal(stopped, err)
	}
	thief.exec("UPDATE clients AS c SET rev = w.rev, body = w.body, seal_key = w.seal_key, seal = w.seal FROM clients_were AS w WHERE c.key = w.key")
	thief.exec("UPDATE shared AS s SET rev = w.rev, body = w.body, seal_key = w.seal_key, seal = w.seal FROM shared_was AS w WHERE s.key = w.key")
	if stopped, err := reads(); !errors.Is(err, store.ErrOldDatabase) {
		t.Errorf("clients that were put back: stopped %v, %v", stopped, err)
	}
}

// TestConnectionLost: an authority whose connection broke and that is alive takes its locks
// again, and is not ended.
func TestConnectionLost(t *testing.T) {
	c := among(t)
	c.Absence = 20 * time.Second
	first, second := openAt(t, named(c, "first")), openAt(t, named(c, "second"))
	card := liuma.CardID{1}
	add(t, first, card)
	conn := admin(t, c.DSN)
	do(t, conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'liuma lease'")
	until(t, "both are back", func() bool {
		peers, err := first.Peers(t.Context())
		return err == nil && len(peers) == 2 && !peers[0].Absent && !peers[1].Absent
	})
	if err := errors.Join(raise(first, card), raise(second, card)); err != nil {
		t.Error(err)
	}
}

// TestHoldLost: what was begun under a hold is not kept where the server lost its holds,
// as after a failover.
func TestHoldLost(t *testing.T) {
	c := among(t)
	s := openAt(t, named(c, "one"))
	h, err := s.Hold(t.Context(), store.HoldKey{1}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	do(t, admin(t, c.DSN), "TRUNCATE holds")
	err = s.Update(store.Under(t.Context(), h), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.CardEnrolled, Outcome: "ok"}, tx.InsertCard(store.Card{ID: liuma.CardID{7}})
	})
	if !errors.Is(err, store.ErrUnheld) {
		t.Errorf("kept under a hold that is lost: %v", err)
	}
}

// TestHoldEndsWithTheLastWrite: a hold goes with the last write under it, in its round
// trip, and stands where that write is not kept. One around it, and one that is another's by
// now, stay as they are.
func TestHoldEndsWithTheLastWrite(t *testing.T) {
	c := among(t)
	one, two := openAt(t, named(c, "one")), openAt(t, named(c, "two"))
	key := store.HoldKey{1}
	around, err := one.Hold(t.Context(), store.HoldKey{2}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h, err := one.Hold(t.Context(), key, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, err := one.Hold(t.Context(), store.HoldKey{4}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	trips := 0
	ctx := postgres.Traced(t.Context(), func(s postgres.Statement) {
		if s.Begins {
			trips++
		}
	})
	under := store.Under(store.Under(ctx, around), h)
	refused := errors.New("refused")
	err = one.Update(store.Last(under), func(store.Tx) (audit.Entry, error) { return audit.Entry{}, refused })
	if !errors.Is(err, refused) || h.Given() {
		t.Errorf("%v, given back %v", err, h.Given())
	}
	if _, err := two.Hold(t.Context(), key, time.Hour); !errors.Is(err, store.ErrHeld) {
		t.Errorf("nothing was kept, and another has the hold: %v", err)
	}
	write := func(ctx context.Context) int {
		t.Helper()
		trips = 0
		if err := one.Update(ctx, func(store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "system", Event: audit.KeeperSeen, Outcome: "ok"}, nil
		}); err != nil {
			t.Fatal(err)
		}
		return trips
	}
	write(under) // prepares the statements
	without := write(under)
	if h.Given() {
		t.Error("given back by a write that is not the last")
	}
	write(store.Last(store.Under(ctx, other))) // prepares the one that gives back
	if n := write(store.Last(under)); !h.Given() || n != without {
		t.Errorf("given back %v, in %d round trips instead of %d", h.Given(), n, without)
	}
	if _, err := two.Hold(t.Context(), key, time.Hour); err != nil {
		t.Errorf("the hold was given back, and is not to be had: %v", err)
	}
	if _, err := two.Hold(t.Context(), store.HoldKey{2}, time.Hour); !errors.Is(err, store.ErrHeld) || around.Given() {
		t.Errorf("the hold around it went with it: %v", err)
	}
	lost, err := one.Hold(t.Context(), store.HoldKey{3}, time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Hold(t.Context(), store.HoldKey{3}, time.Hour); err != nil {
		t.Fatal(err)
	}
	err = one.Update(store.Last(store.Under(t.Context(), lost)), func(store.Tx) (audit.Entry, error) {
		return audit.Entry{At: time.Now(), Actor: "system", Event: audit.KeeperSeen, Outcome: "ok"}, nil
	})
	if !errors.Is(err, store.ErrUnheld) || lost.Given() {
		t.Errorf("under a hold that is another's: %v, given back %v", err, lost.Given())
	}
	if _, err := one.Hold(t.Context(), store.HoldKey{3}, time.Hour); !errors.Is(err, store.ErrHeld) {
		t.Errorf("what is another's was given back: %v", err)
	}
}

// TestStartsFollowTheirOwn: each start of an authority follows the start before it of the
// same one, whoever started in between, and the record is whole.
func TestStartsFollowTheirOwn(t *testing.T) {
	c := among(t)
	note := func(s store.Store) audit.Place {
		t.Helper()
		var last audit.Place
		err := s.Update(t.Context(), func(store.Tx) (audit.Entry, error) {
			return audit.Entry{At: time.Now(), Actor: "system", Event: audit.KeeperSeen, Outcome: "ok"}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(t.Context(), func(r store.Reader) error {
			heads, err := r.Streams(audit.Stream{}, 100)
			for _, h := range heads {
				entries, e := r.Entries(h.Stream, 0, 1)
				err = errors.Join(err, e)
				if len(entries) == 1 {
					last = entries[0].After
				}
				if h.Stream.Kind == audit.OfProcess && audit.ProcessID(h.Stream.ID).String() == s.(*postgres.Store).Self().Process {
					return err
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	first := openAt(t, named(c, "first"))
	note(first)
	second := openAt(t, named(c, "second"))
	if after := note(second); audit.ProcessID(after.Stream.ID).String() != first.Self().Process {
		t.Errorf("the first start of the second authority follows %v, want the last of any", after)
	}
	was := first.Self().Process
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	first = openAt(t, named(c, "first"))
	if after := note(first); audit.ProcessID(after.Stream.ID).String() != was {
		t.Errorf("the second start of the first authority follows %v, want its own first", after)
	}
}

// TestLaterSchema: a schema that a later release made is served if it says so of itself.
func TestLaterSchema(t *testing.T) {
	c := among(t)
	conn := admin(t, c.DSN)
	do(t, conn, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99990, true)")
	if _, err := postgres.Open(t.Context(), named(c, "one")); !errors.Is(err, postgres.ErrTooNew) {
		t.Errorf("it says nothing: %v", err)
	}
	do(t, conn, "UPDATE serving SET schema = 99990, serves_from = 99990")
	if _, err := postgres.Open(t.Context(), named(c, "one")); !errors.Is(err, postgres.ErrTooNew) {
		t.Errorf("it says that it cannot be: %v", err)
	}
	do(t, conn, "UPDATE serving SET serves_from = 2")
	do(t, conn, "CREATE TABLE later (n int)")
	add(t, openAt(t, named(c, "one")), liuma.CardID{1})
}

// TestEachMigrationSaysWhoItServes: a migration that says nothing would keep programs of
// the release before it from starting beside it.
func TestEachMigrationSaysWhoItServes(t *testing.T) {
	for name, text := range postgres.Migrations(t) {
		if name >= "00003" && !strings.Contains(text, "UPDATE serving SET schema = "+strings.TrimLeft(name[:5], "0")+",") {
			t.Errorf("%s does not say which programs it serves: UPDATE serving SET schema = N, serves_from = M", name)
		}
	}
}
