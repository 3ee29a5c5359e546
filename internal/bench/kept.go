package bench

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/testkit/world"
)

// Errors about a directory that is kept.
var (
	// ErrNotOurs means that there are files which the bench did not make.
	ErrNotOurs = errors.New("bench: the directory has files that this command did not make")
	// ErrOtherKept means that a directory was filled for another measurement.
	ErrOtherKept = errors.New("bench: the directory was filled for another measurement")
)

// kept is what a directory says of itself, in keptFile. It is written before anything
// else is made, and again when a step is done, so that a later run goes on.
type kept struct {
	Cards  int    `json:"cards"`
	Shape  string `json:"shape"`
	Remote bool   `json:"keeper_processes"`

	// From here on it is empty until the PINs are set. Until then a run begins anew.
	Asked  int       `json:"asked,omitempty"`
	Seed   []byte    `json:"seed,omitempty"`
	At     time.Time `json:"at,omitzero"`
	KeySet uint32    `json:"key_set,omitempty"`
	Key    []byte    `json:"channel_key,omitempty"` // of the channel that asks; only of this data
	KeyID  string    `json:"channel_key_id,omitempty"`

	Filled *Filling `json:"filled,omitempty"` // once all rows are there
	Used   bool     `json:"used,omitempty"`   // once each card that is asked about was asked about
}

const (
	keptFile     = "bench.json"
	verifierFile = "verifiers"
)

// ready says that the PINs are set.
func (k *kept) ready() bool { return k.Asked > 0 }

// data is where the authority's directory is.
func (c Config) data() string { return filepath.Join(c.Dir, "data") }

// openKept reads what a directory says, or begins one. One that was interrupted before
// its PINs were set is emptied: keepers propose a version of a card once.
func openKept(c Config) (*kept, error) {
	want := &kept{Cards: c.Cards, Shape: c.Shape, Remote: c.Remote}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(c.Dir, keptFile))
	if errors.Is(err, fs.ErrNotExist) {
		there, err := os.ReadDir(c.Dir)
		if err == nil && len(there) > 0 {
			err = ErrNotOurs
		}
		if err != nil {
			return nil, err
		}
		return want, want.save(c)
	}
	if err != nil {
		return nil, err
	}
	k := &kept{}
	if err := json.Unmarshal(raw, k); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	if k.Cards != want.Cards || k.Shape != want.Shape || k.Remote != want.Remote {
		return nil, ErrOtherKept
	}
	if k.ready() {
		return k, nil
	}
	return k, errors.Join(os.RemoveAll(c.data()), os.RemoveAll(c.data()+keepersBeside))
}

// save replaces the file; a crash leaves the old one or the new one.
func (k *kept) save(c Config) error {
	raw, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return diskfile.Disk{}.Write(c.Dir, keptFile, raw)
}

// deal makes the deck of a new directory; its asked cards have no PINs yet.
func (k *kept) deal(keySet uint32, asked int) *deck {
	d := &deck{size: k.Cards, keySet: keySet, at: time.Now().UTC().Truncate(time.Millisecond), verifier: make([]liuma.Verifier, min(k.Cards, asked))}
	rand.Read(d.seed[:])
	return d
}

// keepPINs saves the deck whose PINs are set, and the channel that asks. The file of
// verifiers comes first: without kept it counts for nothing.
func (k *kept) keepPINs(c Config, d *deck, channel world.Party) error {
	verifiers := make([]byte, 0, len(d.verifier)*len(liuma.Verifier{}))
	for _, v := range d.verifier {
		verifiers = append(verifiers, v[:]...)
	}
	if err := (diskfile.Disk{}).Write(c.Dir, verifierFile, verifiers); err != nil {
		return err
	}
	key, err := x509.MarshalECPrivateKey(channel.Key)
	if err != nil {
		return err
	}
	k.Asked, k.Seed, k.At, k.KeySet, k.Key, k.KeyID = len(d.verifier), d.seed[:], d.at, d.keySet, key, channel.KeyID
	return k.save(c)
}

// dealt is the deck as it was saved, and the channel.
func (k *kept) dealt(c Config) (*deck, world.Party, error) {
	d := &deck{size: k.Cards, keySet: k.KeySet, at: k.At.UTC(), verifier: make([]liuma.Verifier, k.Asked)}
	raw, err := os.ReadFile(filepath.Join(c.Dir, verifierFile))
	if err != nil {
		return nil, world.Party{}, err
	}
	if len(raw) != k.Asked*len(liuma.Verifier{}) || copy(d.seed[:], k.Seed) != len(d.seed) {
		return nil, world.Party{}, fmt.Errorf("%w: the verifiers do not fit", ErrNotOurs)
	}
	for i := range d.verifier {
		raw = raw[copy(d.verifier[i][:], raw):]
	}
	key, err := x509.ParseECPrivateKey(k.Key)
	return d, world.Party{Key: key, KeyID: k.KeyID}, err
}

// loadConfig is the configuration of the data directory.
func (c Config) loadConfig() (config.Config, error) { return config.Load(c.data()) }
