package rows

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// inner is a value within a row that the vault encrypted by itself. The row's
// seal is over its encrypted form.
type inner struct {
	purpose vault.Purpose
	id      []byte
	sealed  *[]byte
}

// innerOf are the encrypted values of a row.
func innerOf(v any) []inner {
	switch v := v.(type) {
	case *whole:
		return []inner{{vault.CardFacts, v.Card.ID[:], &v.Card.Sealed}, {vault.ContactPhone, v.Card.ID[:], &v.Contact.Sealed}}
	case *store.Person:
		return []inner{{vault.PersonFacts, v.Holder[:], &v.Sealed}}
	case *store.Conflict:
		return []inner{{vault.PersonFacts, v.Person.Holder[:], &v.Person.Sealed}}
	case *store.PersonChange:
		return []inner{{vault.PersonFacts, v.Holder[:], &v.Sealed}}
	case *store.Correction:
		return []inner{{vault.PersonFacts, v.Number[:], &v.Sealed}}
	case *store.SealKey:
		return []inner{{vault.SealKey, []byte(v.ID), &v.Sealed}}
	case *store.Ceremony:
		return []inner{{vault.CeremonyDetails, []byte(v.ID), &v.Sealed}}
	case *store.FormerContact:
		return []inner{{vault.ContactPhone, v.Card[:], &v.Sealed}}
	case *store.NoticeContact:
		return []inner{{vault.NoticePhone, v.Card[:], &v.Sealed}}
	case *store.Message:
		return []inner{{vault.MessageText, []byte(v.ID), &v.Sealed}}
	case *store.Letter:
		return []inner{{vault.LetterText, []byte(v.ID), &v.Sealed}}
	}
	return nil
}

// encrypt encrypts the values of a row anew that are under another root key
// than the one given. Every row goes through it when it is written, so that what
// was read before a rotation and is written after it does not bring an old key
// back: no row is sealed under one key with a value in it under another. A value
// that does not open is an error, and the row stays what it was. What no row keeps any
// more is dropped here too.
func (c *Codec) encrypt(v any, under uint32) error {
	if w, ok := v.(*whole); ok {
		w.Card.Sealed = nil // the copy of the registry that 0.1.0 kept
	}
	for _, in := range innerOf(v) {
		if key, ok := vault.SealedUnder(*in.sealed); !ok || key == under {
			continue
		}
		fresh, _, err := c.seal.Reseal(in.purpose, in.id, *in.sealed)
		if err != nil {
			return fmt.Errorf("store: seal anew: %w", err)
		}
		*in.sealed = fresh
	}
	return nil
}

// resealingKey is the key of the one row that says how far resealing has come.
var resealingKey = []byte("rows")

// resealed is a table that resealing goes through; again seals one of its rows.
type resealed struct {
	table *Table
	again func(*Tx, Row) (changed bool, err error)
}

func resealedOf[T any](k *kind[T]) resealed {
	return resealed{&k.Table, func(t *Tx, r Row) (bool, error) { return resealRow(t, k, r) }}
}

// resealedTables lists them in the order of a pass: Tables without the row that
// counts the pass, which each step writes, and without those that no root key seals.
func (t *tables) resealedTables() []resealed {
	return []resealed{resealedOf(&t.cards), resealedOf(&t.claims), resealedOf(&t.holders), resealedOf(&t.numbers), resealedOf(&t.requests), resealedOf(&t.intents),
		resealedOf(&t.persons), resealedOf(&t.clients), resealedOf(&t.evidence), resealedOf(&t.sealKeys),
		resealedOf(&t.starts), resealedOf(&t.ceremonies), resealedOf(&t.codes), resealedOf(&t.ticks),
		resealedOf(&t.freezeCodes), resealedOf(&t.messages), resealedOf(&t.clock), resealedOf(&t.sweeps), resealedOf(&t.archives),
		resealedOf(&t.meters), resealedOf(&t.conflicts), resealedOf(&t.changes),
		resealedOf(&t.corrections),
		resealedOf(&t.staff), resealedOf(&t.sessions), resealedOf(&t.proposals),
		resealedOf(&t.editions), resealedOf(&t.tickets), resealedOf(&t.lookUps), resealedOf(&t.deskPads),
		resealedOf(&t.tallies),
		resealedOf(&t.formers), resealedOf(&t.closings), resealedOf(&t.letters), resealedOf(&t.agencies), resealedOf(&t.notices),
		resealedOf(&t.sums), resealedOf(&t.padOffers),
		{&t.sharedRow.Table, resealShared}}
}

// resealRow seals a row anew if its seal hangs on an older key. It is checked
// first, so that a row which the authority did not write never gets a seal.
//
// The rev stays: it is the head of a card at the keepers, and the revision that
// a ceremony's page compares. If it rose, a row that was put back from an older
// copy would come one nearer to the head that the keepers hold, and be taken for
// the newest; as it is, such a row stays refused, whatever key seals it. And the
// keepers need not hear of it, for every card of a nation at once.
func resealRow[T any](t *Tx, k *kind[T], r Row) (bool, error) {
	v, err := open[T](t.codec, &k.Table, r)
	if err == nil {
		err = t.vouch(&k.Table, r) // a client or seal key that was put back is not vouched for
	}
	if err != nil || r.Seal.Key == t.codec.seal.SealsWith() {
		return false, err
	}
	fresh, err := row(t.codec, k, r.Home, r.Key, &v, r.Rev)
	if errors.Is(err, vault.ErrUnseal) || errors.Is(err, vault.ErrSealKey) {
		err = fault(&k.Table, err)
		t.codec.alarm(k.Name, err)
	}
	if err != nil {
		return false, err
	}
	if err := t.to.Update(&k.Table, fresh, r.Rev); err != nil {
		return false, err
	}
	return true, t.share(&k.Table, r.Key, &fresh.Seal.MAC)
}

// resealShared writes the shared row once more, at the end of the transaction.
func resealShared(t *Tx, r Row) (bool, error) {
	if r.Seal.Key == t.codec.seal.SealsWith() {
		return false, nil
	}
	s, err := t.sharedNow()
	if err != nil {
		return false, err
	}
	s.edit()
	return true, nil
}

func (r *Reader) Resealing() (store.Resealing, error) {
	s, _, err := get(r, &r.codec.resealing, resealingKey)
	return s, err
}

// ResealStep keeps its place in a sealed row, in the transaction of the rows
// that it did. A crash before the commit leaves both as they were, and the step
// is done again. Who deletes that row makes the pass begin anew, and who puts an
// earlier one back makes it repeat what was done.
func (t *Tx) ResealStep(now time.Time, limit int) (store.Resealing, error) {
	k, key := &t.codec.resealing, t.codec.seal.SealsWith()
	s, rev, err := get(&t.Reader, k, resealingKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	if s.Key == key && s.Ended() {
		return s, nil
	}
	// Without it no client and no seal key can be told from one that was put back.
	if _, err := t.sharedNow(); err != nil {
		return s, err
	}
	t.kept = true // whatever comes is undone together
	if s.Key != key {
		s = store.Resealing{Key: key, Table: t.codec.resealedTables()[0].table.Name, BegunAt: now}
	} else if err := t.resealSome(&s, now, limit); err != nil {
		return s, err
	}
	wrote := t.wrote
	if rev == 0 {
		err = insert(t, k, resealingKey, &s, 1)
	} else {
		err = update(t, k, resealingKey, &s, rev)
	}
	t.wrote = wrote
	return s, err
}

// resealSome goes on from where s says, for at most limit rows.
func (t *Tx) resealSome(s *store.Resealing, now time.Time, limit int) error {
	all := t.codec.resealedTables()
	at := slices.IndexFunc(all, func(r resealed) bool { return r.table.Name == s.Table })
	if at < 0 {
		return fmt.Errorf("store: reseal: no table %q", s.Table)
	}
	for limit > 0 {
		q := Query{Limit: limit}
		if len(s.After) > 0 {
			q.After = s.After
		}
		found, err := t.from.List(all[at].table, q)
		if err != nil {
			return err
		}
		for _, r := range found {
			changed, err := all[at].again(t, r)
			switch {
			case errors.Is(err, store.ErrSeal):
				s.Refused++
			case err != nil:
				return err
			case changed:
				s.Rows++
			}
			s.After = bytes.Clone(r.Key)
		}
		if len(found) == limit {
			return nil
		}
		limit -= len(found)
		if at++; at == len(all) {
			s.EndedAt = now
			return nil
		}
		s.Table, s.After = all[at].table.Name, nil
	}
	return nil
}
