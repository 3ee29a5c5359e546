// Package tokenkeys keeps a keeper's share keys in a token: it is a keeper.Custodian.
//
// It guarantees that no share key's bytes come into this process's memory or into a file
// a key is made in the token or unwrapped into it, leaves it only wrapped to the
// token of another member or to a spare one, and for nobody once it was locked, which is
// done before it is taken into use; that what is opened was sealed, by one who had the key
// itself, for the meeting, the sender and the receiver that it names; and that a key which
// is another one than keeper.json says, or can still be taken out, is not used.
//
// It trusts the token, and the people of the other members that theirs is one: nothing in
// a public key proves where its private half is. It does not trust who carries the files.
//
// What a member seals has two layers. WrapKey binds no text, so within there is, beside
// what the token wrapped, a MAC under the share key itself over the text that the offer is
// bound to: who replays a wrapped key of another ceremony cannot make it. Around both is
// the seal of keeper.SealTo, bound to the same text, by which RSA alone does not decide
// about files that somebody kept for years. docs/HSM.md has the runbook.
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

// Token is what is asked of a token.
type Token interface {
	token.ShareKeys
	WrappingKey(name string) (token.WrappingKey, error)
	Destroy(name string) error
}

// SpareKeyName is the key in a spare token that share keys are wrapped to.
const SpareKeyName = "liuma keeper spare"

// Errors of this package, beside those of packages keeper and token.
var (
	// ErrTaken: the token has a locked key of that name, which may be in use.
	ErrTaken = errors.New("tokenkeys: the token has a locked share key of that key set already")
	// ErrOther: a key or a wrapping key in the token is not the one that keeper.json names.
	ErrOther = errors.New("tokenkeys: the token holds another key than keeper.json says")
	// ErrUnbound: what was sealed is of another meeting, or its sender had not the key.
	ErrUnbound = errors.New("tokenkeys: a share key that was sealed for something else")
	// ErrNotSpare: the keys of the backup were wrapped to another spare token, or to none.
	ErrNotSpare = errors.New("tokenkeys: the share keys were not wrapped to this spare token")
	// ErrSaved is a saved name of a key that is none.
	ErrSaved = errors.New("tokenkeys: damaged")
)

// Custodian keeps share keys in Token, and wraps each to the Spares as well.
type Custodian struct {
	Token  Token
	Spares []token.WrappingKey
}

var _ keeper.Custodian = Custodian{}

// wrappingName is the key in a keeper's token that others wrap to.
func wrappingName(id keeper.ID) string { return "liuma keeper " + string(id) + " wrapping" }

// keyName is a share key's name in the token.
func keyName(id keeper.ID, s keeper.Slot) string {
	return fmt.Sprintf("liuma keeper %s share %d/%d", id, s.KeySet, s.Subset)
}

// Make implements keeper.Custodian. A crash in here leaves a wrapping key in the token,
// which is used the next time.
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

// custody is one keeper's.
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

// clear makes room for a key: one that was left by a crash or by a ceremony that was
// begun anew goes; one that was locked may be in use and stays.
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

// taken completes a key that came into the token: it is wrapped to the spare tokens while
// that can be done. A key of which that fails is destroyed.
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
		if errors.Is(err, token.ErrCannot) { // it answered, and that is no key
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

// Save implements keeper.HeldKey: the key's name, and not the key.
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

// Wipe implements keeper.HeldKey: there is nothing of the key in this process.
func (*held) Wipe() {}

// away marks what the token said, so that whoever asked for a share key knows that it is
// the token's trouble and not the file's.
func away(err error) error {
	if err == nil || errors.Is(err, keeper.ErrShareKeys) || errors.Is(err, ErrUnbound) || errors.Is(err, ErrOther) {
		return err
	}
	return fmt.Errorf("%w: %w", keeper.ErrShareKeys, err)
}
