package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// CatchUp takes newer keys than those of the key file, before anything else is read: rows
// may be sealed under them. Where it cannot, the authority must not start; what the error
// says stands in the row as well, for the others' status. A file that is not the one of the
// last edition, an old copy say, is replaced too. name is the authority's, or empty.
//
// A crash leaves the key file before or after (vault.KeyFile.Put), and the next start does
// it again.
func CatchUp(ctx context.Context, s store.Store, v *vault.Vault, heads *vault.Heads, name string, logger *slog.Logger) error {
	k, err := New(Config{Store: s, Vault: v, Heads: heads, Name: name, Now: time.Now, Logger: logger})
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	row, err := k.view(ctx)
	if err != nil || row.Edition == 0 {
		return err
	}
	me, err := k.identity(s.Self().Name != "")
	if errors.Is(err, vault.ErrNoIdentity) {
		me, err = nil, nil
	}
	if err != nil {
		return err
	}
	if _, err = k.take(ctx, row, me); err != nil && me != nil && s.Self().Name != "" {
		err = errors.Join(err, k.showUp(ctx, me, err))
	}
	return err
}

// take brings the key file and the open vault to the keys of the row. The caller holds mu.
func (k *Keyring) take(ctx context.Context, row store.Keyring, me *vault.IdentityKey) (store.Keyring, error) {
	if err := k.learn(&row, me); err != nil || row.Edition == 0 {
		return row, err
	}
	file := k.c.Vault.KeyFile()
	have, err := file.Keyring()
	if err != nil {
		return row, err
	}
	defer have.Wipe()
	digest, err := k.c.Vault.KeyringDigest(have)
	if err != nil {
		return row, err
	}
	if digest == row.Digest {
		if err := k.had(&row, me); err != nil {
			return row, err
		}
		return row, k.adopt(have)
	}
	keys, err := k.open(&row, me)
	if err != nil {
		return row, err
	}
	defer keys.Wipe()
	if err := keys.Usable(file); err != nil {
		return row, err
	}
	if err := file.Put(keys); err != nil {
		return row, err
	}
	k.c.Logger.InfoContext(ctx, "keys were taken from another authority", "edition", row.Edition, "giver", row.Giver)
	if err := k.had(&row, me); err != nil {
		return row, err
	}
	return row, k.c.Vault.Adopt()
}

// had keeps in the file of heads that the key file has the keys of an edition, where the
// edition is signed by one that is trusted here: anybody else's number would have later
// ones refused. A crash before leaves the head lower, and the next start raises it.
func (k *Keyring) had(row *store.Keyring, me *vault.IdentityKey) error {
	if me == nil {
		return nil
	}
	if giver, ok := k.trusted(row, me.Identity)[row.Giver]; !ok || !giver.Verify(editionLabel, row.Sign, editionFields(row)...) {
		return nil
	}
	return k.c.Heads.Raise(EditionHead, row.Edition)
}

// adopt has the open vault go by the key file, where it does not: a crash or an error came
// between the two.
func (k *Keyring) adopt(have *vault.Keyring) error {
	signing, err := have.SigningKeys()
	if err != nil {
		return err
	}
	var there []string
	signs := ""
	for _, s := range signing {
		there = append(there, s.ID)
		if s.State == vault.KeySigning {
			signs = s.ID
		}
	}
	var published []string
	for _, p := range k.c.Vault.ReceiptKeys().Keys {
		published = append(published, p.KeyID)
	}
	if slices.Equal(there, published) && signs == k.c.Vault.SignsWith() && k.c.Vault.HasRoots(have) {
		return nil
	}
	return k.c.Vault.Adopt()
}

// open opens the keys that the row has for this authority, from one that is trusted here.
func (k *Keyring) open(row *store.Keyring, me *vault.IdentityKey) (*vault.Keyring, error) {
	if me == nil {
		return nil, ErrNotGiven
	}
	giver, ok := k.trusted(row, me.Identity)[row.Giver]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrGiver, row.Giver)
	}
	if !giver.Verify(editionLabel, row.Sign, editionFields(row)...) {
		return nil, fmt.Errorf("%w: the signature of %s does not hold", vault.ErrKeyring, row.Giver)
	}
	print := me.Fingerprint()
	i := slices.IndexFunc(row.Gives, func(g store.KeyringGive) bool { return g.To == me.Name && g.Print == print })
	if i < 0 {
		return nil, fmt.Errorf("%w (its digits: %s)", ErrNotGiven, print)
	}
	return k.c.Vault.TakeKeyring(me, giver, row.Edition, row.Digest, row.Gives[i].Sealed)
}

// Join says who this authority is, and which keys its process has. It comes before the doors
// open, and makes the identity where there is none.
func (k *Keyring) Join(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.c.Store.Self().Name == "" {
		return nil
	}
	me, err := k.identity(true)
	if err != nil {
		return err
	}
	for range 5 {
		var row store.Keyring
		if row, err = k.view(ctx); err == nil {
			_, err = k.take(ctx, row, me)
		}
		if err = errors.Join(err, k.showUp(ctx, me, err)); !errors.Is(err, errMoved) {
			return err
		}
	}
	return err
}

// showUp puts this authority into the row: its identity, and what its process has. One with
// a new identity has lost all words for the one before, and its own.
func (k *Keyring) showUp(ctx context.Context, me *vault.IdentityKey, failed error) error {
	self := k.c.Store.Self()
	return k.change(ctx, func(row *store.Keyring) (audit.Entry, error) {
		changed, err := k.tell(row, me)
		if err != nil {
			return audit.Entry{}, err
		}
		if m := memberOf(row, me.Name); !same(m, me.Identity) {
			changed = true
			row.Members = slices.DeleteFunc(slices.Clone(row.Members), func(m store.KeyringMember) bool { return m.Name == me.Name })
			row.Members = append(row.Members, store.KeyringMember{Name: me.Name, Opens: me.Opens, Signs: me.Signs, At: k.c.Now().UTC().Truncate(time.Millisecond)})
			for i := range row.Members {
				row.Members[i].Confirmed = slices.DeleteFunc(slices.Clone(row.Members[i].Confirmed), func(w store.KeyringWord) bool { return w.By == me.Name })
			}
		}
		took := store.KeyringTaken{Name: me.Name, Process: self.Process, Edition: row.Edition, At: k.c.Now().UTC().Truncate(time.Millisecond), Why: why(failed)}
		if failed == nil && row.Edition > 0 { // of another edition than was taken: the next round says so
			if ok, err := k.has(row); err != nil || !ok {
				return audit.Entry{}, errors.Join(err, errMoved)
			}
		}
		i := slices.IndexFunc(row.Took, func(t store.KeyringTaken) bool { return t.Name == me.Name })
		if i >= 0 && row.Took[i].Process == took.Process && row.Took[i].Edition == took.Edition && row.Took[i].Why == took.Why {
			if !changed {
				return audit.Entry{}, errNothing
			}
			return audit.Entry{}, nil
		}
		row.Took = slices.Clone(row.Took)
		if i >= 0 {
			row.Took[i] = took
		} else {
			row.Took = append(row.Took, took)
		}
		return audit.Entry{}, nil
	})
}

// has reports whether the key file has the keys of the row.
func (k *Keyring) has(row *store.Keyring) (bool, error) {
	keys, err := k.c.Vault.KeyFile().Keyring()
	if err != nil {
		return false, err
	}
	defer keys.Wipe()
	digest, err := k.c.Vault.KeyringDigest(keys)
	return digest == row.Digest, err
}

// because has a name for each error for which keys are not taken.
func because() []struct {
	is   error
	name string
} {
	return []struct {
		is   error
		name string
	}{{ErrNotGiven, "not_given"}, {ErrGiver, "giver"}, {vault.ErrKeyring, "keyring"}, {vault.ErrTokenKey, "token_key"}, {vault.ErrKeyFileLocked, "locked"}, {errNotWritten, "not_written"}}
}

// errNotWritten stands for every error of the machine, of which the row says nothing.
var errNotWritten = errors.New("the key file could not be written; its log says why")

// Reasons names why an authority does not take keys.
func Reasons() (names []string) {
	for _, b := range because() {
		names = append(names, b.name)
	}
	return names
}

// why is the reason as the row keeps it.
func why(err error) string {
	for _, b := range because() {
		if errors.Is(err, b.is) {
			return b.is.Error()
		}
	}
	if err != nil {
		return errNotWritten.Error()
	}
	return ""
}

// reasonOf is the name of what why said; empty where a program of another release said it.
func reasonOf(said string) string {
	for _, b := range because() {
		if b.is.Error() == said {
			return b.name
		}
	}
	return ""
}

// roundEvery is how often an authority looks for keys.
const roundEvery = time.Second

// Follow takes keys that are handed over, says so, and has them used when their time comes,
// until ctx ends. What cannot be taken is tried again each second: until then nobody uses it.
func (k *Keyring) Follow(ctx context.Context) {
	t := time.NewTicker(roundEvery)
	defer t.Stop()
	said := ""
	for {
		err := k.Round(ctx)
		if err == nil {
			said = ""
		} else if err.Error() != said && ctx.Err() == nil && !errors.Is(err, store.ErrUnreachable) && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrFailed) {
			said = err.Error()
			k.c.Logger.ErrorContext(ctx, "KEYS WERE NOT TAKEN: nobody uses a new one until this authority has it", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Round is one round of Follow.
func (k *Keyring) Round(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	row, err := k.view(ctx)
	if errors.Is(err, ErrNumber) {
		return errors.Join(err, k.record(ctx, math.MaxUint64, err))
	}
	if err != nil || row.Rev == k.seen && row.Next == store.KeyringSettled {
		return err
	}
	me, err := k.identity(true)
	if err != nil {
		return err
	}
	if row.Rev != k.seen {
		_, failed := k.take(ctx, row, me)
		err := k.showUp(ctx, me, failed)
		if errors.Is(err, errMoved) {
			return nil // the next round
		}
		if err := errors.Join(err, k.record(ctx, row.Edition, failed)); err != nil || failed != nil {
			return errors.Join(failed, err)
		}
		if row, err = k.view(ctx); err != nil {
			return err
		}
		k.seen = row.Rev
	}
	if row.Next == store.KeyringSettled {
		return nil
	}
	return k.use(ctx, &row, me)
}

// record says once of an edition, or of a number that nobody reached, that it was refused.
func (k *Keyring) record(ctx context.Context, number uint64, failed error) error {
	if failed == nil || k.told == number {
		return nil
	}
	what := fmt.Sprintf("edition=%d authority=%s", number, k.c.Name)
	if errors.Is(failed, ErrNumber) {
		what = "a number that nobody reached authority=" + k.c.Name
	}
	err := k.c.Store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		return k.entry("system", audit.KeysRefused, "alarm", what), nil
	})
	if err == nil {
		k.told = number
	}
	return err
}
