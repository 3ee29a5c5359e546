package counter

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Seeking is what a clerk types to look a person up. Number is the text of a document,
// as liuma.HolderText makes it.
type Seeking struct {
	Number string `json:"number"`
	Reason string `json:"reason"` // of Reasons
	Words  string `json:"words,omitempty"`
	// Came is the agent or guardian who came; nil: the person came alone.
	Came *Somebody `json:"came,omitempty"`
}

// Person is a person as a clerk sees them: masked, with the tickets that are possible now.
type Person struct {
	LookUp   string         `json:"look_up"` // by which tickets are opened
	Until    time.Time      `json:"until"`   // of the look-up
	Name     string         `json:"name"`
	Number   string         `json:"number"`
	Region   liuma.Region   `json:"region"`
	Card     bool           `json:"card"`               // there is an electronic card
	Standing liuma.Standing `json:"standing,omitempty"` // of it
	PIN      bool           `json:"pin"`                // there is a PIN
	Phone    string         `json:"phone,omitempty"`    // the bound one
	Listed   string         `json:"listed,omitempty"`   // the registry's, where none is bound
	// Post says how notices reach a person who has a card and no bound phone: one of the
	// constants below. No clerk sees the address itself.
	Post  string          `json:"post,omitempty"`
	Kinds []Possible      `json:"kinds"`
	Live  *liuma.TicketID `json:"live,omitempty"` // a ticket of the person that goes on
	Mine  bool            `json:"mine,omitempty"` // and is this clerk's
	Left  bool            `json:"left,omitempty"` // or a colleague's that another one takes the place of
	Came  CameView        `json:"came,omitzero"`
	Anew  time.Time       `json:"anew,omitzero"` // of a closed card: from when they can apply for another
}

// How notices reach a person who has no bound phone.
const (
	PostGoes = "goes" // by letter
	PostBack = "back" // a letter came back from the address
	PostNone = "none" // the registry has no address
)

// post returns the constant for a situation.
func (s situation) post() string {
	switch {
	case !s.has || s.contact != nil || s.card.Contested:
		return ""
	case s.writes:
		return PostGoes
	case s.facts.Address != "":
		return PostBack
	}
	return PostNone
}

// Possible says for one kind whether a ticket can be opened now.
type Possible struct {
	Kind liuma.TicketKind `json:"kind"`
	Not  string           `json:"not,omitempty"` // of NotPossible; empty: it can
	// Link says that no supervisor is needed if the person has the bound phone here, with
	// an app in which the card is known.
	Link bool `json:"link,omitempty"`
}

// LookUp looks a person up for a clerk, and records it with the reason, whether or not the
// person is found. It counts to the clerk's day. Errors: ErrMember, ErrDocument,
// ErrReason, ErrNumber, ErrLookUps, ErrNobody, ErrBounds, ErrOwn, and the errors about an
// agent or guardian (ErrCameNumber, ErrCameName, ErrCameYoung, ErrCameSelf).
//
// The entry is written before anything is returned: after a crash the record may have a
// look-up whose answer nobody saw, never the other way round (I-8).
func (c *Counter) LookUp(ctx context.Context, by liuma.StaffID, q Seeking) (Person, error) {
	words, err := parseReason(q.Reason, q.Words)
	if err != nil {
		return Person{}, err
	}
	id, err := registry.ParseIDNumber(q.Number)
	if err != nil {
		return Person{}, ErrNumber // without the typed number
	}
	came, err := c.parseCame(q.Came)
	if err != nil {
		return Person{}, err
	}
	holder := c.c.Vault.Index(vault.IndexIDNumber, id.Canonical())
	// Checked before the keepers are asked, so that a member who may not look up learns
	// nothing from how long they take.
	if err := c.c.Store.View(ctx, func(r store.Reader) error { _, err := acting(r, by, liuma.RoleClerk); return err }); err != nil {
		return Person{}, err
	}
	held, away, err := c.heldOf(ctx, holder)
	if err != nil {
		return Person{}, err
	}
	row := store.LookUp{ID: newID(), Clerk: by, Holder: holder, Reason: q.Reason, Words: words, Came: came}
	var out Person
	var refused error // committed together with the count and the entry
	err = c.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		var e audit.Entry
		out, e, refused, err = c.lookUp(tx, row, held, away)
		return e, err
	})
	if err == nil && refused != nil {
		return Person{}, refused
	}
	if err == nil {
		out.Number = id.Masked()
	}
	return out, err
}

func (c *Counter) lookUp(tx store.Tx, row store.LookUp, held ledger.Row, away bool) (out Person, e audit.Entry, refused, err error) {
	m, err := acting(tx, row.Clerk, liuma.RoleClerk)
	if err != nil {
		return out, e, nil, err
	}
	now := c.c.Now()
	row.At, row.Until = now, now.Add(LookUpLife)
	e = audit.Entry{At: now, Actor: m.ID.Actor(), Event: audit.PersonSought, Outcome: "ok",
		Note: reasoned("at=counter"+agencyWords(m)+cameWords(row.Came), row.Reason, row.Words)}
	if spent, err := c.spent(tx, meterLookUp, m.ID, c.quotas(m).LookUps); err != nil || spent {
		return c.refuseOver(tx, e, m.ID, meterLookUp, ErrLookUps, err)
	}
	if err := tx.Meter(meterLookUp, c.byName(meterLookUp, m.ID), now, 1); err != nil {
		return out, e, nil, err
	}
	s, err := c.stand(tx, row.Holder, held, away)
	if err != nil {
		return out, e, nil, err
	}
	e.Card = s.card.ID
	if refused, err = c.mayServe(tx, m, s, row); err != nil {
		return out, e, nil, err
	}
	if refused != nil {
		e.Outcome = outcomeOf(refused)
		return out, e, refused, nil
	}
	return c.personView(row, s), e, nil, tx.InsertLookUp(row)
}

// outcomeOf is the word for a refusal in the audit record.
func outcomeOf(err error) string {
	switch {
	case errors.Is(err, ErrNobody):
		return string(liuma.CodeNotFound)
	case errors.Is(err, ErrOwn):
		return "own"
	case errors.Is(err, ErrCameSelf):
		return "came_self"
	}
	return "bounds"
}

// cameWords notes in an entry that an agent or guardian came. Their identity is only in
// the ticket, which is deleted when the person is erased; the record stays.
func cameWords(c store.Came) string {
	if c.As == "" {
		return ""
	}
	return " came=" + string(c.As)
}

func agencyWords(m store.Member) string {
	if m.Agency == "" {
		return ""
	}
	return " agency=" + string(m.Agency)
}

// mayServe returns the reason why a member may not serve this person at all, or not this
// agent or guardian.
func (c *Counter) mayServe(r store.Reader, m store.Member, s situation, row store.LookUp) (refused, err error) {
	if !s.known && !s.has && s.held.Card.IsZero() {
		return ErrNobody, nil
	}
	if region := s.region(); !m.Region.Contains(region) {
		return ErrBounds, nil
	}
	own, err := c.own(r, m, row.Holder)
	if err != nil || own {
		return errIf(own, ErrOwn), err
	}
	return c.mayCome(r, m, row.Came, row.Holder)
}

// region is the person's region: the card's or, without a card, the registry's.
func (s situation) region() liuma.Region {
	if s.has || !s.known {
		return s.card.Region
	}
	return s.person.Region
}

func (c *Counter) personView(row store.LookUp, s situation) Person {
	out := Person{LookUp: row.ID, Until: c.c.Engine.ToWall(row.Until), Region: s.region(), Card: s.has || !s.held.Card.IsZero(), PIN: s.has, Came: cameView(row.Came)}
	if s.known {
		out.Name, out.Number = s.facts.MaskedName(), s.facts.MaskedIDNumber()
	}
	if s.has {
		out.Standing = s.card.Standing(c.c.Now())
	}
	out.Post = s.post()
	if from, closed := c.c.Engine.AnewFrom(s.card); closed {
		out.Anew = c.c.Engine.ToWall(from)
	}
	switch {
	case s.card.Contested: // the phone belongs to the number's former person
	case s.contact != nil:
		out.Phone = registry.MaskPhone(s.phone)
	case s.known && s.facts.Phone != "":
		out.Listed = s.facts.MaskedPhone()
	}
	for _, k := range liuma.TicketKinds() {
		p := Possible{Kind: k, Not: c.not(s, k, row)}
		if p.Not == "" && k == liuma.TicketClose && !mayClose(s, row.Reason) {
			p.Not = NotReason
		}
		p.Link = p.Not == "" && byLink(s, k)
		out.Kinds = append(out.Kinds, p)
	}
	for _, t := range s.live {
		id := t.ID
		out.Live, out.Mine, out.Left = &id, t.Clerk == row.Clerk, s.left
	}
	return out
}

// Person shows the person of a clerk's look-up of the last half hour, as they stand now.
// This is neither counted nor recorded again. Errors: ErrMember, ErrDocument, ErrLookUp,
// ErrOwn, ErrBounds, ErrNobody.
func (c *Counter) Person(ctx context.Context, by liuma.StaffID, lookUp string) (out Person, err error) {
	var row store.LookUp
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		row, err = c.lookedUp(r, by, lookUp)
		return err
	})
	if err != nil {
		return Person{}, err
	}
	held, away, err := c.heldOf(ctx, row.Holder)
	if err != nil {
		return Person{}, err
	}
	err = c.c.Store.View(ctx, func(r store.Reader) error {
		s, err := c.serving(r, row, held, away)
		if err != nil {
			return err
		}
		out = c.personView(row, s)
		return nil
	})
	return out, err
}

// serving is the situation of a look-up's person, if its clerk may serve them.
func (c *Counter) serving(r store.Reader, row store.LookUp, held ledger.Row, away bool) (situation, error) {
	m, err := acting(r, row.Clerk, liuma.RoleClerk)
	if err != nil {
		return situation{}, err
	}
	s, err := c.stand(r, row.Holder, held, away)
	if err != nil {
		return situation{}, err
	}
	refused, err := c.mayServe(r, m, s, row)
	return s, errors.Join(refused, err)
}

// lookedUp is a look-up that has not ended, by a clerk who may act.
func (c *Counter) lookedUp(r store.Reader, by liuma.StaffID, id string) (store.LookUp, error) {
	if _, err := acting(r, by, liuma.RoleClerk); err != nil {
		return store.LookUp{}, err
	}
	row, err := r.LookUp(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (row.Clerk != by || !c.c.Now().Before(row.Until)) {
		return store.LookUp{}, ErrLookUp
	}
	return row, err
}

// newID draws 26 lower-case characters.
func newID() string { return strings.ToLower(rand.Text()) }
