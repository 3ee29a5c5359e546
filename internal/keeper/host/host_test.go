package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
	"github.com/liuma-pin/liuma/internal/ledger"
)

func TestHostFileIsStrict(t *testing.T) {
	d := dirs(t)[0]
	path := filepath.Join(d.Path(), hostFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(d.Path())
	if err != nil || again.Config != d.Config {
		t.Fatalf("read %+v, wrote %+v: %v", again, d.Config, err)
	}
	for name, change := range map[string][2]string{
		"an unknown member":   {`{`, `{"more": "x",`},
		"a member twice":      {`"member": 1`, `"member": 1, "member": 1`},
		"another format":      {`liuma-host/1`, `liuma-host/2`},
		"no keeper":           {`"k1"`, `""`},
		"a member too many":   {`"member": 1`, `"member": 4`},
		"no such shape":       {`"t": 2`, `"t": 3`},
		"an address too few":  {`"address": "127.0.0.1:`, `"address": "127.0.0.1`},
		"a listen without":    {`"listen": "127.0.0.1:`, `"listen": "127.0.0.1`},
		"metrics of nowhere":  {"\n}", ",\n  \"metrics\": \"x\"\n}"},
		"more after its end":  {"\n}\n", "\n}\n{}"},
		"a spelling of names": {`"format"`, `"Format"`},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(d.Path()); !errors.Is(err, ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	d := dirs(t)[0]
	if _, err := Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, ErrNoHost) {
		t.Errorf("no directory: %v", err)
	}
	empty := t.TempDir()
	if err := os.Chmod(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(empty); !errors.Is(err, ErrNoHost) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := Create(d.Path(), d.Config, time.Now()); !errors.Is(err, ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	for _, name := range []string{callersFile, issuerKeyFile} {
		if err := os.Chmod(filepath.Join(d.Path(), name), 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := d.RenewDoor(time.Now()); name == issuerKeyFile && !errors.Is(err, ErrMode) {
			t.Errorf("%s open to a group: %v", name, err)
		}
		if _, err := d.Callers(); name == callersFile && !errors.Is(err, ErrMode) {
			t.Errorf("%s open to a group: %v", name, err)
		}
	}
	if err := os.Chmod(d.Path(), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(d.Path()); !errors.Is(err, ErrMode) {
		t.Errorf("open to a group: %v", err)
	}
}

// TestChangesFollowOneAnother: of many changes at once none is lost.
func TestChangesFollowOneAnother(t *testing.T) {
	d := dirs(t)[0]
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		w := somebody(t, name, wire.Peer)
		all.Go(func() {
			if _, err := d.Admit(w.req, admission.Grant{Roles: wire.Peer, Heard: w.req.Fingerprint().String()}, time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := d.Callers()
	if err != nil || len(list.List()) != 6 {
		t.Errorf("%d of 6 are in the list, %v", len(list.List()), err)
	}
}

// TestCrashWhileAdmitting: at every moment of the write the list is the old one or the
// new one.
func TestCrashWhileAdmitting(t *testing.T) {
	d := dirs(t)[0]
	somebody(t, "first", wire.Peer).admit(t, d, wire.Peer)
	second := somebody(t, "second", wire.Peer)
	crash := errors.New("crash")
	for _, moment := range []string{"before", "half written", "before rename", "after rename"} {
		d.disk.At = func(_, m string) error {
			if m == moment {
				return crash
			}
			return nil
		}
		if _, err := d.Admit(second.req, admission.Grant{Roles: wire.Peer, Heard: second.req.Fingerprint().String()}, time.Now()); !errors.Is(err, crash) {
			t.Errorf("%s: %v", moment, err)
		}
		list, err := d.Callers()
		want := 1
		if moment == "after rename" {
			want = 2
		}
		if err != nil || len(list.List()) != want {
			t.Errorf("%s: %d callers, want %d, %v", moment, len(list.List()), want, err)
		}
	}
}

// TestReload: who is admitted beside a running keeper is served, and who is dismissed is
// not, by Reload at once and without it soon.
func TestReload(t *testing.T) {
	d := dirs(t)[0]
	r := run(t, d)
	w := somebody(t, "authority", wire.Authority)
	c := w.call(t, w.admit(t, d, wire.Authority))
	if err := d.Ask().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Admit(t.Context(), seen(0)); err != nil {
		t.Errorf("admitted: %v", err)
	}
	other := somebody(t, "other", wire.Authority)
	oc := other.call(t, other.admit(t, d, wire.Authority))
	eventually(t, "served without a reload", func() bool { return oc.Admit(t.Context(), seen(0)) == nil })
	if err := d.Dismiss("authority", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := d.Ask().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Admit(t.Context(), seen(0)); err == nil {
		t.Error("dismissed, and served")
	}
	if err := d.Dismiss("other", time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refused without a reload", func() bool { return oc.Admit(t.Context(), seen(0)) != nil })
	if !strings.Contains(r.log.String(), "not admitted any more") {
		t.Errorf("the log says nothing of it:\n%s", r.log)
	}

	// What cannot be read leaves what was read, and is told.
	if err := os.WriteFile(filepath.Join(d.Path(), callersFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Ask().Reload(t.Context()); !errors.Is(err, admission.ErrFormat) {
		t.Errorf("a damaged list: %v", err)
	}
	if s := r.Status(t.Context()); !slices.Contains(s.Warnings, FilesUnread) || len(s.Callers) != 2 {
		t.Errorf("status %+v", s)
	}
}

// TestRenewedDoor: a renewed certificate is shown to the next caller.
func TestRenewedDoor(t *testing.T) {
	d := dirs(t)[0]
	w := somebody(t, "authority", wire.Authority)
	a := w.admit(t, d, wire.Authority)
	if err := d.renewDoorFor(t, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	r := run(t, d)
	if s := r.Status(t.Context()); !slices.Contains(s.Warnings, DoorEnds) {
		t.Errorf("a door whose certificate has ended: %+v", s.Warnings)
	}
	if err := w.call(t, a).Admit(t.Context(), seen(0)); err == nil {
		t.Error("an ended certificate of the door is taken")
	}
	if _, err := d.RenewDoor(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := d.Ask().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.call(t, a).Admit(t.Context(), seen(0)); err != nil {
		t.Errorf("renewed: %v", err)
	}
	if s := r.Status(t.Context()); slices.Contains(s.Warnings, DoorEnds) {
		t.Errorf("renewed: %+v", s.Warnings)
	}
}

// renewDoorFor gives the door a certificate of another time.
func (d *Dir) renewDoorFor(t *testing.T, from, until time.Time) error {
	t.Helper()
	i, err := d.issuer()
	if err != nil {
		return err
	}
	return d.renewDoor(i, from, until)
}

// TestStates: a keeper that is not well says so and serves nobody.
func TestStates(t *testing.T) {
	d := dirs(t)[0]
	w := somebody(t, "authority", wire.Authority)
	a := w.admit(t, d, wire.Authority)
	r := run(t, d)
	c := w.call(t, a)
	state := func(want State) {
		t.Helper()
		s, err := d.Ask().Status(t.Context())
		if err != nil || s.State != want || (s.Why == "") != (want == Serves) {
			t.Errorf("state %s, want %s: %q, %v", s.State, want, s.Why, err)
		}
	}
	state(Serves)
	if err := c.Admit(t.Context(), keeper.Header{Now: time.Now().Add(-time.Hour)}); !errors.Is(err, ledger.ErrClock) {
		t.Errorf("a caller's clock an hour behind: %v", err)
	}
	if s := r.Status(t.Context()); !slices.Contains(s.Warnings, ClocksApart) || s.Asked["failures.clock"] != 1 {
		t.Errorf("warnings %v, asked %v", s.Warnings, s.Asked)
	}
	r.machine.set(-5 * time.Minute)
	state(ClockOff)
	r.machine.set(0)
	state(Serves)
	if err := c.Admit(t.Context(), seen(1_000)); !errors.Is(err, ledger.ErrRolledBack) {
		t.Errorf("a caller that had more: %v", err)
	}
	state(RolledBack)
	if err := d.Ask().Repair(t.Context(), 0, 0); !errors.Is(err, keeper.ErrPeers) {
		t.Errorf("a repair without peers: %v", err)
	}
	if _, err := Start(t.Context(), d, Options{Logger: r.Host.log}); !errors.Is(err, ErrServed) {
		t.Errorf("served twice: %v", err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Ask().Status(t.Context()); !errors.Is(err, ErrNotServed) {
		t.Errorf("after its end: %v", err)
	}
}

// TestLostKeys: without its keys a keeper does not begin.
func TestLostKeys(t *testing.T) {
	ds := dirs(t)
	if err := os.Remove(filepath.Join(ds[0].Path(), "keeper.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), ds[0], Options{Logger: discard()}); !errors.Is(err, keeper.ErrNoKeySet) {
		t.Errorf("without keys: %v", err)
	}
	other, err := os.ReadFile(filepath.Join(ds[2].Path(), "keeper.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ds[1].Path(), "keeper.json"), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), ds[1], Options{Logger: discard()}); !errors.Is(err, keeper.ErrStranger) {
		t.Errorf("with another keeper's keys: %v", err)
	}
}

// TestRepair: a lost ledger is made anew from the others, and serves above what callers
// had; a repair that fails leaves the keeper serving nobody, and is begun again.
func TestRepair(t *testing.T) {
	ds := dirs(t)
	w := somebody(t, "authority", wire.Authority)
	var hosts []*running
	for i, d := range ds {
		if i > 0 {
			befriend(t, ds[0], d)
		}
		w.admit(t, d, wire.Authority)
		if i > 0 {
			hosts = append(hosts, run(t, d))
		}
	}
	if err := os.Remove(filepath.Join(ds[0].Path(), "ledger.db")); err != nil {
		t.Fatal(err)
	}
	lost := run(t, ds[0])
	a, err := ds[0].Admit(w.req, admission.Grant{Roles: wire.Authority}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := w.call(t, a)
	eventually(t, "a lost ledger is told", func() bool { return errors.Is(c.Admit(t.Context(), seen(4_321)), keeper.ErrGone) })
	if s := lost.Status(t.Context()); s.State != Gone || s.Clock != nil || len(s.Peers) != 2 {
		t.Errorf("status %+v", s)
	}
	_ = hosts[1].end()
	repair(t, ds[0])
	if s := lost.Status(t.Context()); s.State != Unrepaired || s.Repair.Why == "" {
		t.Errorf("with one peer away: %+v, %+v", s, s.Repair)
	}
	run(t, ds[2])
	repair(t, ds[0])
	if s := lost.Status(t.Context()); s.State != Serves || s.Repair.Why != "" || s.Sequence < 4_321 {
		t.Errorf("repaired: %+v, %+v", s, s.Repair)
	}
	if err := c.Admit(t.Context(), seen(4_321)); err != nil {
		t.Errorf("served after the repair: %v", err)
	}
	if err := c.Scan(t.Context(), liuma.CardID{}, func(ledger.Row) error { return nil }); !errors.Is(err, wire.ErrRole) {
		t.Errorf("rows for an authority: %v", err)
	}
}

// TestRepairedFromItsOwnAlone: a keeper of another quorum, with the name, number and
// shape of the keeper that belongs there, is no source of a repair, and nothing is taken in
// beside it. The keeper serves nobody then, and is repaired once the right one admitted it.
func TestRepairedFromItsOwnAlone(t *testing.T) {
	ds, rehearsal := dirs(t), dirs(t)
	befriend(t, ds[0], ds[1])
	befriend(t, ds[0], ds[2])
	file := filepath.Join(ds[0].Path(), peersDir, "k3.json")
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	befriend(t, ds[0], rehearsal[2])
	lost := run(t, ds[0])
	for _, d := range []*Dir{ds[1], ds[2], rehearsal[2]} {
		run(t, d)
	}
	repair(t, ds[0])
	if s := lost.Status(t.Context()); s.State != Unrepaired || !strings.Contains(s.Repair.Why, "k3") || s.Repair.Rows != 0 {
		t.Errorf("from a keeper of a rehearsal: %+v, %+v", s, s.Repair)
	}
	if err := os.WriteFile(file, right, 0o600); err != nil {
		t.Fatal(err)
	}
	repair(t, ds[0])
	if s := lost.Status(t.Context()); s.State != Serves || s.Repair.Why != "" {
		t.Errorf("from its own: %+v, %+v", s, s.Repair)
	}
}

// A caller that lies about the sequence must not raise it so far in a repair that no later
// repair can be told the true one.
func TestALiedSequenceLeavesRoom(t *testing.T) {
	s := &seat{id: "k1"}
	for _, lie := range []uint64{mostSeen - 1, mostHeard} {
		if s.heard(seen(lie)); s.seen.Load() != 0 {
			t.Errorf("heard %d: %d", lie, s.seen.Load())
		}
	}
	if s.heard(seen(mostHeard - 1)); s.seen.Load() != mostHeard-1 || s.seen.Load() >= mostSeen>>10 {
		t.Errorf("a repair goes to %d", s.seen.Load())
	}
}

// repair has a keeper repaired and waits for its end.
func repair(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Ask().Repair(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the repair ends", func() bool {
		s, err := d.Ask().Status(context.Background())
		return err == nil && s.Repair != nil && !s.Repair.Ended.IsZero()
	})
}

// befriend has one keeper admitted by another.
func befriend(t *testing.T, d, at *Dir) {
	t.Helper()
	r, err := d.Request(wire.Peer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := at.Admit(r, admission.Grant{Roles: wire.Peer, Heard: r.Fingerprint().String()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Accept(a, a.Fingerprint().String(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestAcceptRefuses(t *testing.T) {
	ds := dirs(t)
	r, err := ds[0].Request(wire.Peer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ds[0].Request(wire.Peer)
	if err != nil || again.Fingerprint() != r.Fingerprint() {
		t.Errorf("a second request has another key: %v", err)
	}
	grant := admission.Grant{Roles: wire.Peer, Heard: r.Fingerprint().String()}
	a, err := ds[1].Admit(r, grant, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	said := a.Fingerprint().String()
	for name, tt := range map[string]struct {
		at    *Dir
		heard string
		when  time.Time
		want  error
	}{
		"not heard":         {ds[0], "", time.Now(), admission.ErrUnheard},
		"heard of another":  {ds[0], r.Fingerprint().String(), time.Now(), admission.ErrFingerprint},
		"after its end":     {ds[0], said, time.Now().Add(2 * admission.DefaultTerm), admission.ErrEnded},
		"at the same one":   {ds[1], said, time.Now(), ErrNotAPeer},
		"of another caller": {ds[2], said, time.Now(), admission.ErrOtherKey},
	} {
		if err := tt.at.Accept(a, tt.heard, tt.when); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if err := ds[0].Accept(a, said, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := ds[0].Accept(a, "", time.Now()); err != nil {
		t.Errorf("renewed: %v", err)
	}
	if peers, err := ds[0].Peers(); err != nil || len(peers) != 1 || peers[0].Keeper != "k2" {
		t.Errorf("peers %v, %v", peers, err)
	}
}

// TestMetricsFormat: every line is one of Prometheus' text format, every metric has help
// and a type, and none is said twice.
func TestMetricsFormat(t *testing.T) {
	ds := dirs(t)
	ds[0].Metrics = "127.0.0.1:0"
	r := run(t, ds[0])
	w := somebody(t, "authority", wire.Authority)
	c := w.call(t, w.admit(t, ds[0], wire.Authority))
	eventually(t, "admitted", func() bool { return c.Admit(t.Context(), seen(0)) == nil })
	_ = c.Admit(t.Context(), keeper.Header{})
	resp, err := http.Get("http://" + r.at.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%v, %v", resp.Header, err)
	}
	line := regexp.MustCompile(`^(?:# HELP (liuma_keeper_[a-z_]+) \S.*|# TYPE (liuma_keeper_[a-z_]+) (?:counter|gauge|histogram)|(liuma_keeper_[a-z_]+)(\{[a-z]+="[a-z0-9_+.Inf-]+"(?:,le="[0-9.e+Inf-]+")?\})? -?[0-9.e+-]+)$`)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	kinds, said := map[string]bool{}, map[string]bool{}
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		m := line.FindStringSubmatch(l)
		switch {
		case m == nil:
			t.Errorf("not of the format: %q", l)
		case m[2] != "":
			kinds[m[2]] = true
		case m[3] != "" && (!kinds[m[3]] && !kinds[suffix.ReplaceAllString(m[3], "")] || said[m[3]+m[4]]):
			t.Errorf("without a type, or twice: %q", l)
		case m[3] != "":
			said[m[3]+m[4]] = true
		}
	}
	for _, want := range []string{`liuma_keeper_failures_total{error="clock"}`, `liuma_keeper_connections{role="authority"}`, `liuma_keeper_state{state="serves"}`, "liuma_keeper_merged_rows_total",
		`liuma_keeper_request_seconds_bucket{request="spends",le="+Inf"}`, `liuma_keeper_spends_per_write_bucket{le="256"}`, `liuma_keeper_lane_spends_total{lane="stranger"}`} {
		if !said[want] {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if resp, err := http.Post("http://"+r.at.Metrics+"/reload", "", nil); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("the metrics' door does more: %v, %v", resp, err)
	}
}

// TestSocketIsPrivate: its mode is 0600, one that a dead process left is replaced, and
// something else of its name is not.
func TestSocketIsPrivate(t *testing.T) {
	d := dirs(t)[0]
	socket := filepath.Join(d.Path(), socketName)
	r := run(t, d)
	info, err := os.Stat(socket)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	left, err := listenSocket(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	left.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	_ = left.Close()
	if err := run(t, d).end(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(d.Path()); err == nil {
		t.Error("a file of its name was replaced")
	}
	if _, err := socketPath(filepath.Join(t.TempDir(), strings.Repeat("x", 120))); !errors.Is(err, ErrPath) {
		t.Errorf("a long path: %v", err)
	}
}

// TestTakesKeySetsIn: a key set that was added to the key file of a running keeper is used
// without a restart, once it is told so; what it had stays, and a file that is of another
// keeper, or damaged, changes nothing.
func TestTakesKeySetsIn(t *testing.T) {
	all := dirs(t)
	d := all[0]
	r := run(t, d)
	had := r.Status(t.Context()).KeySets
	if !slices.Equal(had, []uint32{1}) {
		t.Fatalf("key sets %v", had)
	}
	addKeySet(t, d, 2)
	if now := r.Status(t.Context()).KeySets; !slices.Equal(now, had) {
		t.Errorf("key sets %v before it was told", now)
	}
	for range 2 { // again, which changes nothing
		if err := d.Ask().TakeKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := r.Status(t.Context()).KeySets; !slices.Equal(now, []uint32{1, 2}) {
			t.Errorf("key sets %v", now)
		}
	}
	own := filepath.Join(d.path, "keeper.json")
	kept, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(all[1].path, "keeper.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"another keeper's": theirs, "damaged": kept[:len(kept)/2]} {
		if err := os.WriteFile(own, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Ask().TakeKeys(t.Context()); err == nil {
			t.Errorf("%s key file was taken in", name)
		}
		if s := r.Status(t.Context()); s.State != Serves || !slices.Equal(s.KeySets, []uint32{1, 2}) {
			t.Errorf("%s key file: %+v", name, s)
		}
	}
	if err := os.WriteFile(own, kept, 0o600); err != nil {
		t.Fatal(err)
	}
}
