package keyring

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// edition is a change of the keys that is handed over.
type edition struct {
	actor string
	event audit.Event
	note  func(*vault.Keyring) (string, error)
	next  store.KeyringNext
	id    func(*vault.Keyring) (string, error) // of the next key; nil: there is none
	steps []vault.KeyringStep
	// going says that it goes on with what an edition before it began.
	going bool
	// late refuses it by the row and those who serve; nil: nothing does.
	late func(*store.Keyring, []store.Peer) error
}

// give hands a change of the keys to all. First the row is committed, with the keys sealed
// to each and to this authority too, and then they are taken from it like everybody
// else's: a crash before the commit leaves nothing but a key in a token that nothing names,
// and after it this authority takes them at its next round or start.
func (k *Keyring) give(ctx context.Context, e edition) (err error) {
	for range 5 {
		if err = k.giveOnce(ctx, e); !errors.Is(err, errMoved) {
			return err
		}
	}
	return err
}

func (k *Keyring) giveOnce(ctx context.Context, e edition) error {
	me, err := k.identity(false)
	if err != nil {
		return err
	}
	row, err := k.view(ctx)
	if err != nil {
		return err
	}
	if row, err = k.take(ctx, row, me); err != nil {
		return err
	}
	peers, err := k.peers(ctx)
	if err != nil {
		return err
	}
	if err := k.mayGive(&row, me, peers, e); err != nil {
		return err
	}
	file := k.c.Vault.KeyFile()
	keys, err := file.Plan(e.steps...)
	if err != nil {
		return err
	}
	if err := k.commit(ctx, row, me, keys, e); err != nil {
		if errors.Is(err, store.ErrUndecided) || errors.Is(err, store.ErrFailed) {
			keys.Wipe() // it may have been kept
			return err
		}
		return errors.Join(err, keys.Discard(file))
	}
	keys.Wipe()
	if row, err = k.view(ctx); err == nil {
		_, err = k.take(ctx, row, me)
	}
	if err != nil {
		return fmt.Errorf("the keys are handed over, and this authority takes them by itself when it can: %w", err)
	}
	return nil
}

// mayGive refuses an edition while the one before is not everywhere, or where one that
// serves would not get it.
func (k *Keyring) mayGive(row *store.Keyring, me *vault.IdentityKey, peers []store.Peer, e edition) error {
	if !same(memberOf(row, me.Name), me.Identity) {
		return ErrUnconfirmed
	}
	if _, not := k.mutual(row, me.Identity, peers); len(not) > 0 {
		return fmt.Errorf("%w: %s", ErrUnconfirmed, strings.Join(not, ", "))
	}
	_, waiting := k.standing(row, peers)
	if len(waiting) > 0 || row.Next != store.KeyringSettled && !e.going {
		return ErrUnderWay
	}
	if e.late != nil {
		return e.late(row, peers)
	}
	return nil
}

// standing is since when all that serve have the last edition, and whom it is waited for.
func (k *Keyring) standing(row *store.Keyring, peers []store.Peer) (since time.Time, waiting []string) {
	since = row.At
	for _, p := range peers {
		i := slices.IndexFunc(row.Took, func(t store.KeyringTaken) bool { return t.Name == p.Name && t.Process == p.Process })
		switch {
		case p.Name == k.c.Name && k.c.Store.Self().Name == "":
			// It has the database to itself, and has just taken the keys.
		case i < 0 || row.Took[i].Edition != row.Edition || row.Took[i].Why != "":
			waiting = append(waiting, p.Name)
		case row.Took[i].At.After(since):
			since = row.Took[i].At
		}
	}
	return since, waiting
}

// commit writes the row if it is as it was read.
func (k *Keyring) commit(ctx context.Context, was store.Keyring, me *vault.IdentityKey, keys *vault.Keyring, e edition) error {
	digest, err := k.c.Vault.KeyringDigest(keys)
	if err != nil {
		return err
	}
	note, err := e.note(keys)
	if err != nil {
		return err
	}
	id := ""
	if e.id != nil {
		if id, err = e.id(keys); err != nil {
			return err
		}
	}
	return k.change(ctx, func(row *store.Keyring) (audit.Entry, error) {
		if row.Rev != was.Rev {
			return audit.Entry{}, errMoved
		}
		row.Edition, row.Digest, row.At = was.Edition+1, digest, k.c.Now().UTC().Truncate(time.Millisecond)
		row.Next, row.NextID = e.next, id
		if err := k.seal(row, me, keys); err != nil {
			return audit.Entry{}, err
		}
		return k.entry(e.actor, e.event, "ok", strings.TrimSpace(fmt.Sprintf("edition=%d %s", row.Edition, note))), nil
	})
}

// seal seals the keys of the row's edition to all that are trusted here, and signs them.
func (k *Keyring) seal(row *store.Keyring, me *vault.IdentityKey, keys *vault.Keyring) error {
	row.Giver, row.Gives = me.Name, nil
	for name, to := range k.trusted(row, me.Identity) {
		sealed, err := k.c.Vault.GiveKeyring(keys, me, to, row.Edition)
		if err != nil {
			return err
		}
		row.Gives = append(row.Gives, store.KeyringGive{To: name, Print: to.Fingerprint(), Sealed: sealed})
	}
	slices.SortFunc(row.Gives, func(a, b store.KeyringGive) int { return cmp.Compare(a.To, b.To) })
	var err error
	row.Sign, err = me.Sign(editionLabel, editionFields(row)...)
	return err
}

// editionFields is what the giver signs.
func editionFields(row *store.Keyring) [][]byte {
	all := [][]byte{binary.BigEndian.AppendUint64(nil, row.Edition), row.Digest[:], []byte(row.Giver), []byte(row.Next), []byte(row.NextID),
		binary.BigEndian.AppendUint64(nil, uint64(row.At.UnixMilli()))} //nolint:gosec // a time
	for _, g := range row.Gives {
		all = append(all, []byte(g.To), g.Print[:], g.Sealed)
	}
	return all
}

// giveAgain seals the keys of the row's edition anew, so that who was confirmed since has
// them too. The edition stays. Where this authority does not have its keys itself it does
// nothing.
func (k *Keyring) giveAgain(row *store.Keyring, me *vault.IdentityKey) error {
	if row.Edition == 0 {
		return nil
	}
	keys, err := k.c.Vault.KeyFile().Keyring()
	if err != nil {
		return err
	}
	defer keys.Wipe()
	if digest, err := k.c.Vault.KeyringDigest(keys); err != nil || digest != row.Digest {
		return err
	}
	// Nobody loses what was given before: whoever had it gets it from here, and takes it.
	to := k.trusted(row, me.Identity)
	for _, g := range row.Gives {
		m := memberOf(row, g.To)
		if m == nil || identityOf(*m).Fingerprint() != g.Print {
			continue // dismissed, or another by now
		}
		i, ok := to[g.To]
		if !ok || i.Fingerprint() != g.Print || k.trusted(row, i)[me.Name].Fingerprint() != me.Fingerprint() {
			return nil
		}
	}
	return k.seal(row, me, keys)
}

// NewSigningKey hands a new signing key to all. They publish it, and sign with it when all
// that serve have published it for vault.PublishedFor. Where this process has the database to
// itself, it signs for each from its start on, as that publishes it first. Errors:
// ErrUnconfirmed, ErrUnderWay, vault.ErrSigningKeys.
func (k *Keyring) NewSigningKey(ctx context.Context, actor string) (kid string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := edition{actor: actor, event: audit.KeysGiven, next: store.KeyringSign, steps: []vault.KeyringStep{vault.NextSigning(k.c.Now())}}
	e.id = func(keys *vault.Keyring) (string, error) { kid, err = newestSigning(keys); return kid, err }
	e.note = func(keys *vault.Keyring) (string, error) {
		id, err := newestSigning(keys)
		return "next_signing=" + id, err
	}
	if k.c.Store.Self().Name == "" {
		e.next, e.steps = store.KeyringSettled, append(e.steps, vault.UseSigning())
	}
	return kid, k.give(ctx, e)
}

func newestSigning(keys *vault.Keyring) (string, error) {
	all, err := keys.SigningKeys()
	if err != nil {
		return "", err
	}
	return all[len(all)-1].ID, nil
}

// NewRootKey hands a new root key to all. It opens, and seals when all that serve have it.
// Errors: ErrUnconfirmed, ErrUnderWay, vault.ErrRootKeys.
func (k *Keyring) NewRootKey(ctx context.Context, actor string) (key vault.RootKey, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := edition{actor: actor, event: audit.KeysGiven, next: store.KeyringSeal, steps: []vault.KeyringStep{vault.NextRoot(k.c.Now())}}
	e.id = func(keys *vault.Keyring) (string, error) {
		all := keys.RootKeys()
		key = all[len(all)-1]
		return fmt.Sprint(key.ID), nil
	}
	e.note = func(keys *vault.Keyring) (string, error) { id, err := e.id(keys); return "next_root=" + id, err }
	if k.c.Store.Self().Name == "" {
		e.next, e.steps = store.KeyringSettled, append(e.steps, vault.UseRoot())
	}
	return key, k.give(ctx, e)
}

// DropSigningKey takes a key from all. One that signed before goes once nobody signed with
// it for a while; the next one, which has not signed, at once, and that ends the rotation.
// Errors: those of NewSigningKey, ErrLately, vault.ErrNoSuchKey, vault.ErrKeySigns.
func (k *Keyring) DropSigningKey(ctx context.Context, actor, kid string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := edition{actor: actor, event: audit.KeysGiven, steps: []vault.KeyringStep{vault.DropSigning(kid)}, note: noted("dropped_signing=" + kid)}
	row, err := k.view(ctx)
	if err != nil {
		return err
	}
	if row.Next == store.KeyringSign && row.NextID == kid {
		e.going = true
		return k.give(ctx, e)
	}
	e.late = func(row *store.Keyring, peers []store.Peer) error {
		since, _ := k.standing(row, peers)
		for _, p := range peers {
			if p.Since.After(since) {
				since = p.Since
			}
		}
		if k.c.Store.Self().Name != "" && k.c.Now().Sub(since) < vault.PublishedFor+lately {
			return ErrLately
		}
		return nil
	}
	return k.give(ctx, e)
}

// lately is how long after it was superseded a key's signatures may still be checked.
const lately = 2 * time.Minute

// DropRootKey takes an older root key from all. The caller has made sure that nothing is
// sealed under it. Errors: those of NewRootKey, vault.ErrNoRootKey, vault.ErrRootSeals.
func (k *Keyring) DropRootKey(ctx context.Context, actor string, id uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.give(ctx, edition{actor: actor, event: audit.KeysGiven, steps: []vault.KeyringStep{vault.DropRoot(id)}, note: noted(fmt.Sprintf("dropped_root=%d", id))})
}

func noted(note string) func(*vault.Keyring) (string, error) {
	return func(*vault.Keyring) (string, error) { return note, nil }
}

// use has the next key used, once all that serve have it, and have published it long enough.
// Whoever is first does it; who comes second finds another edition. The caller holds mu.
func (k *Keyring) use(ctx context.Context, row *store.Keyring, me *vault.IdentityKey) error {
	peers, err := k.peers(ctx)
	if err != nil {
		return err
	}
	since, waiting := k.standing(row, peers)
	_, not := k.mutual(row, me.Identity, peers)
	if len(waiting) > 0 || len(not) > 0 {
		return nil
	}
	e := edition{actor: "system", event: audit.KeysGiven, going: true, note: noted("root=" + row.NextID), steps: []vault.KeyringStep{vault.UseRoot()}}
	if row.Next == store.KeyringSign {
		if k.c.Now().Sub(since) < vault.PublishedFor {
			return nil
		}
		e.note, e.steps = noted("signing="+row.NextID), []vault.KeyringStep{vault.UseSigning()}
	}
	err = k.give(ctx, e)
	if errors.Is(err, ErrUnderWay) || errors.Is(err, errMoved) || errors.Is(err, vault.ErrNothingNext) {
		err = nil // another was first
	}
	return err
}

// Accept takes a database that is older than this directory for good: the row goes on above
// what was seen of it, with the keys of this directory's file. Where the row is gone, or is
// one that fails its seal, it begins anew, and the others are confirmed again.
func (k *Keyring) Accept(ctx context.Context, actor string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	above := k.c.Heads.Get(Head)
	err := k.dropAltered(ctx, actor)
	if err != nil || above == 0 {
		return err // above 0: never shared, or a directory whose heads are gone: the row stands
	}
	seen := k.c.Heads.Get(EditionHead)
	me, err := k.identity(true)
	if err != nil {
		return err
	}
	keys, err := k.c.Vault.KeyFile().Keyring()
	if err != nil {
		return err
	}
	defer keys.Wipe()
	digest, err := k.c.Vault.KeyringDigest(keys)
	if err != nil {
		return err
	}
	err = k.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := tx.Keyring()
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, err
		}
		if row.Rev >= above && row.Edition >= seen && row.Digest == digest {
			return audit.Entry{}, nil
		}
		if !same(memberOf(&row, me.Name), me.Identity) {
			row.Members = append(slices.DeleteFunc(slices.Clone(row.Members), func(m store.KeyringMember) bool { return m.Name == me.Name }),
				store.KeyringMember{Name: me.Name, Opens: me.Opens, Signs: me.Signs, At: k.c.Now().UTC().Truncate(time.Millisecond)})
		}
		// Above every edition there was, since each raised the row's version.
		row.Edition, row.Digest, row.At, row.Next, row.NextID, row.Took = max(row.Edition, seen, above)+1, digest, k.c.Now().UTC().Truncate(time.Millisecond), store.KeyringSettled, "", nil
		if err := k.seal(&row, me, keys); err != nil {
			return audit.Entry{}, err
		}
		return k.entry(actor, audit.KeysGiven, "ok", fmt.Sprintf("edition=%d accepted", row.Edition)), tx.PutKeyring(row, above)
	})
	if err != nil {
		return err
	}
	_, err = k.view(ctx)
	return err
}

// dropAltered deletes a row that fails its seal, or has a number that nobody reached: nothing of
// it can be believed, and nobody starts while it is there. A crash after it leaves none, which Accept goes on from.
func (k *Keyring) dropAltered(ctx context.Context, actor string) error {
	return k.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := tx.Keyring()
		made := err == nil && far(&row, k.c.Heads.Get(Head), k.c.Heads.Get(EditionHead))
		if !errors.Is(err, store.ErrSeal) && !made {
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return audit.Entry{}, err
		}
		return k.entry(actor, audit.KeysGiven, "ok", "an altered row was deleted"), tx.DropKeyring()
	})
}
