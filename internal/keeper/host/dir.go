// Package host is a keeper on a machine of its own: its directory, the door for the
// callers that it admitted, and the door for its administrator.
//
// It guarantees that it serves only callers in the list of callers, and that a caller who
// is dismissed loses its open connections as well; that only the keeper's own account on
// its machine can use the administrator's door; that a keeper whose clock, disk or ledger
// is wrong, or which has no ledger, says so and serves nobody wrongly; and that no card,
// tag, key or fingerprint of a PIN is in a log line, a status or a metric. It trusts
// everybody who can read or write in the directory (its mode is 0700), the machine's clock
// within the bounds of package ledger, and package admission to identify callers.
//
// docs/KEEPERS.md says how to run it;
// docs/decisions/0061-each-keeper-admits-its-callers.md says why each keeper is the
// issuer of its callers.
//
// Start here: Dir, then Host.Serve.
package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/sqlitefile"
)

// Names in a keeper's directory, beside the names of package keeper.
const (
	hostFile      = "host.json"
	issuerFile    = "issuer.pem"
	issuerKeyFile = "issuer.key"
	doorFile      = "server.pem" // with the door's key
	callersFile   = "callers.json"
	peersDir      = "peers"
	socketName    = "keeper.sock"

	// The leases: for changing the files above, and for serving.
	changing = "host"
	serving  = "serve"
)

const (
	hostFormat = "liuma-host/1"
	// maxFile is more than the size of any of the files.
	maxFile = 1 << 20
	// doorTerm is how long the certificate of the keeper's door lasts.
	doorTerm = 400 * 24 * time.Hour
	// holdFor is how long a change waits for another process's change.
	holdFor = 5 * time.Second
)

// Errors of a keeper's directory.
var (
	ErrNoHost = errors.New("host: no keeper was set up in this directory")
	ErrMode   = keeper.ErrMode
	ErrExists = errors.New("host: a keeper was set up in this directory before")
	ErrFile   = errors.New("host: host.json is damaged, or not as it must be")
	ErrBusy   = errors.New("host: another process changes this directory")
)

// Config says which keeper this is and at which address it is reached. It is host.json.
type Config struct {
	admission.Place        // Address is the one that callers use
	Listen          string // host:port that the keeper's door listens at
	Metrics         string // host:port of the metrics; empty: there are none
	PKCS11          *PKCS11
}

// PKCS11 names the token that has the share keys; nil in a Config if they are in
// keeper.json.
type PKCS11 struct {
	Module  string   `json:"module"`
	Token   string   `json:"token"`
	PINFile string   `json:"pin_file"`
	Spares  []string `json:"spares"` // files with the public keys of spare tokens
}

// hostJSON is the file.
type hostJSON struct {
	Format  string    `json:"format"`
	Keeper  keeper.ID `json:"keeper"`
	Member  int       `json:"member"`
	T       int       `json:"t"`
	N       int       `json:"n"`
	Address string    `json:"address"`
	Listen  string    `json:"listen"`
	Metrics string    `json:"metrics,omitempty"`
	PKCS11  *PKCS11   `json:"pkcs11,omitempty"`
}

func (c Config) validate() error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	_, _, err := net.SplitHostPort(c.Listen)
	if err == nil && c.Metrics != "" {
		_, _, err = net.SplitHostPort(c.Metrics)
	}
	if err != nil {
		return fmt.Errorf("%w: listen or metrics: %w", ErrFile, admission.ErrAddress)
	}
	if p := c.PKCS11; p != nil && (p.Module == "" || p.Token == "" || p.PINFile == "") {
		return fmt.Errorf("%w: pkcs11 wants module, token and pin_file", ErrFile)
	}
	return nil
}

// Dir is the directory of a keeper.
type Dir struct {
	Config
	path string
	disk diskfile.Disk
}

// Create makes a keeper's directory, if there is none: its issuer, the certificate of its
// door, and an empty list of callers. It does not make the keeper's keys.
//
// A crash in here leaves a directory without host.json: begin again.
func Create(path string, c Config, now time.Time) (*Dir, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := keeper.MakePrivate(path); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	d := &Dir{Config: c, path: path}
	return d, d.change(func() error {
		if _, err := os.Lstat(filepath.Join(path, hostFile)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(ErrExists, err)
		}
		issuer, err := admission.NewIssuer(c.Keeper, now)
		if err != nil {
			return err
		}
		cert, key, err := issuer.Encode()
		defer clear(key)
		if err != nil {
			return err
		}
		err = errors.Join(d.disk.Write(path, issuerKeyFile, key), d.disk.Write(path, issuerFile, cert), d.disk.Write(path, callersFile, admission.Callers{}.Encode()))
		if err == nil {
			err = d.renewDoor(issuer, now, now.Add(doorTerm))
		}
		if err != nil {
			return err
		}
		return d.disk.Write(path, hostFile, admission.EncodeFile(hostJSON{
			Format: hostFormat, Keeper: c.Keeper, Member: c.Member, T: c.Shape.T, N: c.Shape.N,
			Address: c.Address, Listen: c.Listen, Metrics: c.Metrics, PKCS11: c.PKCS11,
		}))
	})
}

// Open reads a keeper's directory.
func Open(path string) (*Dir, error) {
	dir, err := keeper.OpenPrivate(path, fs.ModeDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoHost
	}
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	_ = dir.Close() // it was only checked
	d := &Dir{path: path}
	data, err := d.read(hostFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoHost
	}
	if err != nil {
		return nil, err
	}
	var f hostJSON
	if err := admission.DecodeFile(data, hostFormat, &f); err != nil || f.Format != hostFormat {
		return nil, errors.Join(ErrFile, err)
	}
	d.Config = Config{
		Place:  admission.Place{Keeper: f.Keeper, Member: f.Member, Shape: split.Shape{T: f.T, N: f.N}, Address: f.Address},
		Listen: f.Listen, Metrics: f.Metrics, PKCS11: f.PKCS11,
	}
	return d, d.validate()
}

// Path returns the directory's path.
func (d *Dir) Path() string { return d.path }

// read reads a file that only its owner can access.
func (d *Dir) read(name string) ([]byte, error) {
	f, err := keeper.OpenPrivate(filepath.Join(d.path, name), 0)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return data, nil
}

// change holds a lease while f changes the directory's files, so that no process undoes
// another's change. First it removes the remains of a write that a crash cut off, because
// they may contain a key.
func (d *Dir) change(f func() error) error {
	for end := time.Now().Add(holdFor); ; time.Sleep(50 * time.Millisecond) {
		release, err := sqlitefile.Hold(filepath.Join(d.path, changing))
		switch {
		case errors.Is(err, sqlitefile.ErrInUse) && time.Now().Before(end):
			continue
		case errors.Is(err, sqlitefile.ErrInUse):
			return ErrBusy
		case err != nil:
			return fmt.Errorf("host: %w", err)
		}
		if err = d.sweep(); err == nil {
			err = f()
		}
		return errors.Join(err, release())
	}
}

// sweep removes the remains of writes of these files that a crash cut off.
func (d *Dir) sweep() error {
	err := d.disk.Sweep(d.path, hostFile, issuerFile, issuerKeyFile, doorFile, callersFile)
	entries, none := os.ReadDir(filepath.Join(d.path, peersDir))
	if none != nil && !errors.Is(none, fs.ErrNotExist) {
		err = errors.Join(err, none)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			err = errors.Join(err, os.Remove(filepath.Join(d.path, peersDir, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("host: sweep: %w", err)
	}
	return nil
}
