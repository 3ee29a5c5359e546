package record

import (
	"context"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Needs reports whether only the key with this kid can check the last digest.
// Without that key no further digest can follow. If no key of the authority can
// check the last digest, Needs returns false: otherwise somebody who alters that
// digest could prevent the removal of a stolen key.
func (d *Digester) Needs(ctx context.Context, kid string) (needs bool, err error) {
	all := d.c.Signer.ReceiptKeys()
	others := jose.JSONWebKeySet{Keys: slices.DeleteFunc(all.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })}
	err = d.c.Store.View(ctx, func(r store.Reader) error {
		if _, err := d.last(r); err != nil {
			return err
		}
		_, err := d.lastBy(r, others)
		_, needs = errors.AsType[*audit.Finding](err)
		return err
	})
	if _, found := errors.AsType[*audit.Finding](err); found {
		return needs, nil
	}
	return false, err
}

// Signed checks the last digest with the authority's keys. It may return a
// *audit.Finding.
func (d *Digester) Signed(ctx context.Context) error {
	return d.c.Store.View(ctx, func(r store.Reader) error { _, err := d.last(r); return err })
}

// Resume makes the next digest if the key that signed the last one is gone: it
// was dropped, or it is not in a key file that was put back. The operator gives
// the public keys that were published then. They are accepted for this one
// digest, in addition to the authority's own keys, and the record says so, with
// the reason.
func (d *Digester) Resume(ctx context.Context, given jose.JSONWebKeySet, actor string, reason audit.Reason) (audit.SignedDigest, error) {
	keys := d.c.Signer.ReceiptKeys()
	for _, k := range given.Keys {
		if len(keys.Key(k.KeyID)) == 0 {
			keys.Keys = append(keys.Keys, k)
		}
	}
	e := d.entry(audit.RecordDigested, "ok")
	e.Actor, e.Note = actor, reason.Note("keys=given")
	return d.make(ctx, keys, e)
}
