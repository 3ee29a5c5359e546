package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The data held about one person, written out because that person asks for it (PIPL
// article 45). Nothing in it is about another person: phone numbers are masked, since a
// number may be a relative's, and a card that was another person's under the same number
// is only mentioned. It has no PIN, because none is stored.

// ErrNobody says that nothing is held under a number.
var ErrNobody = errors.New("nothing is held about a person with this ID number")

// maxNotices is how many notices are written out, newest last.
const maxNotices = 1000

// Held is the data held about one person. The uses of the card are in the audit record,
// in the stream of Card.ID.
type Held struct {
	At        time.Time   `json:"at"`
	IDNumber  string      `json:"id_number"`
	Person    *HeldPerson `json:"person"` // null: the registry has nobody
	Card      *HeldCard   `json:"card"`   // null: no electronic card
	Conflicts int         `json:"conflicts"`
	// Corrections lists corrections from or to the number that are under way, wait for an
	// operator, or were decided against. Corrections that took effect leave none.
	Corrections []HeldCorrection      `json:"corrections"`
	Pending     []HeldCeremony        `json:"pending"` // what goes on now
	Notices     []HeldNotice          `json:"notices"`
	Letters     []HeldLetter          `json:"letters,omitempty"` // notices on paper
	Came        []HeldCame            `json:"came,omitempty"`
	Tickets     []HeldTicket          `json:"tickets"` // that were opened for them at a counter
	Names       map[string]liuma.Text `json:"names"`   // of the clients that are named here, and in the record
}

// HeldPerson is the registry's row.
type HeldPerson struct {
	Name      string               `json:"name"`
	Phone     string               `json:"phone"` // masked; empty: none
	CardNo    string               `json:"card_no"`
	Region    liuma.Region         `json:"region"`
	Physical  liuma.PhysicalStatus `json:"physical"`
	Died      bool                 `json:"died"`
	UpdatedAt time.Time            `json:"updated_at"`
	BirthDate string               `json:"birth_date,omitempty"` // 1980-08-08, where the number does not tell it
	Household string               `json:"household,omitempty"`
	Address   string               `json:"address,omitempty"` // where letters go, and its postcode
	Postcode  string               `json:"postcode,omitempty"`
}

// HeldCard is the electronic card. If it was made by the person who was registered under
// the number before, only Others is set.
type HeldCard struct {
	Others    bool           `json:"others,omitempty"`
	ID        string         `json:"id,omitempty"`
	Standing  liuma.Standing `json:"standing,omitempty"`
	Region    liuma.Region   `json:"region,omitempty"`
	CreatedAt time.Time      `json:"created_at,omitzero"`
	PINSetAt  time.Time      `json:"pin_set_at,omitzero"` // the PIN itself is not kept
	// PINFrom is when the PIN begins to count, if it was set at a counter and waits.
	PINFrom  time.Time     `json:"pin_counts_from,omitzero"`
	Frozen   time.Time     `json:"frozen_at,omitzero"`
	Retiring time.Time     `json:"retiring_at,omitzero"` // when erasing began
	Contact  *HeldContact  `json:"contact,omitempty"`
	Former   []HeldFormer  `json:"former_contacts,omitempty"`
	ToldFor  *HeldNotices  `json:"notice_contact,omitempty"`
	Links    []HeldLink    `json:"links,omitempty"`
	Consents []HeldConsent `json:"consents,omitempty"`
	// The report of a loss by phone that stops the card now.
	ReportedAt    time.Time `json:"loss_reported_at,omitzero"`
	ReportedUntil time.Time `json:"loss_reported_until,omitzero"`
}

// HeldContact is the bound phone.
type HeldContact struct {
	Phone       string    `json:"phone"` // masked
	Language    string    `json:"language"`
	BoundAt     time.Time `json:"bound_at"`
	ConfirmedAt time.Time `json:"confirmed_at"`
	EveryUse    bool      `json:"every_use"`
}

// HeldFormer is a number that was bound before and still gets notices of the card.
type HeldFormer struct {
	Phone    string    `json:"phone"` // masked
	Language string    `json:"language"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
}

// HeldNotices is the contact for notices of a holder without a phone.
type HeldNotices struct {
	Phone    string    `json:"phone"` // masked
	Language string    `json:"language"`
	Since    time.Time `json:"since"`
}

// HeldLink is a link in a channel.
type HeldLink struct {
	Channel liuma.ChannelID `json:"channel"`
	At      time.Time       `json:"at"`
}

// HeldConsent is a text that the holder agreed to.
type HeldConsent struct {
	Version string          `json:"version"`
	Text    string          `json:"text_sha256"`
	At      time.Time       `json:"at"`
	Channel liuma.ChannelID `json:"channel"`
}

// HeldCorrection is a correction of an ID number. For a correction to the requested
// number only Incoming, State and times are set: the person with that number need not be
// the person whose number is being corrected.
type HeldCorrection struct {
	Incoming bool       `json:"incoming,omitempty"`
	Number   string     `json:"new_id_number,omitempty"`
	State    string     `json:"state"` // as in CorrectionView
	At       time.Time  `json:"at"`
	Until    *time.Time `json:"until,omitempty"` // when it counts, where the holder of a card may stop it
}

// HeldCame is an agent or guardian who came to a counter in the person's place, or with
// them.
type HeldCame struct {
	At   time.Time        `json:"at"`
	As   store.CameAs     `json:"as"`
	Kind liuma.TicketKind `json:"kind"` // what for
	Name string           `json:"name"` // masked
}

// HeldCeremony is an open ceremony.
type HeldCeremony struct {
	Action  liuma.Action    `json:"action"`
	Channel liuma.ChannelID `json:"channel"`
	At      time.Time       `json:"at"`
}

// HeldLetter is a letter that is still kept, without its content.
type HeldLetter struct {
	Template string            `json:"template"`
	State    store.LetterState `json:"state"`
	At       time.Time         `json:"at"`
}

// HeldTicket is a ticket that was opened for the person at a counter, and whether a
// security officer reviewed it. The names of staff and their words are in the audit
// record, and are not handed out.
type HeldTicket struct {
	Kind       liuma.TicketKind  `json:"kind"`
	State      string            `json:"state"`
	Route      store.TicketRoute `json:"route"`
	Agency     liuma.Agency      `json:"agency,omitempty"`
	Reason     string            `json:"reason"`
	Lost       bool              `json:"phone_lost,omitempty"`
	AskedAt    time.Time         `json:"asked_at"`
	OpenedAt   time.Time         `json:"opened_at,omitzero"`
	EndedAt    time.Time         `json:"ended_at,omitzero"`
	ToReview   bool              `json:"to_review,omitempty"` // somebody is to look at it
	ReviewedAt time.Time         `json:"reviewed_at,omitzero"`
	Finding    string            `json:"finding,omitempty"` // fine or wrong
}

// HeldNotice is a message to the bound phone that is still kept, without its text.
type HeldNotice struct {
	Template string             `json:"template"`
	State    store.MessageState `json:"state"`
	At       time.Time          `json:"at"`
}

// Held writes out the data held about the person of a number, on the record with a
// reason. The bound phone gets a notice, in case another person asked. ErrNobody.
//
// The entry is written before anything is returned: after a crash the record may have a
// reading that nobody saw, never the other way round (I-8).
func (g *Registry) Held(ctx context.Context, actor string, id IDNumber, reason audit.Reason) (Held, error) {
	if id.IsZero() {
		return Held{}, liuma.Fail(liuma.CodeIDNumberInvalid, errIDShape)
	}
	holder := g.vault.Index(vault.IndexIDNumber, id.Canonical())
	var h Held
	var card store.Card
	err := g.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		h = Held{At: g.now(), IDNumber: id.Canonical()}
		var err error
		if card, err = g.hold(tx, holder, &h); err != nil {
			return audit.Entry{}, err
		}
		if h.Person == nil && h.Card == nil && h.Conflicts == 0 && len(h.Pending) == 0 && len(h.Corrections) == 0 && len(h.Tickets) == 0 {
			return audit.Entry{}, ErrNobody
		}
		e := audit.Entry{At: g.now(), Actor: actor, Event: audit.PersonShown, Card: card.ID, Outcome: "ok", Note: reason.Note("")}
		if card.ID.IsZero() {
			return e, nil
		}
		return e, g.noteChange(tx, card, []string{store.ChangedShown}, nil)
	})
	if err != nil || card.ID.IsZero() || h.Card.Others {
		return h, err
	}
	return h, g.holdNotices(ctx, card.ID, &h)
}

// hold reads everything except the notices.
func (g *Registry) hold(r store.Reader, holder vault.Index, h *Held) (card store.Card, err error) {
	p, f, err := g.Of(r, holder)
	switch {
	case err == nil:
		h.Person = &HeldPerson{Name: f.Name, CardNo: f.CardNo, Region: p.Region, Physical: p.Physical, Died: p.Died, UpdatedAt: p.UpdatedAt}
		if f.Phone != "" {
			h.Person.Phone = f.MaskedPhone()
		}
		h.Person.Household, h.Person.Address, h.Person.Postcode = f.Household, f.Address, f.Postcode
		if born, err := time.Parse(bornForm, f.BirthDate); err == nil {
			h.Person.BirthDate = born.Format(time.DateOnly)
		}
	case !errors.Is(err, store.ErrNotFound):
		return card, err
	}
	conflicts, err := r.ConflictsOf(holder)
	if err != nil {
		return card, err
	}
	h.Conflicts = len(conflicts)
	if h.Corrections, err = g.holdCorrections(r, holder); err != nil {
		return card, err
	}
	pending, err := r.CeremoniesFor(holder)
	if err != nil {
		return card, err
	}
	card, err = r.CardByHolder(holder)
	switch {
	case errors.Is(err, store.ErrNotFound):
		card = store.Card{}
	case err != nil:
		return card, err
	case card.Contested: // the former person made it; nothing of it is this person's
		h.Card = &HeldCard{Others: true}
	default:
		of, err := r.CeremoniesOf(card.ID)
		if err != nil {
			return card, err
		}
		pending = append(pending, of...)
		if err := g.holdCard(r, card, h); err != nil {
			return card, err
		}
	}
	if err := holdCame(r, card, holder, h); err != nil {
		return card, err
	}
	h.Pending = make([]HeldCeremony, 0, len(pending))
	for _, c := range pending {
		h.Pending = append(h.Pending, HeldCeremony{c.Action, c.Channel, c.At})
	}
	if err := holdTickets(r, holder, card, h); err != nil {
		return card, err
	}
	return card, nameClients(r, h)
}

// holdCame lists the agents and guardians of the person's tickets, also of an earlier
// closed card, but not those of the number's former person.
func holdCame(r store.Reader, card store.Card, holder vault.Index, h *Held) error {
	all, err := r.TicketsFor(holder)
	if err != nil {
		return err
	}
	if !card.Contested {
		for _, id := range []liuma.CardID{card.Follows, card.ID} {
			of, err := r.TicketsOf(id)
			if err != nil {
				return err
			}
			all = append(all, of...)
		}
	}
	slices.SortStableFunc(all, func(a, b store.Ticket) int { return a.AskedAt.Compare(b.AskedAt) })
	for _, t := range all {
		if t.Came.As != "" {
			h.Came = append(h.Came, HeldCame{t.AskedAt, t.Came.As, t.Kind, t.Came.Name})
		}
	}
	return nil
}

func (g *Registry) holdCorrections(r store.Reader, holder vault.Index) ([]HeldCorrection, error) {
	all := []HeldCorrection{}
	of, err := r.CorrectionOf(holder)
	switch {
	case err == nil:
		f, err := g.open(store.Person{Holder: of.Number, Sealed: of.Sealed})
		if err != nil {
			return nil, err
		}
		all = append(all, heldCorrection(of))
		all[0].Number = f.IDNumber
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	to, err := r.CorrectionTo(holder)
	switch {
	case err == nil:
		v := heldCorrection(to)
		v.Incoming = true
		all = append(all, v)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	return all, nil
}

func heldCorrection(c store.Correction) HeldCorrection {
	v := HeldCorrection{State: stateName(c.State), At: c.At}
	if !c.Until.IsZero() {
		v.Until = &c.Until
	}
	return v
}

// holdTickets reads the tickets that were opened for the person at counters, before they
// had a card and with it. Tickets of a card that the number's former person made are left
// out.
func holdTickets(r store.Reader, holder vault.Index, card store.Card, h *Held) error {
	h.Tickets = []HeldTicket{}
	if h.Card != nil && h.Card.Others {
		return nil
	}
	all, err := r.TicketsFor(holder)
	if err != nil {
		return err
	}
	of, err := r.TicketsOf(card.ID)
	for _, t := range append(all, of...) {
		h.Tickets = append(h.Tickets, HeldTicket{Kind: t.Kind, State: t.State.Name(), Route: t.Route, Agency: t.Agency, Reason: t.Reason, Lost: t.Lost,
			AskedAt: t.AskedAt, OpenedAt: t.OpenedAt, EndedAt: t.EndedAt, ToReview: !t.ReviewUntil.IsZero() && t.ReviewedAt.IsZero(), ReviewedAt: t.ReviewedAt, Finding: t.Finding})
	}
	return err
}

// nameClients adds the names of all clients to their identifiers. They are public: every
// page that a channel opens shows its name.
func nameClients(r store.Reader, h *Held) error {
	all, err := r.Clients()
	h.Names = make(map[string]liuma.Text, len(all))
	for _, c := range all {
		h.Names[c.ID] = c.Name
	}
	return err
}

func (g *Registry) holdCard(r store.Reader, card store.Card, h *Held) error {
	v := &HeldCard{ID: card.ID.String(), Standing: card.Standing(h.At), Region: card.Region,
		CreatedAt: card.CreatedAt, PINSetAt: card.PINSetAt, Retiring: card.Retiring}
	if card.Frozen {
		v.Frozen = card.FrozenAt
	}
	if card.Reported(h.At) {
		v.ReportedAt, v.ReportedUntil = card.ReportedAt, card.ReportedUntil
	}
	if h.At.Before(card.PINFrom) {
		v.PINFrom = card.PINFrom
	}
	for _, c := range card.Consents {
		v.Consents = append(v.Consents, HeldConsent{c.Version, fmt.Sprintf("%x", c.Text), c.At, c.Channel})
	}
	links, err := r.Links(card.ID)
	if err != nil {
		return err
	}
	for _, l := range links {
		v.Links = append(v.Links, HeldLink{l.Channel, l.At})
	}
	h.Card = v
	letters, err := r.LettersOf(card.ID)
	if err != nil {
		return err
	}
	for _, l := range letters {
		h.Letters = append(h.Letters, HeldLetter{l.Template, l.State, l.At})
	}
	slices.SortStableFunc(h.Letters, func(a, b HeldLetter) int { return a.At.Compare(b.At) })
	formers, err := r.FormerContacts(card.ID)
	if err != nil {
		return err
	}
	for _, o := range formers {
		phone, err := g.maskedContact(vault.ContactPhone, card.ID, o.Sealed)
		if err != nil {
			return err
		}
		v.Former = append(v.Former, HeldFormer{phone, o.Language, o.Since, o.Until})
	}
	if err := g.holdNoticeContact(r, card.ID, v); err != nil {
		return err
	}
	c, err := r.Contact(card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	phone, err := g.maskedContact(vault.ContactPhone, card.ID, c.Sealed)
	if err != nil {
		return err
	}
	v.Contact = &HeldContact{phone, c.Language, c.BoundAt, c.ConfirmedAt, c.EveryUse}
	return nil
}

// holdNoticeContact adds the contact for notices.
func (g *Registry) holdNoticeContact(r store.Reader, card liuma.CardID, v *HeldCard) error {
	n, err := r.NoticeContact(card)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	phone, err := g.maskedContact(vault.NoticePhone, card, n.Sealed)
	v.ToldFor = &HeldNotices{phone, n.Language, n.Since}
	return err
}

// maskedContact opens the sealed number of a contact and masks it.
func (g *Registry) maskedContact(as vault.Purpose, card liuma.CardID, sealed []byte) (string, error) {
	plain, err := g.vault.Unseal(as, card[:], sealed)
	if err != nil {
		return "", fmt.Errorf("registry: held: %w", err)
	}
	defer clear(plain)
	var parts struct { // the form that authority.WriteContact writes
		Phone string `json:"phone"`
	}
	if err := json.Unmarshal(plain, &parts); err != nil || parts.Phone == "" {
		return "", errors.New("registry: held: a phone does not parse") // the cause may quote it
	}
	return MaskPhone(parts.Phone), nil
}

// holdNotices walks through the messages in separate steps, since they are not found by
// their card.
func (g *Registry) holdNotices(ctx context.Context, card liuma.CardID, h *Held) error {
	const page = 500
	h.Notices = []HeldNotice{}
	for after, more := "", true; more; {
		var found []store.Message
		err := g.store.View(ctx, func(r store.Reader) (err error) {
			found, err = r.Messages("", after, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range found {
			if after = m.ID; m.Card == card {
				h.Notices = append(h.Notices, HeldNotice{m.Template, m.State, m.At})
			}
		}
		more = len(found) == page
	}
	slices.SortStableFunc(h.Notices, func(a, b HeldNotice) int { return a.At.Compare(b.At) })
	if over := len(h.Notices) - maxNotices; over > 0 {
		h.Notices = h.Notices[over:]
	}
	return nil
}
