package notify

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/store/sqlite"
	"github.com/liuma-pin/liuma/internal/vault"
)

const childEnv = "LIUMA_NOTIFY_KILL_CHILD"

// shortLease makes the messages of a killed process due again soon.
func shortLease(c *Config) {
	c.SendTimeout, c.Lease = 100*time.Millisecond, 250*time.Millisecond
	c.Notices = Quota{PerSecond: 1000, Concurrent: 4}
}

// gatewayLog counts, by ID, the sends that began at a gateway and those that it
// took.
type gatewayLog struct{ began, took map[string]int }

// TestKilledProcess kills a sending process in the middle of sends, again and
// again. The gateway takes each message: twice, under one ID, if the kill came
// before the result was recorded, and else once.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		sendUntilKilled(t, dir)
		return
	}
	const messages, kills = 120, 6
	dir := t.TempDir()
	openVault(t, dir)
	queued := queueMany(t, dir, messages)
	log := gatewayLog{map[string]int{}, map[string]int{}}
	interrupted := 0
	for range kills {
		interrupted += killSender(t, dir, &log)
	}
	if interrupted == 0 {
		t.Fatal("no kill came in the middle of a send")
	}
	finish(t, dir, &log)
	for id := range log.began {
		if !queued[id] {
			t.Errorf("%s was sent and never queued", id)
		}
	}
	twice := 0
	for id := range queued {
		if log.took[id] == 0 {
			t.Errorf("%s is lost", id)
		}
		twice += log.took[id] - 1
	}
	t.Logf("%d messages, %d kills in the middle of %d sends, %d texts taken twice", messages, kills, interrupted, twice)
}

func queueMany(t *testing.T, dir string, n int) map[string]bool {
	t.Helper()
	h := reopen(t, dir)
	defer h.store.Close()
	o := h.outbox(NewInbox(time.Now))
	var ns []Message
	for i := range n {
		ns = append(ns, notice(fmt.Sprint(i)))
	}
	h.queue(o, ns...)
	queued := map[string]bool{}
	for id := range h.messages() {
		queued[id] = true
	}
	return queued
}

// reopen opens the outbox in dir.
func reopen(t *testing.T, dir string) *house {
	t.Helper()
	v, err := vault.Open(filepath.Join(dir, "vault.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "authority.db"), sqlite.Config{Seal: v, Readers: 2, CacheMiB: 4})
	if err != nil {
		t.Fatal(err)
	}
	return &house{t: t, store: s, vault: v, log: &lockedBuffer{}}
}

// killSender runs the sending process until a few sends are under way, kills
// it, and returns how many sends had begun and not ended.
func killSender(t *testing.T, dir string, log *gatewayLog) (interrupted int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$", "-test.v=false")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	after := 3 + rand.IntN(12)
	open := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		what, id, ok := strings.Cut(lines.Text(), " ")
		switch {
		case ok && what == "begin":
			log.began[id]++
			open[id] = true
			after--
		case ok && what == "end":
			log.took[id]++
			delete(open, id)
		}
		if after == 0 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	return len(open)
}

// sendUntilKilled is the child process. Its gateway is slow.
func sendUntilKilled(t *testing.T, dir string) {
	h := reopen(t, dir)
	defer h.store.Close()
	var mu sync.Mutex // guards standard output
	say := func(what, id string) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = os.Stdout.WriteString(what + " " + id + "\n")
	}
	o := h.outbox(driverFunc(func(_ context.Context, text Text) (string, error) {
		say("begin", text.ID)
		time.Sleep(rand.N(20 * time.Millisecond))
		say("end", text.ID)
		return "", nil
	}), shortLease)
	_ = o.Run(t.Context()) // ends with the process
}

// finish sends the rest.
func finish(t *testing.T, dir string, log *gatewayLog) {
	t.Helper()
	h := reopen(t, dir)
	t.Cleanup(func() { h.store.Close() })
	var mu sync.Mutex
	stop := h.run(h.outbox(driverFunc(func(_ context.Context, text Text) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		log.began[text.ID]++
		log.took[text.ID]++
		return "", nil
	}), shortLease))
	eventually(t, "all are sent", h.allIn(store.MessageSent))
	stop()
}
