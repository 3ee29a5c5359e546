package host

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/wire"
)

// ErrNotAPeer: the admission is not from another keeper of the same shape.
var ErrNotAPeer = errors.New("host: not an admission at another keeper of this shape")

// peerKeyFile is the key with which this keeper calls others.
const peerKeyFile = "key.pem"

// Request asks another keeper to admit this one. All requests use the same key, which
// the first request makes.
func (d *Dir) Request(wants wire.Role) (r *admission.Request, err error) {
	err = d.change(func() error {
		key, err := d.peerKey()
		if errors.Is(err, fs.ErrNotExist) {
			key, err = d.newPeerKey()
		}
		if err != nil {
			return err
		}
		r, err = admission.NewRequest(string(d.Keeper), wants, key)
		return err
	})
	return r, err
}

func (d *Dir) peerKey() (*ecdsa.PrivateKey, error) {
	data, err := d.read(filepath.Join(peersDir, peerKeyFile))
	if err != nil {
		return nil, err
	}
	defer clear(data)
	return admission.ParseKey(data)
}

func (d *Dir) newPeerKey() (*ecdsa.PrivateKey, error) {
	if err := keeper.MakePrivate(filepath.Join(d.path, peersDir)); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	key, err := admission.NewKey()
	if err != nil {
		return nil, err
	}
	secret, err := admission.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return key, d.disk.Write(filepath.Join(d.path, peersDir), peerKeyFile, secret)
}

// Accept stores the admission that another keeper gave this one. heard is the
// fingerprint of the other keeper's issuer, as it was read aloud. It may be empty if an
// admission by the same issuer is already stored.
func (d *Dir) Accept(a *admission.Admission, heard string, now time.Time) error {
	return d.change(func() error {
		if a.Keeper == d.Keeper || a.Shape != d.Shape || a.Member == d.Member {
			return ErrNotAPeer
		}
		key, err := d.peerKey()
		if errors.Is(err, fs.ErrNotExist) {
			return admission.ErrOtherKey
		}
		if err != nil {
			return err
		}
		if err := a.Check(key.Public(), now); err != nil {
			return err
		}
		before, err := d.peer(string(a.Keeper) + ".json")
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case heard != "" && !a.Fingerprint().Heard(heard):
			return admission.ErrFingerprint
		case heard == "" && (before == nil || before.Fingerprint() != a.Fingerprint()):
			return admission.ErrUnheard
		}
		return d.disk.Write(filepath.Join(d.path, peersDir), string(a.Keeper)+".json", a.Encode())
	})
}

// peer reads the admission at one other keeper.
func (d *Dir) peer(name string) (*admission.Admission, error) {
	data, err := d.read(filepath.Join(peersDir, name))
	if err != nil {
		return nil, err
	}
	return admission.ParseAdmission(data)
}

// Peers returns the admissions of this keeper at others, by their names.
func (d *Dir) Peers() (peers []*admission.Admission, err error) {
	entries, err := os.ReadDir(filepath.Join(d.path, peersDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("host: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		a, err := d.peer(e.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		peers = append(peers, a)
	}
	return peers, nil
}

// Call returns a client of another keeper, using this keeper's admission there. The
// caller closes it.
func (d *Dir) Call(a *admission.Admission, logger *slog.Logger) (*wire.Client, error) {
	return d.client(a, nil, logger)
}

// dial makes a connection; nil: the usual way.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

func (d *Dir) client(a *admission.Admission, by dial, logger *slog.Logger) (*wire.Client, error) {
	key, err := d.peerKey()
	if err != nil {
		return nil, err
	}
	t, err := a.TLS(key)
	if err != nil {
		return nil, err
	}
	return wire.NewClient(wire.ClientConfig{ID: a.Keeper, Address: a.Address, TLS: t, Dial: by, Logger: logger})
}
