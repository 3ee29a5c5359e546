package rows

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// A claim of a handle that leads nowhere is left where a code was never redeemed and its
// ceremony was forgotten without it: by a release that did not drop claims then, or by one that
// was suspended in between. It says that its card had such a link once, or nearly.

// handleOfKey is what claimKey made a key of.
func handleOfKey(key []byte) (ch liuma.ChannelID, h store.Handle, ok bool) {
	var parts [2]string
	for i := range parts {
		if len(key) < 4 {
			return "", "", false
		}
		n := binary.BigEndian.Uint32(key)
		if key = key[4:]; uint64(n) > uint64(len(key)) {
			return "", "", false
		}
		parts[i], key = string(key[:n]), key[n:]
	}
	return liuma.ChannelID(parts[0]), store.Handle(parts[1]), len(key) == 0
}

func (r *Reader) WalkHandles(after []byte, limit int) (w store.WalkedHandles, err error) {
	if r.ended {
		return w, errEnded
	}
	limit = max(0, limit)
	if after == nil {
		after = []byte{} // no key is empty
	}
	found, err := r.from.List(&r.codec.claims.Table, Query{After: after, Limit: limit})
	if err != nil {
		return w, err
	}
	w.Rows = len(found)
	for _, row := range found {
		w.Next = bytes.Clone(row.Key)
		c, err := open[claim](r.codec, &r.codec.claims.Table, row)
		ch, h, ok := handleOfKey(row.Key)
		if errors.Is(err, store.ErrSeal) || err == nil && !ok {
			continue
		}
		if err != nil {
			return w, err
		}
		card, err := r.card(c.Card)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSeal), errors.Is(err, store.ErrBehind):
			continue
		case err != nil:
			return w, err
		}
		if card.link(ch, h) < 0 {
			w.Loose = append(w.Loose, store.HandleKey{Channel: ch, Handle: h, Card: c.Card})
		}
	}
	if len(found) < limit {
		w.Next = nil
	}
	return w, nil
}

func (r *Reader) HandleSweep() (store.Sweep, error) { return r.sweep(handleSweepKey) }

// SaveHandleSweep may be lost or put back, as SaveSweep.
func (t *Tx) SaveHandleSweep(s store.Sweep) error { return t.saveSweep(handleSweepKey, s) }

// PruneHandle writes the card too, whose revision is compared, so that it and whoever makes the
// link have one order: claims are not held by those who read them. A crash before the commit
// leaves the claim.
func (t *Tx) PruneHandle(k store.HandleKey) (bool, error) {
	key := claimKey(k.Channel, k.Handle)
	there, _, err := get(&t.Reader, &t.codec.claims, key)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSeal):
		return false, nil
	case err != nil:
		return false, err
	case there.Card != k.Card:
		return false, nil
	}
	c, err := t.card(k.Card)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSeal):
		return false, nil // a card that is on its way is not seen yet
	case err != nil:
		return false, err
	case c.link(k.Channel, k.Handle) >= 0, c.Card.Behind != 0:
		return false, nil
	}
	if _, err := t.delete(&t.codec.claims.Table, is("", key)); err != nil {
		return false, err
	}
	return true, t.edit(k.Card, func(*cardState) {})
}
