package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/pprof"
	"time"

	"github.com/google/pprof/profile"
)

// ServeProfiles profiles this process for whoever connects to a Unix socket, one after the
// other: from when it connects until it says that it will send nothing more. The profile is
// then its answer. It returns at once; profiles end with ctx. Only 'bench' starts servers
// with such a socket.
func ServeProfiles(ctx context.Context, path string) error {
	ln, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // closed
			}
			_ = profileFor(ctx, c) // whoever connected reads less than a profile, and says so
		}
	}()
	return nil
}

func profileFor(ctx context.Context, c net.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err := pprof.StartCPUProfile(c); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	if _, err := c.Write([]byte{begun}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, c)
	return err
}

// begun is the first byte of the answer: the profile has begun.
const begun = '+'

// profiling is a profile that is being taken.
type profiling struct{ conn *net.UnixConn }

func beginProfile(path string) (*profiling, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("bench: profile: %w", err)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil || first[0] != begun {
		return nil, errors.Join(errors.New("bench: the server takes no profile"), err, c.Close())
	}
	return &profiling{c}, nil
}

// writeProfile writes profiles of one program as one, in pprof's own compressed form. It has
// the names of functions, and no data.
func writeProfile(w io.Writer, profiles []*profile.Profile) error {
	whole, err := profile.Merge(profiles)
	if err != nil {
		return fmt.Errorf("bench: profile: %w", err)
	}
	if err := whole.Write(w); err != nil {
		return fmt.Errorf("bench: profile: %w", err)
	}
	return nil
}

// profileWait bounds how long a server takes to write a profile.
const profileWait = time.Minute

func (p *profiling) end() (*profile.Profile, error) {
	defer p.conn.Close()
	if err := errors.Join(p.conn.CloseWrite(), p.conn.SetReadDeadline(time.Now().Add(profileWait))); err != nil {
		return nil, err
	}
	taken, err := profile.Parse(p.conn)
	if err != nil {
		return nil, fmt.Errorf("bench: profile: %w", err)
	}
	return taken, nil
}
