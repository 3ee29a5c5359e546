package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
)

// TestWhatACrashLeftOfAKeyGoes: a process that is killed while it writes a file leaves a
// temporary one, which may hold a key. The next change removes it, and nothing else.
func TestWhatACrashLeftOfAKeyGoes(t *testing.T) {
	d := dirs(t)[0]
	if _, err := d.Request(wire.Peer); err != nil {
		t.Fatal(err)
	}
	left := []string{".issuer.key.1", ".server.pem.22", ".callers.json.3", ".host.json.4", "peers/.key.pem.5", "peers/.k2.json.6"}
	for _, name := range left {
		if err := os.WriteFile(filepath.Join(d.Path(), name), []byte("half a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.RenewDoor(time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if _, err := os.Lstat(filepath.Join(d.Path(), name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if _, err := d.peerKey(); err != nil {
		t.Errorf("the key itself: %v", err)
	}
}

// TestAnothersDirectoryIsRefused: root, which reads everything, neither reads nor changes a
// keeper of another account: the keeper could not read what root writes there, and who owns
// it decides what is in it.
func TestAnothersDirectoryIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a directory away")
	}
	for _, name := range []string{"", callersFile, doorFile, issuerKeyFile} {
		d := dirs(t)[0]
		if err := os.Chown(filepath.Join(d.Path(), name), 61001, 61001); err != nil {
			t.Fatal(err)
		}
		var err error
		switch name {
		case "":
			_, err = Open(d.Path())
		case issuerKeyFile:
			_, err = d.RenewDoor(time.Now())
		default:
			_, err = d.load()
		}
		if !errors.Is(err, keeper.ErrOwner) {
			t.Errorf("%q of another account: %v", name, err)
		}
	}
	theirs := filepath.Join(t.TempDir(), "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o700), os.Chown(theirs, 61001, 61001)); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(theirs, conf(t, 1), time.Now()); !errors.Is(err, keeper.ErrOwner) {
		t.Errorf("made in another's directory: %v", err)
	}
}

// TestMetricsTakeNoPlaceFromTheLedger: who opens connections to the metrics without end has
// so many and no more, and the keeper serves beside them.
func TestMetricsTakeNoPlaceFromTheLedger(t *testing.T) {
	d := dirs(t)[0]
	d.Metrics = "127.0.0.1:0"
	r := run(t, d)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range 4 * httpConnections {
		c, err := net.Dial("tcp", r.at.Metrics)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	ended := make(chan struct{}, len(open))
	for _, c := range open {
		go func() {
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				ended <- struct{}{}
			}
		}()
	}
	for range 3 * httpConnections {
		patience.Get(t, "all are ended but those that may stay", ended)
	}
	for _, c := range open {
		_ = c.Close()
	}
	eventually(t, "metrics again", func() bool {
		resp, err := http.Get("http://" + r.at.Metrics + "/metrics")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// TestNobodyFillsTheLog: handshakes that are refused are told of a few times a minute, and
// then with their number.
func TestNobodyFillsTheLog(t *testing.T) {
	r := run(t, dirs(t)[0])
	for range 5 * sameLines {
		c, err := net.Dial("tcp", r.at.Door)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("no handshake"))
		_, _ = io.Copy(io.Discard, c) // until the keeper has ended it
		_ = c.Close()
	}
	eventually(t, "all are counted", func() bool { return r.lines.left() == 4*sameLines })
	if n := strings.Count(r.log.String(), "a connection to the keeper ended"); n != sameLines {
		t.Errorf("%d lines, want %d", n, sameLines)
	}
	var b strings.Builder
	l := slog.New(spare(slog.NewTextHandler(&b, nil)))
	at := time.Now()
	line := func(after time.Duration) {
		_ = l.Handler().Handle(t.Context(), slog.NewRecord(at.Add(after), slog.LevelWarn, "alike", 0))
	}
	for range sameLines + 7 {
		line(0)
	}
	line(sparedFor)
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines) != sameLines+1 || !strings.HasSuffix(lines[sameLines], "left_out=7") {
		t.Errorf("a minute later:\n%s", b.String())
	}
}

// TestTwoPersonsAcceptTheClock: the kept time moves up only by a word that names another
// keeper, a reason and that one's clock, which must be this one's; and who said so is
// written down first.
func TestTwoPersonsAcceptTheClock(t *testing.T) {
	d := dirs(t)[0]
	r := run(t, d)
	act := func(change func(*ClockAct)) ClockAct {
		a := ClockAct{By: "alice", With: "k2", Heard: SpokenTime(r.now()), Why: "off for a week"}
		change(&a)
		return a
	}
	if err := d.Ask().AcceptClock(t.Context(), act(func(*ClockAct) {})); err != nil && !errors.Is(err, clock.ErrNotAhead) {
		t.Errorf("nothing to do: %v", err)
	}
	written := func() string {
		text, err := os.ReadFile(filepath.Join(d.Path(), actsFile))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(text)
	}
	before := written()
	r.machine.set(7 * 24 * time.Hour)
	for what, c := range map[string]struct {
		change func(*ClockAct)
		want   error
	}{
		"this keeper itself":  {func(a *ClockAct) { a.With = "k1" }, ErrAct},
		"nobody":              {func(a *ClockAct) { a.With = "" }, ErrAct},
		"no reason":           {func(a *ClockAct) { a.Why = " " }, ErrAct},
		"signs of a terminal": {func(a *ClockAct) { a.Why = "\x1b[2J" }, ErrAct},
		"another clock":       {func(a *ClockAct) { a.Heard = SpokenTime(r.now().Add(-7 * 24 * time.Hour)) }, ErrHeardTime},
		"no clock":            {func(a *ClockAct) { a.Heard = "soon" }, ErrHeardTime},
	} {
		if err := d.Ask().AcceptClock(t.Context(), act(c.change)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if after := written(); after != before {
		t.Errorf("what was refused is written down:\n%s", after)
	}
	if s := r.Status(t.Context()); !slices.Contains(s.Warnings, TimeLags) {
		t.Fatalf("the time does not lag: %v", s.Warnings)
	}
	if err := d.Ask().AcceptClock(t.Context(), act(func(*ClockAct) {})); err != nil {
		t.Fatal(err)
	}
	if s := r.Status(t.Context()); slices.Contains(s.Warnings, TimeLags) {
		t.Errorf("it lags still: %+v", s.Clock)
	}
	data, err := d.read(actsFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var said map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &said); err != nil || said["act"] != "clock" || said["by"] != "alice" || said["with"] != "k2" || said["why"] != "off for a week" {
		t.Errorf("%v in %s", err, data)
	}
	r.machine.set(0)
	if err := d.Ask().AcceptClock(t.Context(), act(func(a *ClockAct) { a.Heard = SpokenTime(time.Now()) })); !errors.Is(err, clock.ErrBehind) {
		t.Errorf("a clock that is behind: %v", err)
	}
}

// TestAnotherDirectoryInItsPlace: a keeper that serves takes nothing in from a directory that
// was put in the place of its own, and says so.
func TestAnotherDirectoryInItsPlace(t *testing.T) {
	ds := dirs(t)
	r := run(t, ds[0])
	w := somebody(t, "authority", wire.Authority)
	c := w.call(t, w.admit(t, ds[0], wire.Authority))
	eventually(t, "admitted", func() bool { return c.Admit(t.Context(), seen(0)) == nil })
	away := ds[0].Path() + ".away"
	if err := errors.Join(os.Rename(ds[0].Path(), away), os.Rename(ds[1].Path(), ds[0].Path())); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); !errors.Is(err, ErrReplaced) {
		t.Errorf("another directory's list was taken in: %v", err)
	}
	if err := c.Admit(t.Context(), seen(0)); err != nil {
		t.Errorf("what was read before counts: %v", err)
	}
	if s := r.Status(t.Context()); !slices.Contains(s.Warnings, FilesUnread) {
		t.Errorf("nothing is said of it: %v", s.Warnings)
	}
	if err := errors.Join(os.Rename(ds[0].Path(), ds[1].Path()), os.Rename(away, ds[0].Path()), r.Reload()); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// TestActsStayWhole: an act that a crash cut off is a line of its own.
func TestActsStayWhole(t *testing.T) {
	d := dirs(t)[0]
	if err := os.WriteFile(filepath.Join(d.Path(), actsFile), []byte("{}\n{\"half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.record(map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	data, err := d.read(actsFile)
	if err != nil || string(data) != "{}\n{\"half\n{\"n\":1}\n" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestHistogram: a value counts at the smallest bound that it does not pass.
func TestHistogram(t *testing.T) {
	h := newHistogram(1, 2)
	for _, v := range []float64{0.5, 1, 1.5, 9} {
		h.add(v)
	}
	var e exposition
	e.histogram("x", h, "request", "spends")
	want := ""
	for _, l := range []string{`x_bucket{request="spends",le="1"} 2`, `x_bucket{request="spends",le="2"} 3`, `x_bucket{request="spends",le="+Inf"} 4`, `x_sum{request="spends"} 12`, `x_count{request="spends"} 4`} {
		want += fmt.Sprintln("liuma_keeper_" + l)
	}
	if e.String() != want {
		t.Errorf("%s, want %s", e.String(), want)
	}
}
