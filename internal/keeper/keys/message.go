package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// Files that are carried have only one valid encoding, which marshal makes. Any other
// encoding is refused, and so is a JSON member that is unknown, repeated or missing.
const (
	messageFormat = "liuma-key-ceremony/1"
	// maxMessage is above the size of the largest file: the offers of member 1 in shape
	// 3 of 5, with twelve sealed keys.
	maxMessage = 64 << 10
)

// The kinds of files.
const (
	kindHello  = "hello"
	kindOffers = "offers"
	kindPrints = "prints"
	kindAsk    = "ask"
	kindGift   = "gift"
)

// head is the beginning of every file.
type head struct {
	Format string    `json:"format"`
	Kind   string    `json:"kind"`
	ID     keeper.ID `json:"id"`
	Member int       `json:"member"`
	T      int       `json:"t"`
	N      int       `json:"n"`
}

func (h head) shape() split.Shape { return split.Shape{T: h.T, N: h.N} }

func (h head) who() Who { return Who{ID: h.ID, Member: h.Member, Shape: h.shape()} }

func headOf(kind string, w Who) head {
	return head{Format: messageFormat, Kind: kind, ID: w.ID, Member: w.Member, T: w.Shape.T, N: w.Shape.N}
}

// helloFile introduces a member in one ceremony.
type helloFile struct {
	head
	KeySet   uint32     `json:"key_set"`
	Identity []byte     `json:"identity"`
	Nonce    shortBytes `json:"nonce"`
}

// offersFile has all share keys that a member made, each sealed to another member.
type offersFile struct {
	head
	KeySet  uint32      `json:"key_set"`
	Meeting keeper.Hash `json:"meeting"`
	Offers  []offer     `json:"offers"`
}

type offer struct {
	Subset split.Subset `json:"subset"` // bit i-1 is member i
	To     int          `json:"to"`
	Sealed []byte       `json:"sealed"`
}

// printsFile has the fingerprints of all share keys that a member holds.
type printsFile struct {
	head
	KeySet  uint32      `json:"key_set"`
	Meeting keeper.Hash `json:"meeting"`
	Prints  []shown     `json:"fingerprints"`
}

type shown struct {
	Subset split.Subset `json:"subset"`
	Sum    keeper.Hash  `json:"sum"`
}

// askMessage asks for the share keys of a member.
type askMessage struct {
	head
	Joins    bool       `json:"joins"` // the keeper exists and lacks a key set
	Identity []byte     `json:"identity"`
	Nonce    shortBytes `json:"nonce"`
}

// giftMessage has the share keys that both the giver and the asking member hold.
type giftMessage struct {
	head
	Ask  keeper.Hash `json:"ask"`
	Sets []givenSet  `json:"key_sets"`
}

type givenSet struct {
	KeySet  uint32      `json:"key_set"`
	Members []keeper.ID `json:"members"`
	Keys    []givenKey  `json:"share_keys"`
}

type givenKey struct {
	Subset split.Subset `json:"subset"`
	Sum    keeper.Hash  `json:"sum"`
	Sealed []byte       `json:"sealed"`
}

// shortBytes are sixteen bytes in hexadecimal.
type shortBytes [16]byte

// MarshalText implements encoding.TextMarshaler.
func (b shortBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *shortBytes) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(b)) {
		return ErrFile
	}
	_, err := hex.Decode(b[:], text)
	return err
}

// marshal makes the only valid encoding of a file.
func marshal(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("keys: encode: %w", err)
	}
	return append(data, '\n'), nil
}

// read reads a file of one kind. With an error it returns what it could read, so that the
// caller can wipe it.
func read[T any](data []byte) (v *T, err error) {
	v = new(T)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return v, ErrFile // the cause would quote the file
	}
	again, err := marshal(v)
	defer clear(again) // it may hold secrets
	if err != nil || !bytes.Equal(again, data) {
		return v, ErrFile
	}
	return v, nil
}

// message is a file that was read; one of its five pointers is set.
type message struct {
	head
	hello  *helloFile
	offers *offersFile
	prints *printsFile
	ask    *askMessage
	gift   *giftMessage
	data   []byte
}

// parse reads a file that was carried.
func parse(data []byte) (m message, err error) {
	if len(data) > maxMessage {
		return m, ErrFile
	}
	if err := json.Unmarshal(data, &m.head); err != nil || m.Format != messageFormat {
		return m, ErrFile
	}
	m.data = data
	switch m.Kind {
	case kindHello:
		m.hello, err = read[helloFile](data)
	case kindOffers:
		m.offers, err = read[offersFile](data)
	case kindPrints:
		m.prints, err = read[printsFile](data)
	case kindAsk:
		m.ask, err = read[askMessage](data)
	case kindGift:
		m.gift, err = read[giftMessage](data)
	default:
		err = ErrFile
	}
	if err != nil {
		return m, err
	}
	if err := m.who().check(); err != nil { // part of every file: the sender
		return m, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return m, nil
}

// rank orders files: hellos before offers, and offers before fingerprints.
func (m message) rank() int {
	switch {
	case m.hello != nil:
		return 0
	case m.offers != nil:
		return 1
	}
	return 2
}

// message returns the file's content.
func (f *helloFile) message() keeper.Hello {
	return keeper.Hello{KeySet: f.KeySet, Shape: f.shape(), Member: f.Member, ID: f.ID, Public: f.Identity, Nonce: f.Nonce}
}

// Check refuses data that is not a file of a key ceremony, or is damaged.
func Check(data []byte) error {
	_, err := parse(data)
	return err
}
