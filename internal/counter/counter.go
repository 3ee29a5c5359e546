// Package counter is the work at a counter (经办机构柜台) before and around a holder's act there:
// a clerk looks a person up and opens a ticket (凭单), a supervisor approves it, a holder's
// browser takes it, and a security officer reviews some tickets afterwards.
//
// It guarantees that a clerk alone can do nothing with a ticket. With RouteLink a ticket
// replaces evidence and nothing else: the bound phone's code through a known link is still
// needed. With RouteSupervisor a second member of staff, whom this package picks, has
// approved it, for the one browser whose number they read off the screen in the
// person's hands. A ticket is good once, for fifteen minutes, for one browser. It is
// good only while its card has not been frozen since, clerk and supervisor may still act,
// and the card still belongs to the same person (Stands, which is checked at each move and
// in the transaction that sets, binds or unfreezes). No member opens or approves a ticket
// for themself or their household, or without a recorded document of their own. Look-ups,
// tickets and tickets of one pair of members are rationed, in the database (R-39, I-15).
// Every step is recorded with the member's name in its transaction (I-8). Making many pad
// keys fills no disk and blocks no desk's pad. A ticket, a code and a pad are no proofs: no
// function here sets a PIN, binds a phone or unfreezes a card.
//
// It trusts its callers to say which member acts (package admin), that the pad's key signed
// (the holder's door), and what the holder proved (package ceremony). docs/COUNTER.md says
// what corrupt members can do.
//
// An agent who comes in a person's place can have the card frozen or closed, where the
// person's region allows it, and nothing else.
//
// Start here: Counter, then Stands in stands.go. A file per step: lookup, agent, kinds,
// open, supervisor, seen, decide, code, stands, pad, review, progress, maintain.
package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/ration"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Times.
const (
	LookUpLife = 30 * time.Minute // of a look-up, in which tickets may be opened on it
	AskedLife  = 30 * time.Minute // of a ticket that waits for a supervisor
	TicketLife = 15 * time.Minute // of an open ticket, from its opening or approval
	LeftAfter  = 5 * time.Minute  // after this a waiting ticket that no browser took may be replaced by a colleague's
	HeldAfter  = 10 * time.Minute // the same for one that a browser took and no supervisor approved
	ReviewTime = 7 * 24 * time.Hour
	// Kept is how long an ended ticket stays in the database; the audit record keeps its
	// entries longer.
	Kept = 400 * 24 * time.Hour

	day = 24 * time.Hour
)

// Errors that callers act on. With each of them nothing was changed, except that a refusal
// for a quota is recorded.
var (
	ErrMember       = errors.New("you may not do this at a counter")
	ErrDocument     = errors.New("your own document is not known here, so nobody can tell whether a person is of your household; have it recorded with 'liuma staff document'")
	ErrOwn          = errors.New("nobody serves themself nor their own household: a colleague does")
	ErrBounds       = errors.New("this person belongs to another region than yours")
	ErrNumber       = errors.New("this is no valid document number")
	ErrNobody       = errors.New("nobody is registered under this document")
	ErrReason       = errors.New("choose a reason; where it is another one, say it in a line of up to 200 characters")
	ErrLookUps      = errors.New("you have looked up as many people as one member may within 24 hours")
	ErrTickets      = errors.New("you have opened as many tickets as one member may within 24 hours")
	ErrLookUp       = errors.New("this look-up is over; look the person up again")
	ErrChecked      = errors.New("confirm that you have checked the original document")
	ErrKind         = errors.New("no such ticket can be opened for this person now")
	ErrLive         = errors.New("another member's ticket for this person is still open")
	ErrNoSupervisor = errors.New("no supervisor can be asked now: each is away, of this household, or has approved as many of your tickets as one may")
	ErrPairSpent    = errors.New("the supervisor who was asked about this person has looked at as many of your tickets as one may today: a colleague opens this one")
	ErrTicket       = errors.New("there is no such ticket")
	ErrState        = errors.New("the ticket has gone on or ended meanwhile")
	ErrPad          = errors.New("no pad shows this number now")
	ErrPadGone      = errors.New("this pad is not paired with your desk")
	ErrPadRoute     = errors.New("a pad takes a supervisor: open the ticket without the person's own phone")
	ErrFinding      = errors.New("say whether it is in order, and why in a line of up to 200 characters")
	ErrUnseen       = errors.New("no screen shows a number for this ticket yet: the person's phone or the pad takes it first")
	ErrNumberWrong  = errors.New("this is not the number on the screen that has the ticket; take it from the person's screen, never from the clerk")
	ErrNumberOver   = errors.New("three numbers were wrong: the ticket has ended, and the clerk opens another")
	ErrCarried      = errors.New("the person has set the new PIN, and it is being carried through; look again in a moment")
)

// Registry reads people; *registry.Registry does.
type Registry interface {
	Of(store.Reader, vault.Index) (store.Person, registry.Facts, error)
}

// Engine is the part of the authority that the counter needs; *authority.Authority
// implements it.
type Engine interface {
	// HeldOf is the card that the keepers hold for a person, as in authority.
	HeldOf(ctx context.Context, holder vault.Index) (ledger.Row, error)
	// Adopt inserts a card that only the keepers know; its error is CodeCardRestored when
	// it did.
	Adopt(ctx context.Context, card store.Card, held ledger.Row) error
	ReadCard(store.Reader, liuma.CardID) (store.Card, error)
	KnownLink(store.Card, store.Link) bool
	Contact(store.Reader, liuma.CardID) (store.Contact, string, error)
	// Setting reports whether a ceremony is setting a PIN that the keepers may hold.
	Setting(store.Reader, store.Ceremony) (bool, error)
	// Writes reports whether a letter would go to a card's person.
	Writes(store.Reader, store.Card, registry.Facts) (bool, error)
	// AnewFrom is when the holder of a closed card may apply for another one, and
	// ClosedForGood whether that time has come.
	AnewFrom(store.Card) (time.Time, bool)
	ClosedForGood(store.Card) bool
	// FreezeForAgent freezes a card for an agent, and tells every number of the card that
	// somebody else came. The caller writes the audit entry.
	FreezeForAgent(store.Tx, *store.Card) error
	// ToWall turns a time of the store into the time of a person's clock.
	ToWall(time.Time) time.Time
}

// Rules are the running policy; *policy.Running implements it. For a clerk the rules of the
// region that they are bound to apply.
type Rules interface {
	For(region liuma.Region, channel liuma.ChannelID) policy.Policy
}

// Teller tells a card's contacts, in the transaction of the event.
type Teller interface {
	TellTicketOpened(store.Tx, store.Card, store.Ticket) error
}

// Closer begins the closing of a card, in the transaction that approves its ticket.
type Closer interface {
	BeginClosing(store.Tx, *store.Card, store.Ticket) error
}

// Config holds what a Counter works with. Teller, Closer and Logger are optional.
type Config struct {
	Store    store.Store
	Vault    *vault.Vault
	Registry Registry
	Engine   Engine
	Now      func() time.Time // the store's time, for all limits and rations
	// SignedIn reports whether a member has an open session: such supervisors are picked
	// first, and a pad serves only while its clerk has one.
	SignedIn func(store.Reader, store.Member) (bool, error)
	Rules    Rules
	Teller   Teller // nil: no messages are sent
	Closer   Closer // nil: no card is closed at a counter
	Logger   *slog.Logger
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what+" is missing"))
		}
	}
	need(c.Store != nil, "Store")
	need(c.Vault != nil, "Vault")
	need(c.Registry != nil, "Registry")
	need(c.Engine != nil, "Engine")
	need(c.Now != nil, "Now")
	need(c.SignedIn != nil, "SignedIn")
	need(c.Rules != nil, "Rules")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("counter: config: %w", err)
	}
	return nil
}

// Counter is the counter of an authority. Safe for concurrent use.
type Counter struct {
	c      Config
	codes  ration.Codes // of tickets; set by New
	wrong  ration.Wrong
	offers *padOffers
}

// New checks the Config.
func New(c Config) (*Counter, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Counter{c: c, codes: ticketCodes(), offers: newPadOffers()}, nil
}

// acting is the member who acts. They must be active, have the role, and have a recorded
// document of their own. Errors: ErrMember, ErrDocument.
func acting(r store.Reader, id liuma.StaffID, role liuma.StaffRole) (store.Member, error) {
	m, err := r.Member(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!m.Active() || !m.Has(role)) {
		return store.Member{}, ErrMember
	}
	if err == nil && role != liuma.RoleOfficer && m.Document == (vault.Index{}) {
		return store.Member{}, ErrDocument
	}
	return m, err
}

// own reports whether a person is the member, or of the member's household. It follows a
// document number that was corrected meanwhile.
func (c *Counter) own(r store.Reader, m store.Member, holder vault.Index) (bool, error) {
	mine, mineAt, err := c.household(r, m.Document)
	if err != nil {
		return false, err
	}
	theirs, theirsAt, err := c.household(r, holder)
	if err != nil {
		return false, err
	}
	return mineAt == theirsAt || mine != "" && mine == theirs, nil
}

// household is the registry's household of a person, empty if it names none, and the blind
// index of the person's present document.
func (c *Counter) household(r store.Reader, holder vault.Index) (string, vault.Index, error) {
	for range 8 { // a number is corrected once or twice at most
		p, err := r.Person(holder)
		if errors.Is(err, store.ErrNotFound) {
			return "", holder, nil
		}
		if err != nil {
			return "", holder, err
		}
		if p.CorrectedTo == (vault.Index{}) {
			break
		}
		holder = p.CorrectedTo
	}
	_, f, err := c.c.Registry.Of(r, holder)
	if errors.Is(err, store.ErrNotFound) {
		return "", holder, nil
	}
	return f.Household, holder, err
}

// samePerson reports whether two members are the same person under two names.
func (c *Counter) samePerson(r store.Reader, a, b store.Member) (bool, error) {
	if a.ID == b.ID {
		return true, nil
	}
	_, x, err := c.household(r, a.Document)
	if err != nil {
		return false, err
	}
	_, y, err := c.household(r, b.Document)
	return x == y, err
}

// entry is an entry of the record about a ticket.
func (c *Counter) entry(by string, ev audit.Event, t store.Ticket, outcome string) audit.Entry {
	return audit.Entry{At: c.c.Now(), Actor: by, Event: ev, Card: t.Card, Outcome: outcome, Note: Note(t)}
}

// Note names a ticket in the note of an audit entry: its ID, its kind, and its clerk and
// supervisor.
func Note(t store.Ticket) string {
	words := fmt.Sprintf("ticket=%s kind=%s route=%s clerk=%s", t.ID, t.Kind, t.Route, t.Clerk)
	if t.Supervisor != "" {
		words += " supervisor=" + string(t.Supervisor)
	}
	if t.Agency != "" {
		words += " agency=" + string(t.Agency)
	}
	if t.Lost {
		words += " phone=lost"
	}
	return words + cameWords(t.Came)
}

// byName is the key of one or more members in meters and marks.
func (c *Counter) byName(what string, ids ...liuma.StaffID) vault.Index {
	for _, id := range ids {
		what += "\x00" + string(id)
	}
	return c.c.Vault.Index(vault.IndexTicket, what)
}

// Reasons lists the reasons for which a clerk looks somebody up, in the order in which
// pages show them. The last one needs words.
func Reasons() []string {
	return []string{"forgot_pin", "new_phone", "lost_phone", "no_phone", "frozen", "first_card", "restored", ReasonDeath, ReasonEmigration, "question", ReasonOther}
}

// ErrCloseReason is the ErrReason of closings.
var ErrCloseReason = fmt.Errorf("%w: a card is closed because its holder died or emigrated, so look the person up for that", ErrReason)

// The reasons for which a card is closed.
const (
	ReasonDeath      = "death"
	ReasonEmigration = "emigration"
)

// ReasonOther needs words.
const ReasonOther = "other"

// parseReason checks a reason and its words.
func parseReason(reason, words string) (string, error) {
	if !slices.Contains(Reasons(), reason) {
		return "", ErrReason
	}
	if words == "" && reason != ReasonOther {
		return "", nil
	}
	w, err := audit.ParseReason(words)
	if err != nil {
		return "", ErrReason
	}
	return string(w), nil
}

// reasoned adds a reason to the note of an entry.
func reasoned(note, reason, words string) string {
	note += " for=" + reason
	if words != "" {
		note = audit.Reason(words).Note(note)
	}
	return note
}
