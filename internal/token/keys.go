//go:build pkcs11

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

// wrappingBits is the size of a wrapping key.
const wrappingBits = 3072

// p256OID is CKA_EC_PARAMS of P-256: the object identifier 1.2.840.10045.3.1.7.
func p256OID() []byte { return []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} }

// stays returns the attributes of each private key that Liuma makes: the key is
// in the token and never leaves it.
func stays(name string) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, name),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
	}
}

func shown(name string) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, name)}
}

// WrappingKey implements Token. It tries which hash the token can use for OAEP,
// because the token's list of mechanisms does not show that.
func (d *device) WrappingKey(name string) (WrappingKey, error) {
	k := WrappingKey{Token: d.cfg.Label}
	err := d.once(func(h pkcs11.SessionHandle) error {
		_, err := d.one(h, object{pkcs11.CKO_PRIVATE_KEY, name})
		if errors.Is(err, ErrNoKey) {
			err = d.makeWrappingKey(h, name)
		}
		if err != nil {
			return err
		}
		k.Public, err = d.rsaPublic(h, name)
		return err
	})
	if err != nil {
		return WrappingKey{}, err
	}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
		k.Hash = hash
		switch err := d.opens(name, k); {
		case err == nil:
			if hash == crypto.SHA1 {
				d.cfg.Logger.Warn("the token can do RSA-OAEP with SHA-1 only", "token", d.cfg.Label)
			}
			return k, nil
		case !errors.Is(err, ErrCannot):
			return WrappingKey{}, err
		}
	}
	return WrappingKey{}, fmt.Errorf("%w: RSA-OAEP", ErrCannot)
}

func (d *device) makeWrappingKey(h pkcs11.SessionHandle, name string) error {
	d.forget(name)
	_, _, err := d.ctx.GenerateKeyPair(h, mechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN),
		append(shown(name), pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, wrappingBits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
			pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true)),
		append(stays(name), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, true)))
	return err
}

// opens tries whether the token can open a secret encrypted to k.
func (d *device) opens(name string, k WrappingKey) error {
	secret := make([]byte, 32)
	rand.Read(secret)
	sealed, err := k.Encrypt(secret)
	if err != nil {
		return err
	}
	got, err := d.Decrypt(name, k.Hash, sealed)
	if err == nil && string(got) != string(secret) {
		err = fmt.Errorf("%w: it opened a trial to something else", ErrCannot)
	}
	return err
}

func (d *device) rsaPublic(h pkcs11.SessionHandle, name string) (*rsa.PublicKey, error) {
	key, err := d.one(h, object{pkcs11.CKO_PUBLIC_KEY, name})
	if err != nil {
		return nil, err
	}
	modulus, err := d.attribute(h, key, pkcs11.CKA_MODULUS)
	if err != nil {
		return nil, err
	}
	exponent, err := d.attribute(h, key, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(exponent)
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}
	if !e.IsInt64() || public.E != 65537 || public.N.BitLen() < minBits {
		return nil, fmt.Errorf("%w: %s in %s", ErrWeakKey, name, d.cfg.Label)
	}
	return public, nil
}

// Decrypt implements Token.
func (d *device) Decrypt(name string, hash crypto.Hash, sealed []byte) (out []byte, err error) {
	oaep, err := oaepWith(hash)
	if err != nil {
		return nil, err
	}
	if len(sealed) < minBits/8 { // the library cannot handle an empty one
		return nil, fmt.Errorf("%w: %d bytes were encrypted to no key", ErrCannot, len(sealed))
	}
	err = d.ask(func(h pkcs11.SessionHandle) error {
		key, err := d.private(h, name)
		if err != nil {
			return err
		}
		if err := d.ctx.DecryptInit(h, oaep, key); err != nil {
			return err
		}
		out, err = d.ctx.Decrypt(h, sealed)
		return d.unopened(h, err)
	})
	return out, err
}

// unopened distinguishes data that does not open from a token that is not
// reachable: for the former, SoftHSM returns only CKR_GENERAL_ERROR.
func (d *device) unopened(h pkcs11.SessionHandle, err error) error {
	if codeOf(err) != pkcs11.CKR_GENERAL_ERROR || d.loggedIn(h) != nil {
		return err
	}
	return fmt.Errorf("%w: it does not open: %s", ErrCannot, err.Error())
}

// NewSigningKey implements Token.
func (d *device) NewSigningKey(name string) (public *ecdsa.PublicKey, err error) {
	err = d.once(func(h pkcs11.SessionHandle) error {
		if err := d.free(h, pkcs11.CKO_PRIVATE_KEY, name); err != nil {
			return err
		}
		key, _, err := d.ctx.GenerateKeyPair(h, mechanism(pkcs11.CKM_EC_KEY_PAIR_GEN),
			append(shown(name), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256OID()), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)),
			append(stays(name), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true)))
		if err != nil {
			return err
		}
		point, err := d.attribute(h, key, pkcs11.CKA_EC_POINT)
		if err != nil {
			return err
		}
		public, err = parsePoint(point)
		return err
	})
	return public, err
}

// parsePoint reads CKA_EC_POINT: an octet string around the point or, from some
// tokens, the point alone.
func parsePoint(b []byte) (*ecdsa.PublicKey, error) {
	var inner []byte
	if rest, err := asn1.Unmarshal(b, &inner); err != nil || len(rest) > 0 {
		inner = b
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), inner)
}

// Sign implements Token.
func (d *device) Sign(name string, digest []byte) (signature []byte, err error) {
	err = d.ask(func(h pkcs11.SessionHandle) error {
		key, err := d.private(h, name)
		if err != nil {
			return err
		}
		signature, err = d.sign(h, pkcs11.CKM_ECDSA, key, digest)
		return err
	})
	if err == nil && len(signature) != 64 {
		err = fmt.Errorf("%w: a signature of %d bytes", ErrCannot, len(signature))
	}
	return signature, err
}

func (d *device) sign(h pkcs11.SessionHandle, kind uint, key pkcs11.ObjectHandle, message []byte) ([]byte, error) {
	if err := d.ctx.SignInit(h, mechanism(kind), key); err != nil {
		return nil, err
	}
	return d.ctx.Sign(h, message)
}

// Destroy implements Token.
func (d *device) Destroy(name string) error {
	defer d.forget(name)
	return d.once(func(h pkcs11.SessionHandle) error {
		for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_SECRET_KEY} {
			found, err := d.list(h, object{class, name})
			if err != nil {
				return err
			}
			for _, key := range found {
				if err := d.ctx.DestroyObject(h, key); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func mechanism(kind uint) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(kind, nil)}
}

// oaepWith returns the mechanism RSA-OAEP with a hash, which is also used for
// its mask.
func oaepWith(hash crypto.Hash) ([]*pkcs11.Mechanism, error) {
	var alg, mgf uint
	switch hash {
	case crypto.SHA256:
		alg, mgf = pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256
	case crypto.SHA1:
		alg, mgf = pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1
	default:
		return nil, fmt.Errorf("%w: OAEP with %s", ErrCannot, hash)
	}
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_OAEP, pkcs11.NewOAEPParams(alg, mgf, pkcs11.CKZ_DATA_SPECIFIED, nil))}, nil
}
