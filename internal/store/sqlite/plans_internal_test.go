package sqlite

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
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

// TestNoQueryScans asks SQLite for the plan of every statement there is. A
// statement that scans or sorts a whole table must be on the list.
func TestNoQueryScans(t *testing.T) {
	s, _ := openForFaults(t)
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		callAll[store.Tx](t, tx)
		_, err := tx.Messages(store.MessageDead, "", 1)
		return audit.Entry{}, errors.Join(err, boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	allowed := []string{
		"SELECT count(*) FROM cards", "SELECT count(*) FROM persons", // for an operator
		"SELECT " + clientColumns, "SELECT " + sealKeyColumns, "SELECT keeper, sequence", // short tables, whole
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
	if seen < 60 {
		t.Errorf("only %d statements were seen", seen)
	}
}
