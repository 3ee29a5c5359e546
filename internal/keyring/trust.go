package keyring

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const (
	wordLabel    = "liuma/1/keyring/word"
	editionLabel = "liuma/1/keyring/edition"
)

func identityOf(m store.KeyringMember) vault.Identity {
	return vault.Identity{Name: m.Name, Opens: m.Opens, Signs: m.Signs}
}

func memberOf(row *store.Keyring, name string) *store.KeyringMember {
	i := slices.IndexFunc(row.Members, func(m store.KeyringMember) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &row.Members[i]
}

// trusted are the identities that an authority goes by, itself among them: those that it
// gave its word for, and those that one of these gave its word for. Words are signed, so
// that who has the vault's key file alone makes up none. Nobody goes by one that was
// dismissed, whatever words there are.
func (k *Keyring) trusted(row *store.Keyring, from vault.Identity) map[string]vault.Identity {
	known, _ := k.trustedThrough(row, from)
	return known
}

// trustedThrough is trusted, and says of each through which one it is known that the
// authority gave its own word for; of such a one, itself.
func (k *Keyring) trustedThrough(row *store.Keyring, from vault.Identity) (known map[string]vault.Identity, through map[string]string) {
	known, through = map[string]vault.Identity{from.Name: from}, map[string]string{from.Name: from.Name}
	grow := func(ownWords bool) (grew bool) {
		for _, m := range row.Members {
			if _, ok := known[m.Name]; ok || k.isGone(identityOf(m).Fingerprint()) {
				continue
			}
			for _, w := range m.Confirmed {
				by, ok := known[w.By]
				own := w.By == from.Name
				if ok && own == ownWords && by.Fingerprint() == w.Print && by.Verify(wordLabel, w.Sign, wordFields(identityOf(m), w.At)...) {
					known[m.Name], through[m.Name], grew = identityOf(m), through[w.By], true
					if own {
						through[m.Name] = m.Name
					}
					break
				}
			}
		}
		return grew
	}
	grow(true)
	for grow(false) {
	}
	return known, through
}

func wordFields(of vault.Identity, at time.Time) [][]byte {
	print := of.Fingerprint()
	return [][]byte{print[:], binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))} //nolint:gosec // a time
}

// same reports whether a member is still the one with an identity.
func same(m *store.KeyringMember, i vault.Identity) bool {
	return m != nil && m.Name == i.Name && bytes.Equal(m.Opens, i.Opens) && bytes.Equal(m.Signs, i.Signs)
}

// mutual lists whom an authority gives keys to, and of those who serve the ones that would
// not get them, or not take them from it.
func (k *Keyring) mutual(row *store.Keyring, me vault.Identity, peers []store.Peer) (to map[string]vault.Identity, not []string) {
	to = k.trusted(row, me)
	for _, p := range peers {
		if p.Name == me.Name {
			continue
		}
		i, ok := to[p.Name]
		if ok {
			back, there := k.trusted(row, i)[me.Name]
			ok = there && back.Fingerprint() == me.Fingerprint()
		}
		if !ok {
			not = append(not, p.Name)
		}
	}
	return to, not
}

// Confirm gives this authority's word for another's identity, whose digits somebody
// compared. ErrMember. Where the other is trusted already it gets the keys of now.
func (k *Keyring) Confirm(ctx context.Context, actor, name, digits string, reason audit.Reason) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	me, err := k.identity(false)
	if err != nil {
		return err
	}
	now := k.c.Now()
	return k.change(ctx, func(row *store.Keyring) (audit.Entry, error) {
		m := memberOf(row, name)
		if m == nil || name == me.Name || !same(memberOf(row, me.Name), me.Identity) || !identityOf(*m).Fingerprint().Heard(digits) {
			return audit.Entry{}, ErrMember
		}
		if k.isGone(identityOf(*m).Fingerprint()) {
			return audit.Entry{}, ErrGone
		}
		at := now.UTC().Truncate(time.Millisecond)
		word, err := me.Sign(wordLabel, wordFields(identityOf(*m), at)...)
		if err != nil {
			return audit.Entry{}, err
		}
		m.Confirmed = slices.DeleteFunc(slices.Clone(m.Confirmed), func(w store.KeyringWord) bool { return w.By == me.Name })
		m.Confirmed = append(m.Confirmed, store.KeyringWord{By: me.Name, Print: me.Fingerprint(), At: at, Sign: word})
		if err := k.giveAgain(row, me); err != nil {
			return audit.Entry{}, err
		}
		return k.entry(actor, audit.AuthorityConfirmed, "ok", reason.Note(fmt.Sprintf("authority=%s by=%s", name, me.Name))), nil
	})
}

// Dismiss takes an authority out: it gets no later key, and its words count no more. One that serves
// goes on with the keys that it has; whoever stole them has those too. Its identity never
// comes back, here and at all that hear of it. ErrMember.
//
// Keys that it handed over last are taken first: afterwards nobody goes by its signature, and
// rows may be sealed under a key that it has alone. Where they cannot be taken, it is
// dismissed all the same.
//
// A crash after the commit leaves a head that the next look raises.
func (k *Keyring) Dismiss(ctx context.Context, actor, name string, reason audit.Reason) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == k.c.Name {
		return ErrMember
	}
	me, err := k.identity(true)
	if err != nil {
		return err
	}
	const tries = 5
	for i := range tries {
		row, err := k.view(ctx)
		if err != nil {
			return err
		}
		_, failed := k.take(ctx, row, me)
		if failed != nil {
			k.c.Logger.WarnContext(ctx, "keys of before a dismissal were not taken", "giver", row.Giver, "err", failed)
		}
		err = k.dismissOnce(ctx, actor, name, reason, me, failed == nil && i < tries-1)
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return errMoved
}

// dismissOnce dismisses. With take it returns errMoved where the one that is dismissed has
// handed over keys meanwhile, which this authority does not have.
func (k *Keyring) dismissOnce(ctx context.Context, actor, name string, reason audit.Reason, me *vault.IdentityKey, take bool) error {
	var out [16]byte
	err := k.change(ctx, func(row *store.Keyring) (audit.Entry, error) {
		m := memberOf(row, name)
		if m == nil {
			return audit.Entry{}, ErrMember
		}
		if take && row.Giver == name {
			if has, err := k.has(row); err != nil || !has {
				return audit.Entry{}, errors.Join(err, errMoved)
			}
		}
		out = shortPrint(identityOf(*m).Fingerprint())
		g, err := gone(out, me)
		if err != nil {
			return audit.Entry{}, err
		}
		row.Gone = append(slices.DeleteFunc(slices.Clone(row.Gone), func(g store.KeyringGone) bool { return g.Print == out }), g)
		row.Members = slices.DeleteFunc(slices.Clone(row.Members), func(m store.KeyringMember) bool { return m.Name == name })
		for i := range row.Members {
			row.Members[i].Confirmed = slices.DeleteFunc(slices.Clone(row.Members[i].Confirmed), func(w store.KeyringWord) bool { return w.By == name })
		}
		row.Took = slices.DeleteFunc(slices.Clone(row.Took), func(t store.KeyringTaken) bool { return t.Name == name })
		if err := k.giveAgain(row, me); err != nil { // it may have given the last keys
			return audit.Entry{}, err
		}
		return k.entry(actor, audit.AuthorityDismissed, "ok", reason.Note("authority="+name)), nil
	})
	if err != nil {
		return err
	}
	return k.c.Heads.Raise(headOf(out), 1)
}

func (k *Keyring) entry(actor string, event audit.Event, outcome, note string) audit.Entry {
	return audit.Entry{At: k.c.Now().UTC(), Actor: actor, Event: event, Outcome: outcome, Note: note}
}
