package rows

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// padOfferTable finds an offer by its number, which is taken once, and by its pad.
func padOfferTable() kind[store.PadOffer] {
	return kind[store.PadOffer]{Table{Name: "pad_offers", Columns: []Column{{Name: "pad", Unique: true}, {Name: "until", Number: true}}},
		func(p *store.PadOffer) []byte { return p.Number[:] },
		func(p *store.PadOffer) []Value { return []Value{[]byte(p.Pad), p.Until.UnixMilli()} }}
}

func (r *Reader) PadOffer(number vault.Index) (store.PadOffer, error) {
	p, _, err := get(r, &r.codec.padOffers, number[:])
	return p, err
}

func (r *Reader) PadOfferOf(pad string) (store.PadOffer, error) {
	return first(r, &r.codec.padOffers, is("pad", []byte(pad)))
}

// PutPadOffer: a crash before the commit leaves the earlier offer, and its pad asks for
// another number.
func (t *Tx) PutPadOffer(p store.PadOffer) error {
	wrote, k := t.wrote, &t.codec.padOffers
	before, err := t.PadOfferOf(p.Pad)
	if err == nil {
		err = t.deleteOne(&k.Table, before.Number[:])
	}
	if err == nil || errors.Is(err, store.ErrNotFound) {
		err = insert(t, k, k.key(&p), &p, 1)
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

func (t *Tx) DeletePadOffer(number vault.Index) error {
	wrote := t.wrote
	err := t.deleteOne(&t.codec.padOffers.Table, number[:])
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

func (t *Tx) PrunePadOffers(at time.Time) (int64, error) {
	wrote := t.wrote
	n, err := t.delete(&t.codec.padOffers.Table, before("until", at))
	t.wrote, t.kept = wrote, t.kept || n > 0
	return n, err
}
