package rows

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/store"
)

// keyringKey is the key of the one row.
var keyringKey = []byte("keyring")

// keyring is store.Keyring without its Rev, which is the row's.
type keyring struct {
	Members []store.KeyringMember
	Edition uint64
	Digest  [32]byte
	At      time.Time
	Giver   string
	Sign    []byte
	Gives   []store.KeyringGive
	Next    store.KeyringNext
	NextID  string
	Took    []store.KeyringTaken
	Gone    []store.KeyringGone
}

func keyringTable() kind[keyring] {
	return kind[keyring]{Table: Table{Name: "keyring", Steady: true}, looks: noLooks[keyring]}
}

func (r *Reader) Keyring() (store.Keyring, error) {
	v, rev, err := get(r, &r.codec.keyring, keyringKey)
	return store.Keyring{Rev: rev, Members: v.Members, Edition: v.Edition, Digest: v.Digest, At: v.At, Giver: v.Giver, Sign: v.Sign,
		Gives: v.Gives, Next: v.Next, NextID: v.NextID, Took: v.Took, Gone: v.Gone}, err
}

// PutKeyring: a crash before the commit leaves the row as it was. A row that somebody
// altered is not replaced: it is refused, and an operator takes the database for good.
func (t *Tx) PutKeyring(k store.Keyring, above uint64) (err error) {
	wrote, of := t.wrote, &t.codec.keyring
	v := keyring{Members: k.Members, Edition: k.Edition, Digest: k.Digest, At: k.At, Giver: k.Giver, Sign: k.Sign,
		Gives: k.Gives, Next: k.Next, NextID: k.NextID, Took: k.Took, Gone: k.Gone}
	switch {
	case k.Rev == 0:
		err = insert(t, of, keyringKey, &v, above+1)
	case above <= k.Rev:
		err = update(t, of, keyringKey, &v, k.Rev)
	default:
		var rev uint64
		if _, rev, err = get(&t.Reader, of, keyringKey); err == nil && rev != k.Rev {
			err = store.ErrConflict
		}
		if err == nil {
			err = t.deleteOne(&of.Table, keyringKey)
		}
		if err == nil {
			err = insert(t, of, keyringKey, &v, above+1)
		}
	}
	if errors.Is(err, store.ErrConflict) {
		if _, e := t.Keyring(); errors.Is(e, store.ErrNotFound) {
			err = store.ErrNotFound
		}
	}
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}

// DropKeyring: a crash before the commit leaves the row as it was.
func (t *Tx) DropKeyring() error {
	wrote := t.wrote
	err := t.deleteOne(&t.codec.keyring.Table, keyringKey)
	t.wrote, t.kept = wrote, t.kept || err == nil
	return err
}
