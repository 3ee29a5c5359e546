package keeper

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma/internal/split"
)

// The key ceremony, which makes a key set, as messages between its members:
//
//  1. every member says Hello to all others, with its identity's public key and a
//     number that it has just drawn. All hellos together are the Meeting;
//  2. of each subset, the first member makes the share key and sends it to
//     each other member in an Offer, sealed to that member's identity and bound to
//     the Meeting;
//  3. every member tells all others a Fingerprint of each share key it holds,
//     and is done when all holders of a subset have the same;
//  4. all members compare their Transcripts, which are the same only if nobody gave
//     one of them another message than the others.
//
// Sealing hides the keys from the people who carry the messages. It does not prove
// who sent a message: a carrier could replace an identity by their own. In one
// process, or over connections that both ends authenticate, nobody can do that;
// otherwise the fourth step exposes it (internal/keeper/keys).
const (
	meetingLabel     = "liuma/1/key-meeting"
	offerLabel       = "liuma/1/share-offer"
	fingerprintLabel = "liuma/1/share-fingerprint"
	transcriptLabel  = "liuma/1/key-transcript"
)

// ErrCeremony: a message does not fit the key ceremony. The ceremony must then be
// started again; no card has a version under an unfinished key set.
var ErrCeremony = errors.New("keeper: ceremony")

// Hash is a SHA-256 or HMAC value; as text it is hexadecimal.
type Hash [sha256.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errors.New("keeper: not a hash")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Hello is a member's identity in one ceremony.
type Hello struct {
	KeySet uint32
	Shape  split.Shape
	Member int
	ID     ID
	Public []byte
	Nonce  [16]byte // random, for this ceremony only
}

// Offer is one share key, sealed to one member.
type Offer struct {
	KeySet   uint32
	Subset   split.Subset
	From, To int
	Sealed   []byte
}

// Fingerprint identifies the share key that a member holds for a subset. It reveals
// nothing about the key.
type Fingerprint struct {
	Member int
	Subset split.Subset
	Sum    Hash
}

// Member is one keeper's side of a key ceremony. It belongs to one goroutine.
type Member struct {
	hello   Hello
	custody Custody
	met     map[int]Hello
	keys    map[split.Subset]HeldKey
	sums    map[split.Subset]map[int]Hash // fingerprints that other members have sent
}

// NewMember begins a key ceremony for one keeper; custody holds the keeper's identity.
func NewMember(keySet uint32, shape split.Shape, number int, id ID, custody Custody) (*Member, error) {
	h := Hello{KeySet: keySet, Shape: shape, Member: number, ID: id}
	rand.Read(h.Nonce[:]) // never fails since Go 1.24
	m, err := newMember(h, custody)
	if err != nil {
		return nil, err
	}
	for _, s := range shape.SubsetsOf(number) {
		if s.First() != number {
			continue
		}
		key, err := custody.Generate(Slot{keySet, s})
		if err != nil {
			err = fmt.Errorf("%w: make the key of subset %d: %w", ErrCeremony, s, errors.Join(err, m.Drop()))
			m.Wipe()
			return nil, err
		}
		m.keys[s] = key
	}
	return m, nil
}

func newMember(h Hello, custody Custody) (*Member, error) {
	if err := h.Shape.Validate(); err != nil {
		return nil, err
	}
	if h.KeySet == 0 || h.Member < 1 || h.Member > h.Shape.N || h.ID == "" || custody == nil {
		return nil, fmt.Errorf("%w: a member needs key set, number, id and identity", ErrCeremony)
	}
	h.Public = custody.Public()
	return &Member{
		hello: h, custody: custody, met: map[int]Hello{h.Member: h},
		keys: map[split.Subset]HeldKey{}, sums: map[split.Subset]map[int]Hash{},
	}, nil
}

// Hello introduces the member to the others.
func (m *Member) Hello() Hello { return m.hello }

// Meet takes another member's Hello. Each member number is taken once.
func (m *Member) Meet(h Hello) error {
	shape := m.hello.Shape
	fits := h.KeySet == m.hello.KeySet && h.Shape == shape && h.Member >= 1 && h.Member <= shape.N && h.ID != ""
	for _, other := range m.met {
		fits = fits && h.Member != other.Member && h.ID != other.ID
	}
	if !fits {
		return fmt.Errorf("%w: an unexpected hello from member %d", ErrCeremony, h.Member)
	}
	if err := m.custody.Check(h.Public); err != nil {
		return fmt.Errorf("%w: identity of member %d: %w", ErrCeremony, h.Member, err)
	}
	m.met[h.Member] = h
	return nil
}

// Meeting returns a hash of all hellos. It is the same at all members that received the
// same hellos in this ceremony.
func (m *Member) Meeting() (Hash, error) {
	shape := m.hello.Shape
	if len(m.met) != shape.N {
		return Hash{}, fmt.Errorf("%w: %d of %d members met", ErrCeremony, len(m.met), shape.N)
	}
	b := appendFields(nil, []byte(meetingLabel), binary.BigEndian.AppendUint32(nil, m.hello.KeySet), []byte{byte(shape.T), byte(shape.N)})
	for i := 1; i <= shape.N; i++ {
		h := m.met[i]
		b = appendFields(b, []byte{byte(i)}, []byte(h.ID), h.Public, h.Nonce[:])
	}
	return sha256.Sum256(b), nil
}

func appendFields(b []byte, fields ...[]byte) []byte {
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f))) //nolint:gosec // fields are short
		b = append(b, f...)
	}
	return b
}

// Offer seals each share key that this member makes to each other member of
// its subset.
func (m *Member) Offer() ([]Offer, error) {
	meeting, err := m.Meeting()
	if err != nil {
		return nil, err
	}
	own, shape := m.hello.Member, m.hello.Shape
	var out []Offer
	for _, s := range shape.SubsetsOf(own) {
		if s.First() != own {
			continue
		}
		for to := own + 1; to <= shape.N; to++ {
			if !s.Has(to) {
				continue
			}
			o := Offer{KeySet: m.hello.KeySet, Subset: s, From: own, To: to}
			if o.Sealed, err = m.keys[s].Seal(m.met[to].Public, OfferInfo(meeting, m.hello.Shape, o)); err != nil {
				return nil, fmt.Errorf("%w: seal subset %d to member %d: %w", ErrCeremony, s, to, err)
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// OfferInfo returns the text that an offer is bound to: key set, shape, subset, sender,
// receiver, and the meeting, which contains all identities and is new in each ceremony.
func OfferInfo(meeting Hash, shape split.Shape, o Offer) []byte {
	return appendFields(nil, []byte(offerLabel), binary.BigEndian.AppendUint32(nil, o.KeySet),
		[]byte{byte(shape.T), byte(shape.N), byte(o.Subset), byte(o.From), byte(o.To)}, meeting[:])
}

// Accept opens an offer to this member. It accepts one key per subset, from the
// subset's first member.
func (m *Member) Accept(o Offer) error {
	meeting, err := m.Meeting()
	if err != nil {
		return err
	}
	_, have := m.keys[o.Subset]
	fits := o.KeySet == m.hello.KeySet && o.To == m.hello.Member && o.From == o.Subset.First() &&
		o.Subset.Has(m.hello.Member) && o.Subset.Size() == m.hello.Shape.N-m.hello.Shape.T+1
	if have || !fits {
		return fmt.Errorf("%w: an unexpected offer from member %d", ErrCeremony, o.From)
	}
	key, err := m.custody.Open(o.Sealed, OfferInfo(meeting, m.hello.Shape, o), Slot{o.KeySet, o.Subset})
	if err != nil {
		return fmt.Errorf("%w: offer from member %d: %w", ErrCeremony, o.From, err)
	}
	m.keys[o.Subset] = key
	return nil
}

// Fingerprints lists the fingerprints of all share keys that this member holds.
func (m *Member) Fingerprints() ([]Fingerprint, error) {
	var out []Fingerprint
	for _, s := range m.hello.Shape.SubsetsOf(m.hello.Member) {
		sum, err := m.fingerprint(s)
		if err != nil {
			return nil, err
		}
		out = append(out, Fingerprint{Member: m.hello.Member, Subset: s, Sum: sum})
	}
	return out, nil
}

func (m *Member) fingerprint(s split.Subset) (Hash, error) {
	k, ok := m.keys[s]
	if !ok {
		return Hash{}, fmt.Errorf("%w: no share key of subset %d yet", ErrCeremony, s)
	}
	return fingerprint(m.hello.KeySet, s, k)
}

// fingerprint identifies a share key without revealing anything about it.
func fingerprint(keySet uint32, s split.Subset, k split.ShareMAC) (Hash, error) {
	b := appendFields(nil, []byte(fingerprintLabel))
	b = binary.BigEndian.AppendUint32(b, keySet)
	sum, err := k.MAC(append(b, byte(s)))
	return sum, err
}

// Check compares another member's fingerprint with this member's own. For a subset that
// this member is not in, it compares the fingerprints of the subset's members with one
// another.
func (m *Member) Check(f Fingerprint) error {
	own, shape := m.hello.Member, m.hello.Shape
	if f.Member < 1 || f.Member > shape.N || f.Member == own || !f.Subset.Has(f.Member) || !slices.Contains(shape.Subsets(), f.Subset) {
		return fmt.Errorf("%w: an unexpected fingerprint from member %d", ErrCeremony, f.Member)
	}
	if f.Subset.Has(own) {
		sum, err := m.fingerprint(f.Subset)
		if err != nil {
			return err
		}
		if sum != f.Sum { // fingerprints are shown to all; comparing them leaks nothing
			return fmt.Errorf("%w: member %d holds another key of subset %d", ErrCeremony, f.Member, f.Subset)
		}
	}
	for other, sum := range m.sums[f.Subset] {
		if sum != f.Sum {
			return fmt.Errorf("%w: members %d and %d hold different keys of subset %d", ErrCeremony, f.Member, other, f.Subset)
		}
	}
	if m.sums[f.Subset] == nil {
		m.sums[f.Subset] = map[int]Hash{}
	}
	m.sums[f.Subset][f.Member] = f.Sum
	return nil
}

// Done returns this member's part of the key set, once all members of each of its
// subsets have sent the same fingerprint.
func (m *Member) Done() (KeySet, error) {
	set := KeySet{ID: m.hello.KeySet, Shape: m.hello.Shape, Member: m.hello.Member, Keys: map[split.Subset]split.ShareMAC{}}
	for _, s := range set.Shape.SubsetsOf(set.Member) {
		if len(m.sums[s]) != s.Size()-1 {
			return KeySet{}, fmt.Errorf("%w: subset %d is not agreed by all", ErrCeremony, s)
		}
		set.Keys[s] = m.keys[s]
	}
	return set, set.validate()
}

// Transcript returns a hash of everything that the ceremony agreed on: the members,
// their identities, and the fingerprints of all share keys, including keys that this
// member does not hold. Members with the same transcript saw the same ceremony.
func (m *Member) Transcript() (Hash, error) {
	meeting, err := m.Meeting()
	if err != nil {
		return Hash{}, err
	}
	b := appendFields(nil, []byte(transcriptLabel), meeting[:])
	for _, s := range m.hello.Shape.Subsets() {
		shown := len(m.sums[s])
		var sum Hash
		for _, sum = range m.sums[s] { // all are the same (Check)
			break
		}
		if s.Has(m.hello.Member) {
			shown++
			if sum, err = m.fingerprint(s); err != nil {
				return Hash{}, err
			}
		}
		if shown != s.Size() {
			return Hash{}, fmt.Errorf("%w: subset %d is not agreed by all", ErrCeremony, s)
		}
		b = appendFields(b, []byte{byte(s)}, sum[:])
	}
	return sha256.Sum256(b), nil
}

// Drop destroys the share keys of a key ceremony that is given up, also in a device.
func (m *Member) Drop() error {
	var failed error
	for _, k := range m.keys {
		failed = errors.Join(failed, k.Drop())
	}
	return failed
}

// Wipe clears the share keys of an abandoned key ceremony from memory.
func (m *Member) Wipe() {
	for _, k := range m.keys {
		k.Wipe()
	}
}
