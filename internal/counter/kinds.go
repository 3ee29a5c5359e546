package counter

import (
	"context"
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The reasons why a kind of ticket cannot be opened. The catalogue has a sentence for each
// ("word.not_possible.WORD").
const (
	NotNoCard     = "no_card"      // there is no electronic card
	NotHasCard    = "has_card"     // there is one already
	NotFrozen     = "not_frozen"   // it is not stopped
	NotThawed     = "thaw_first"   // it is stopped: unfreeze it first
	NotOpened     = "open_first"   // it was adopted, and is opened first
	NotCancelled  = "cancelled"    // the physical card was cancelled
	NotContested  = "contested"    // the number was given to another person
	NotCorrecting = "correcting"   // the number is being corrected
	NotRetiring   = "retiring"     // it is being closed or erased
	NotDied       = "died"         // the registry says that the person died
	NotKeepers    = "keepers_away" // it is not known whether there is a card
	NotClosing    = "closing_off"  // this service closes no cards at a counter
	NotReason     = "close_reason" // the person was looked up for something else
	NotHeir       = "heir"         // who died is not here: it is not said who came
	NotRegistered = "not_registered"
	NotAgent      = "agent"      // nobody does that for another
	NotAgentHere  = "agent_here" // the person's region lets nobody come for that
	NotAgentOnly  = "agent_only" // the person is there, and freezes themself
	NotGuardian   = "guardian"   // a child comes with a guardian
	NotBorn       = "born"       // the registry has no birthday, so nobody knows whether they are a child
)

// NotPossible lists them.
func NotPossible() []string {
	return []string{NotNoCard, NotHasCard, NotFrozen, NotThawed, NotOpened, NotCancelled, NotContested, NotCorrecting, NotRetiring,
		NotDied, NotKeepers, NotClosing, NotReason, NotRegistered, NotAgent, NotAgentHere, NotAgentOnly, NotGuardian, NotBorn, NotHeir}
}

// situation is everything about a person that decides which tickets can be opened.
type situation struct {
	person  store.Person
	facts   registry.Facts
	known   bool // the registry knows the person
	card    store.Card
	has     bool // there is a card with a PIN
	held    ledger.Row
	away    bool // the keepers did not answer
	contact *store.Contact
	phone   string // number of the bound phone
	link    bool   // there is a known link
	live    []store.Ticket
	left    bool // no colleague's ticket among them is still being worked on
	writes  bool // the registry has an address for letters
}

// heldOf asks the keepers for a person who has no card in the database. It runs outside of
// any transaction.
func (c *Counter) heldOf(ctx context.Context, holder vault.Index) (held ledger.Row, away bool, err error) {
	var there bool
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		card, err := r.CardByHolder(holder)
		there = err == nil && card.Version > 0 && !c.c.Engine.ClosedForGood(card)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil || there {
		return ledger.Row{}, false, err
	}
	held, err = c.c.Engine.HeldOf(ctx, holder)
	if err != nil {
		c.c.Logger.WarnContext(ctx, "it is not known whether keepers hold a card", "err", err)
		return ledger.Row{}, true, nil
	}
	return held, false, nil
}

// stand reads a person's situation.
func (c *Counter) stand(r store.Reader, holder vault.Index, held ledger.Row, away bool) (situation, error) {
	s := situation{held: held, away: away}
	p, f, err := c.c.Registry.Of(r, holder)
	switch {
	case err == nil:
		s.person, s.facts, s.known = p, f, true
	case !errors.Is(err, store.ErrNotFound):
		return s, err
	}
	found, err := r.CardByHolder(holder)
	if errors.Is(err, store.ErrNotFound) {
		return s, c.standLive(r, &s, holder)
	}
	if err == nil {
		s.card, err = c.c.Engine.ReadCard(r, found.ID)
	}
	if err != nil {
		return s, err
	}
	if c.c.Engine.ClosedForGood(s.card) { // treated as no card: the person may apply again
		s.card = store.Card{}
		s.live, err = c.liveTickets(r, liuma.CardID{}, holder)
		return s, err
	}
	if s.has = s.card.Version > 0; s.has || s.held.Card == s.card.ID { // an interrupted enrolment is continued
		s.held, s.away = ledger.Row{}, false
	}
	contact, phone, err := c.c.Engine.Contact(r, s.card.ID)
	if err == nil {
		s.contact, s.phone = &contact, phone
	} else if !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	if s.writes, err = c.c.Engine.Writes(r, s.card, s.facts); err != nil {
		return s, err
	}
	links, err := r.Links(s.card.ID)
	if err != nil {
		return s, err
	}
	s.link = slices.ContainsFunc(links, func(l store.Link) bool { return c.c.Engine.KnownLink(s.card, l) })
	return s, c.standLive(r, &s, holder)
}

// standLive reads a person's tickets that have not ended.
func (c *Counter) standLive(r store.Reader, s *situation, holder vault.Index) (err error) {
	if s.live, err = c.liveTickets(r, s.card.ID, holder); err != nil {
		return err
	}
	s.left = len(s.live) > 0
	for _, t := range s.live {
		left, err := c.leftAlone(r, t)
		if err != nil {
			return err
		}
		s.left = s.left && left
	}
	return nil
}

// leftAlone reports whether a ticket that waits for its supervisor may be replaced by a
// colleague's: nobody took or approved it for some time, or its clerk has signed out. So a
// colleague need not wait for its half hour, and no clerk can keep a person from all other
// clerks. An approved ticket belongs to its holder and is never left alone.
func (c *Counter) leftAlone(r store.Reader, t store.Ticket) (bool, error) {
	if t.State != store.TicketAsked {
		return false, nil
	}
	after := LeftAfter
	if t.Ceremony != "" {
		after = HeldAfter
	}
	if c.c.Now().Sub(t.AskedAt) >= after {
		return true, nil
	}
	clerk, err := r.Member(t.Clerk)
	if err != nil || !clerk.Active() {
		return err == nil, err
	}
	in, err := c.c.SignedIn(r, clerk)
	return err == nil && !in, err
}

// liveTickets are a person's tickets, by card or by document, whose time is not over.
func (c *Counter) liveTickets(r store.Reader, card liuma.CardID, holder vault.Index) ([]store.Ticket, error) {
	of, err := r.TicketsOf(card)
	if err != nil {
		return nil, err
	}
	others, err := r.TicketsFor(holder)
	return slices.DeleteFunc(append(of, others...), func(t store.Ticket) bool { return !t.Live() || !c.c.Now().Before(t.Until) }), err
}

// adopted reports whether a card was adopted from the keepers: it is frozen, and has
// neither a phone nor a link by which its holder could unfreeze it online.
func (s situation) adopted() bool {
	return s.has && s.card.Frozen && s.contact == nil && !s.link && !s.card.Contested
}

// stopped reports whether a freeze or a report stops the card.
func (c *Counter) stopped(s situation) bool { return s.card.Frozen || s.card.Reported(c.c.Now()) }

// not returns the reason why a kind cannot be opened on a look-up, or "".
func (c *Counter) not(s situation, kind liuma.TicketKind, row store.LookUp) string {
	if row.Came.As != "" && !c.guards(s, kind, row.Came) {
		if why := c.notForAgent(s, kind, row.Reason); why != "" {
			return why
		}
	} else if kind == liuma.TicketFreeze { // only an agent freezes at a counter
		return NotAgentOnly
	}
	switch {
	case !s.known:
		return NotRegistered
	case s.away:
		return NotKeepers
	case s.has && !s.card.Retiring.IsZero():
		return NotRetiring
	}
	if kind == liuma.TicketClose {
		switch {
		case c.c.Closer == nil:
			return NotClosing
		case !s.has:
			return NotNoCard
		case s.card.IsClosing():
			return NotRetiring
		case row.Reason == ReasonDeath && row.Came.As != store.CameAgent: // the heir who reports the death must be named
			return NotHeir
		}
		return ""
	}
	if s.person.Died {
		return NotDied
	}
	if kind == liuma.TicketEnroll {
		switch {
		case s.has, !s.held.Card.IsZero():
			return NotHasCard
		case s.person.Physical == liuma.PhysicalCancelled:
			return NotCancelled
		case row.Came.As == "" && s.facts.Born() == "":
			return NotBorn
		case row.Came.As == "" && c.needsGuardian(s):
			return NotGuardian
		}
		return ""
	}
	if !s.has && s.held.Card.IsZero() {
		return NotNoCard
	}
	return c.notOfCard(s, kind)
}

// notOfCard is not for the kinds that are about a card.
func (c *Counter) notOfCard(s situation, kind liuma.TicketKind) string {
	switch {
	case s.card.Contested:
		return NotContested
	case s.has && s.card.Physical == liuma.PhysicalCancelled || !s.has && s.person.Physical == liuma.PhysicalCancelled:
		return NotCancelled
	case s.card.IsCorrecting() && kind != liuma.TicketFreeze: // a freeze is the way to stop a wrong correction
		return NotCorrecting
	}
	fresh := !s.has || s.adopted() // only enrolling or opening is possible
	switch kind {
	case liuma.TicketOpen:
		if !fresh {
			return NotHasCard
		}
		return ""
	case liuma.TicketFreeze: // allowed for a frozen card too: it stops other open acts
		if !s.has {
			return NotOpened
		}
		return ""
	case liuma.TicketUnfreeze:
		switch {
		case fresh:
			return NotOpened
		case !c.stopped(s):
			return NotFrozen
		}
		return ""
	}
	switch {
	case fresh:
		return NotOpened
	case c.stopped(s):
		return NotThawed
	}
	return ""
}

// byLink reports whether a kind may go without a supervisor, by the bound phone through a
// known link.
func byLink(s situation, kind liuma.TicketKind) bool {
	return slices.Contains([]liuma.TicketKind{liuma.TicketReset, liuma.TicketUnfreeze, liuma.TicketRebind}, kind) && s.contact != nil && s.link
}
