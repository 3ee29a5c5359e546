package ceremony

import (
	"encoding/hex"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/store"
)

// A holder agrees to the text about their data by pressing the button under it. The page that
// shows the text comes before anything is typed and also says which channel asks, and for
// what. Every enrolment asks for agreement. When the text has changed, the next reset,
// rebinding or unfreezing through a link asks again. Verifying and changing a PIN are not held
// up: they have no such page, except a verification by evidence alone, which writes nothing
// into the card. Linking by ID number does not ask either, because that would tell a stranger
// whether there is a card. Those holders are asked at their next act that can ask.

// agreement is the text that the holder agreed to in a ceremony. It is written into the card's
// row when the PIN is right or set: only then is it known that the holder agreed, and not
// another person.
type agreement struct {
	Version string    `json:"version"`
	Text    []byte    `json:"text"` // its hash
	At      time.Time `json:"at"`
}

// shownConsent is the text that the page of a ceremony must show, or nil if it need show none.
func (s *Ceremonies) shownConsent(r store.Reader, c store.Ceremony, d details) (*consent.Text, error) {
	if Step(c.Step) != StepConfirm || c.Action == liuma.ActionVerify {
		return nil, nil
	}
	if c.Action == liuma.ActionEnroll {
		return &s.consent, nil
	}
	var card store.Card
	var err error
	switch {
	case c.Action == liuma.ActionCounter:
		var of errand
		of, err = s.errandOf(r, c, d)
		card = of.card // zero before the first PIN: asked for
	case d.Subject.Card == "":
		return nil, nil
	default:
		card, err = s.linkedCardOf(r, c, d)
	}
	if _, refused := refusal(err); refused {
		return nil, nil // the act itself says why
	}
	if err != nil {
		return nil, err
	}
	if n := len(card.Consents); n > 0 && card.Consents[n-1].Text == s.consent.Hash() {
		return nil, nil
	}
	return &s.consent, nil
}

// consented notes that the holder agreed to the text that the page showed. If the page showed
// another text, or none where one must be shown, nothing is agreed to (CodeCeremonyMoved) and
// the holder gets the present page.
func (s *Ceremonies) consented(tx store.Tx, c store.Ceremony, d *details, h Hand) error {
	text, err := s.shownConsent(tx, c, *d)
	if err != nil || text == nil {
		return err
	}
	hash := text.Hash()
	if h.Consent != hex.EncodeToString(hash[:]) {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	d.Consent = &agreement{Version: text.Version, Text: hash[:], At: s.now()}
	return nil
}

// nativeConsent refuses an enrolment at the native door whose holder has not agreed to the
// present text on the channel's page. It does so where the configuration demands consent, and
// wherever the request names another version, since nobody could show that text later.
func (s *Ceremonies) nativeConsent(q asking) error {
	named := q.request.ConsentVersion
	if q.hosted() || named == s.consent.Version || named == "" && !s.demandConsent {
		return nil
	}
	return liuma.FailField(liuma.CodeConsentRequired, "consent_version", nil)
}

// agreedInApp is the consent that a new card starts with: the one given on the channel's own
// page, as the channel says in a request that also has evidence about the same person. It
// replaces any consent left by an enrolment that broke off.
func (s *Ceremonies) agreedInApp(q asking) []store.Consent {
	if q.hosted() || q.request.ConsentVersion == "" {
		return nil // keepConsent keeps a consent given on our own page
	}
	return []store.Consent{{Version: s.consent.Version, Text: s.consent.Hash(), At: s.now(), Channel: q.caller.Channel()}}
}

// NativeConsent is the present text, and whether an enrolment at the native door has to
// name its version.
func (s *Ceremonies) NativeConsent() (text consent.Text, demanded bool) {
	return s.consent, s.demandConsent
}

// keepConsent writes the holder's agreement into the card, in the transaction of the right PIN
// or of the first PIN. A crash before the commit leaves it in the ceremony, and the process
// that completes the PIN keeps it (I-7).
func (s *Ceremonies) keepConsent(tx store.Tx, card *store.Card, row store.Request) error {
	if row.Ceremony == "" || row.Verdict != liuma.Right {
		return nil
	}
	c, d, err := s.readCeremony(tx, row.Ceremony)
	if err != nil || d.Consent == nil {
		return err
	}
	keepAgreed(card, d.Consent, c.Channel)
	return nil
}

// keepAgreed writes an agreement into a card, if the card does not have it yet.
func keepAgreed(card *store.Card, agreed *agreement, ch liuma.ChannelID) {
	if agreed == nil {
		return
	}
	given := store.Consent{Version: agreed.Version, At: agreed.At, Channel: ch}
	copy(given.Text[:], agreed.Text)
	if n := len(card.Consents); n > 0 && card.Consents[n-1].Text == given.Text {
		return
	}
	card.Consents = append(card.Consents[:len(card.Consents):len(card.Consents)], given)
}
