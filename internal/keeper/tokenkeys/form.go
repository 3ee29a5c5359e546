package tokenkeys

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/token"
)

const (
	boundLabel = "liuma/1/share-offer-bound"
	checkLabel = "liuma/1/share-check"
)

// boundMessage is the text that a MAC by the share key confirms when the key is
// sealed.
func boundMessage(info []byte) []byte { return fields([]byte(boundLabel), info) }

// checkMessage is the text whose MAC identifies the key that keeper.json names.
func checkMessage() []byte { return fields([]byte(checkLabel)) }

func fields(list ...[]byte) (b []byte) {
	for _, f := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f))) //nolint:gosec // fields are short
		b = append(b, f...)
	}
	return b
}

// splitSealed separates the MAC from the wrapped key.
func splitSealed(b []byte) (bound, wrapped []byte, ok bool) {
	if len(b) <= sha256.Size {
		return nil, nil, false
	}
	return b[:sha256.Size], b[sha256.Size:], true
}

// savedIdentity is the form of an identity that keeper.json stores, after
// keeper.DeviceMark.
type savedIdentity struct {
	ID       keeper.ID `json:"id"`
	Identity []byte    `json:"identity"` // opens the outer seal, but no share key
	Wraps    string    `json:"wraps"`    // the token's public wrapping key, as PEM
}

func encodeIdentity(s savedIdentity) ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("tokenkeys: %w", err)
	}
	defer clear(data)
	return append([]byte(keeper.DeviceMark), data...), nil
}

func parseIdentity(saved []byte) (s savedIdentity, err error) {
	data, ok := bytes.CutPrefix(saved, []byte(keeper.DeviceMark))
	if !ok {
		return s, keeper.ErrElsewhere
	}
	if err := read(data, &s); err != nil {
		clear(s.Identity)
		return savedIdentity{}, keeper.ErrFile // the cause could quote the identity
	}
	return s, nil
}

// savedKey is the form of a share key that keeper.json stores.
type savedKey struct {
	Name   string      `json:"name"`
	Check  keeper.Hash `json:"check"`
	Spares []spared    `json:"spares"`
}

// spared is a share key wrapped to a spare token.
type spared struct {
	Token   string `json:"token"`
	Key     string `json:"key"` // fingerprint of the spare token's wrapping key
	Hash    string `json:"hash"`
	Wrapped []byte `json:"wrapped"`
}

func encodeKey(k savedKey) ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("tokenkeys: %w", err)
	}
	return data, nil
}

func parseKey(saved []byte) (k savedKey, err error) {
	if err := read(saved, &k); err != nil || k.Name == "" {
		return savedKey{}, ErrSaved
	}
	return k, nil
}

// read reads JSON in the encoding that this package writes.
func read(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	again, err := json.Marshal(into)
	defer clear(again)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return errors.New("tokenkeys: spelt otherwise")
	}
	return nil
}

// encodePublic returns the public half that a member with a token shows: its
// identity, and the token's wrapping key with the hash that the token supports.
func encodePublic(identity []byte, wraps token.WrappingKey) []byte {
	wraps.Token = "" // others need not know the token's label
	key, err := wraps.Encode()
	if err != nil {
		return nil // Check refuses it
	}
	return append([]byte(keeper.DeviceMark), fields(identity, key)...)
}

func parsePublic(public []byte) (identity []byte, wraps token.WrappingKey, err error) {
	rest, ok := bytes.CutPrefix(public, []byte(keeper.DeviceMark))
	if !ok {
		if err := keeper.CheckIdentity(public); err != nil {
			return nil, wraps, err
		}
		return nil, wraps, keeper.ErrMixed
	}
	var list [2][]byte
	for i := range list {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return nil, wraps, token.ErrWrappingKey
		}
		n := 4 + int(binary.BigEndian.Uint32(rest))
		list[i], rest = rest[4:n], rest[n:]
	}
	if wraps, err = token.ParseWrappingKey(list[1]); err != nil {
		return nil, wraps, err
	}
	if err := keeper.CheckIdentity(list[0]); err != nil {
		return nil, wraps, err
	}
	if !bytes.Equal(encodePublic(list[0], wraps), public) {
		return nil, wraps, token.ErrWrappingKey
	}
	return list[0], wraps, nil
}

func parseWraps(text string) (token.WrappingKey, error) {
	k, err := token.ParseWrappingKey([]byte(text))
	if err != nil {
		return k, keeper.ErrFile
	}
	return k, nil
}
