//go:build linux

package failover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/liuma-pin/liuma/test/netns"
)

const (
	// nodeEnv says that this process is the first one of a node, and where its files are.
	nodeEnv = "LIUMA_FAILOVER_NODE"
	account = "postgres" // that etcd, Patroni and PostgreSQL run in
)

// mounts are the directories that each node has its own of, as on a machine of its own, so
// that the files of examples/patroni are used as they are.
var mounts = []string{"/etc/patroni", "/var/lib/postgresql", "/var/lib/etcd", "/var/run/postgresql"}

// node is one machine of the database: a site of the network, process numbers and mounts of
// its own, and on it etcd, Patroni and PostgreSQL.
type node struct {
	t       *testing.T
	name    string
	number  int // of its site
	dir     string
	site    *netns.Site
	machine *exec.Cmd // its first process, with which all others end; nil: it is off
	power   io.Closer
	log     *os.File

	mu      sync.Mutex
	running map[string]*program // guarded by mu: etcd and patroni
}

// program is one that a node was told to run.
type program struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// beNode is the first process of a node. Programs are started beside it, and what they
// leave behind comes to it; nothing of it becomes a zombie. It ends with the trial.
func beNode(dir string) {
	signal.Ignore(syscall.SIGCHLD)
	err := unix.Mount("proc", "/proc", "proc", 0, "")
	for i, m := range mounts {
		err = errors.Join(err, unix.Mount(filepath.Join(dir, fmt.Sprint(i)), m, "", unix.MS_BIND, ""))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("on")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func newNode(t *testing.T, base string, net *netns.Network, number int) *node {
	t.Helper()
	n := &node{t: t, name: fmt.Sprint("db", number), number: number, site: net.Sites[number], running: map[string]*program{}}
	n.dir = filepath.Join(base, n.name)
	u, err := user.Lookup(account)
	must(t, err)
	var uid, gid int
	_, err = fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid)
	must(t, err)
	for i := range mounts {
		d := filepath.Join(n.dir, fmt.Sprint(i))
		must(t, os.MkdirAll(d, 0o755))
		must(t, os.Chown(d, uid, gid))
	}
	n.log, err = os.Create(filepath.Join(n.dir, "log"))
	must(t, err)
	t.Cleanup(func() { n.off(); _ = n.log.Close() })
	return n
}

func (n *node) address() string { return netns.Address(n.number) }

// file is where a file of the node's is for the trial.
func (n *node) file(path string) string {
	for i, m := range mounts {
		if rest, ok := strings.CutPrefix(path, m); ok {
			return filepath.Join(n.dir, fmt.Sprint(i)) + rest
		}
	}
	return path
}

// give puts a file on the node, which only its programs may read.
func (n *node) give(path string, data []byte) {
	n.t.Helper()
	at := n.file(path)
	must(n.t, os.WriteFile(at, data, 0o600))
	u, err := user.Lookup(account)
	must(n.t, err)
	var uid, gid int
	_, err = fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid)
	must(n.t, err)
	must(n.t, os.Chown(at, uid, gid))
}

// on starts the machine and its programs.
func (n *node) on() {
	n.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), nodeEnv+"="+n.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	in, err := cmd.StdinPipe()
	must(n.t, err)
	out, err := cmd.StdoutPipe()
	must(n.t, err)
	must(n.t, n.site.Start(cmd))
	said := make([]byte, 200)
	k, _ := out.Read(said)
	if !bytes.HasPrefix(said[:k], []byte("on")) {
		n.t.Fatalf("%s does not start: %s", n.name, said[:k])
	}
	n.machine, n.power = cmd, in
	n.run("etcd")
	n.run("patroni")
}

// off ends the machine as a power cut does: all its processes at once.
func (n *node) off() {
	if n.machine == nil {
		return
	}
	_ = n.machine.Process.Kill()
	_ = n.machine.Wait()
	n.machine = nil
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, p := range n.running {
		<-p.ended
		delete(n.running, name)
	}
}

// command is a program on the node, in the account of the database.
func (n *node) command(args ...string) *exec.Cmd {
	enter := []string{"--target", fmt.Sprint(n.machine.Process.Pid), "--pid", "--mount", "--wd=/", "--",
		"setpriv", "--reuid", account, "--regid", account, "--init-groups", "--"}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "HOME=/var/lib/postgresql"}
	// A session of its own: Linux shares busy processors among sessions, and three machines in
	// one would have the share of a third.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// run starts etcd or Patroni, unless it runs, and returns whether it did. What a service
// manager does beside that, to start it again when it ends, the faults leave to the trial.
func (n *node) run(name string) (started bool) {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.running[name]; p != nil {
		select {
		case <-p.ended:
		default:
			return false
		}
	}
	args := map[string][]string{
		"etcd":    {"etcd", "--config-file", "/etc/patroni/etcd.yml"},
		"patroni": {"patroni", "/etc/patroni/patroni.yml"},
	}[name]
	cmd := n.command(args...)
	cmd.Stdout, cmd.Stderr = n.log, n.log
	must(n.t, n.site.Start(cmd))
	p := &program{cmd: cmd, ended: make(chan struct{})}
	n.running[name] = p
	go func() { _ = cmd.Wait(); close(p.ended) }()
	return true
}

// signal sends a signal to all processes of the node with one of the names, by |.
func (n *node) signal(with, names string) {
	if out, err := n.sh("pkill -" + with + " -x '" + names + "'; true"); err != nil {
		n.t.Errorf("%s: %v %s", n.name, err, out)
	}
}

// sh runs a line of shell on the node.
func (n *node) sh(line string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := n.command("sh", "-c", line)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := n.site.Start(cmd); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	return out.String(), err
}

// resume lets everything on the node go on.
func (n *node) resume() {
	_, _ = n.sh("kill -CONT -1")
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.running { // what waits for a stopped program has stopped as well
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
}

// lastSaid is the end of what the node's programs said.
func (n *node) lastSaid() string {
	data, err := os.ReadFile(n.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-6000):])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
