package vault

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/token"
)

// Enclosed says which tokens a key file is sealed to.
type Enclosed struct {
	Tokens []token.WrappingKey // the one in use first
	// Signing is the key that signs from now on, if a new one was made.
	Signing SigningKey
}

// Enclose seals the key file to the token and to spare tokens, and makes a key in the
// token that signs receipts from now on. A file that is already sealed is sealed again,
// to these tokens only. So Enclose also adds or removes a spare token, and lets a spare
// token take the place of a lost one, with its own signing key.
//
// Old signing keys stay until they are dropped. The unsealed file may remain in backups
// and on the disk: once the file is sealed, rotate the root key and drop the old one.
func (f KeyFile) Enclose(spares []token.WrappingKey, now time.Time) (Enclosed, error) {
	if f.Token == nil {
		return Enclosed{}, ErrNoToken
	}
	own, err := f.Token.WrappingKey(WrappingKeyName)
	if err != nil {
		return Enclosed{}, err
	}
	to := []token.WrappingKey{own}
	for _, s := range spares {
		if slices.ContainsFunc(to, func(k token.WrappingKey) bool { return k.Public.Equal(s.Public) }) {
			return Enclosed{}, fmt.Errorf("vault: the token %s is named twice; a spare token is another one", s.Token)
		}
		to = append(to, s)
	}
	out, id := Enclosed{Tokens: to}, -1
	keys, err := f.change(func(r *rawKeys) error {
		r.to = to
		there, err := f.holds(r.signing[r.signs].inToken)
		if err != nil || there {
			return err
		}
		if r.signs != len(r.signing)-1 {
			return ErrKeyPrepared
		}
		if err := f.add(r, now); err != nil {
			return err
		}
		r.signs++
		id = r.signs
		return nil
	})
	if err != nil {
		return Enclosed{}, err
	}
	if id >= 0 {
		out.Signing = keys[id]
	}
	return out, nil
}

// holds reports whether the token has a signing key.
func (f KeyFile) holds(k tokenKey) (bool, error) {
	if !k.is() {
		return false, nil
	}
	err := (&tokenSigner{token: f.Token, name: k.name()}).trial()
	if errors.Is(err, token.ErrNoKey) {
		return false, nil
	}
	return err == nil, err
}

// Recipients lists the tokens that a key file is sealed to; none if it is not sealed.
// It does not use a token.
func (f KeyFile) Recipients() ([]token.WrappingKey, error) {
	content, _, err := readPrivate(f.Path)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	body, err := checked(content)
	if err != nil || !isSealed(content) {
		return nil, err
	}
	raw := new(rawKeys)
	_, _, err = raw.parseRecipients(body)
	return raw.to, err
}
