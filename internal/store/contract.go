// Package store is the contract of the authority's database. It guarantees that
// a transaction is durable when Update returns nil, that transactions about one card
// have one order and claims are taken once (Store says what that means), and that
// no change is kept without its audit entry (I-8): Update's function returns
// the entry, and Update writes both or neither. Each entry follows the last one
// of its stream; entries of different streams have no order. It trusts its
// backend only with durability: personal data arrives sealed, and rows that
// could move a PIN carry a vault.MAC that the authority checks. Every
// implementation runs the suite in storetest.
//
// Start here: Store, then Tx.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Errors that callers act on. All but ErrFailed and ErrUndecided mean that nothing was
// kept.
var (
	ErrNotFound = errors.New("store: not found")
	// ErrExists is returned by the Insert methods when there is a row with the
	// same key already, or one that a uniqueness rule does not allow beside it.
	ErrExists = errors.New("store: exists")
	// ErrSeal is the cause when a row is not what the authority wrote in its place
	// (I-13). The fault that it comes in is outwardly "unavailable".
	ErrSeal = errors.New("store: a row was altered, or is not of this authority")
	// ErrBehind is the cause when a card's row is older than one that this process
	// wrote: it was put back (I-13). Outwardly it is "unavailable".
	ErrBehind = errors.New("store: a card's row was put back")
	// ErrOldDatabase is the cause when the database is older than a head that is kept
	// outside of it: somebody put an old one back. Outwardly "unavailable".
	ErrOldDatabase = errors.New("store: the database is older than its head")
	// ErrNoAudit is returned by Update when a change came without an entry.
	ErrNoAudit = errors.New("store: change without an audit entry")
	// ErrConflict is returned by UpdateCard and UpdateCeremony when the row was
	// updated since it was read.
	ErrConflict = errors.New("store: updated meanwhile")
	// ErrDecided is returned by UpdateRequest when the change would touch a
	// decided value (I-11).
	ErrDecided = errors.New("store: request is decided")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("store: closed")
	// ErrFailed is returned when an I/O error left it unknown whether a commit is
	// on disk, and by every call after that: only opening the database again shows
	// which changes were kept.
	ErrFailed = errors.New("store: an I/O error made the state unknown; restart")
	// ErrUndecided is returned by Update when nobody knows whether the change was kept:
	// the answer to its commit was lost, and could not be looked up. It is about this one
	// change; the store serves on. Reading shows what became of it.
	ErrUndecided = errors.New("store: not known whether the change was kept")
	// ErrUnreachable is returned when the database does not answer, or others were first
	// again and again. Nothing was kept.
	ErrUnreachable = errors.New("store: the database does not answer; nothing was kept")
	// ErrFull is returned by Update when the disk has no room. Nothing was
	// kept, and the store serves on: the next Update may find room.
	ErrFull = errors.New("store: no room on the disk; nothing was kept")
)

// Store is the authority's database.
//
// Transactions are serializable per card, plus claims. Package sqlite orders all of them;
// callers rely on no more than this, which storetest tries to break ("Skew"):
//
//   - f reads one snapshot, and what it writes.
//   - Transactions that change a card, or whose entry is about it, have one order, and
//     each has seen all that those before it wrote: lists of what belongs to the card too.
//   - So have those whose entries are about no card, among themselves and within one
//     process; those that write clients, seal keys, staff, proposals or editions; those
//     that meter the same key; and those that count ration marks of a kind and key
//     (Ticks) and add one (InsertTick).
//   - A row that f read by itself or in a list is the same when the transaction commits,
//     except the rows that decide about everybody (clients, seal keys, staff, editions):
//     one that changes at that moment may count from the next transaction on.
//   - A key or a unique value is inserted once, and that a holder has no card
//     (CardByHolder) is still so at the commit.
//
// Not promised: that a list which f read across cards has no new row by then.
type Store interface {
	// Among is what the processes have between them that work with the same database.
	Among
	// View runs f on one consistent snapshot. The Reader is invalid after f.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f in one transaction and, when f returns nil,
	// writes the returned entry at the end of its stream (audit.StreamOf; an entry
	// about a card that is not there goes to the process start's, with the card in
	// its note) and commits. It returns nil only when everything is durable. If f wrote nothing
	// and returns a zero Entry, nothing is kept and no entry is needed.
	//
	// f may be run more than once (transactions share a commit, and when one fails
	// it and the others are run again; or another was first), so it must have no effect but through the
	// Tx, and must assign, not append to, captured variables. It must not call the
	// Store, which would wait for f's own transaction.
	//
	// Where ctx is Under a hold, it keeps what f wrote only if the hold stands when it
	// commits (ErrUnheld): nobody else works on the thing until then.
	//
	// After an error other than ErrFailed and ErrUndecided nothing of f is kept. If ctx is
	// cancelled before f starts, f is not run; once f has started, Update returns
	// its true outcome. A panic in f is raised again in the caller.
	Update(ctx context.Context, f func(Tx) (audit.Entry, error)) error
	// Draft encodes and seals a person's row outside of any transaction, which an
	// import of a million people then holds for half as long. It writes nothing; see
	// InsertDraft.
	Draft(Person) (Draft, error)
	// Spreads reports whether rows lie by their homes, so that TakeNumber and TakeHolder have
	// to claim first. Where it is false, they write nothing.
	Spreads() bool
	Close() error
}

// Reader reads one snapshot. Lookups of one row return ErrNotFound if there is
// none.
type Reader interface {
	CeremonyReader
	PhoneReader
	MeterReader
	DigestReader
	ResealReader
	RetainReader
	PeopleReader
	StaffReader
	EditionReader
	TallyReader
	TicketReader
	LetterReader
	ClosingReader
	AgencyReader
	SumReader
	PadOfferReader
	KeyringReader

	Card(liuma.CardID) (Card, error)
	CardByHolder(vault.Index) (Card, error)
	CountCards() (int64, error)
	// CardIDs lists cards in their order, at most limit, after a card.
	CardIDs(after liuma.CardID, limit int) ([]liuma.CardID, error)

	// Shared is the version of all clients and seal keys together, which rises
	// with each change of any of them; zero before the first.
	Shared() (uint64, error)

	// Links lists a card's links in all channels, oldest first; none if there is no
	// such card.
	Links(liuma.CardID) ([]Link, error)
	LinkByHandle(liuma.ChannelID, Handle) (Link, error)

	Request(liuma.ChannelID, liuma.BusinessNo) (Request, error)

	Intent(liuma.CardID) (Intent, error)
	// Intents lists open intents in card order, at most limit, after a card.
	Intents(after liuma.CardID, limit int) ([]Intent, error)

	Person(vault.Index) (Person, error) // by ID number
	// CountPersons counts people: each has a card number. A row that keeps a number from
	// being anybody's has none.
	CountPersons() (int64, error)

	Client(id string) (Client, error)
	Clients() ([]Client, error)

	// SealKeys lists all kept seal keys, newest first.
	SealKeys() ([]SealKey, error)

	// Clock returns the time that the database goes by, as it was last saved.
	Clock() (clock.State, error)

	// KeepersSeen returns the highest sequence saved per keeper.
	KeepersSeen() (map[string]uint64, error)

	// Streams lists the streams of the audit record by their heads, cards' streams
	// first, at most limit, after a stream (zero: from the first). Entries of
	// different streams have no order: their times come from the clocks of
	// different processes. A card's stream whose end cannot be believed, because
	// the card's row was altered, has Number 0.
	Streams(after audit.Stream, limit int) ([]audit.Head, error)
	// Entries lists a stream's entries by their numbers, at most limit, after a
	// number.
	Entries(s audit.Stream, after uint64, limit int) ([]audit.Recorded, error)
}

// Tx reads and writes. Every write but TakeNumber, TakeHandle, TakeHolder, BurnEvidence, SaveClock, SaveSweep, SaveHandleSweep, Meter, PruneMeters, DropArchived,
// SeeStaffSession, SeeDeskPad, those of SumWriter, PadOfferWriter and KeyringWriter, and ResealStep counts as a change that needs an entry; a write that was refused with ErrExists, ErrNotFound, ErrConflict or ErrDecided
// changed nothing, and the transaction may go on. Methods that update or delete
// one row return ErrNotFound if it is not there; methods that delete many
// (Delete…Of, Delete…Ticks, Prune…) may find none. Times are kept to the millisecond.
type Tx interface {
	Reader
	CeremonyWriter
	PhoneWriter
	MeterWriter
	DigestWriter
	ResealWriter
	RetainWriter
	PeopleWriter
	StaffWriter
	EditionWriter
	TallyWriter
	TicketWriter
	LetterWriter
	ClosingWriter
	AgencyWriter
	SumWriter
	PadOfferWriter
	KeyringWriter
	HolderWriter

	// RaiseShared lifts Shared above a number, for a database that was restored
	// and is taken for good.
	RaiseShared(above uint64) error

	// InsertCard refuses with ErrExists a second card for the same Holder, and a card claimed
	// by TakeHolder for a holder who has another by now.
	InsertCard(Card) error
	// UpdateCard replaces all members of the card but Rev; ErrNotFound if it is
	// gone, ErrConflict if Rev is not that of the row before this transaction.
	UpdateCard(Card) error
	// RaiseRev raises the revision of a card's row to at least rev, so that it is
	// above it after the commit; it never lowers it. Only an operator's act on a
	// row that was restored needs it. ErrNotFound: no such card.
	RaiseRev(card liuma.CardID, rev uint64) error

	// PutLink inserts the link, or replaces the one with the same Channel and
	// Handle. ErrExists: that handle is another card's. ErrNotFound: no such card.
	PutLink(Link) error
	DeleteLink(liuma.ChannelID, Handle) error
	// TakeHandle claims a handle for a card, in a transaction of its own and before PutLink
	// makes the link. ErrExists: it is another card's. Without a link it leads nowhere.
	TakeHandle(ch liuma.ChannelID, h Handle, card liuma.CardID) error
	// DropHandle drops what TakeHandle claimed for a card that has no such link; all else
	// stays. That no PutLink with it comes any more is the caller's part: both write one row, say.
	DropHandle(ch liuma.ChannelID, h Handle, card liuma.CardID) error

	// TakeNumber says, in a transaction of its own and before its request is inserted,
	// where the request will be: with its card, or with this process if the card is zero.
	// A number that has been said of stays where it is. A store that keeps all rows
	// together does nothing. Without it InsertRequest does the same, in a transaction that
	// then writes in two places.
	TakeNumber(ch liuma.ChannelID, no liuma.BusinessNo, card liuma.CardID, now time.Time) error
	// PruneNumbers drops at most limit of what TakeNumber said before a time of no request.
	PruneNumbers(before time.Time, limit int) (int64, error)
	// InsertRequest refuses a second row for (Channel, BusinessNo): I-11.
	InsertRequest(Request) error
	// UpdateRequest replaces an undecided request. Of a decided one it sets
	// RedeemedAt, once, and Handle, if it was empty: a link may be made when its
	// code is redeemed; or of one that is not right ResetAt, once. It returns ErrDecided for any other difference, and
	// ignores Ceremony, which stays as it was inserted.
	UpdateRequest(Request) error

	// InsertIntent refuses a second open intent for a card (I-7).
	InsertIntent(Intent) error
	UpdateIntent(Intent) error
	DeleteIntent(liuma.CardID) error

	// UpsertPerson replaces the person of that Holder, or adds one. ErrExists: the
	// physical card number belongs to another holder. A zero CardNo never
	// collides.
	UpsertPerson(Person) error
	// InsertPerson adds a person who is not there. ErrExists: the Holder is there,
	// or the CardNo is another person's; nothing was written.
	InsertPerson(Person) error

	InsertClient(Client) error
	UpdateClient(Client) error

	// InsertEvidence marks evidence as used; ErrExists if it was already. The row
	// may be dropped after until, when the evidence is too old to be accepted.
	InsertEvidence(provider string, jti vault.Index, until time.Time) error
	// BurnEvidence is InsertEvidence for a transaction of its own, before the request that
	// it is for: that request, by, may come again with it. A zero by may not.
	BurnEvidence(provider string, jti vault.Index, until time.Time, by [32]byte) error
	// PruneEvidence drops rows whose until is before now and returns how many.
	PruneEvidence(now time.Time) (int64, error)

	InsertSealKey(SealKey) error
	// UpdateSealKey replaces a key: an authority asks for it, or gets it. ErrNotFound: it
	// is gone.
	UpdateSealKey(SealKey) error
	// DeleteSealKey deletes the key's row. What destroys the key is the end of the day
	// keys that it is wrapped to (vault.DestroySealKey): a server with a log, and copies of
	// it, keeps what was deleted.
	DeleteSealKey(id string) error

	// SaveClock replaces the saved time, unless the one that is saved is later:
	// it never falls (I-15). It needs no audit entry, since it only says that time
	// passed; whoever moves the time writes one.
	SaveClock(clock.State) error

	// SaveKeepersSeen raises the sequences kept per keeper; it lowers none.
	SaveKeepersSeen(map[string]uint64) error
}

// Card is one electronic card. Times are UTC and whole milliseconds.
type Card struct {
	ID liuma.CardID
	// Rev is the row's version, and the card's head at the keepers: it rises by one
	// with each transaction that changes the card, its links, contact or rations,
	// or records an entry about it, however often it does so. Zero in a new card.
	Rev uint64
	// Behind is set when a keeper had seen a later row of the card, to that head:
	// this row was put back from an older copy, and serves nobody until an
	// operator has raised its revision. 0: it is not.
	Behind uint64
	Holder vault.Index // of the canonical ID number; one card a holder (I-4)
	// Sealed is a copy of the registry's facts that 0.1.0 kept. It is read by
	// nobody, and the next write of the row drops it.
	Sealed []byte
	Region liuma.Region // of the holder, as the registry says

	Version  liuma.Version // current PIN; 0 before the first
	KeySet   uint32
	Verifier liuma.Verifier
	Reserved liuma.Version // highest version that an intent ever reserved
	PINSetAt time.Time

	Physical liuma.PhysicalStatus // as last reported by the registry
	Frozen   bool
	FrozenAt time.Time
	// ReportedAt and ReportedUntil are of a loss that the holder reported by phone: it
	// stops the card until then, beside any freeze. Zero: none was reported.
	ReportedAt, ReportedUntil time.Time
	// Contested: an operator gave the holder's number to another person, so the card
	// was frozen and only the counter opens it.
	Contested bool

	Tally     ledger.Tally // the authority's own count, for the current version
	CreatedAt time.Time

	// Correcting is until when a correction of the holder's number waits (see
	// Correction); zero: none does, or Untold. It stands here, and not only in the
	// correction's own row, so that who deletes that row or puts it back changes
	// nothing: only a correction that the card knows of counts.
	Correcting time.Time
	// CorrectionNo is raised by every correction of the holder's number, and by what
	// stops one, so that the row of an earlier one which is put back is known as such.
	CorrectionNo uint64
	// Moving says that keepers are asked to move the card's tag: a freeze stops the
	// correction no more.
	Moving bool
	// Retiring is when an operator began to erase the person: keepers are asked to
	// retire the card, and no report makes it usable again. Zero: nobody did.
	Retiring time.Time
	// RetiredAt is when every keeper had retired it; the wait before it is erased runs
	// from then on.
	RetiredAt time.Time
	// ErasedAt is when all that is personal left the row (EraseCard).
	ErasedAt time.Time
	// Consents are the texts that the holder agreed to, oldest first.
	Consents []Consent
	// Untold says that a correction waits whose holder was not told yet.
	Untold bool
	// Stops is raised by each freeze and each report of a loss, also of a card that is
	// stopped already, and by the use of a ticket. A ticket stands only while it is what
	// it was when the ticket was asked for.
	Stops uint64
	// PINFrom is from when on the PIN counts, where it was set at a counter and no
	// contact had been known before: an attempt before that is refused and not counted.
	// Zero: at once.
	PINFrom time.Time
	PINForm pin.Form // how the PIN was spelt when it was set
	// Closing is of a card that is being closed at a counter; zero: it is not.
	Closing Closing
	// Follows is the closed card of the same holder that this one took the place of; zero:
	// none. Its row is bare, and what was opened for it at counters is found by it.
	Follows liuma.CardID
}

// Consent says which text a holder agreed to. Zero in a card of 0.1.0.
type Consent struct {
	Version string   // of the text, as the operator numbers them
	Text    [32]byte // SHA-256 of it, both languages (package consent)
	At      time.Time
	Channel liuma.ChannelID // through which it was shown
}

// Handle names one link: 32 random characters a-z and 2-7. It is the channel's
// key to the card, so two accounts of one channel have two.
type Handle string

// Link is one act of linking a card in a channel, by one account there. Its
// members after At say what came through it; authority.KnownLink judges by them.
type Link struct {
	Channel liuma.ChannelID
	Card    liuma.CardID
	Handle  Handle
	At      time.Time // when the channel got it

	// Proved is the last version of the PIN that was right, or was set, through
	// this link, and ProvedAt when the first right PIN of that version came. A
	// version that was set through the link keeps the earlier time.
	Proved   liuma.Version
	ProvedAt time.Time
	// Evidenced is the last version whose right, or newly set, PIN came together
	// with evidence.
	Evidenced liuma.Version
	// Wrong counts the wrong PINs since the last right one. A guess counts when it
	// begins. From ten on only a right PIN with evidence brings it back to zero.
	Wrong uint32
}

// Request is one business number of one channel, with its outcome. A decided
// request never changes again except for RedeemedAt or ResetAt. One that is undecided when
// no process works on it stays undecided for good (I-11).
type Request struct {
	Channel    liuma.ChannelID
	BusinessNo liuma.BusinessNo
	Action     liuma.Action
	// Digest is a hash of the whole request, to tell a repetition from another
	// request under the same number.
	Digest  [32]byte
	Card    liuma.CardID  // zero where the subject is unknown
	Version liuma.Version // the version that the verdict is about
	Purpose [32]byte      // hash of the purpose as shown
	// Ceremony is the ID of the hosted ceremony that the request belongs to, or
	// empty. It is set by InsertRequest and never changes.
	Ceremony string
	// Browser is the hash of the secret of the browser that made a try of a
	// ceremony; zero for other requests.
	Browser [32]byte
	// Handle is the link that the request came through, or that it made; empty
	// while there is none.
	Handle Handle

	Decided   bool
	Verdict   liuma.Verdict // empty for actions without an attempt
	Code      liuma.Code    // error code of the answer; empty on success
	TriesLeft int
	Until     time.Time
	Evidence  string // method of the evidence that came with the request, or empty

	ReceiptID  string // of a right verdict
	At         time.Time
	DecidedAt  time.Time
	RedeemedAt time.Time
	// Alone: the verdict rests on evidence alone, and no PIN was asked for.
	Alone bool
	// ResetAt is when the holder recovered the PIN in the same ceremony, after this
	// request had been refused; zero if that never happened.
	ResetAt time.Time
	// PINAge and PhoneAge are of a right verdict: whole days since the PIN was set, and
	// since the phone was bound, of that one more; zero: no phone was bound.
	PINAge, PhoneAge int
}

// IntentState is how far an intent has come.
type IntentState uint8

// A crash in IntentReserved leaves the old PIN (no keeper has a commit); from
// IntentCommitting on the new PIN is carried through; IntentFlipped only waits
// for keepers that have not acknowledged.
const (
	IntentReserved   IntentState = 1 // version reserved, maybe proposed
	IntentCommitting IntentState = 2 // verifier recorded, commits may be out
	IntentFlipped    IntentState = 3 // the card row holds the new version
)

// Intent is the setting of one PIN, in the making. A card has at most one.
type Intent struct {
	Card     liuma.CardID
	From     liuma.Version // current version when the intent was reserved; the flip compares it
	Version  liuma.Version // reserved for the new PIN
	KeySet   uint32
	Verifier liuma.Verifier // from IntentCommitting on
	State    IntentState
	Owner    string // process that works on it; another may take over after Lease
	Lease    time.Time
	// Request is the business number that the intent belongs to; the flip decides
	// it.
	Channel    liuma.ChannelID
	BusinessNo liuma.BusinessNo
	At         time.Time
	PINForm    pin.Form // of the new PIN, from IntentCommitting on
}

// Person is one row of the physical-card registry.
type Person struct {
	Holder     vault.Index // of the canonical ID number
	CardNo     vault.Index // of the physical card number
	Sealed     []byte      // vault-sealed registry.Facts, bound to Holder
	Region     liuma.Region
	Physical   liuma.PhysicalStatus
	ReplacedBy vault.Index // card number that replaced an earlier one, or zero
	UpdatedAt  time.Time
	Died       bool // no report makes the card usable again
	// CorrectedTo is set where the number was corrected to another: the row is nobody,
	// and stays so that the old number is not taken for a new person's.
	CorrectedTo vault.Index
	// Awaited is set while a correction of that number to this one waits: until it
	// counts the row is nobody either.
	Awaited vault.Index
}
