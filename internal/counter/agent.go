package counter

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// An agent (代办人) may come to a counter in a person's place, where the policy of the
// person's region allows it. An agent can have the card frozen, by the clerk alone and at
// once, or closed, by the closing that takes a supervisor and 72 hours. Heirs come as
// agents of the dead and may close in every region, but they are named like any agent, so
// that no closing for death is anonymous. In no region may an agent set a PIN, bind a phone
// or unfreeze for another person. A guardian comes with a child who is there and
// applies; for anything else, or with an adult, a guardian is an agent.
//
// Agent and guardian are identified by a document that the clerk saw. Its blind index is
// kept, and the masked name. Neither may be the person, the clerk, the supervisor, or of
// the household of clerk or supervisor.

// Errors about the agent or guardian. With each of them nothing was changed, except that a
// look-up was counted and recorded.
var (
	ErrCameNumber  = errors.New("the document number of who came is not valid: check it against the original, and type it again")
	ErrCameName    = errors.New("the name of who came is not valid: type it as the original document has it, 2 to 80 characters")
	ErrCameYoung   = errors.New("who comes for another, or with a child, is at least 18 years old: an adult comes with their document")
	ErrCameSelf    = errors.New("this is the person's own document: look them up as somebody who came themself")
	ErrAgentKind   = errors.New("nobody sets a PIN, binds a phone or unfreezes for another: the holder comes, or staff visit them with a paired pad")
	ErrAgentRegion = errors.New("the policy of this person's region lets nobody come for them to do this: the holder comes, calls the hotline, or freezes it in their own app")
	ErrBorn        = errors.New("the registry holds no birthday of this person: have it added, or look a child up with a guardian's document")
	ErrHeir        = errors.New("who died is not here: look them up with the document of who came to say so")
	ErrGuardian    = errors.New("a child applies with a guardian, who came along: look the child up with the guardian's document")
)

// fullAge is the age from which a person may act for another.
const fullAge = 18

// Somebody is the agent or guardian, as the clerk types them from the original document.
// Number is the text of a document, as liuma.HolderText makes it.
type Somebody struct {
	As     store.CameAs `json:"as"`
	Number string       `json:"number"`
	Name   string       `json:"name"`
}

// CameView is the agent or guardian as members of staff see them afterwards.
type CameView struct {
	As   store.CameAs `json:"as"`
	Name string       `json:"name"` // masked
}

func cameView(c store.Came) CameView { return CameView{c.As, c.Name} }

// parseCame reads the agent or guardian; nil: the person came alone. No error has the
// values that were typed.
func (c *Counter) parseCame(s *Somebody) (store.Came, error) {
	if s == nil {
		return store.Came{}, nil
	}
	id, err := registry.ParseIDNumber(s.Number)
	if err != nil || s.As != store.CameAgent && s.As != store.CameGuardian {
		return store.Came{}, ErrCameNumber
	}
	name, err := registry.ParseName(s.Name)
	if err != nil {
		return store.Came{}, ErrCameName
	}
	// If the document tells no birthday, the clerk must check the age.
	if born := id.Born(); born != "" && !registry.OfAge(born, fullAge, c.c.Now()) {
		return store.Came{}, ErrCameYoung
	}
	return store.Came{As: s.As, Document: c.c.Vault.Index(vault.IndexIDNumber, id.Canonical()), Name: registry.MaskName(name)}, nil
}

// mayCome returns the reason why this agent or guardian may not come for the person to this
// member, or nil.
func (c *Counter) mayCome(r store.Reader, m store.Member, came store.Came, holder vault.Index) (refused, err error) {
	if came.As == "" {
		return nil, nil
	}
	_, theirs, err := c.household(r, came.Document)
	if err != nil {
		return nil, err
	}
	_, persons, err := c.household(r, holder)
	if err != nil {
		return nil, err
	}
	if theirs == persons {
		return ErrCameSelf, nil
	}
	own, err := c.ownCame(r, m, came)
	return errIf(own, ErrOwn), err
}

// ownCame reports whether the agent or guardian is the member, or of the member's
// household.
func (c *Counter) ownCame(r store.Reader, m store.Member, came store.Came) (bool, error) {
	if came.As == "" {
		return false, nil
	}
	return c.own(r, m, came.Document)
}

// rules are the rules of the person's region alone, since no channel is involved.
func (c *Counter) rules(s situation) policy.Policy { return c.c.Rules.For(s.region(), "") }

// notForAgent returns the reason why an agent may not have this kind of ticket here, or "".
// It is checked before the card's standing, so that an agent learns nothing about that.
func (c *Counter) notForAgent(s situation, kind liuma.TicketKind, reason string) string {
	switch {
	case kind == liuma.TicketFreeze && c.rules(s).Agents.Freeze(),
		kind == liuma.TicketClose && (reason == ReasonDeath || c.rules(s).Agents.Close()):
		return ""
	case kind.Holderless():
		return NotAgentHere
	}
	return NotAgent
}

// agentRefusal is the error for a reason of notForAgent; nil for any other.
func agentRefusal(not string) error {
	switch not {
	case NotAgent:
		return ErrAgentKind
	case NotAgentHere:
		return ErrAgentRegion
	case NotGuardian:
		return ErrGuardian
	case NotBorn:
		return ErrBorn
	case NotHeir:
		return ErrHeir
	}
	return nil
}

// guards reports whether the guardian of a child who applies has come. For anything else,
// or with an adult, a guardian counts as an agent (notForAgent).
func (c *Counter) guards(s situation, kind liuma.TicketKind, came store.Came) bool {
	return came.As == store.CameGuardian && kind == liuma.TicketEnroll && c.needsGuardian(s)
}

// needsGuardian reports whether a person is too young to apply alone, or has no known age.
func (c *Counter) needsGuardian(s situation) bool {
	return !registry.OfAge(s.facts.Born(), c.rules(s).Minors.Alone, c.c.Now())
}

// stillAgent refuses a closing if the policy no longer allows the agent, or if the agent is
// of the supervisor's household.
func (c *Counter) stillAgent(r store.Reader, t store.Ticket, card store.Card, members ...store.Member) error {
	if t.Came.As == "" {
		return nil
	}
	for _, m := range members {
		if own, err := c.ownCame(r, m, t.Came); err != nil || own {
			return errors.Join(errIf(own, ErrOwn), err)
		}
	}
	if !t.Kind.Holderless() { // a guardian with the child who applies
		return nil
	}
	s := situation{card: card, has: true}
	return agentRefusal(c.notForAgent(s, t.Kind, t.Reason))
}

// freezeNow freezes a card for an agent, in the transaction that opens the ticket, and uses
// the ticket up. No supervisor is needed, because the holder can undo a freeze. Every
// number of the card is told that somebody else came, and a security officer reviews the
// ticket. As with every freeze, everything else that is open for the card ends. The caller
// inserts the ticket.
//
// A crash before the commit leaves neither freeze nor ticket nor count.
func (c *Counter) freezeNow(tx store.Tx, t *store.Ticket, card store.Card) error {
	now := c.c.Now()
	t.Route, t.OpenedAt, t.Until, t.ReviewUntil = store.RouteAgent, now, now, now.Add(ReviewTime)
	t.End(store.TicketUsed, "", now)
	return c.c.Engine.FreezeForAgent(tx, &card)
}

// eventOf is the audit event of a ticket: opened, or asked for.
func eventOf(t store.Ticket) audit.Event {
	switch {
	case t.Kind == liuma.TicketFreeze:
		return audit.CardFrozen
	case t.Route == store.RouteLink:
		return audit.TicketOpened
	}
	return audit.TicketAsked
}
