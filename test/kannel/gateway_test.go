package kannel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/test/port"
)

const gatewayPassword = "a-password-of-the-test"

// gateway is a Kannel (bearerbox and smsbox) and an SMPP centre behind it, all
// on loopback ports.
type gateway struct {
	t       *testing.T
	dir     string
	conf    string
	ports   ports
	boxes   []*exec.Cmd
	centre  chan line
	console *bytes.Buffer // output of the boxes, read after they ended
}

type ports struct{ admin, smsbox, sendsms, centre int }

// line is one line of the centre's output.
type line struct {
	Event    string
	Port     int
	OK       bool
	From     string
	To       string
	Coding   int
	Validity string
	Parts    int
	Hex      string
}

// program finds a program, or fails and says how to get it: a test must not
// pass without the program that it needs.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if p, err := exec.LookPath(candidate); err == nil {
			return p
		}
	}
	t.Fatalf("%s is not installed. Run test/kannel/prepare (on Debian: apt-get install kannel nodejs npm; then npm ci in test/kannel).", name)
	return ""
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, dir: t.TempDir(), centre: make(chan line, 100), console: &bytes.Buffer{}}
	program(t, "bearerbox")
	program(t, "smsbox")
	g.startCentre()
	free := freePorts(t, 3)
	g.ports.admin, g.ports.smsbox, g.ports.sendsms = free[0], free[1], free[2]
	g.conf = filepath.Join(g.dir, "kannel.conf")
	if err := os.WriteFile(g.conf, []byte(g.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("Kannel said:\n%s", g.console)
		}
	})
	g.start()
	return g
}

func (g *gateway) sendURL() string {
	return "http://127.0.0.1:" + strconv.Itoa(g.ports.sendsms) + "/cgi-bin/sendsms"
}

func (g *gateway) config() string {
	return fmt.Sprintf(`
group = core
admin-port = %d
admin-password = %s
admin-interface = "127.0.0.1"
smsbox-port = %d
smsbox-interface = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = %d
transceiver-mode = true
smsc-username = liuma
smsc-password = secret
system-type = ""
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %d
sendsms-interface = "127.0.0.1"

group = sendsms-user
username = liuma
password = %s
max-messages = 4
concatenation = true
user-deny-ip = "*.*.*.*"
user-allow-ip = "127.0.0.1"
`, g.ports.admin, gatewayPassword, g.ports.smsbox, g.ports.centre, g.ports.sendsms, gatewayPassword)
}

// startCentre starts the SMPP centre and reads its output from then on.
func (g *gateway) startCentre() {
	g.t.Helper()
	if _, err := os.Stat("node_modules/smpp"); err != nil {
		g.t.Fatal("the SMPP library is not installed. Run test/kannel/prepare (or npm ci in test/kannel).")
	}
	cmd := exec.CommandContext(context.Background(), program(g.t, "node"), "centre.js", "0", unreachable)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	go func() {
		defer close(g.centre)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err == nil {
				g.centre <- l
			}
		}
	}()
	g.ports.centre = g.next(g.t, "listening").Port
}

// start starts the boxes and waits until the gateway is bound to the centre.
func (g *gateway) start() {
	g.t.Helper()
	g.box("bearerbox")
	g.listens(g.ports.smsbox)
	g.box("smsbox")
	g.listens(g.ports.sendsms)
	if l := g.next(g.t, "bind"); !l.OK {
		g.t.Fatal("the centre refused the gateway")
	}
}

func (g *gateway) box(name string) {
	g.t.Helper()
	cmd := exec.CommandContext(context.Background(), program(g.t, name), "-v", "2", g.conf)
	cmd.Dir = g.dir
	console, err := os.OpenFile(filepath.Join(g.dir, name+".console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	defer console.Close()
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.boxes = append(g.boxes, cmd)
}

// kill ends the boxes as a power cut would.
func (g *gateway) kill() {
	for _, cmd := range g.boxes {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}
	g.boxes = nil
	for _, name := range []string{"bearerbox", "smsbox"} {
		if b, err := os.ReadFile(filepath.Join(g.dir, name+".console")); err == nil {
			g.console.Write(b)
		}
	}
}

func (g *gateway) listens(port int) {
	g.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
		if err == nil {
			c.Close()
			return
		}
	}
	g.t.Fatalf("Kannel does not listen on port %d", port)
}

// next waits until the centre writes this event, and ignores others.
func (g *gateway) next(t *testing.T, event string) line {
	t.Helper()
	end := time.After(2 * time.Minute)
	for {
		select {
		case l, ok := <-g.centre:
			if !ok {
				t.Fatal("the centre ended")
			}
			if l.Event == event {
				return l
			}
		case <-end:
			t.Fatalf("the centre saw no %s", event)
		}
	}
}

func (g *gateway) nextMessage(t *testing.T) line { t.Helper(); return g.next(t, "message") }

// freePorts are numbers that Kannel can be told.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var got []int
	for range n {
		at, release, err := port.Take()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		address, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, address.Port)
	}
	return got
}
