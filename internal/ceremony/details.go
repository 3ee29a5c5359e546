package ceremony

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// details are the sealed values of a ceremony. They never leave this package.
type details struct {
	Subject subjectParts `json:"subject"`
	Purpose string       `json:"purpose"` // the bytes of a liuma.Purpose
	// Replaces is the handle that a link replaces, or empty.
	Replaces store.Handle `json:"replaces,omitempty"`
	Return   Return       `json:"return"`
	// Press is Hand.Press of the browser that took the ticket, hashed; empty if it gave none.
	Press []byte `json:"press,omitempty"`
	// Proofs is what the holder has proved so far.
	Proofs Proofs `json:"proofs,omitzero"`
	// Turned is the act that the holder turned to; empty: the ceremony's own act goes on.
	Turned liuma.Action `json:"turned,omitempty"`

	// GivenIn is the browser whose step ended the ceremony as done, by its hash as
	// in store.Ceremony.Browser. Only that browser takes the code back (I-14).
	GivenIn []byte `json:"given_in,omitempty"`

	// The outcome of the last move, as the page shows it.
	Verdict  string     `json:"verdict,omitempty"`
	Code     string     `json:"code,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Sentence liuma.Text `json:"sentence,omitzero"`
	Left     *int       `json:"left,omitempty"`
	Until    time.Time  `json:"until,omitzero"`

	Language     string    `json:"language,omitempty"`  // of messages to the phone
	NewPhone     string    `json:"new_phone,omitempty"` // to be bound
	NoReset      string    `json:"no_reset,omitempty"`  // of 0.1.0; now the page finds it out each time
	NoResetUntil time.Time `json:"no_reset_until,omitzero"`
	WasReset     bool      `json:"was_reset,omitempty"`
	Moves        int       `json:"moves,omitempty"`     // moves that were made
	ToldOff      bool      `json:"told_off,omitempty"`  // a notice said that notices of every use end
	Forms        int       `json:"forms,omitempty"`     // forms that were taken
	LastForm     []byte    `json:"last_form,omitempty"` // MAC of the last one
	OldCodes     []oldCode `json:"old_codes,omitempty"` // that a newer one took the place of
	Checks       int       `json:"checks,omitempty"`    // new PINs that were judged before they were set

	// Steps are the variants of the acts that held when the ceremony was pushed.
	Steps policy.Steps `json:"steps,omitzero"`
	// Unregistered says that the person was not in the registry at the push, so that the
	// push's region was used in place of the person's.
	Unregistered bool `json:"unregistered,omitempty"`

	// Alone: the channel wants evidence alone. ProvedAlone: the verification was decided so.
	Alone       bool `json:"alone,omitempty"`
	ProvedAlone bool `json:"proved_alone,omitempty"`

	// Pad is what the last try was typed on, as this browser said.
	Pad string `json:"pad,omitempty"`

	TryDigest []byte `json:"try_digest,omitempty"` // of what the last try was made of: the same form sent twice is known by it

	// Ticket, for a ceremony at a counter, is its ticket, and Kind the ticket's kind.
	// NoPhone: the holder has no phone to bind.
	Ticket  liuma.TicketID   `json:"ticket,omitzero"`
	Kind    liuma.TicketKind `json:"kind,omitempty"`
	NoPhone bool             `json:"no_phone,omitempty"`
	// Naming is the number of the contact for notices while its code is awaited; Named is the
	// outcome.
	Naming string `json:"naming,omitempty"`
	Named  Named  `json:"named,omitempty"`

	// Consent is what the holder agreed to.
	Consent *agreement `json:"consent,omitempty"`
}

// subjectParts is the wire form of envelope.Subject, which refuses to be
// marshalled by accident.
type subjectParts struct{ Card, IDNumber, Name, Phone string }

func (d details) subject() envelope.Subject { return envelope.Subject(d.Subject) }

func (d *details) clearVerdict() {
	d.Verdict, d.Code, d.Reason, d.Sentence, d.Left, d.Until = "", "", "", liuma.Text{}, nil, time.Time{}
}

func (s *Ceremonies) sealDetails(c *store.Ceremony, d details) error {
	plain, err := json.Marshal(d)
	if err != nil {
		return err
	}
	defer clear(plain)
	c.Sealed, err = s.vault.Seal(vault.CeremonyDetails, []byte(c.ID), plain)
	return err
}

func (s *Ceremonies) openDetails(c store.Ceremony) (details, error) {
	plain, err := s.vault.Unseal(vault.CeremonyDetails, []byte(c.ID), c.Sealed)
	if err != nil {
		return details{}, fmt.Errorf("ceremony: %w", err)
	}
	defer clear(plain)
	var d details
	if err := json.Unmarshal(plain, &d); err != nil {
		return details{}, errors.New("ceremony details do not parse")
	}
	return d, nil
}

// readCeremony reads a ceremony with its details.
func (s *Ceremonies) readCeremony(r store.Reader, id string) (store.Ceremony, details, error) {
	c, err := r.Ceremony(id)
	if err != nil {
		return store.Ceremony{}, details{}, err
	}
	d, err := s.openDetails(c)
	return c, d, err
}
