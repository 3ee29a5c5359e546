package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// Errors of a row whose seal is not valid.
var (
	// ErrRowSeal means that the row, or its seal, is not as an authority wrote it.
	ErrRowSeal = errors.New("vault: the row was altered, or its seal is not ours")
	// ErrRowKey means that the seal names a key that this vault does not hold: a key
	// that was dropped, one that another authority made, or none at all.
	ErrRowKey = errors.New("vault: the row's seal names an unknown key")
)

// RowSeal authenticates a whole row against changes by anyone who can write to the
// database (I-13). It names the root key that made it, so that rows sealed before a
// rotation can still be read.
type RowSeal struct {
	Key uint32
	MAC MAC
}

// SealRow seals a row under the current key: the table's name and all of the row's
// fields, in order. The caller must include every column; a column left out could be
// altered.
func (v *Vault) SealRow(table string, fields ...[]byte) (RowSeal, error) {
	var s RowSeal
	err := v.read(func(k *keys) error {
		s.Key = k.seals
		s.MAC = k.roots[s.Key].rows.seal(s.Key, table, fields)
		return nil
	})
	if err != nil {
		return RowSeal{}, err
	}
	return s, nil
}

// steadyKey takes the place of the root key's id in seals of SealSteady; real ids begin at
// one.
const steadyKey uint32 = 0

// SealSteady seals a row that must be readable before a newer root key is here, because
// the row itself brings that key. Its key is derived from the index root, and no rotation
// changes it. Code that keeps such rows must accept only steady seals for them, and no
// steady seals elsewhere.
func (v *Vault) SealSteady(table string, fields ...[]byte) (s RowSeal, err error) {
	err = v.read(func(k *keys) error {
		s = RowSeal{Key: steadyKey, MAC: k.steadyRows.seal(steadyKey, table, fields)}
		return nil
	})
	return s, err
}

// IsSteady reports whether SealSteady made the seal, provided that the seal is valid.
func (s RowSeal) IsSteady() bool { return s.Key == steadyKey }

// CheckRow refuses a row that has changed since SealRow: ErrRowSeal, or ErrRowKey if
// the seal names a key that this vault does not hold.
func (v *Vault) CheckRow(s RowSeal, table string, fields ...[]byte) error {
	return v.read(func(k *keys) error {
		if s.Key == steadyKey {
			if want := k.steadyRows.seal(s.Key, table, fields); !want.Equal(s.MAC) {
				return fmt.Errorf("%w: table %s", ErrRowSeal, table)
			}
			return nil
		}
		root, ok := k.roots[s.Key]
		if !ok {
			return fmt.Errorf("%w: table %s, key %d", ErrRowKey, table, s.Key)
		}
		want := root.rows.seal(s.Key, table, fields)
		if !want.Equal(s.MAC) {
			return fmt.Errorf("%w: table %s", ErrRowSeal, table)
		}
		return nil
	})
}

// rowMACs keeps MACs of one root key's rows for reuse, because setting up the key costs
// time and a verification needs a dozen. The pool lives as long as the key. Go offers
// no way to overwrite the key inside a MAC, whether it is used once or often.
type rowMACs struct{ free sync.Pool }

type rowMAC struct {
	mac     hash.Hash
	message []byte
}

// newRowMACs keeps key. The key must not be wiped while a MAC is being made.
func newRowMACs(key []byte) *rowMACs {
	return &rowMACs{sync.Pool{New: func() any { return &rowMAC{mac: hmac.New(sha256.New, key)} }}}
}

// seal also covers the key's id: a seal cannot pass as another key's seal, even if two
// keys were ever equal.
func (r *rowMACs) seal(id uint32, table string, fields [][]byte) (m MAC) {
	of := r.free.Get().(*rowMAC)
	defer r.free.Put(of)
	message := binary.BigEndian.AppendUint32(of.message[:0], id)
	message = appendField(message, []byte(table))
	message = binary.BigEndian.AppendUint32(message, uint32(len(fields)))
	for _, f := range fields {
		message = appendField(message, f)
	}
	of.mac.Reset()
	of.mac.Write(message)
	of.mac.Sum(m[:0])
	if cap(message) <= maxMessageKept {
		of.message = message
	}
	return m
}

// maxMessageKept bounds the memory of a MAC in the pool.
const maxMessageKept = 16 << 10
