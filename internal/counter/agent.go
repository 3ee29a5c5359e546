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

// Somebody else may come to a counter in a person's place (an agent, 代办人), where the
// policy of the person's region lets them: to have the card frozen, by the clerk alone and
// at once, or closed, by the closing that takes a supervisor and 72 hours. Heirs are no
// agents of who died, and close in every region, named like an agent: nobody is closed as
// dead on nobody's word. In no region does anybody set a PIN, bind
// a phone or unfreeze for another. A guardian comes with a child, who is there and
// applies; for anything else, and with an adult, a guardian is an agent.
//
// Either is known by a document that the clerk saw, of which the blind index is kept, with
// the name masked; and is neither the person nor of the household of clerk or supervisor.

// Errors about who came. With each of them nothing was changed, but that a look-up was
// counted and recorded.
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

// fullAge is that of who may act for another.
const fullAge = 18

// Somebody is who came for a person, or with one, as the clerk types it from the original
// document. Number is the text of a document, as liuma.HolderText makes it.
type Somebody struct {
	As     store.CameAs `json:"as"`
	Number string       `json:"number"`
	Name   string       `json:"name"`
}

// CameView is who came, as members of staff see it afterwards.
type CameView struct {
	As   store.CameAs `json:"as"`
	Name string       `json:"name"` // masked
}

func cameView(c store.Came) CameView { return CameView{c.As, c.Name} }

// parseCame reads who came; nil is nobody but the person. What was typed is in no error.
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
	// A document that tells no birthday is the clerk's to look at.
	if born := id.Born(); born != "" && !registry.OfAge(born, fullAge, c.c.Now()) {
		return store.Came{}, ErrCameYoung
	}
	return store.Came{As: s.As, Document: c.c.Vault.Index(vault.IndexIDNumber, id.Canonical()), Name: registry.MaskName(name)}, nil
}

// mayCome says why somebody may not come for a person to this member, or with them.
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

// ownCame reports whether who came is the member, or of the member's household.
func (c *Counter) ownCame(r store.Reader, m store.Member, came store.Came) (bool, error) {
	if came.As == "" {
		return false, nil
	}
	return c.own(r, m, came.Document)
}

// rules are those of the person's region: it decides, and no channel has a say.
func (c *Counter) rules(s situation) policy.Policy { return c.c.Rules.For(s.region(), "") }

// notForAgent says why an agent has a kind done for nobody here, or "". It comes before
// how the card stands, so that an agent is told nothing of that.
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

// guards reports whether who came is the guardian of a child who applies. For whatever else
// they come, and with whomever, they are an agent as everybody (notForAgent).
func (c *Counter) guards(s situation, kind liuma.TicketKind, came store.Came) bool {
	return came.As == store.CameGuardian && kind == liuma.TicketEnroll && c.needsGuardian(s)
}

// needsGuardian reports whether a person is too young to apply alone, or nobody knows how
// old they are.
func (c *Counter) needsGuardian(s situation) bool {
	return !registry.OfAge(s.facts.Born(), c.rules(s).Minors.Alone, c.c.Now())
}

// stillAgent refuses a closing whose agent the policy, or the supervisor's household, no
// longer lets come.
func (c *Counter) stillAgent(r store.Reader, t store.Ticket, card store.Card, members ...store.Member) error {
	if t.Came.As == "" {
		return nil
	}
	for _, m := range members {
		if own, err := c.ownCame(r, m, t.Came); err != nil || own {
			return errors.Join(errIf(own, ErrOwn), err)
		}
	}
	if !t.Kind.Holderless() { // a guardian, with the child who applies
		return nil
	}
	s := situation{card: card, has: true}
	return agentRefusal(c.notForAgent(s, t.Kind, t.Reason))
}

// freezeNow freezes a card for an agent, in the transaction that opens the ticket, which
// is used by it: a freeze takes nothing away that its holder does not undo. Every number of
// the card is told that somebody else came, and a security officer looks at it. What else
// is open for the card ends, as with every freeze. The caller inserts the ticket.
//
// A crash before the commit leaves neither freeze nor ticket nor count.
func (c *Counter) freezeNow(tx store.Tx, t *store.Ticket, card store.Card) error {
	now := c.c.Now()
	t.Route, t.OpenedAt, t.Until, t.ReviewUntil = store.RouteAgent, now, now, now.Add(ReviewTime)
	t.End(store.TicketUsed, "", now)
	return c.c.Engine.FreezeForAgent(tx, &card)
}

// eventOf is the event of a ticket that was opened, or asked for.
func eventOf(t store.Ticket) audit.Event {
	switch {
	case t.Kind == liuma.TicketFreeze:
		return audit.CardFrozen
	case t.Route == store.RouteLink:
		return audit.TicketOpened
	}
	return audit.TicketAsked
}
