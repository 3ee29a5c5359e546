package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/server"
)

// site is a stage and a server in this process that serves it.
type site struct {
	*stage
	phones *phones
	c      FloodConfig
}

func newSite(t *testing.T) site {
	t.Helper()
	ctx := t.Context()
	c := FloodConfig{Binary: "not run", Dir: filepath.Join(t.TempDir(), "data"), Cards: fewestTargets, For: 300 * time.Millisecond, Rate: 20, Load: 20, Open: 12}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	p, err := newPhones()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close() })
	s, err := newStage(ctx, c, p.url())
	if err != nil {
		t.Fatal(err)
	}
	system, err := server.Open(ctx, s.config, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	native, err := system.Listen()
	hosted, err2 := system.ListenHosted()
	gateway, err3 := system.ListenGateway()
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- system.Serve(serving, native, hosted, gateway) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, system.Close()); err != nil {
			t.Error(err)
		}
	})
	return site{s, p, c}
}

// TestEachFlood sends a little of each flood. However the server answers, it
// understands what is sent: only the floods of nonsense get a 400, only that of
// bad tokens a 401, and every request gets an answer.
func TestEachFlood(t *testing.T) {
	s := newSite(t)
	for _, name := range FloodKinds() {
		t.Run(name, func(t *testing.T) {
			o := s.flood(t, name)
			answered := 0
			for label, n := range o.Answers {
				answered += n
				switch {
				case label == noAnswer, label == notOpened, label == "":
					t.Errorf("%d times %q", n, label)
				case strings.HasPrefix(label, "400") && name != "garbage", strings.HasPrefix(label, "401") != (name == "bad-tokens"):
					t.Errorf("%d times %q", n, label)
				}
			}
			if o.Sent != 6 || answered != o.Sent {
				t.Errorf("sent %d, answered %v", o.Sent, o.Answers)
			}
		})
	}
	// What holds whatever the rations: nothing of it made a guess right.
	v, h := s.calm(t).run(t.Context())
	if v.Sent == 0 || v.Errors > 0 || h.Sent == 0 || h.Errors > 0 {
		t.Errorf("the normal load after all floods: %+v, %+v", v, h)
	}
}

func (s site) calm(t *testing.T) *calm {
	t.Helper()
	l, err := newCalm(t.Context(), s.stage, s.c.Load, s.c.For)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// flood plays the bench's side of a flooder.
func (s site) flood(t *testing.T, name string) outcome {
	t.Helper()
	toIt, in := io.Pipe()
	out, fromIt := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Flooder(t.Context(), toIt, fromIt)
		fromIt.CloseWithError(err)
		toIt.Close()
		ended <- err
	}()
	if err := json.NewEncoder(in).Encode(job{Kind: name, Rate: s.c.Rate, For: s.c.For, Stage: s.stage}); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(ready))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != ready {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.NewDecoder(out).Decode(&o); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return o
}

// TestResets: a reset is carried through with and without ceremonies beside it.
func TestResets(t *testing.T) {
	s := newSite(t)
	r, err := resets(t.Context(), s.c, s.stage, s.phones)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, n := range r.Refused {
		refused += n
	}
	if r.Opened == 0 || r.Opened+refused != s.c.Open || r.Reset <= 0 || r.Alone <= 0 {
		t.Errorf("%+v", r)
	}
}

// TestPaced: each number once, in time, and never more at once than allowed.
func TestPaced(t *testing.T) {
	var mu sync.Mutex
	seen, now, most := map[int]int{}, 0, 0
	n := paced(t.Context(), 1000, 50*time.Millisecond, 5, func(i int, due time.Time) {
		mu.Lock()
		seen[i]++
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
	})
	if n == 0 || len(seen) != n || slices.Max(slices.Collect(maps.Values(seen))) != 1 || most > 5 {
		t.Errorf("%d started, at most %d at once: %v", n, most, seen)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if n := paced(ended, 1000, time.Hour, 5, func(int, time.Time) {}); n != 0 {
		t.Errorf("%d started after the end", n)
	}
}

// TestTimesCountFromWhenDue: a request that waited for its turn says so.
func TestTimesCountFromWhenDue(t *testing.T) {
	var l tally
	l.add(time.Now().Add(-2*time.Second), nil)
	l.add(time.Now(), refused("429 busy"))
	if n := l.noticed(); n.Sent != 2 || n.Errors != 1 || n.Why["429 busy"] != 1 || n.Worst < 2000 || n.P99 < 2000 {
		t.Errorf("%+v", n)
	}
	if n := new(tally).noticed(); n.Sent != 0 || n.Worst != 0 {
		t.Errorf("of nothing: %+v", n)
	}
}

func TestFloodConfigIsChecked(t *testing.T) {
	good := FloodConfig{Binary: "liuma", Dir: "d", For: time.Second}
	if err := good.validate(); err != nil || len(good.Kinds) != len(kinds()) {
		t.Fatalf("%v, %v", good.Kinds, err)
	}
	for name, change := range map[string]func(*FloodConfig){
		"no binary":    func(c *FloodConfig) { c.Binary = "" },
		"no directory": func(c *FloodConfig) { c.Dir = "" },
		"unknown kind": func(c *FloodConfig) { c.Kinds = []string{"spray", "rain"} },
		"few cards":    func(c *FloodConfig) { c.Cards = fewestTargets - 1 },
		"no time":      func(c *FloodConfig) { c.For = 0 },
		"too long":     func(c *FloodConfig) { c.For = longestFlood + 1 },
		"no rate":      func(c *FloodConfig) { c.Rate = -1 },
		"no load":      func(c *FloodConfig) { c.Load = 0.5 },
	} {
		c := FloodConfig{Binary: "liuma", Dir: "d", For: time.Second}
		change(&c)
		if c.validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestFlooderRefuses: a job that it cannot do ends it before it sends anything.
func TestFlooderRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "no JSON": "flood\n", "unknown kind": `{"kind":"rain","rate":1,"for":1,"stage":{}}` + "\n",
		"no stage": `{"kind":"idle","rate":1,"for":1}` + "\n", "no rate": `{"kind":"idle","for":1,"stage":{}}` + "\n",
		"no word to begin": `{"kind":"idle","rate":1,"for":1,"stage":{}}` + "\n",
	} {
		var out bytes.Buffer
		if err := Flooder(t.Context(), strings.NewReader(in), &out); err == nil || strings.Contains(out.String(), "sent") {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
	}
}

// TestTable: the tables say what was measured, with every count.
func TestTable(t *testing.T) {
	r := FloodReport{Processors: 2, Cards: 100, Seconds: 30, Load: 100,
		Quiet: FloodRow{Kind: "quiet", Verify: Noticed{Sent: 3000, P50: 5, P99: 9}},
		Floods: []FloodRow{{Kind: "spray", What: "one PIN", Rate: 500, Answers: map[string]int{"403 refused": 59, "429 slow_down": 837},
			Before: Noticed{P50: 5, P99: 10}, Verify: Noticed{Sent: 3000, Errors: 2, Why: map[string]int{"no answer": 2}, P50: 10, P99: 40}, P50Ratio: 2, P99Ratio: 4}},
		Stall: &Stall{Opened: 10, Refused: map[string]int{"429 x": 2990}, Reset: 12, Alone: 11},
	}
	var b strings.Builder
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| quiet | 0 | 5.0 | 9.0 | – | – |",
		"| spray | 500 | 5.0 → 10.0 | 10.0 → 40.0 | 2.0 | 4.0 |", "2 of 3000 (no answer: 2)",
		"| spray | one PIN | 429 slow_down: 837, 403 refused: 59 |",
		"with 10 open ceremonies (refused: 429 x: 2990) took 12 ms", "with none open, 11 ms",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("without %q:\n%s", want, b.String())
		}
	}
	const warning = "did not carry the normal load alone"
	if strings.Contains(b.String(), warning) {
		t.Error("warns of a quiet row without errors")
	}
	r.Quiet.Verify.Errors = 1
	b.Reset()
	if err := r.Markdown(&b); err != nil || !strings.Contains(b.String(), warning) {
		t.Errorf("no warning: %v\n%s", err, b.String())
	}
}
