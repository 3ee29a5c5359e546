//go:build pkcs11

package token

import (
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// object names a key in the token.
type object struct {
	class uint
	name  string
}

type objectList []pkcs11.ObjectHandle

// list finds the keys with a name. Handles are valid for one connection, so they
// are kept that long.
func (d *device) list(h pkcs11.SessionHandle, o object) (objectList, error) {
	d.mu.Lock()
	kept := d.objects[o]
	d.mu.Unlock()
	if len(kept) > 0 {
		return kept, nil
	}
	err := d.ctx.FindObjectsInit(h, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, o.class), pkcs11.NewAttribute(pkcs11.CKA_LABEL, o.name), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
	})
	if err != nil {
		return nil, err
	}
	found, _, err := d.ctx.FindObjects(h, 8)
	if err != nil {
		return nil, err
	}
	if err := d.ctx.FindObjectsFinal(h); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(found) > 0 && d.objects != nil {
		d.objects[o] = found
	}
	return found, nil
}

// forget drops the kept handles of a name.
func (d *device) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for o, keys := range d.objects {
		if o.name != name {
			continue
		}
		for _, key := range keys {
			delete(d.stay, key)
		}
		delete(d.objects, o)
	}
}

// one finds the key with a name; it is an error if there are two.
func (d *device) one(h pkcs11.SessionHandle, o object) (pkcs11.ObjectHandle, error) {
	found, err := d.list(h, o)
	switch {
	case err != nil:
		return 0, err
	case len(found) == 0:
		return 0, fmt.Errorf("%w: %s in %s", ErrNoKey, o.name, d.cfg.Label)
	case len(found) > 1:
		return 0, fmt.Errorf("%w: %s in %s", ErrAmbiguous, o.name, d.cfg.Label)
	}
	return found[0], nil
}

// private finds a private key, and refuses one that could be extracted: somebody
// else put it in the place of Liuma's key.
func (d *device) private(h pkcs11.SessionHandle, name string) (pkcs11.ObjectHandle, error) {
	key, err := d.one(h, object{pkcs11.CKO_PRIVATE_KEY, name})
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	stays := d.stay[key]
	d.mu.Unlock()
	if stays { // for ever: a token never makes a key extractable again
		return key, nil
	}
	sensitive, err := d.flag(h, key, pkcs11.CKA_SENSITIVE)
	if err != nil {
		return 0, err
	}
	extractable, err := d.flag(h, key, pkcs11.CKA_EXTRACTABLE)
	if err != nil {
		return 0, err
	}
	if extractable || !sensitive {
		return 0, fmt.Errorf("%w: %s in %s", ErrWeakKey, name, d.cfg.Label)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stay[key] = true
	return key, nil
}

// share finds a share key, and refuses one whose bytes the token would reveal.
func (d *device) share(h pkcs11.SessionHandle, name string) (pkcs11.ObjectHandle, error) {
	key, err := d.one(h, object{pkcs11.CKO_SECRET_KEY, name})
	if err != nil {
		return 0, err
	}
	sensitive, err := d.flag(h, key, pkcs11.CKA_SENSITIVE)
	if err == nil && !sensitive {
		err = fmt.Errorf("%w: %s in %s", ErrWeakKey, name, d.cfg.Label)
	}
	return key, err
}

func (d *device) flag(h pkcs11.SessionHandle, key pkcs11.ObjectHandle, kind uint) (bool, error) {
	value, err := d.attribute(h, key, kind)
	if err != nil {
		return false, err
	}
	return slices.Equal(value, []byte{1}), nil
}

func (d *device) attribute(h pkcs11.SessionHandle, key pkcs11.ObjectHandle, kind uint) ([]byte, error) {
	got, err := d.ctx.GetAttributeValue(h, key, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil {
		return nil, err
	}
	return got[0].Value, nil
}

// free refuses a name that is already used.
func (d *device) free(h pkcs11.SessionHandle, class uint, name string) error {
	found, err := d.list(h, object{class, name})
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%w: %s in %s", ErrExists, name, d.cfg.Label)
	}
	return err
}
