package sqlite

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/rows"
	"github.com/liuma-pin/liuma/internal/vault"
)

// callAll calls every method of an interface with zero arguments.
func callAll[T any](t *testing.T, v T) {
	t.Helper()
	methods := reflect.TypeFor[T]()
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		args := make([]reflect.Value, m.Type.NumIn())
		for n := range args {
			args[n] = reflect.Zero(m.Type.In(n))
		}
		reflect.ValueOf(v).MethodByName(m.Name).Call(args)
	}
}

// found makes the queries that are not made for zero arguments.
func found(tx store.Tx) error {
	_, e1 := tx.Messages(store.MessageDead, "", 1)
	_, e2 := tx.MessageByRef("r")
	_, e3 := tx.CeremonyByRequestURI(vault.Home{}, [32]byte{1})
	_, e4 := tx.CeremonyByCode(vault.Home{}, [32]byte{1})
	_, e5 := tx.CeremoniesOf(liuma.CardID{1})
	_, e6 := tx.Streams(audit.CardStream(liuma.CardID{1}), 1)
	e7 := errors.Join(tx.DeleteCodesOf(liuma.CardID{1}), tx.Meter("m", vault.Index{1}, time.Now(), 1))
	e8 := errors.Join(tx.InsertDigest(store.Digest{Number: 1, Token: "t"}, nil), tx.InsertArchive(store.Archive{Number: 1, Digest: 1}),
		tx.UpdateArchive(store.Archive{Number: 1, LeavesAt: time.UnixMilli(1)}))
	_, _, e9 := tx.DropArchived(9)
	for _, err := range []error{e2, e3, e4} {
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	_, e10 := tx.CeremoniesFor(vault.Index{1})
	return errors.Join(e1, e5, e6, e7, e8, e9, e10, foundAtCounter(tx))
}

// foundAtCounter does so for tickets and pads.
func foundAtCounter(tx store.Tx) error {
	_, e1 := tx.TicketsOf(liuma.CardID{1})
	_, e2 := tx.TicketsAsked("s")
	_, e6 := tx.LettersOf(liuma.CardID{1})
	_, e7 := tx.LettersIn("b")
	_, e4 := tx.TicketByCode(vault.Index{1})
	_, e5 := tx.DeskPadOf("c")
	for _, err := range []error{e4, e5} {
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return errors.Join(e1, e2, e6, e7)
}

// TestNoQueryScans asks SQLite for the plan of every statement there is. A
// statement that scans or sorts a whole table must be on the list.
func TestNoQueryScans(t *testing.T) {
	s, _ := openForFaults(t)
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		callAll[store.Tx](t, tx)
		return audit.Entry{}, errors.Join(found(tx), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	short := rows.Table{Name: "any"}
	allowed := []string{
		"SELECT count(*) FROM cards", "SELECT count(card_no) FROM persons", // for an operator
		"SELECT keeper, sequence",
		"SELECT " + columnsOf(&short) + " FROM clients ORDER BY key LIMIT ?",
		"SELECT " + columnsOf(&short) + " FROM seal_keys ORDER BY key LIMIT ?", // short tables, whole
		"SELECT " + columnsOf(&short) + " FROM staff ORDER BY key LIMIT ?", "SELECT " + columnsOf(&short) + " FROM proposals ORDER BY key LIMIT ?",
	}
	seen := 0
	for query := range s.writer.conn.stmts {
		verb, _, _ := strings.Cut(query, " ")
		if !strings.Contains("SELECT INSERT UPDATE DELETE", verb) {
			continue
		}
		seen++
		args := make([]driver.Value, strings.Count(query, "?"))
		var plan []string
		err := s.writer.conn.query(func(r *row) error {
			r.int() // number of the step
			r.int() // number of the step above it
			r.int()
			plan = append(plan, r.text())
			return nil
		}, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		steps := strings.Join(plan, "; ")
		whole := strings.Contains(steps, "SCAN") || strings.Contains(steps, "TEMP B-TREE")
		for _, a := range allowed {
			whole = whole && !strings.HasPrefix(query, a)
		}
		if whole {
			t.Errorf("%s\nwalks or sorts a table: %s", query, steps)
		}
	}
	if seen < 55 {
		t.Errorf("only %d statements were seen", seen)
	}
}
