package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// Other members also hold each of a lost keeper's share keys. A new machine asks for
// them with a new identity. Each other member seals the keys that it shared with the
// lost keeper, after people have compared the digits of the request. The new machine
// takes each gift after its digits were compared; if two members hold a key, both must
// have given the same one. A keeper that missed a key set while it was away asks in the
// same way.
const (
	askLabel     = "liuma/1/key-ask"
	giftLabel    = "liuma/1/key-gift"
	sealingLabel = "liuma/1/share-gift"
)

// askState is asking.json. It holds share keys.
type askState struct {
	Format string     `json:"format"`
	Ask    askMessage `json:"ask"`
	Gifts  []gotGift  `json:"gifts"`
}

// gotGift is a gift that was received.
type gotGift struct {
	Member int       `json:"member"`
	ID     keeper.ID `json:"id"`
	Sets   []gotSet  `json:"key_sets"`
}

type gotSet struct {
	KeySet  uint32      `json:"key_set"`
	Members []keeper.ID `json:"members"`
	Keys    []keptKey   `json:"share_keys"`
	Sums    []shown     `json:"fingerprints"`
}

func (a *askState) wipe() {
	for _, g := range a.Gifts {
		for _, s := range g.Sets {
			for _, k := range s.Keys {
				clear(k.Key)
			}
		}
	}
}

// asking returns the keeper's pending request for share keys; nil if there is none.
func (d Desk) asking(f *keeper.KeyFile) (*askState, error) {
	data, err := d.secret(askFile)
	if data == nil || err != nil {
		return nil, err
	}
	defer clear(data)
	s, err := read[askState](data)
	if err != nil || s.Format != stateFormat || s.Ask.ID != f.ID() || !bytes.Equal(s.Ask.Identity, f.Custody().Public()) {
		s.wipe()
		return nil, fmt.Errorf("%w: %s", ErrState, askFile)
	}
	return s, nil
}

func (d Desk) saveAsking(a *askState) error {
	data, err := marshal(a)
	if err != nil {
		return err
	}
	defer clear(data)
	return d.Disk.Write(d.Dir, askFile, data)
}

// Replace makes a directory for a keeper that takes a lost keeper's place, and asks for
// that keeper's share keys.
//
// A crash in here leaves no keeper, or an identity that has asked for nothing: call it
// again.
func (d Desk) Replace(w Who) (Where, error) {
	return d.made(w, func(f *keeper.KeyFile) (Where, error) { return d.ask(f, w, false) })
}

// Join asks for the key sets that a keeper missed while it was away.
func (d Desk) Join() (Where, error) {
	return d.opened(func(f *keeper.KeyFile) (Where, error) {
		if err := d.free(); err != nil {
			return Where{}, err
		}
		now := quiet(f)
		if now.Stage == Nothing {
			return Where{}, &OrderError{now}
		}
		w := Who{ID: f.ID(), Member: now.Member, Shape: now.Shape}
		if err := w.check(); err != nil {
			return Where{}, err
		}
		return d.ask(f, w, true)
	})
}

// TakeOver makes a directory for a keeper on a new machine, and takes over its key sets
// from a copy of the lost machine's keeper.json, whose share keys are in a device; see
// keeper.KeyFile.TakeOver.
func (d Desk) TakeOver(w Who, lost []byte, move func(to keeper.Custody, saved []byte) (keeper.HeldKey, error)) (Where, error) {
	return d.made(w, func(f *keeper.KeyFile) (Where, error) {
		if err := f.TakeOver(lost, w.Member, w.Shape, move); err != nil {
			return Where{}, err
		}
		return quiet(f), nil
	})
}

func (d Desk) ask(f *keeper.KeyFile, w Who, joins bool) (Where, error) {
	if !f.Custody().Gives() {
		return Where{}, keeper.ErrKept
	}
	a := &askState{Format: stateFormat, Ask: askMessage{head: headOf(kindAsk, w), Joins: joins, Identity: f.Custody().Public()}}
	rand.Read(a.Ask.Nonce[:]) // never fails since Go 1.24
	if err := d.clearCarry(); err != nil {
		return Where{}, err
	}
	if err := d.saveAsking(a); err != nil {
		return Where{}, err
	}
	return d.whereAsking(f, a)
}

// whereAsking describes the state of the request, and writes the files that must be
// carried.
func (d Desk) whereAsking(f *keeper.KeyFile, a *askState) (Where, error) {
	w := viewAsking(f, a)
	data, err := marshal(a.Ask)
	if err != nil {
		return Where{}, err
	}
	path, err := d.carry(fileOfAsking(a.Ask.ID, kindAsk), data)
	if err != nil {
		return Where{}, err
	}
	w.Carry, w.Digits = []string{path}, d.digitsOf(hashOf(askLabel, data))
	return w, nil
}

func viewAsking(f *keeper.KeyFile, a *askState) Where {
	w := Where{Stage: Gathered, ID: a.Ask.ID, Shape: a.Ask.shape(), Member: a.Ask.Member, Sets: f.KeySets()}
	ids := make([]keeper.ID, w.Shape.N)
	for _, set := range w.Sets {
		copy(ids, set.Members)
	}
	for _, g := range a.Gifts {
		ids[g.Member-1] = g.ID
	}
	w.Others = others(w.Member, ids, w.Shape)
	for _, o := range w.Others {
		if !slices.ContainsFunc(a.Gifts, func(g gotGift) bool { return g.Member == o.Member }) {
			w.Stage, w.Waits = Gifts, append(w.Waits, o)
		}
	}
	return w
}

// Ask is the content of a file that asks for share keys, for the person who decides
// about it.
type Ask struct {
	ID     keeper.ID
	Member int
	Shape  split.Shape
	Joins  bool // the keeper exists and lacks a key set
}

// ReadAsk reads a file that asks for share keys.
func ReadAsk(data []byte) (Ask, error) {
	m, err := parse(data)
	if err != nil {
		return Ask{}, err
	}
	if m.ask == nil {
		return Ask{}, fmt.Errorf("%w: it asks for nothing", ErrFile)
	}
	return Ask{ID: m.ID, Member: m.Member, Shape: m.shape(), Joins: m.ask.Joins}, nil
}

// Give seals the share keys that this keeper and the asking keeper both hold to the
// asking keeper's identity. heard are the digits that the asking keeper's people read
// aloud. serves reports whether the lost keeper still answers, as far as this keeper
// can know; nil: it cannot know.
//
// It changes nothing here except the file to be carried, and may be repeated.
func (d Desk) Give(ctx context.Context, file []byte, heard string, serves func(context.Context, keeper.ID) bool) (Where, error) {
	m, err := parse(file)
	if err != nil {
		return Where{}, err
	}
	if m.ask == nil {
		return Where{}, fmt.Errorf("%w: it asks for nothing", ErrFile)
	}
	return d.opened(func(f *keeper.KeyFile) (Where, error) {
		w := quiet(f)
		if w.Stage != Ready {
			return Where{}, &OrderError{w}
		}
		if !f.Custody().Gives() {
			return Where{}, keeper.ErrKept
		}
		if err := mayAsk(m, w); err != nil {
			return Where{}, err
		}
		if !m.ask.Joins && serves != nil && serves(ctx, m.ID) {
			return Where{}, fmt.Errorf("%w: %s", ErrServes, m.ID)
		}
		asked := hashOf(askLabel, m.data)
		if !sameDigits(heard, d.digitsOf(asked)) {
			return Where{}, ErrReading
		}
		return d.give(f, w, m, asked)
	})
}

// mayAsk returns an error unless the sender is another member of this keeper's shape.
func mayAsk(m message, own Where) error {
	switch {
	case own.Shape.N == 1:
		return ErrAlone
	case m.shape() != own.Shape:
		return fmt.Errorf("%w: %s asks as one of %s, this keeper is of %s", ErrSet, m.ID, m.shape(), own.Shape)
	case m.Member == own.Member || m.ID == own.ID:
		return fmt.Errorf("%w: %s asks in this keeper's own place", ErrSet, m.ID)
	}
	for _, o := range own.Others {
		if o.Member == m.Member && o.ID != "" && o.ID != m.ID {
			return fmt.Errorf("%w: member %d is %s, not %s", ErrSet, m.Member, o.ID, m.ID)
		}
	}
	return nil
}

func (d Desk) give(f *keeper.KeyFile, w Where, m message, asked keeper.Hash) (Where, error) {
	gift := giftMessage{head: headOf(kindGift, Who{ID: w.ID, Member: w.Member, Shape: w.Shape}), Ask: asked}
	for _, set := range w.Sets {
		g, err := giveSet(f, set, m, asked)
		if err != nil {
			return Where{}, err
		}
		gift.Sets = append(gift.Sets, g)
	}
	data, err := marshal(gift)
	if err != nil {
		return Where{}, err
	}
	path, err := d.carry(fileOfAsking(w.ID, kindGift+"-"+string(m.ID)), data)
	if err != nil {
		return Where{}, err
	}
	w.Carry, w.Digits = []string{path}, d.digitsOf(hashOf(giftLabel, data))
	return w, nil
}

// giveSet seals the keys of a key set that both keepers hold, and no others (I-5).
func giveSet(f *keeper.KeyFile, set keeper.SetInfo, m message, asked keeper.Hash) (givenSet, error) {
	out := givenSet{KeySet: set.ID, Members: set.Members}
	held, err := f.Keys(set.ID)
	if err != nil {
		return out, err
	}
	defer wipeAll(held)
	for _, s := range set.Shape.SubsetsOf(set.Member) {
		if !s.Has(m.Member) {
			continue
		}
		k := givenKey{Subset: s}
		if k.Sum, err = keeper.FingerprintOf(set.ID, s, held[s]); err != nil {
			return out, err
		}
		if k.Sealed, err = held[s].Seal(m.ask.Identity, sealing(asked, set.ID, s, set.Member)); err != nil {
			return out, fmt.Errorf("%w: the identity of %s: %w", ErrFile, m.ID, err)
		}
		out.Keys = append(out.Keys, k)
	}
	return out, nil
}

func wipeAll(held map[split.Subset]keeper.HeldKey) {
	for _, k := range held {
		k.Wipe()
	}
}

// sealing returns the text that a given key is bound to. The hash of the request covers
// the identity, the member and the shape.
func sealing(asked keeper.Hash, keySet uint32, s split.Subset, from int) []byte {
	b := binary.BigEndian.AppendUint32([]byte(sealingLabel), keySet)
	b = append(b, byte(s), byte(from))
	return append(b, asked[:]...)
}
