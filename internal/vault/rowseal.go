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

// Errors of a row whose seal does not hold.
var (
	// ErrRowSeal says that a row, or its seal, is not what an authority wrote.
	ErrRowSeal = errors.New("vault: the row was altered, or its seal is not ours")
	// ErrRowKey says that the seal names a key that this vault does not hold:
	// one that was dropped, one that another authority made, or none at all.
	ErrRowKey = errors.New("vault: the row's seal names an unknown key")
)

// RowSeal authenticates a whole row against everyone who can write to the
// database (I-13). It names the root key that it hangs on, so that rows sealed
// before a rotation can still be read.
type RowSeal struct {
	Key uint32
	MAC MAC
}

// SealRow seals a row under the current key: the table's name and all of the
// row's fields, in order. The caller leaves no column out, so that none can be
// altered alone.
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

// steadyKey stands in seals of SealSteady, where others name a root key: ids begin at one.
const steadyKey uint32 = 0

// SealSteady is SealRow for a row that is read before a newer root key is there, since it
// brings it: its key hangs on the index root, and no rotation changes it. Whoever keeps
// such rows refuses all others where they are wanted, and them everywhere else.
func (v *Vault) SealSteady(table string, fields ...[]byte) (s RowSeal, err error) {
	err = v.read(func(k *keys) error {
		s = RowSeal{Key: steadyKey, MAC: k.steadyRows.seal(steadyKey, table, fields)}
		return nil
	})
	return s, err
}

// IsSteady reports whether SealSteady made the seal, if it holds.
func (s RowSeal) IsSteady() bool { return s.Key == steadyKey }

// CheckRow refuses a row that is not as SealRow saw it: ErrRowSeal, or
// ErrRowKey where the seal names a key that this vault does not hold.
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

// rowMACs lends the MAC of one root key's rows, with what was computed of the key
// itself: a verification takes a dozen. The pool goes with the key. What Go keeps of
// the key inside a MAC it has no way to overwrite, used once or often.
type rowMACs struct{ free sync.Pool }

type rowMAC struct {
	mac     hash.Hash
	message []byte
}

// newRowMACs keeps key, which must not be wiped while a MAC is asked for.
func newRowMACs(key []byte) *rowMACs {
	return &rowMACs{sync.Pool{New: func() any { return &rowMAC{mac: hmac.New(sha256.New, key)} }}}
}

// seal covers the key's id too: a seal cannot be passed off as one of
// another key, even if two keys were ever the same.
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

// maxMessageKept bounds the memory of a MAC that waits to be lent.
const maxMessageKept = 16 << 10
