//go:build linux

package faults

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// insideEnv says that this process is the one in namespaces of its own.
const insideEnv = "LIUMA_FAULTS_INSIDE"

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

// network joins namespaces: each has one device, and what is sent over it comes to this
// process, which hands it on to the namespace of its address, or not, or later. So a fault
// of the network needs no module of the kernel, and each direction has its own.
type network struct {
	sites []*site
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

// site is a network namespace with one address. Programs are started in it by its thread.
type site struct {
	number int
	device *os.File
	jobs   chan func()
}

const (
	subnet = "10.77.0."
	mtu    = 1400
	queued = 4096 // packets on one way; more are lost, as in any network
)

// address is that of a site.
func address(number int) string { return fmt.Sprint(subnet, number+1) }

// newNetwork makes n sites beside the namespace that this process is in, which is number 0.
func newNetwork(n int) (*network, error) {
	w := &network{ways: map[way]*lane{}}
	for i := range n + 1 {
		s := &site{number: i, jobs: make(chan func())}
		ready := make(chan error)
		go s.live(i > 0, ready)
		if err := <-ready; err != nil {
			return nil, fmt.Errorf("site %d: %w", i, err)
		}
		w.sites = append(w.sites, s)
	}
	for i := range w.sites {
		for j := range w.sites {
			if i != j {
				l := &lane{queue: make(chan packet, queued)}
				w.ways[way{i, j}] = l
				go l.carry(w.sites[j].device)
			}
		}
	}
	for _, s := range w.sites {
		go w.hand(s)
	}
	return w, nil
}

// live is the site's thread. It is never given back, since it is in another namespace.
func (s *site) live(apart bool, ready chan<- error) {
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
func (s *site) plug() error {
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
	return up("liuma0", netip.MustParseAddr(address(s.number)))
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

// start starts a program in the site's namespace.
func (s *site) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s.jobs <- func() { done <- cmd.Start() }
	return <-done
}

// hand takes what a site sends.
func (w *network) hand(s *site) {
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

// set changes one way.
func (w *network) set(from, to int, cut bool, slow time.Duration) {
	l := w.ways[way{from, to}]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.slow = cut, slow
}

// around changes all ways to a site, and all from it.
func (w *network) around(number int, in, out bool, slow time.Duration) {
	for i := range w.sites {
		if i != number {
			w.set(i, number, in, slow)
			w.set(number, i, out, slow)
		}
	}
}
