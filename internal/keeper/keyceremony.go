package keeper

import (
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/split"
)

// The key ceremony, which makes a key set, as messages between its members:
//
//  1. every member says Hello to all others, with its identity's public key;
//  2. of each subset, the first member makes the share key and sends it to
//     each other member in an Offer, sealed to that member's identity;
//  3. every member tells all others a Fingerprint of each share key it holds,
//     and is done when all holders of a subset have the same.
//
// Sealing hides the keys from the carriers of the messages. It does not prove
// who sent a message, so messages travel between members that know one another:
// in one process, or over connections that both ends authenticate.
const (
	offerLabel       = "liuma/1/share-offer"
	fingerprintLabel = "liuma/1/share-fingerprint"
)

// ErrCeremony is a message that does not fit the key ceremony, which must then
// be begun anew; no card has a version under an unfinished key set.
var ErrCeremony = errors.New("keeper: ceremony")

// Stored traffic may be read many years later, while share keys are still in
// use. So they are sealed with the hybrid of ML-KEM-768 and X25519.
func identityKEM() hpke.KEM { return hpke.MLKEM768X25519() }
func offerKDF() hpke.KDF    { return hpke.HKDFSHA256() }
func offerAEAD() hpke.AEAD  { return hpke.AES256GCM() }

// Hello is a member's identity.
type Hello struct {
	Member int
	ID     ID
	Public []byte
}

// Offer is one share key, sealed to one member.
type Offer struct {
	KeySet   uint32
	Subset   split.Subset
	From, To int
	Sealed   []byte
}

// Fingerprint identifies the share key of a subset that a member holds. It
// reveals nothing about the key.
type Fingerprint struct {
	Member int
	Subset split.Subset
	Sum    [32]byte
}

// Member is one keeper's side of a key ceremony. It belongs to one goroutine.
type Member struct {
	keySet   uint32
	shape    split.Shape
	number   int
	id       ID
	identity hpke.PrivateKey
	peers    map[int]hpke.PublicKey
	keys     map[split.Subset]split.ShareKey
	agreed   map[split.Subset]map[int]bool // members that have shown the same fingerprint
}

// NewMember begins a key ceremony for one keeper, whose identity it uses.
func NewMember(keySet uint32, shape split.Shape, number int, id ID, identity hpke.PrivateKey) (*Member, error) {
	if err := shape.Validate(); err != nil {
		return nil, err
	}
	if keySet == 0 || number < 1 || number > shape.N || id == "" || identity == nil {
		return nil, fmt.Errorf("%w: a member needs key set, number, id and identity", ErrCeremony)
	}
	m := &Member{
		keySet: keySet, shape: shape, number: number, id: id, identity: identity,
		peers:  map[int]hpke.PublicKey{number: identity.PublicKey()},
		keys:   map[split.Subset]split.ShareKey{},
		agreed: map[split.Subset]map[int]bool{},
	}
	for _, s := range shape.SubsetsOf(number) {
		m.agreed[s] = map[int]bool{}
		if s.First() == number {
			m.keys[s] = split.NewShareKey()
		}
	}
	return m, nil
}

// Hello introduces the member to the others.
func (m *Member) Hello() Hello {
	return Hello{Member: m.number, ID: m.id, Public: m.identity.PublicKey().Bytes()}
}

// Meet takes another member's Hello. A number is met once.
func (m *Member) Meet(h Hello) error {
	if h.Member < 1 || h.Member > m.shape.N || h.ID == "" || h.ID == m.id || m.peers[h.Member] != nil {
		return fmt.Errorf("%w: an unexpected hello from member %d", ErrCeremony, h.Member)
	}
	pk, err := identityKEM().NewPublicKey(h.Public)
	if err != nil {
		return fmt.Errorf("%w: identity of member %d: %w", ErrCeremony, h.Member, err)
	}
	m.peers[h.Member] = pk
	return nil
}

// Offer seals each share key that this member makes to each other member of
// its subset.
func (m *Member) Offer() ([]Offer, error) {
	if len(m.peers) != m.shape.N {
		return nil, fmt.Errorf("%w: %d of %d members met", ErrCeremony, len(m.peers), m.shape.N)
	}
	var out []Offer
	for _, s := range m.shape.SubsetsOf(m.number) {
		if s.First() != m.number {
			continue
		}
		for to := m.number + 1; to <= m.shape.N; to++ {
			if !s.Has(to) {
				continue
			}
			o := Offer{KeySet: m.keySet, Subset: s, From: m.number, To: to}
			err := m.keys[s].Use(func(key []byte) (err error) {
				o.Sealed, err = hpke.Seal(m.peers[to], offerKDF(), offerAEAD(), m.info(o), key)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%w: seal subset %d to member %d: %w", ErrCeremony, s, to, err)
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// info is the text that an offer is bound to: key set, shape, subset, sender,
// receiver and both identities.
func (m *Member) info(o Offer) []byte {
	var b []byte
	for _, field := range [][]byte{
		[]byte(offerLabel),
		binary.BigEndian.AppendUint32(nil, o.KeySet),
		{byte(m.shape.T), byte(m.shape.N), byte(o.Subset), byte(o.From), byte(o.To)},
		m.peers[o.From].Bytes(), m.peers[o.To].Bytes(),
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	return b
}

// Accept opens an offer to this member. It takes one key per subset, from the
// subset's first member.
func (m *Member) Accept(o Offer) error {
	_, have := m.keys[o.Subset]
	fits := o.KeySet == m.keySet && o.To == m.number && o.From == o.Subset.First() &&
		o.Subset.Has(m.number) && o.Subset.Size() == m.shape.N-m.shape.T+1 && m.peers[o.From] != nil
	if have || !fits {
		return fmt.Errorf("%w: an unexpected offer from member %d", ErrCeremony, o.From)
	}
	key, err := hpke.Open(m.identity, offerKDF(), offerAEAD(), m.info(o), o.Sealed)
	if err != nil {
		return fmt.Errorf("%w: offer from member %d: %w", ErrCeremony, o.From, err)
	}
	defer clear(key)
	k, err := split.ParseShareKey(key)
	if err != nil {
		return fmt.Errorf("%w: offer from member %d: %w", ErrCeremony, o.From, err)
	}
	m.keys[o.Subset] = k
	return nil
}

// Fingerprints lists the fingerprints of all share keys that this member holds.
func (m *Member) Fingerprints() ([]Fingerprint, error) {
	var out []Fingerprint
	for _, s := range m.shape.SubsetsOf(m.number) {
		sum, err := m.fingerprint(s)
		if err != nil {
			return nil, err
		}
		out = append(out, Fingerprint{Member: m.number, Subset: s, Sum: sum})
	}
	return out, nil
}

func (m *Member) fingerprint(s split.Subset) ([32]byte, error) {
	k, ok := m.keys[s]
	if !ok {
		return [32]byte{}, fmt.Errorf("%w: no share key of subset %d yet", ErrCeremony, s)
	}
	return fingerprint(m.keySet, s, k)
}

// fingerprint tells a share key from others without revealing anything of it.
func fingerprint(keySet uint32, s split.Subset, k split.ShareMAC) ([32]byte, error) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(fingerprintLabel)))
	b = append(b, fingerprintLabel...)
	b = binary.BigEndian.AppendUint32(b, keySet)
	return k.MAC(append(b, byte(s)))
}

// Check compares another member's fingerprint with this member's own.
// Fingerprints of subsets that this member is not in are ignored.
func (m *Member) Check(f Fingerprint) error {
	if f.Member < 1 || f.Member > m.shape.N || f.Member == m.number || !f.Subset.Has(f.Member) {
		return fmt.Errorf("%w: an unexpected fingerprint from member %d", ErrCeremony, f.Member)
	}
	if !f.Subset.Has(m.number) {
		return nil
	}
	sum, err := m.fingerprint(f.Subset)
	if err != nil {
		return err
	}
	if sum != f.Sum { // fingerprints are shown to all; comparing them leaks nothing
		return fmt.Errorf("%w: member %d holds another key of subset %d", ErrCeremony, f.Member, f.Subset)
	}
	m.agreed[f.Subset][f.Member] = true
	return nil
}

// Done gives this member's part of the key set, once all holders of each of its
// subsets have shown the same fingerprint.
func (m *Member) Done() (KeySet, error) {
	set := KeySet{ID: m.keySet, Shape: m.shape, Member: m.number, Keys: map[split.Subset]split.ShareMAC{}}
	for _, s := range m.shape.SubsetsOf(m.number) {
		if len(m.agreed[s]) != s.Size()-1 {
			return KeySet{}, fmt.Errorf("%w: subset %d is not agreed by all", ErrCeremony, s)
		}
		set.Keys[s] = m.keys[s]
	}
	return set, set.validate()
}

// Wipe clears the share keys of an abandoned key ceremony.
func (m *Member) Wipe() {
	for _, k := range m.keys {
		k.Wipe()
	}
}
