package drills

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long anything may take on a machine that does much else.
const patience = 4 * time.Minute

// words are what a script may say beside the words of testscript:
//
//	authority SHAPE [kept=DURATION] [texts] [hotline] [registry]
//	                      makes a directory with a channel, a card, and what is asked for;
//	                      kept is how far its kept time is from the machine's clock
//	serve, halt, cut      the server process: starts, ends in order, or as in a power cut
//	runbook 'DOC#SECTION' what is typed from here on stands there
//	place WORD VALUE      what a word of a printed command stands for here, such as ID
//	types COMMAND         runs a command of the runbook; ! types expects it to fail
//	leaves COMMAND WHY    says why a command of the runbook is not typed
//	sees REGEX COMMAND    runs a command until its output matches
//	alarm ALERT SERIES OP VALUE   waits until a series of /metrics that the alert reads is so
//	quiet ALERT SERIES OP VALUE   the same, healed: the alert does not fire any more
//	logged REGEX          waits until the server's log matches
//	verify REGEX [PIN]    the holder's PIN, or another, is asked for: right, wrong or a code
//	change PIN            the holder sets another PIN
//	freezes N             the hotline freezes so many times, or is refused
//	newkey FILE, usekey   makes a key for the client, and has it sign from now on
//	signing WORD STATE    places the kid of the authority's signing key in a state: signing, old
//	gateway up|down       of text messages
//	sql STATEMENT         on the database file, with the server stopped
//	room none|again       of the disk under the directory
//
// None may have the name of a word of testscript, which would be taken in its place: its stop
// ends a script there and calls it passed (TestWordsAreOurOwn).
func (h *house) words() map[string]func(*testscript.TestScript, bool, []string) {
	take := func(least int, usage string, f func(ts *testscript.TestScript, args []string)) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < least {
				ts.Fatalf("usage: %s", usage)
			}
			f(ts, args)
		}
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"authority": take(1, "authority SHAPE …", func(ts *testscript.TestScript, a []string) { h.found(ts, a[0], a[1:]) }),
		"serve":     take(0, "serve", func(ts *testscript.TestScript, _ []string) { h.serve(ts) }),
		"halt":      take(0, "halt", func(ts *testscript.TestScript, _ []string) { h.stop(ts, os.Interrupt) }),
		"cut":       take(0, "cut", func(ts *testscript.TestScript, _ []string) { h.stop(ts, os.Kill) }),
		"runbook": take(1, "runbook 'DOC#SECTION'", func(ts *testscript.TestScript, a []string) {
			b, err := readRunbook(a[0])
			ts.Check(err)
			h.books = append(h.books, b)
		}),
		"place":   take(2, "place WORD VALUE", func(_ *testscript.TestScript, a []string) { h.placed[a[0]] = a[1] }),
		"types":   h.types,
		"leaves":  take(2, "leaves COMMAND WHY", func(ts *testscript.TestScript, a []string) { h.printed(ts, a[0]) }),
		"sees":    take(2, "sees REGEX COMMAND", func(ts *testscript.TestScript, a []string) { h.sees(ts, a[0], strings.Join(a[1:], " ")) }),
		"alarm":   take(4, "alarm ALERT SERIES OP VALUE", func(ts *testscript.TestScript, a []string) { h.measures(ts, a) }),
		"quiet":   take(4, "quiet ALERT SERIES OP VALUE", func(ts *testscript.TestScript, a []string) { h.measures(ts, a) }),
		"logged":  take(1, "logged REGEX", func(ts *testscript.TestScript, a []string) { h.logged(ts, a[0]) }),
		"verify":  take(1, "verify ANSWER [PIN]", func(ts *testscript.TestScript, a []string) { h.verify(ts, a) }),
		"change":  take(1, "change PIN", func(ts *testscript.TestScript, a []string) { h.change(ts, a[0]) }),
		"freezes": take(1, "freezes N", func(ts *testscript.TestScript, a []string) { h.freezes(ts, a[0]) }),
		"newkey":  take(1, "newkey FILE", func(ts *testscript.TestScript, a []string) { h.newKey(ts, a[0]) }),
		"usekey": take(0, "usekey", func(ts *testscript.TestScript, _ []string) {
			h.party.Key, h.party.KeyID = h.next.Private, h.next.Public.KeyID
		}),
		"signing": take(2, "signing WORD STATE", func(ts *testscript.TestScript, a []string) { h.signing(ts, a[0], a[1]) }),
		"gateway": take(1, "gateway up|down", func(_ *testscript.TestScript, a []string) { h.gateway.away.Store(a[0] == "down") }),
		"sql":     take(1, "sql STATEMENT", func(ts *testscript.TestScript, a []string) { h.sql(ts, strings.Join(a, " ")) }),
		"room":    take(1, "room none|again", func(ts *testscript.TestScript, a []string) { h.room(ts, a[0] == "none") }),
	}
}

// printed finds a command in the last runbook, which has it letter by letter.
func (h *house) printed(ts *testscript.TestScript, command string) {
	if len(h.books) == 0 {
		ts.Fatalf("no runbook is opened")
	}
	b := h.books[len(h.books)-1]
	if !slices.Contains(b.commands, command) {
		ts.Fatalf("%s does not print %q, but\n%s", b.name, command, strings.Join(b.commands, "\n"))
	}
}

// types runs a printed command, with what its words stand for here.
func (h *house) types(ts *testscript.TestScript, neg bool, args []string) {
	command := strings.Join(args, " ")
	h.printed(ts, command)
	line := command
	for word, value := range h.placed {
		line = regexp.MustCompile(`(^|[ :.'"])`+regexp.QuoteMeta(word)+`($|[ .'"])`).ReplaceAllString(line, "${1}"+strings.ReplaceAll(value, "$", "$$")+"${2}")
	}
	h.typed++
	err := ts.Exec("sh", "-c", line)
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", line, err)
	}
}

// until asks again and again, for as long as patience.
func until(ts *testscript.TestScript, what string, so func() (said string, ok bool)) {
	last := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		said, ok := so()
		if ok {
			return
		}
		last = said
	}
	ts.Fatalf("waited for %s; at last:\n%s", what, last)
}

func (h *house) sees(ts *testscript.TestScript, pattern, command string) {
	want := regexp.MustCompile("(?m)" + pattern)
	until(ts, pattern+" of "+command, func() (string, bool) {
		_ = ts.Exec("sh", "-c", command) // the doctor ends with 3 where something is not in order
		out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		return out, want.MatchString(out)
	})
}

func (h *house) logged(ts *testscript.TestScript, pattern string) {
	want := regexp.MustCompile(pattern)
	until(ts, pattern+" in the log", func() (string, bool) { return h.log.Last(), want.MatchString(h.log.String()) })
}

// measures waits until a series is so; the alert reads its metric, and is what the
// runbook's row of docs/RUNBOOKS.md names.
func (h *house) measures(ts *testscript.TestScript, a []string) {
	alert, series, op, value := a[0], a[1], a[2], a[3]
	rules, err := alerts()
	ts.Check(err)
	i := slices.IndexFunc(rules, func(r rule) bool { return r.Alert == alert })
	if i < 0 {
		ts.Fatalf("there is no alert %s", alert)
	}
	name, _, _ := strings.Cut(series, "{")
	if !strings.Contains(rules[i].Expr, name) {
		ts.Fatalf("%s does not read %s", alert, name)
	}
	want, err := strconv.ParseFloat(value, 64)
	ts.Check(err)
	until(ts, strings.Join(a, " "), func() (string, bool) {
		got, err := h.series(series)
		if err != nil {
			return err.Error(), false
		}
		switch op {
		case "==":
			return fmt.Sprint(got), got == want
		case ">":
			return fmt.Sprint(got), got > want
		case "<":
			return fmt.Sprint(got), got < want
		}
		return "no comparison " + op, false
	})
}

// room fills the disk under the directory, or frees it again.
func (h *house) room(ts *testscript.TestScript, none bool) {
	ballast := filepath.Join(h.disk, "ballast")
	if !none {
		ts.Check(os.Remove(ballast))
		return
	}
	f, err := os.Create(ballast)
	ts.Check(err)
	defer f.Close()
	for _, size := range []int{1 << 20, 1 << 12, 1} { // until not a byte fits
		for {
			if _, err := f.Write(bytes.Repeat([]byte{'x'}, size)); err != nil {
				break
			}
		}
	}
	ts.Check(errors.Join(f.Sync()))
}
