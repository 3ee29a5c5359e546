package store

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Ceremony is a holder's multi-step act at the hosted door. Its whole state is
// in this row, so a lost page loses nothing.
type Ceremony struct {
	ID         string // 26 lower-case characters, random, and perhaps a route; stands in page addresses, is no secret
	Channel    liuma.ChannelID
	BusinessNo liuma.BusinessNo
	Action     liuma.Action
	Region     liuma.Region
	Step       string       // the present step; package ceremony names the steps
	Card       liuma.CardID // zero until known
	// Subject is the blind index of whom the channel pushed it about, by which it is
	// found while Card is zero. Zero in a ceremony of 0.1.0.
	Subject    vault.Index `json:",omitzero"`
	RequestURI [32]byte    // hash of the pushed request's address
	Browser    [32]byte    // hash of the secret of the browser that goes on; zero before the first post
	Sealed     []byte      // vault-sealed: subject, purpose, return address; bound to ID
	Tries      int         // attempts made; each has a business number of its own
	Code       [32]byte    // hash of the authorization code; zero before there is one
	CodeUntil  time.Time
	CodeUsed   time.Time // when it was redeemed, or zero
	// Revision rises with every update. UpdateCeremony compares it, so of two
	// pages that go on at once only one succeeds.
	Revision uint64
	At       time.Time
	Expires  time.Time
	Ended    time.Time // zero while it goes on
}

// CeremonyReader reads ceremonies; ErrNotFound if there is none. A zero hash is
// never found. Where Store.Spreads, a ceremony lies in the home that its ID says
// (vault.Routed), and is found by a hash in that home alone; zero: it has none.
type CeremonyReader interface {
	Ceremony(id string) (Ceremony, error)
	CeremonyByRequestURI(home vault.Home, hash [32]byte) (Ceremony, error)
	CeremonyByCode(home vault.Home, hash [32]byte) (Ceremony, error)
	// CeremoniesOf lists a card's ceremonies that have not ended, oldest first.
	CeremoniesOf(liuma.CardID) ([]Ceremony, error)
	// CeremoniesFor lists a subject's ceremonies that have no card yet and have not
	// ended, oldest first.
	CeremoniesFor(subject vault.Index) ([]Ceremony, error)
	// CeremoniesAt lists those of a card and of a subject that have not ended, oldest
	// first, of those that lie with the card or, where Store.Spreads, nowhere. It is for a
	// subject whose ceremonies all lie with the card.
	CeremoniesAt(card liuma.CardID, subject vault.Index) ([]Ceremony, error)
	// DueCeremonies lists ceremonies that expired before now and have not ended,
	// in the order of their expiry, at most limit.
	DueCeremonies(now time.Time, limit int) ([]Ceremony, error)
}

// CeremonyWriter writes ceremonies.
type CeremonyWriter interface {
	// InsertCeremony refuses a second ceremony with the same (Channel,
	// BusinessNo), RequestURI or ID (ErrExists). Ceremonies without a RequestURI,
	// or without a Code, do not collide.
	InsertCeremony(Ceremony) error
	// UpdateCeremony replaces all members but ID, Channel, BusinessNo and
	// Action if Revision is the stored one, and stores Revision+1. ErrConflict
	// if it is not; ErrExists if another ceremony has the Code or RequestURI.
	UpdateCeremony(Ceremony) error
}

// Contact is the bound phone of a card. A number may serve several cards.
type Contact struct {
	Card        liuma.CardID
	Phone       vault.Index // blind index of the canonical number
	Sealed      []byte      // vault-sealed number, bound to Card
	Language    string      // "zh-CN" or "en": of the notices
	BoundAt     time.Time
	ConfirmedAt time.Time // last one-time code received, or right PIN with a one-time code
	HoldUntil   time.Time // no online reset before; zero for none
	EveryUse    bool      // the holder wants a notice of every use
}

// FormerContact is a number that was bound to a card before, and is told of it for a
// time. The freeze codes of its notices stop the card; it is no proof of anything.
type FormerContact struct {
	Card     liuma.CardID
	Phone    vault.Index // blind index of the canonical number
	Sealed   []byte      // vault-sealed number, bound to Card
	Language string      // of the notices
	Since    time.Time   // another phone was bound in its place
	Until    time.Time   // from then on it is told of nothing
}

// NoticeContact is the number of somebody whom a holder without a phone named, at a
// counter: notices go there. It is no bound phone, and no proof of anything.
type NoticeContact struct {
	Card     liuma.CardID
	Phone    vault.Index // blind index of the canonical number
	Sealed   []byte      // vault-sealed number, bound to Card
	Language string      // of the notices
	Since    time.Time
}

// Code is a one-time code that was sent, for one step of one ceremony.
type Code struct {
	Ceremony string // ceremony ID; one live code each
	Card     liuma.CardID
	Phone    vault.Index
	MAC      vault.MAC // of the one-time code, bound to Ceremony and Phone
	SentAt   time.Time
	Expires  time.Time
	Used     time.Time     // zero until it was right
	Way      liuma.CodeWay // how it was sent; empty: by text
}

// Tick is a ration mark of a number or a source: one event that counts within a
// period, such as a one-time code sent to a number.
// Those of a card stand in the card's row (InsertCardTick).
type Tick struct {
	Kind string      // "code_sent", "notice_sent" …
	Key  vault.Index // of the number or client
	At   time.Time
}

// TicksKept is longer than any period that counts ration marks.
const TicksKept = 30 * 24 * time.Hour

// FreezeCode stops a card without a log-in. Only its MAC is kept.
type FreezeCode struct {
	MAC     vault.MAC
	Card    liuma.CardID
	Expires time.Time
	Used    time.Time
}

// MessageState is how far a message has come.
type MessageState string

// A waiting message is sent again until a gateway takes it; after its last try
// it is dead.
const (
	MessageWaiting   MessageState = "waiting"
	MessageSent      MessageState = "sent"      // a gateway took it
	MessageDelivered MessageState = "delivered" // a delivery report came
	MessageDead      MessageState = "dead"      // given up, for an operator to see
)

// Message is one message to one phone, inserted in the transaction of the
// change that it tells of.
type Message struct {
	ID       string // 26 lower-case characters; the de-duplication key at the gateway
	Kind     string // "code" or "notice": each has its own quota and queue
	Card     liuma.CardID
	Template string
	Language string
	Region   liuma.Region
	Sealed   []byte // vault-sealed: number and parameters; bound to ID
	State    MessageState
	Tries    int
	NextAt   time.Time // when it may be tried (again); a lease while it is being tried
	Expires  time.Time // a one-time code that is late is worthless; zero for never
	Ref      string    // the gateway's reference, or empty
	Fault    string    // stable word for the last failure, or empty
	At       time.Time
	DoneAt   time.Time
	Way      liuma.CodeWay // of a one-time code: ByVoice for a call; empty: by text
}

// PhoneReader reads the rows about bound phones: contacts, one-time codes,
// ration marks, freeze codes, messages.
type PhoneReader interface {
	Contact(liuma.CardID) (Contact, error)
	// FormerContacts lists a card's, in the order of their blind indexes, those that
	// have ended too.
	FormerContacts(liuma.CardID) ([]FormerContact, error)
	NoticeContact(liuma.CardID) (NoticeContact, error)
	Code(ceremony string) (Code, error)
	// Ticks lists the times of the ration marks of a kind and key that are later
	// than since, oldest first.
	Ticks(kind string, key vault.Index, since time.Time) ([]time.Time, error)
	// CardTicks lists a card's ration marks of a kind that are later than since,
	// oldest first; none if there is no such card.
	CardTicks(card liuma.CardID, kind string, since time.Time) ([]time.Time, error)
	FreezeCode(vault.MAC) (FreezeCode, error)
	// DueMessages lists waiting messages of a kind whose NextAt is not after
	// now, oldest NextAt first, at most limit.
	DueMessages(kind string, now time.Time, limit int) ([]Message, error)
	Message(id string) (Message, error)
	// MessageByRef finds the newest message with that reference; an empty one
	// finds none.
	MessageByRef(ref string) (Message, error)
	// Messages lists messages in a state in order of ID, after an ID; an empty
	// state lists all.
	Messages(state MessageState, after string, limit int) ([]Message, error)
}

// ClosingReader reads what is to be looked after.
type ClosingReader interface {
	// DueClosings lists those that are due by now, at most limit. A row that is refused
	// raises its alarm and is passed over.
	DueClosings(now time.Time, limit int) ([]ClosingDue, error)
}

// ClosingWriter writes it.
type ClosingWriter interface {
	PutClosing(ClosingDue) error // replaces that of its card
	DeleteClosing(liuma.CardID) error
}

// PhoneWriter writes these rows. Contacts of all kinds and freeze codes belong to a
// card, one-time codes to a ceremony: ErrNotFound if it is not there. A zero
// expiry has passed, and a zero due time is due.
type PhoneWriter interface {
	PutContact(Contact) error // replaces the card's contact
	// PutFormerContact replaces the card's with the same Phone.
	PutFormerContact(FormerContact) error
	DeleteFormerContact(card liuma.CardID, phone vault.Index) error // deleting none is no error
	PruneFormerContacts(endedBefore time.Time) (int64, error)
	PutNoticeContact(NoticeContact) error   // replaces the card's
	DeleteNoticeContact(liuma.CardID) error // deleting none is no error
	PutCode(Code) error                     // replaces the ceremony's one-time code
	DeleteCodesOf(liuma.CardID) error
	InsertTick(Tick) error // two in the same millisecond count twice
	DeleteTicks(kind string, key vault.Index) error
	PruneTicks(before time.Time) (int64, error)
	// InsertCardTick may drop marks of the card that are TicksKept older.
	InsertCardTick(card liuma.CardID, kind string, at time.Time) error
	DeleteCardTicks(card liuma.CardID, kind string) error
	InsertFreezeCode(FreezeCode) error // ErrExists: the MAC is taken
	UpdateFreezeCode(FreezeCode) error
	PruneFreezeCodes(expiredBefore time.Time) (int64, error)
	InsertMessage(Message) error // ErrExists: the ID is taken
	UpdateMessage(Message) error // its card stays what it was
	// PruneMessages drops messages that were done before a time, never a waiting
	// one, and returns how many.
	PruneMessages(doneBefore time.Time) (int64, error)
}
