package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/remote"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/locale"
)

// Keepers says how many keepers there are, and where: each in a directory of this
// process, or on a machine of its own.
type Keepers struct {
	// Shape is how many keepers make a quorum, of how many: "1/1", "2/3" or "3/5". Fixed by
	// 'liuma init'. Default 1/1.
	Shape string `yaml:"shape"`
	// Directories has one directory per keeper in this process, in order. Not together
	// with Remote, Key and KeySet. Default
	// keepers/k1 …, where there is no Key.
	Directories []string `yaml:"directories,omitempty"`
	// Remote names the keepers on machines of their own, in any order: id, address
	// (host:port) and admission (a file) of each, which 'liuma keeper add' writes. All of the
	// shape must be named before a server starts. Default: none.
	Remote []RemoteKeeper `yaml:"remote,omitempty"`
	// Key is the PEM file of the key by which they know this authority; 'liuma keeper
	// request' makes it. That it is named says that the keepers are not in this process.
	// Default: none.
	Key string `yaml:"key,omitempty"`
	// KeySet is the key set of theirs that new PINs are made with. Default: the highest
	// that all who can be reached, and at least a quorum, hold alike.
	KeySet uint32 `yaml:"key_set,omitempty"`
}

// RemoteKeeper is a keeper on a machine of its own.
type RemoteKeeper struct {
	// ID is its name, as in its admission.
	ID string `yaml:"id"`
	// Address is where it is called, host:port.
	Address string `yaml:"address"`
	// Admission is the file that its administrator gave to this authority.
	Admission string `yaml:"admission"`
}

// KeyFile is where 'liuma init --keepers remote' writes the authority's key.
func KeyFile() string { return filepath.Join("keepers", "authority.key") }

// AdmissionFile is where 'liuma keeper add' writes a keeper's admission.
func AdmissionFile(id string) string { return filepath.Join("keepers", id+".admission") }

// AreRemote reports whether the keepers are on other machines.
func (k Keepers) AreRemote() bool { return k.Key != "" || len(k.Remote) > 0 }

// DefaultDirectories names one directory per keeper.
func DefaultDirectories(s split.Shape) []string {
	dirs := make([]string, s.N)
	for i := range dirs {
		dirs[i] = filepath.Join("keepers", fmt.Sprintf("k%d", i+1))
	}
	return dirs
}

// SplitShape reads Shape.
func (k Keepers) SplitShape() (split.Shape, error) {
	for _, s := range []split.Shape{{T: 1, N: 1}, {T: 2, N: 3}, {T: 3, N: 5}} {
		if k.Shape == fmt.Sprintf("%d/%d", s.T, s.N) {
			return s, nil
		}
	}
	return split.Shape{}, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigShape(strconv.Quote(k.Shape)) })
}

func (k Keepers) validate() error {
	shape, err := k.SplitShape()
	switch {
	case err != nil:
		return err
	case k.AreRemote():
		return k.validateRemote(shape)
	case k.KeySet != 0:
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigKeySet() })
	case len(k.Directories) != shape.N:
		return locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigDirectories(fmt.Sprint(len(k.Directories)), k.Shape, fmt.Sprint(shape.N))
		})
	}
	return nil
}

// validateRemote accepts fewer keepers than the shape has, because admissions come one
// by one. A server does not start until all are there.
func (k Keepers) validateRemote(shape split.Shape) error {
	var errs []error
	add := func(say func(*locale.Words) string) { errs = append(errs, locale.Refuse(say)) }
	if len(k.Directories) > 0 {
		add(func(w *locale.Words) string { return w.Refused.ConfigKeepersBoth() })
	}
	if k.Key == "" {
		add(func(w *locale.Words) string { return w.Refused.ConfigKeepersKey() })
	}
	if len(k.Remote) > shape.N {
		add(func(w *locale.Words) string {
			return w.Refused.ConfigKeepersMany(fmt.Sprint(len(k.Remote)), k.Shape, fmt.Sprint(shape.N))
		})
	}
	ids, addresses := map[string]bool{}, map[string]bool{}
	for _, r := range k.Remote {
		host, port, err := net.SplitHostPort(r.Address)
		if admission.ValidName(r.ID) != nil || err != nil || host == "" || port == "" || r.Admission == "" {
			add(func(w *locale.Words) string { return w.Refused.ConfigKeepersEntry(strconv.Quote(r.ID)) })
		}
		if ids[r.ID] || addresses[r.Address] {
			add(func(w *locale.Words) string { return w.Refused.ConfigKeepersTwice(strconv.Quote(r.ID)) })
		}
		ids[r.ID], addresses[r.Address] = true, true
	}
	return errors.Join(errs...)
}

// at makes the paths absolute.
func (k Keepers) at(abs func(string) string) Keepers {
	var dirs []string
	for _, d := range k.Directories {
		dirs = append(dirs, abs(d))
	}
	var there []RemoteKeeper
	for _, r := range k.Remote {
		r.Admission = abs(r.Admission)
		there = append(there, r)
	}
	k.Directories, k.Remote, k.Key = dirs, there, abs(k.Key)
	return k
}

// needs lists the files that must exist.
func (k Keepers) needs() (out []string) {
	for _, d := range k.Directories {
		out = append(out, filepath.Join(d, "keeper.json"), filepath.Join(d, "ledger.db"))
	}
	if k.Key != "" {
		out = append(out, k.Key)
	}
	for _, r := range k.Remote {
		out = append(out, r.Admission)
	}
	return out
}

// check checks that the files exist and can be used by a server.
func (k Keepers) check() error {
	var errs []error
	for _, d := range k.Directories {
		errs = append(errs, private(d))
	}
	if !k.AreRemote() {
		return errors.Join(errs...)
	}
	if k.Key != "" {
		if err := private(k.Key); err != nil {
			return err
		}
	}
	found, err := k.OpenRemote(RemoteOptions{Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, fs.ErrNotExist) {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigKeepersMissing() }) // each missing file was reported before
	}
	if err != nil {
		return err
	}
	for _, s := range found.States() {
		if s.Until.Before(time.Now()) {
			errs = append(errs, locale.Refuse(func(w *locale.Words) string {
				return w.Refused.ConfigKeepersEnded(string(s.ID), s.Until.Format(time.DateOnly))
			}))
		}
	}
	return errors.Join(errors.Join(errs...), found.Close())
}

// RemoteOptions are options that a configuration file cannot express.
type RemoteOptions struct {
	Machine [clock.StartSize]byte // see remote.Config
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Logger  *slog.Logger
}

// OpenRemote reads the key and the keepers' admissions, and does not connect. All
// keepers of the shape must be named.
func (k Keepers) OpenRemote(o RemoteOptions) (*remote.Keepers, error) {
	shape, err := k.SplitShape()
	if err != nil {
		return nil, err
	}
	if len(k.Remote) != shape.N {
		return nil, locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigKeepersFew(fmt.Sprint(len(k.Remote)), k.Shape, fmt.Sprint(shape.N))
		})
	}
	c := remote.Config{Shape: shape, Key: k.Key, KeySet: k.KeySet, Machine: o.Machine, Dial: o.Dial, Logger: o.Logger}
	for _, r := range k.Remote {
		c.Places = append(c.Places, remote.Place{ID: keeper.ID(r.ID), Address: r.Address, Admission: r.Admission})
	}
	found, err := remote.Open(c)
	if err != nil {
		return nil, locale.RefuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ConfigKeepersFiles(why) })
	}
	return found, nil
}
