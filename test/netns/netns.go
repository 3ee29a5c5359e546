//go:build linux

package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// insideEnv says that this process is the one in namespaces of its own.
	insideEnv = "LIUMA_NETNS_INSIDE"
	// mustEnv, set to "1", makes it an error that this machine allows no namespaces. CI sets it.
	mustEnv = "LIUMA_FAULTS_MUST_RUN"
)

// Main is what the TestMain of a trial begins with. It runs the program again in namespaces
// of its own, and ends with that one's exit status; there it returns why no trial can be
// made on this machine, or nothing.
func Main() (whyNot string) {
	if os.Getenv(insideEnv) == "" {
		status, err := inside()
		if err == nil {
			os.Exit(status)
		}
		return fmt.Sprintf("no namespaces of one's own can be made here (%v): run it as root, in a container with --privileged", err)
	}
	if err := settle(); err != nil {
		return fmt.Sprintf("no mounts of one's own can be made here (%v): run it as root, in a container with --privileged", err)
	}
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Sprintf("no network devices can be made here (%v): give the container --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN", err)
	}
	_ = f.Close()
	return ""
}

// Need skips a trial that cannot be made, and says why; with LIUMA_FAULTS_MUST_RUN=1 it
// fails it.
func Need(t testing.TB, whyNot string) {
	t.Helper()
	switch {
	case whyNot == "":
	case os.Getenv(mustEnv) == "1":
		t.Fatal(whyNot)
	default:
		t.Skip(whyNot)
	}
}

// inside runs this program again in new network and mount namespaces, and returns its exit
// status. Whoever is not root gets a user namespace as well, where the kernel allows it.
// All namespaces, devices and mounts end with that process, however it ends.
func inside() (status int, err error) {
	runtime.LockOSThread() // Pdeathsig is about the thread that started the process
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = one(os.Geteuid()), one(os.Getegid())
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// settle makes this process, which is the one in namespaces of its own, ready for a trial:
// its mounts stay its own.
func settle() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }

// Network joins namespaces: each has one device, and what is sent over it comes to this
// process, which hands it on to the namespace of its address, or not, or later. So a fault
// of the network needs no module of the kernel, and each direction has its own.
type Network struct {
	Sites []*Site       // by their numbers
	ways  map[way]*lane // made once
}

// way is one direction between two sites, by their numbers.
type way struct{ from, to int }

// lane is how packets go one way.
type lane struct {
	queue chan packet
	mu    sync.Mutex
	cut   bool          // guarded by mu
	slow  time.Duration // guarded by mu
}

type packet struct {
	due  time.Time
	data []byte
}

// Site is a network namespace with one address. Programs are started in it by its thread.
type Site struct {
	number int
	device *os.File
	jobs   chan func()
}

const (
	subnet = "10.77.0."
	mtu    = 9000 // of a data centre: every packet costs this process a turn
	queued = 4096 // packets on one way; more are lost, as in any network
)

// Network24 is the network that all sites are in.
const Network24 = subnet + "0/24"

// Address is that of a site.
func Address(number int) string { return fmt.Sprint(subnet, number+1) }

// New makes n sites beside the namespace that this process is in, which is number 0.
func New(n int) (*Network, error) {
	w := &Network{ways: map[way]*lane{}}
	for i := range n + 1 {
		s := &Site{number: i, jobs: make(chan func())}
		ready := make(chan error)
		go s.live(i > 0, ready)
		if err := <-ready; err != nil {
			return nil, fmt.Errorf("site %d: %w", i, err)
		}
		w.Sites = append(w.Sites, s)
	}
	for i := range w.Sites {
		for j := range w.Sites {
			if i != j {
				l := &lane{queue: make(chan packet, queued)}
				w.ways[way{i, j}] = l
				go l.carry(w.Sites[j].device)
			}
		}
	}
	for _, s := range w.Sites {
		go w.hand(s)
	}
	return w, nil
}

// live is the site's thread. It is never given back, since it is in another namespace.
func (s *Site) live(apart bool, ready chan<- error) {
	runtime.LockOSThread()
	var err error
	if apart {
		err = unix.Unshare(unix.CLONE_NEWNET)
	}
	if err == nil {
		err = errors.Join(up("lo", netip.Addr{}), s.plug())
	}
	ready <- err
	for job := range s.jobs {
		job()
	}
}

// plug makes the device in the namespace of this thread.
func (s *Site) plug() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("/dev/net/tun: %w", err)
	}
	r, err := unix.NewIfreq("liuma0")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		return fmt.Errorf("make device: %w", err)
	}
	s.device = os.NewFile(uintptr(fd), "/dev/net/tun")
	return up("liuma0", netip.MustParseAddr(Address(s.number)))
}

// up gives a device of this thread's namespace an address, and begins to use it.
func up(device string, at netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	set := func(what uint, with func(*unix.Ifreq) error) error {
		r, err := unix.NewIfreq(device)
		if err == nil {
			err = with(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, what, r)
		}
		return err
	}
	if at.IsValid() {
		a := at.As4()
		err = errors.Join(
			set(unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(a[:]) }),
			set(unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }),
			set(unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(mtu); return nil }))
	}
	return errors.Join(err, set(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }))
}

// Start starts a program in the site's namespace.
func (s *Site) Start(cmd *exec.Cmd) error {
	done := make(chan error)
	s.jobs <- func() { done <- cmd.Start() }
	return <-done
}

// hand takes what a site sends.
func (w *Network) hand(s *Site) {
	buf := make([]byte, mtu)
	for {
		n, err := s.device.Read(buf)
		if err != nil {
			return // the device ended with the process
		}
		const destination = 16
		if n < 20 || buf[0]>>4 != 4 {
			continue // IPv6 looks for neighbours, which there are none of
		}
		l := w.ways[way{s.number, int(buf[destination+3]) - 1}]
		if l == nil {
			continue
		}
		l.mu.Lock()
		cut, slow := l.cut, l.slow
		l.mu.Unlock()
		if cut {
			continue
		}
		select {
		case l.queue <- packet{time.Now().Add(slow), append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}

// carry brings packets to their end, each when it is due.
func (l *lane) carry(to *os.File) {
	for p := range l.queue {
		time.Sleep(time.Until(p.due))
		l.mu.Lock()
		cut := l.cut
		l.mu.Unlock()
		if !cut {
			_, _ = to.Write(p.data) // a full device loses packets, as any does
		}
	}
}

// Set changes one way: nothing gets through it, or late.
func (w *Network) Set(from, to int, cut bool, slow time.Duration) {
	l := w.ways[way{from, to}]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.slow = cut, slow
}

// Around changes all ways to a site, and all from it.
func (w *Network) Around(number int, in, out bool, slow time.Duration) {
	for i := range w.Sites {
		if i != number {
			w.Set(i, number, in, slow)
			w.Set(number, i, out, slow)
		}
	}
}

// Dial connects from the site's namespace, with a socket that is made there.
func (s *Site) Dial(ctx context.Context, address string) (c net.Conn, err error) {
	done := make(chan struct{})
	s.jobs <- func() {
		defer close(done)
		c, err = (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	}
	<-done
	return c, err
}
