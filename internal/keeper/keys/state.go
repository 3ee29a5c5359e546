package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// stateFormat is the format of ceremony.json and asking.json.
const stateFormat = "liuma-key-work/1"

// ceremonyState is ceremony.json. It holds share keys.
type ceremonyState struct {
	Format string      `json:"format"`
	ID     keeper.ID   `json:"id"`
	KeySet uint32      `json:"key_set"`
	T      int         `json:"t"`
	N      int         `json:"n"`
	Member int         `json:"member"`
	Nonce  shortBytes  `json:"nonce"`
	Met    []helloFile `json:"met"`
	Keys   []keptKey   `json:"share_keys"`
	Prints []keptPrint `json:"fingerprints"`
}

type keptKey struct {
	Subset split.Subset `json:"subset"`
	Key    []byte       `json:"key"`
}

type keptPrint struct {
	Member int          `json:"member"`
	Subset split.Subset `json:"subset"`
	Sum    keeper.Hash  `json:"sum"`
}

func (s ceremonyState) wipe() {
	for _, k := range s.Keys {
		clear(k.Key)
	}
}

// save saves a running ceremony.
func (d Desk) save(m *keeper.Member) error {
	draft, err := m.Draft()
	if err != nil {
		return err
	}
	defer draft.Wipe()
	h := draft.Hello
	s := ceremonyState{Format: stateFormat, ID: h.ID, KeySet: h.KeySet, T: h.Shape.T, N: h.Shape.N, Member: h.Member, Nonce: h.Nonce}
	for _, o := range draft.Met {
		s.Met = append(s.Met, helloOf(o))
	}
	for _, k := range draft.Keys {
		s.Keys = append(s.Keys, keptKey{Subset: k.Subset, Key: k.Saved})
	}
	for _, f := range draft.Prints {
		s.Prints = append(s.Prints, keptPrint(f))
	}
	data, err := marshal(s)
	if err != nil {
		return err
	}
	defer clear(data)
	return d.Disk.Write(d.Dir, stateFile, data)
}

func helloOf(h keeper.Hello) helloFile {
	return helloFile{
		head:   headOf(kindHello, Who{ID: h.ID, Member: h.Member, Shape: h.Shape}),
		KeySet: h.KeySet, Identity: h.Public, Nonce: h.Nonce,
	}
}

// secret reads a secret file of the directory; nil if there is none. The caller
// clears it.
func (d Desk) secret(name string) ([]byte, error) {
	f, err := keeper.OpenPrivate(filepath.Join(d.Dir, name), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	defer f.Close()
	const maxState = 1 << 20
	data, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return data, nil
}

// finished ends a ceremony whose key set is in keeper.json. From then on nobody opens a share
// key from the files that were carried, with the token and its PIN either.
//
// A crash in here leaves a ceremony that underWay finds finished.
func (d Desk) finished(f *keeper.KeyFile) error {
	if err := f.Custody().EndReceiving(); err != nil {
		return err
	}
	return d.Disk.Remove(d.Dir, stateFile)
}

// underWay returns the directory's running ceremony; nil if there is none. A
// ceremony whose key set the keeper already has is finished: a crash prevented the
// removal of its file.
func (d Desk) underWay(f *keeper.KeyFile) (*keeper.Member, error) {
	data, err := d.secret(stateFile)
	if data == nil || err != nil {
		return nil, err
	}
	defer clear(data)
	s, err := read[ceremonyState](data)
	defer s.wipe()
	if err != nil || s.Format != stateFormat || s.ID != f.ID() {
		return nil, fmt.Errorf("%w: %s", ErrState, stateFile)
	}
	for _, have := range f.KeySets() {
		if have.ID == s.KeySet {
			return nil, d.finished(f)
		}
	}
	draft := keeper.Draft{Hello: keeper.Hello{KeySet: s.KeySet, Shape: split.Shape{T: s.T, N: s.N}, Member: s.Member, ID: s.ID, Nonce: s.Nonce}}
	for _, h := range s.Met {
		draft.Met = append(draft.Met, h.message())
	}
	for _, k := range s.Keys {
		draft.Keys = append(draft.Keys, keeper.SavedKey{Subset: k.Subset, Saved: k.Key})
	}
	for _, p := range s.Prints {
		draft.Prints = append(draft.Prints, keeper.Fingerprint(p))
	}
	m, err := keeper.Resume(draft, f.Custody())
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, stateFile, err)
	}
	return m, nil
}
