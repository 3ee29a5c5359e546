package rows

import (
	"crypto/rand"
	"math"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// kind ties a type to the table that keeps it: how a value becomes key and
// look-ups. Its body is the value itself.
type kind[T any] struct {
	Table
	key   func(*T) []byte
	looks func(*T) []Value
}

// tables are all tables of sealed rows.
type tables struct {
	cards       kind[whole]
	claims      kind[claim]
	holders     kind[holderClaim]
	numbers     kind[number]
	requests    kind[store.Request]
	intents     kind[store.Intent]
	persons     kind[store.Person]
	clients     kind[store.Client]
	evidence    kind[usedEvidence]
	sealKeys    kind[store.SealKey]
	starts      kind[start]
	ceremonies  kind[store.Ceremony]
	codes       kind[store.Code]
	formers     kind[store.FormerContact]
	closings    kind[store.ClosingDue]
	notices     kind[store.NoticeContact]
	ticks       kind[mark]
	freezeCodes kind[store.FreezeCode]
	messages    kind[store.Message]
	sharedRow   kind[shared]
	resealing   kind[store.Resealing]
	clock       kind[clock.State]
	meters      kind[meter]
	tallies     kind[store.Tally]
	sweeps      kind[store.Sweep]
	archives    kind[store.Archive]
	conflicts   kind[store.Conflict]
	changes     kind[store.PersonChange]
	corrections kind[store.Correction]
	staff       kind[store.Member]
	sessions    kind[store.StaffSession]
	proposals   kind[store.Proposal]
	editions    kind[store.Edition]
	tickets     kind[store.Ticket]
	lookUps     kind[store.LookUp]
	deskPads    kind[store.DeskPad]
	letters     kind[store.Letter]
	agencies    kind[store.Agency]
	sums        kind[sum]
	padOffers   kind[store.PadOffer]
	keyring     kind[keyring]
}

// Exempt lists the tables that are not sealed, and why.
func Exempt() map[string]string {
	return map[string]string{
		"audit":            "its entries are chained, and the last hash of each chain stands in a sealed row",
		"digests":          "each is signed, and numbered without gaps",
		"digest_changes":   "what a digest's signature covers",
		"cuts":             "the sum of all of them is in the signature of the digest that the last archive ends with",
		"undigested":       "only saves looking through all streams for the next digest",
		"keepers_seen":     "only rises, and a false value only makes a keeper's rollback harder or too easy to see",
		"goose_db_version": "which migrations have run; the schema decides nothing that a row could",
	}
}

// Tables lists all tables of sealed rows.
func Tables() []Table {
	t := newTables()
	return []Table{t.cards.Table, t.claims.Table, t.holders.Table, t.numbers.Table, t.requests.Table, t.intents.Table, t.persons.Table, t.clients.Table,
		t.evidence.Table, t.sealKeys.Table, t.starts.Table, t.ceremonies.Table, t.codes.Table, t.ticks.Table,
		t.freezeCodes.Table, t.messages.Table, t.clock.Table, t.sharedRow.Table, t.resealing.Table,
		t.meters.Table, t.sweeps.Table, t.archives.Table, t.conflicts.Table, t.changes.Table,
		t.corrections.Table,
		t.staff.Table, t.sessions.Table, t.proposals.Table,
		t.editions.Table, t.tickets.Table, t.lookUps.Table, t.deskPads.Table,
		t.tallies.Table,
		t.formers.Table, t.closings.Table, t.letters.Table, t.agencies.Table, t.notices.Table,
		t.sums.Table, t.padOffers.Table, t.keyring.Table}
}

// clockKey is the key of the one row that keeps the time.
const clockKey = "time"

// claim is a link's handle, taken by a card. The card's row decides whether the
// link is there.
type claim struct{ Card liuma.CardID }

// usedEvidence says that evidence was used. By is the request that it was burnt for,
// before anything else of that request was written; zero where the mark was written with it.
type usedEvidence struct {
	Until time.Time
	By    [32]byte
}

// mark is a ration mark in a row of its own. Salt tells apart those of the same
// millisecond: each counts.
type mark struct {
	Kind string
	Key  vault.Index
	At   time.Time
	Salt [8]byte
}

func newMark(k store.Tick) mark {
	m := mark{Kind: k.Kind, Key: k.Key, At: k.At}
	rand.Read(m.Salt[:]) // never fails since Go 1.24
	return m
}

// marksOf begins the keys of the ration marks of a kind and key.
func marksOf(kind string, key vault.Index) []byte { return join(kind, string(key[:])) }

// start is the stream of a process start: the place and hash of its last entry.
// Its rev is the number of that entry. Start counts the process starts, so that
// each finds the one before it.
type start struct {
	Process audit.ProcessID
	Start   int64
	Hash    audit.Hash
	// Authority is the name of the authority whose process it was; empty where that had
	// the database to itself.
	Authority string
}

// startKey begins with the kind, as a stream's name does.
func startKey(p audit.ProcessID) []byte { return p[:] }

func dueKey(kind string, ms int64) []byte { return ordered(join(kind), ms) }

func refKey(ref string, ms int64) []byte { return ordered(join(ref), ms) }

func noLooks[T any](*T) []Value { return nil }

func newTables() *tables {
	t := &tables{}
	t.cards = kind[whole]{Table{Name: "cards", Columns: []Column{{Name: "holder", Unique: true}}, Recent: 2048},
		func(w *whole) []byte { return w.Card.ID[:] },
		func(w *whole) []Value { return []Value{w.Card.Holder[:]} }}
	t.persons = kind[store.Person]{Table{Name: "persons", Columns: []Column{{Name: "card_no", Unique: true}}},
		func(p *store.Person) []byte { return p.Holder[:] },
		func(p *store.Person) []Value { return []Value{some(p.CardNo[:])} }}
	t.clients = kind[store.Client]{Table{Name: "clients", Shared: true, Recent: 1024},
		func(c *store.Client) []byte { return []byte(c.ID) }, noLooks[store.Client]}
	t.sealKeys = kind[store.SealKey]{Table{Name: "seal_keys", Shared: true},
		func(k *store.SealKey) []byte { return []byte(k.ID) }, noLooks[store.SealKey]}
	t.starts = kind[start]{Table{Name: "starts", Columns: []Column{{Name: "start", Number: true, Unique: true}}},
		func(s *start) []byte { return startKey(s.Process) },
		func(s *start) []Value { return []Value{s.Start} }}
	t.intents = kind[store.Intent]{Table{Name: "intents", Recent: 2048}, // the key is the card: at most one open intent each (I-7)
		func(i *store.Intent) []byte { return i.Card[:] }, noLooks[store.Intent]}
	// One business number, one request (I-11): it is the key. The phase lets the
	// database itself refuse to decide a request twice.
	t.requests = kind[store.Request]{Table{Name: "requests", Columns: []Column{{Name: "phase", Number: true}}, Homed: true, Recent: 1024},
		func(q *store.Request) []byte { return requestKey(q.Channel, q.BusinessNo) },
		func(q *store.Request) []Value { return []Value{phase(q)} }}
	t.evidence = kind[usedEvidence]{Table: Table{Name: "evidence", Columns: []Column{{Name: "until", Number: true}}},
		looks: func(e *usedEvidence) []Value { return []Value{e.Until.UnixMilli()} }}
	t.clock = kind[clock.State]{Table: Table{Name: "clock"}, looks: noLooks[clock.State]}
	t.sweeps = kind[store.Sweep]{Table: Table{Name: "sweeps"}, looks: noLooks[store.Sweep]}
	t.archives = kind[store.Archive]{Table: Table{Name: "archives", Columns: []Column{{Name: "digest", Number: true, Unique: true}}},
		looks: func(a *store.Archive) []Value { return []Value{int64(a.Digest)} }}
	t.numbers = numberTable()
	t.holders = holderTable()
	t.claims = kind[claim]{Table: Table{Name: "claims", Recent: 2048}, looks: noLooks[claim]}
	t.resealing = kind[store.Resealing]{Table: Table{Name: "resealing"}, looks: noLooks[store.Resealing]}
	t.sharedRow = kind[shared]{Table: Table{Name: "shared", Recent: 1}, looks: noLooks[shared]}
	t.meters = meterTable()
	t.tallies = tallyTable()
	t.sums = sumTable()
	t.padOffers = padOfferTable()
	t.keyring = keyringTable()
	t.phone()
	t.people()
	t.ofStaff()
	t.ofPolicy()
	t.ofCounter()
	t.ofLetters()
	t.ofDirectory()
	return t
}

// phase of a request: 0 undecided, 1 decided, 2 redeemed, or overtaken by a reset.
func phase(q *store.Request) int64 {
	switch {
	case !q.Decided:
		return 0
	case q.RedeemedAt.IsZero() && q.ResetAt.IsZero():
		return 1
	}
	return 2
}

// phone adds the tables of ceremonies and of what is sent to phones.
func (t *tables) phone() {
	t.ceremonies = kind[store.Ceremony]{Table{Name: "ceremonies", Columns: []Column{
		{Name: "number", Unique: true}, {Name: "request_uri", Unique: true}, {Name: "code", Unique: true},
		{Name: "open_card"}, {Name: "due", Number: true}, {Name: "ended", Number: true}}, Homed: true},
		func(c *store.Ceremony) []byte { return []byte(c.ID) }, ceremonyLooks}
	t.codes = kind[store.Code]{Table{Name: "codes", Columns: []Column{{Name: "card"}}, Parent: "ceremonies", Homed: true},
		func(c *store.Code) []byte { return []byte(c.Ceremony) },
		func(c *store.Code) []Value { return []Value{some(c.Card[:])} }}
	t.formers = kind[store.FormerContact]{Table{Name: "former_contacts", Columns: []Column{{Name: "until", Number: true}}, Homed: true},
		func(c *store.FormerContact) []byte { return formerKey(c.Card, c.Phone) },
		func(c *store.FormerContact) []Value { return []Value{milli(c.Until)} }}
	t.closings = kind[store.ClosingDue]{Table{Name: "closings", Columns: []Column{{Name: "due", Number: true}}},
		func(c *store.ClosingDue) []byte { return c.Card[:] },
		func(c *store.ClosingDue) []Value { return []Value{c.At.UnixMilli()} }}
	t.notices = kind[store.NoticeContact]{Table{Name: "notice_contacts"},
		func(c *store.NoticeContact) []byte { return c.Card[:] }, noLooks[store.NoticeContact]}
	t.ticks = kind[mark]{Table{Name: "ticks", Columns: []Column{{Name: "at", Number: true}}, Homed: true},
		func(m *mark) []byte { return append(ordered(marksOf(m.Kind, m.Key), m.At.UnixMilli()), m.Salt[:]...) },
		func(m *mark) []Value { return []Value{m.At.UnixMilli()} }}
	t.freezeCodes = kind[store.FreezeCode]{Table{Name: "freeze_codes", Columns: []Column{{Name: "expires", Number: true}}, Homed: true},
		func(f *store.FreezeCode) []byte { return f.MAC[:] },
		func(f *store.FreezeCode) []Value { return []Value{f.Expires.UnixMilli()} }}
	t.messages = kind[store.Message]{Table{Name: "messages", Columns: []Column{
		{Name: "due"}, {Name: "state"}, {Name: "ref"}, {Name: "done", Number: true}}, Homed: true},
		func(m *store.Message) []byte { return []byte(m.ID) }, messageLooks}
}

// ceremonyLooks: a ceremony that has not ended is found by its card, or before
// it has one by its subject, and by when it expires; one that has by when it ended.
func ceremonyLooks(c *store.Ceremony) []Value {
	looks := []Value{join(string(c.Channel), string(c.BusinessNo)), some(c.RequestURI[:]), some(c.Code[:]), nil, nil, milli(c.Ended)}
	if c.Ended.IsZero() {
		looks[3], looks[4] = some(c.Card[:]), c.Expires.UnixMilli() // without a time it is due
		if c.Card.IsZero() {
			looks[3] = some(c.Subject[:]) // longer than a card's id, so that neither is taken for the other
		}
	}
	return looks
}

// messageLooks: a message that waits is found by its kind and when it is due,
// one that is done by when.
func messageLooks(m *store.Message) []Value {
	looks := []Value{nil, []byte(m.State), nil, nil}
	if m.State == store.MessageWaiting {
		looks[0] = dueKey(m.Kind, m.NextAt.UnixMilli()) // without a time it is due
	} else {
		looks[3] = milli(m.DoneAt)
	}
	if m.Ref != "" {
		looks[2] = refKey(m.Ref, m.At.UnixMilli())
	}
	return looks
}

// Bounds of times in keys.
const (
	earliest = math.MinInt64
	latest   = math.MaxInt64
)
