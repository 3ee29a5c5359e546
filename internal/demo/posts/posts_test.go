package posts_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/demo/posts"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/testkit/patience"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// This test's program is the keepers' as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == posts.Argument {
		os.Exit(posts.Main(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// stage is three keepers and an authority that joined them.
type stage struct {
	*testing.T
	house *posts.House
	world *world.World
	clock *world.Clock
	steps []posts.Step
	dir   string
}

func open(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, clock: world.Running(-96 * time.Hour), dir: t.TempDir()}
	program, err := posts.Itself()
	s.must(err)
	s.house, err = posts.Open(t.Context(), posts.Config{Dir: s.dir, Clock: s.clock, Program: program, Tell: func(step posts.Step) { s.steps = append(s.steps, step) }})
	s.must(err)
	t.Cleanup(func() { s.must(s.house.Close()) })
	s.world, err = world.New(t.Context(), world.Config{Dir: filepath.Join(s.dir, "data"), Clock: s.clock, House: s.house})
	s.must(err)
	t.Cleanup(func() { s.must(s.world.Close()) })
	return s
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// becomes waits until the authority finds a keeper so.
func (s *stage) becomes(id keeper.ID, want keeper.Fault) {
	s.Helper()
	var got keeper.Condition
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, c := range s.world.System.Quorum.Conditions(s.Context()) {
			if c.ID == id {
				got = c
			}
		}
		if got.Fault == want {
			return
		}
	}
	s.Fatalf("%s: %q (%v), want %q", id, got.Fault, got.Why, want)
}

// answers waits until a keeper answers about its state; an answer that takes more than a
// second is none.
func (s *stage) answers(p *posts.Post) (stand posts.Standing) {
	s.Helper()
	patience.Until(s, string(p.ID)+" answers", func() bool { stand = p.Ask(s.Context()); return stand.Own != nil })
	return stand
}

// Each keeper has a process and a directory, and the files that no other one has.
func TestThreeProcesses(t *testing.T) {
	s := open(t)
	pids := map[int]bool{os.Getpid(): true}
	for _, p := range s.house.Posts() {
		stand := s.answers(p)
		if stand.State != posts.Runs || stand.Own.State != "serves" || stand.Cut {
			t.Errorf("%s: %+v", p.ID, stand)
		}
		pids[stand.PID] = true
		s.becomes(p.ID, "")
		info, err := os.Stat(filepath.Join(p.Dir, "keeper.json"))
		s.must(err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", p.ID, info.Mode())
		}
	}
	if len(pids) != 4 {
		t.Errorf("processes: %v", pids)
	}
	var keys []map[string]bool
	all := map[string]bool{}
	for _, p := range s.house.Posts() {
		held := shareKeys(t, filepath.Join(p.Dir, "keeper.json"))
		keys = append(keys, held)
		for k := range held {
			all[k] = true
		}
	}
	for i, held := range keys {
		if len(held) != 2 || len(all) != 3 {
			t.Errorf("keeper %d has %d of %d share keys", i+1, len(held), len(all))
		}
	}
	var told []string
	for _, step := range s.steps {
		told = append(told, strconv.Itoa(int(step.What))+string(step.Keeper))
	}
	if got := strings.Join(told, " "); got != "0k1 0k2 0k3 1 2k1 3k1 2k2 3k2 2k3 3k3" {
		t.Errorf("told %q", got)
	}
}

func shareKeys(t *testing.T, path string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		KeySets []struct {
			Keys []struct{ Key string } `json:"share_keys"`
		} `json:"key_sets"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, set := range file.KeySets {
		for _, k := range set.Keys {
			held[k.Key] = true
		}
	}
	return held
}

// Killed, cut off, healed, and time that passes meanwhile.
func TestFaults(t *testing.T) {
	s := open(t)
	k1, k3 := s.house.Post("k1"), s.house.Post("k3")
	pid := k3.Stand().PID
	k3.Kill()
	if stand := k3.Ask(t.Context()); stand.State != posts.Killed || stand.Own != nil {
		t.Errorf("killed: %+v", stand)
	}
	s.becomes("k3", keeper.Silent)
	s.clock.Advance(72 * time.Hour)
	s.becomes("k1", "") // it was told of the time
	s.must(k3.Heal(t.Context()))
	s.becomes("k3", "") // and so was this one
	if k3.Stand().PID == pid {
		t.Error("the same process")
	}
	k1.Cut()
	s.becomes("k1", keeper.Silent)
	if stand := s.answers(k1); !stand.Cut {
		t.Errorf("cut off: %+v", stand)
	}
	s.must(k1.Heal(t.Context()))
	s.becomes("k1", "")
	if !s.clock.CatchUp() {
		t.Error("the clock is ahead")
	}
	s.becomes("k1", "")
	select {
	case g := <-s.house.Gone():
		t.Errorf("told of %v", g)
	default:
	}
	if s.house.Post("k4") != nil {
		t.Error("a fourth keeper")
	}
}

// A process that ends by itself is told of, one that hangs is seen, and both heal.
func TestByItself(t *testing.T) {
	s := open(t)
	k2 := s.house.Post("k2")
	s.must(syscall.Kill(k2.Stand().PID, syscall.SIGSEGV))
	if g := patience.Get(t, "it is told of", s.house.Gone()); g.Keeper != "k2" || g.Why == "" {
		t.Errorf("told of %v", g)
	}
	if stand := k2.Stand(); stand.State != posts.Died || stand.Why == "" {
		t.Errorf("died: %+v", stand)
	}
	s.must(k2.Heal(t.Context()))
	s.becomes("k2", "")

	pid := k2.Stand().PID
	s.must(syscall.Kill(pid, syscall.SIGSTOP))
	for end := time.Now().Add(2 * time.Minute); k2.Ask(t.Context()).Own != nil; { // a signal takes its time
		if time.Now().After(end) {
			t.Fatal("it answers")
		}
	}
	for range 3 {
		if stand := k2.Ask(t.Context()); stand.State != posts.Runs || stand.Own != nil {
			t.Errorf("stopped: %+v", stand)
		}
	}
	s.must(syscall.Kill(pid, syscall.SIGCONT))
	if stand := s.answers(k2); stand.Own.Keeper != "k2" {
		t.Errorf("goes on: %+v", stand)
	}
	s.becomes("k2", "")
}

// An interrupt, which a terminal sends to all processes, ends no keeper; the end of its
// input does, in order.
func TestEndsWithTheDemo(t *testing.T) {
	s := open(t)
	var pids []int
	for _, p := range s.house.Posts() {
		pid := p.Stand().PID
		pids = append(pids, pid)
		s.must(syscall.Kill(pid, syscall.SIGINT))
	}
	time.Sleep(100 * time.Millisecond)
	for _, p := range s.house.Posts() {
		s.answers(p)
	}
	s.must(s.house.Close())
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("process %d is there", pid)
		}
	}
	s.must(s.house.Close()) // again, by the clean-up
}

// What is no order ends the process with an error; an order that fails is answered.
func TestOrders(t *testing.T) {
	program, err := posts.Itself()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ in, out, err string }{
		{`{"no":1,"do":"serve"}`, `"why":"host: no keeper was set up in this directory"`, ""},
		{`{"no":1,"do":"status"}`, `does not serve`, ""},
		{`{"no":1,"do":"dance"}`, `no such order`, ""},
		{`{"no":1,"do":"admit"}`, `one request at a time`, ""},
		{`{"no":1,"do":"take","files":["nothing"]}`, `no such file`, ""},
		{`no order`, ``, "invalid character"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, program.Path)
		cmd.Args = []string{program.Name, posts.Argument, filepath.Join(t.TempDir(), "k")}
		cmd.Stdin = strings.NewReader(tt.in + "\n")
		var out, log strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &log
		err := cmd.Run()
		cancel()
		if (err != nil) != (tt.err != "") || !strings.Contains(out.String(), tt.out) || !strings.Contains(log.String(), tt.err) {
			t.Errorf("%s: %v, %s, %s", tt.in, err, out.String(), log.String())
		}
	}
	if _, err := posts.Open(t.Context(), posts.Config{Dir: t.TempDir()}); err == nil {
		t.Error("opened without a program")
	}
	if _, err := posts.Open(t.Context(), posts.Config{Dir: t.TempDir(), Clock: world.Running(0), Program: posts.Program{Path: "/nowhere"}}); err == nil {
		t.Error("opened with a program that is not there")
	}
}
