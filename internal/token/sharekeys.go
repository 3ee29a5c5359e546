//go:build pkcs11

package token

import (
	"crypto"
	"crypto/sha256"
	"fmt"

	"github.com/miekg/pkcs11"
)

// open returns the attributes of a share key during its ceremony: the token reveals
// it to nobody, but can wrap it to another token's key.
func open(name string) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, name),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
	}
}

// NewShareKey implements ShareKeys.
func (d *device) NewShareKey(name string) error {
	return d.once(func(h pkcs11.SessionHandle) error {
		if err := d.free(h, pkcs11.CKO_SECRET_KEY, name); err != nil {
			return err
		}
		_, err := d.ctx.GenerateKey(h, mechanism(pkcs11.CKM_GENERIC_SECRET_KEY_GEN), append(open(name), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, sha256.Size)))
		return err
	})
}

// WrapShareKey implements ShareKeys. The other token's key is in this token only
// during the call.
func (d *device) WrapShareKey(name string, to WrappingKey) (wrapped []byte, err error) {
	oaep, err := oaepWith(to.Hash)
	if err != nil {
		return nil, err
	}
	err = d.once(func(h pkcs11.SessionHandle) error {
		key, err := d.share(h, name)
		if err != nil {
			return err
		}
		public, err := d.ctx.CreateObject(h, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true),
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS, to.Public.N.Bytes()), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		})
		if err != nil {
			return err
		}
		wrapped, err = d.ctx.WrapKey(h, oaep, public, key)
		if gone := d.ctx.DestroyObject(h, public); err == nil {
			err = gone
		}
		return err
	})
	return wrapped, err
}

// UnwrapShareKey implements ShareKeys. Not every token reports the size of an
// unwrapped key, so a share key is recognised only by its fingerprint.
func (d *device) UnwrapShareKey(name, wrappingKey string, hash crypto.Hash, wrapped []byte) error {
	oaep, err := oaepWith(hash)
	if err != nil {
		return err
	}
	if len(wrapped) < minBits/8 { // the library cannot handle an empty one
		return fmt.Errorf("%w: %d bytes are no wrapped key", ErrCannot, len(wrapped))
	}
	return d.once(func(h pkcs11.SessionHandle) error {
		if err := d.free(h, pkcs11.CKO_SECRET_KEY, name); err != nil {
			return err
		}
		by, err := d.private(h, wrappingKey)
		if err != nil {
			return err
		}
		_, err = d.ctx.UnwrapKey(h, oaep, by, wrapped, open(name))
		return d.unopened(h, err)
	})
}

// SealShareKey implements ShareKeys. A token lets CKA_EXTRACTABLE change to false,
// and never back.
func (d *device) SealShareKey(name string) error {
	return d.once(func(h pkcs11.SessionHandle) error {
		key, err := d.share(h, name)
		if err != nil {
			return err
		}
		return d.ctx.SetAttributeValue(h, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false)})
	})
}

// Sealed implements ShareKeys.
func (d *device) Sealed(name string) (sealed bool, err error) {
	err = d.ask(func(h pkcs11.SessionHandle) error {
		key, err := d.share(h, name)
		if err != nil {
			return err
		}
		extractable, err := d.flag(h, key, pkcs11.CKA_EXTRACTABLE)
		sealed = !extractable
		return err
	})
	return sealed, err
}

// MAC implements ShareKeys. It may be repeated, because the result is always
// the same.
func (d *device) MAC(name string, message []byte) (out [sha256.Size]byte, err error) {
	err = d.ask(func(h pkcs11.SessionHandle) error {
		key, err := d.one(h, object{pkcs11.CKO_SECRET_KEY, name})
		if err != nil {
			return err
		}
		sum, err := d.sign(h, pkcs11.CKM_SHA256_HMAC, key, message)
		if err != nil {
			return err
		}
		defer clear(sum)
		if len(sum) != len(out) {
			return fmt.Errorf("%w: a MAC of %d bytes", ErrCannot, len(sum))
		}
		copy(out[:], sum)
		return nil
	})
	return out, err
}
