package store

import "time"

// Keyring is how the authorities on one database hand keys to one another (package
// keyring): one row. Its seal hangs on no root key, since an authority reads it before it
// has the newest one.
type Keyring struct {
	// Rev rises with each change. It is set by who reads; PutKeyring compares it.
	Rev     uint64
	Members []KeyringMember
	// Edition is the number of the keys that were handed over last; zero: none were, and
	// each has the file that its operator copied.
	Edition uint64
	Digest  [32]byte  // of these keys
	At      time.Time // when they were handed over
	Giver   string    // the name of who did
	Sign    []byte    // the giver's signature over all of the edition
	Gives   []KeyringGive
	// Next says what is waited for: the next key of this edition is used when all that
	// serve have it.
	Next   KeyringNext
	NextID string // of that key
	Took   []KeyringTaken
	Gone   []KeyringGone
}

// KeyringNext is a key that is not used yet.
type KeyringNext string

// What is waited for.
const (
	KeyringSettled KeyringNext = ""
	KeyringSign    KeyringNext = "sign" // a signing key is published, and signs later
	KeyringSeal    KeyringNext = "seal" // a root key opens, and seals later
)

// KeyringMember is an authority by its identity (vault.Identity), and the words of others
// that it is what it says.
type KeyringMember struct {
	Name      string
	Opens     []byte
	Signs     []byte
	At        time.Time
	Confirmed []KeyringWord
}

// KeyringWord is the word of an authority, signed, for another's identity.
type KeyringWord struct {
	By    string
	Print [32]byte // fingerprint of By
	At    time.Time
	Sign  []byte
}

// KeyringGive is the keys, sealed to one authority.
type KeyringGive struct {
	To     string
	Print  [32]byte // its fingerprint
	Sealed []byte
}

// KeyringTaken says what a process of an authority has: the keys of an edition, or why not.
type KeyringTaken struct {
	Name    string
	Process string
	Edition uint64
	At      time.Time
	Why     string // empty: it has them
}

// KeyringGone is the word of an authority, signed, that another's identity was dismissed.
type KeyringGone struct {
	Print [16]byte // first half of its fingerprint
	By    string
	Sign  []byte
}

// KeyringReader reads it.
type KeyringReader interface {
	// Keyring is ErrNotFound where no authority shares the database.
	Keyring() (Keyring, error)
}

// KeyringWriter writes it. Who decides something with it writes the entry as well.
type KeyringWriter interface {
	// PutKeyring inserts the row where Rev is 0, and otherwise replaces it. The new Rev is
	// one above its own, and above the number given. ErrExists, ErrNotFound, ErrConflict: it
	// is not at Rev.
	PutKeyring(k Keyring, above uint64) error
	// DropKeyring deletes it, also where it was altered: for who takes a database for good.
	// ErrNotFound.
	DropKeyring() error
}
