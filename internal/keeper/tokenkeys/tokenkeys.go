// Package tokenkeys keeps a keeper's share keys in a token: it is a keeper.Custodian.
//
// It guarantees that no share key's bytes come into this process's memory or into a file
// a key is made in the token or unwrapped into it, and leaves it only wrapped to
// another member's token or to a spare one. Once it is locked, which happens before it is
// used, it cannot leave at all: the key that others wrapped it to is made for one ceremony
// and destroyed at its end, so that the files of the ceremony open nothing later. It guarantees that a sealed key that it opens was sealed
// by somebody who had the key itself, for the meeting, the sender and the receiver that it
// names; and that a key which differs from the one in keeper.json, or can still be taken
// out, is not used.
//
// It trusts the token, and the people of the other members to use a real token too: a
// public key does not show where its private half is. It does not trust the people who
// carry the files.
//
// A sealed key has two layers. WrapKey binds no text, so the inner layer has, beside the
// wrapped key, a MAC made with the share key itself over the text that the offer is bound
// to: somebody who replays a wrapped key from another ceremony cannot make that MAC. The
// outer layer is keeper.SealTo, bound to the same text, so that files that somebody kept
// for years are not protected by RSA alone. docs/HSM.md has the runbook.
//
// Start here: Custodian.
package tokenkeys

import (
	"crypto/hmac"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/token"
)

// Token is the part of a token that this package uses.
type Token interface {
	token.ShareKeys
	WrappingKey(name string) (token.WrappingKey, error)
	Destroy(name string) error
}

// SpareKeyName is the key in a spare token to which share keys are wrapped.
const SpareKeyName = "liuma keeper spare"

// Errors of this package, beside those of packages keeper and token.
var (
	// ErrTaken: the token already has a locked key of that name, which may be in use.
	ErrTaken = errors.New("tokenkeys: the token has a locked share key of that key set already")
	// ErrOther: a share key or wrapping key in the token is not the one that keeper.json
	// names.
	ErrOther = errors.New("tokenkeys: the token holds another key than keeper.json says")
	// ErrUnbound: the sealed key is from another meeting, or its sender did not have
	// the key.
	ErrUnbound = errors.New("tokenkeys: a share key that was sealed for something else")
	// ErrNotSpare: the keys of the backup were wrapped to another spare token, or to none.
	ErrNotSpare = errors.New("tokenkeys: the share keys were not wrapped to this spare token")
	// ErrSaved: the saved form of a key is not valid.
	ErrSaved = errors.New("tokenkeys: damaged")
)

// Custodian keeps share keys in Token, and wraps each of them to the Spares as well.
type Custodian struct {
	Token  Token
	Spares []token.WrappingKey
}

var _ keeper.Custodian = Custodian{}

// wrappingName is the key in a keeper's token to which others wrap keys.
func wrappingName(id keeper.ID) string { return "liuma keeper " + string(id) + " wrapping" }

// keyName is a share key's name in the token.
func keyName(id keeper.ID, s keeper.Slot) string {
	return fmt.Sprintf("liuma keeper %s share %d/%d", id, s.KeySet, s.Subset)
}

// Make implements keeper.Custodian. A crash in here leaves a wrapping key in the token,
// which the next call uses.
func (c Custodian) Make(id keeper.ID) (keeper.Custody, error) {
	wraps, err := c.Token.WrappingKey(wrappingName(id))
	if err != nil {
		return nil, away(err)
	}
	identity, err := keeper.NewIdentity()
	if err != nil {
		return nil, err
	}
	return custody{Custodian: c, id: id, identity: identity, wraps: wraps}, nil
}

// Find implements keeper.Custodian. It does not ask the token.
func (c Custodian) Find(saved []byte) (keeper.Custody, error) {
	s, err := parseIdentity(saved)
	if err != nil {
		return nil, err
	}
	defer clear(s.Identity)
	identity, err := keeper.LoadIdentity(s.Identity)
	if err != nil {
		return nil, err
	}
	wraps, err := parseWraps(s.Wraps)
	if err != nil {
		return nil, err
	}
	return custody{Custodian: c, id: s.ID, identity: identity, wraps: wraps}, nil
}

// custody is the custody of one keeper.
type custody struct {
	Custodian
	id       keeper.ID
	identity keeper.Identity
	wraps    token.WrappingKey
}

// Public implements keeper.Custody: the identity, and the token's own wrapping key.
func (c custody) Public() []byte { return encodePublic(c.identity.Public(), c.wraps) }

// Check implements keeper.Custody.
func (c custody) Check(public []byte) error {
	_, _, err := parsePublic(public)
	return err
}

// BeginReceiving implements keeper.Custody: the token makes the wrapping key of this
// ceremony, unless a crash left one.
func (c custody) BeginReceiving() (keeper.Custody, error) {
	wraps, err := c.Token.WrappingKey(wrappingName(c.id))
	if err != nil {
		return nil, away(err)
	}
	c.wraps = wraps
	return c, nil
}

// EndReceiving implements keeper.Custody: the wrapping key is destroyed. With it, who may
// log in at the token would open every share key that was ever wrapped to it, into a key
// that can be read.
func (c custody) EndReceiving() error { return away(c.Token.Destroy(wrappingName(c.id))) }

// Gives implements keeper.Custody: no share key that is in use leaves the token.
func (custody) Gives() bool { return false }

// Save implements keeper.Custody.
func (c custody) Save() ([]byte, error) {
	identity, err := c.identity.Save()
	if err != nil {
		return nil, err
	}
	defer clear(identity)
	wraps, err := c.wraps.Encode()
	if err != nil {
		return nil, err
	}
	return encodeIdentity(savedIdentity{ID: c.id, Identity: identity, Wraps: string(wraps)})
}

// Generate implements keeper.Custody.
func (c custody) Generate(s keeper.Slot) (keeper.HeldKey, error) {
	name := keyName(c.id, s)
	if err := c.clear(name); err != nil {
		return nil, err
	}
	if err := c.Token.NewShareKey(name); err != nil {
		return nil, away(err)
	}
	return c.taken(name)
}

// clear makes room for a key. It destroys a key that a crash or an abandoned ceremony
// left. A locked key may be in use and stays.
func (c custody) clear(name string) error {
	switch locked, err := c.Token.Sealed(name); {
	case errors.Is(err, token.ErrNoKey):
		return nil
	case err == nil && locked:
		return fmt.Errorf("%w: %s", ErrTaken, name)
	case err != nil && !errors.Is(err, token.ErrAmbiguous):
		return away(err)
	}
	return away(c.Token.Destroy(name))
}

// taken completes a key that has come into the token: it wraps the key to the spare
// tokens while that is still possible. If wrapping fails, it destroys the key.
func (c custody) taken(name string) (keeper.HeldKey, error) {
	k := &held{custody: c, saved: savedKey{Name: name}}
	var err error
	if k.saved.Check, err = c.Token.MAC(name, checkMessage()); err == nil {
		for _, spare := range c.Spares {
			wrapped, bad := c.Token.WrapShareKey(name, spare)
			if bad != nil {
				err = bad
				break
			}
			k.saved.Spares = append(k.saved.Spares, spared{Token: spare.Token, Key: spare.Fingerprint(), Hash: spare.Hash.String(), Wrapped: wrapped})
		}
	}
	if err != nil {
		return nil, errors.Join(away(err), c.Token.Destroy(name))
	}
	return k, nil
}

// Open implements keeper.Custody.
func (c custody) Open(sealed, info []byte, to keeper.Slot) (keeper.HeldKey, error) {
	within, err := c.identity.Unseal(sealed, info)
	if err != nil {
		return nil, err
	}
	bound, wrapped, ok := splitSealed(within)
	if !ok {
		return nil, ErrUnbound
	}
	name := keyName(c.id, to)
	if err := c.clear(name); err != nil {
		return nil, err
	}
	if err := c.Token.UnwrapShareKey(name, wrappingName(c.id), c.wraps.Hash, wrapped); err != nil {
		if errors.Is(err, token.ErrCannot) { // the token answered that this is no key
			return nil, fmt.Errorf("%w: %w", ErrUnbound, err)
		}
		return nil, away(err)
	}
	sum, err := c.Token.MAC(name, boundMessage(info))
	if err == nil && !hmac.Equal(sum[:], bound) {
		err = ErrUnbound
	}
	if err != nil {
		return nil, errors.Join(away(err), c.Token.Destroy(name))
	}
	return c.taken(name)
}

// Load implements keeper.Custody. It does not ask the token.
func (c custody) Load(saved []byte) (keeper.HeldKey, error) {
	k, err := parseKey(saved)
	if err != nil {
		return nil, err
	}
	return &held{custody: c, saved: k}, nil
}

// held is a share key in the token.
type held struct {
	custody
	saved savedKey
}

// MAC implements split.ShareMAC.
func (k *held) MAC(message []byte) ([32]byte, error) {
	sum, err := k.Token.MAC(k.saved.Name, message)
	return sum, away(err)
}

// Seal implements keeper.HeldKey.
func (k *held) Seal(to, info []byte) ([]byte, error) {
	identity, wraps, err := parsePublic(to)
	if err != nil {
		return nil, err
	}
	wrapped, err := k.Token.WrapShareKey(k.saved.Name, wraps)
	if errors.Is(err, token.ErrUnextractable) {
		return nil, fmt.Errorf("%w: %w", keeper.ErrKept, err)
	}
	if err != nil {
		return nil, away(err)
	}
	bound, err := k.Token.MAC(k.saved.Name, boundMessage(info))
	if err != nil {
		return nil, away(err)
	}
	return keeper.SealTo(identity, info, append(bound[:], wrapped...))
}

// Save implements keeper.HeldKey. It returns the key's name, not the key.
func (k *held) Save() ([]byte, error) { return encodeKey(k.saved) }

// Lock implements keeper.HeldKey.
func (k *held) Lock() error {
	locked, err := k.Token.Sealed(k.saved.Name)
	if err == nil && !locked {
		err = k.Token.SealShareKey(k.saved.Name)
	}
	return away(err)
}

// Check implements keeper.HeldKey.
func (k *held) Check() error {
	key, err := token.OpenShareKey(k.Token, k.saved.Name)
	if err != nil {
		return away(err)
	}
	sum, err := key.MAC(checkMessage())
	if err == nil && sum != k.saved.Check {
		err = fmt.Errorf("%w: %s", ErrOther, k.saved.Name)
	}
	return away(err)
}

// Drop implements keeper.HeldKey.
func (k *held) Drop() error { return away(k.Token.Destroy(k.saved.Name)) }

// Wipe implements keeper.HeldKey. This process has nothing of the key.
func (*held) Wipe() {}

// away marks a token's error, so that the caller knows that the token is at fault and
// not the file.
func away(err error) error {
	if err == nil || errors.Is(err, keeper.ErrShareKeys) || errors.Is(err, ErrUnbound) || errors.Is(err, ErrOther) {
		return err
	}
	return fmt.Errorf("%w: %w", keeper.ErrShareKeys, err)
}
