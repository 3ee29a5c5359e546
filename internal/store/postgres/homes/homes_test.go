package homes_test

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/internal/store/postgres"
	"github.com/liuma-pin/liuma/internal/store/postgres/homes"
	"github.com/liuma-pin/liuma/internal/store/rows"
)

// TestFaults: what leaves its home is named, with its act, and nothing else is.
func TestFaults(t *testing.T) {
	const reading, writing = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN ISOLATION LEVEL READ COMMITTED"
	card, other := []byte{1}, []byte{2}
	type say struct {
		text string
		args []any
	}
	update := "WITH w AS (UPDATE cards SET holder = $7, rev = $2 WHERE key = $1 AND rev = $6 RETURNING 1) SELECT CASE WHEN count(*) = 1 THEN 1 ELSE liuma_conflict() END FROM w"
	for name, x := range map[string]struct {
		say  []say
		want string // within the one sentence; empty: none
	}{
		"one card": {[]say{{writing, nil}, {"SELECT 1 FROM authorities WHERE epoch = $1", []any{1}}, {update, []any{card}},
			{"INSERT INTO audit (kind, stream, number) VALUES ($1, $2, $3)", []any{1, card, 2}}, {"COMMIT", nil}, {writing, nil}, {update, []any{other}}, {"COMMIT", nil}}, ""},
		"a look-up and its card": {[]say{{reading, nil}, {"SELECT body FROM claims WHERE key = $1", []any{other}}, {"SELECT body FROM cards WHERE key = $1", []any{card}}, {"COMMIT", nil}}, ""},
		"no key":                 {[]say{{reading, nil}, {"SELECT body FROM cards WHERE holder = $1", []any{card}}}, `act "x" asks all machines: a statement on cards does not name its key: SELECT body FROM cards WHERE holder = $1`},
		"all rows":               {[]say{{reading, nil}, {"SELECT count(*) FROM requests", nil}}, "does not name its home"},
		"a key in words":         {[]say{{writing, nil}, {"DELETE FROM cards WHERE key = 'a'", nil}}, "does not name its key"},
		"either of two":          {[]say{{reading, nil}, {"SELECT body FROM cards WHERE key = $1 OR holder = $2", []any{card, other}}}, "does not name its key"},
		"a range":                {[]say{{reading, nil}, {"SELECT body FROM cards WHERE key >= $1", []any{card}}}, "does not name its key"},
		"two cards":              {[]say{{writing, nil}, {update, []any{card}}, {update, []any{other}}}, "writes in two places with one transaction"},
		"a claim with its card":  {[]say{{writing, nil}, {"INSERT INTO numbers (key, at) VALUES ($1, $2)", []any{card, 1}}, {update, []any{card}}}, "writes in two places"},
		"another's entry":        {[]say{{writing, nil}, {update, []any{card}}, {"INSERT INTO audit (kind, stream) VALUES ($1, $2)", []any{1, other}}}, "writes in two places"},
		"what lies everywhere":   {[]say{{writing, nil}, {"INSERT INTO clients (key) VALUES ($1)", []any{card}}}, "which lies on every machine"},
		"a table of nobody's":    {[]say{{reading, nil}, {"SELECT 1 FROM elsewhere", nil}}, "has no layout"},
	} {
		w := homes.New(rows.Layouts())
		for _, s := range x.say {
			w.Hear("x", postgres.Statement{Connection: 1, Text: s.text, Args: s.args})
		}
		faults := w.Faults()
		if x.want == "" && len(faults) > 0 || x.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], x.want)) {
			t.Errorf("%s: %q, want one with %q", name, faults, x.want)
		}
	}
}

// TestExceptions: one is for its act and table alone, and must be needed.
func TestExceptions(t *testing.T) {
	hear := func(act string) []string {
		w := homes.New(rows.Layouts(), homes.Exception{Act: "x", Table: "cards"})
		w.Hear(act, postgres.Statement{Connection: 1, Text: "SELECT body FROM cards WHERE holder = $1", Args: []any{[]byte{1}}})
		return w.Faults()
	}
	if faults := hear("x"); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	if faults := hear("y"); len(faults) != 2 || !strings.Contains(faults[1], "take the exception off the list") {
		t.Errorf("%q", faults)
	}
}
