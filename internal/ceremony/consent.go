package ceremony

import (
	"encoding/hex"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/store"
)

// A holder agrees to the text about their data by pressing the button under it, on the
// page of an act that shows who asks and for what before anything is typed. It is
// asked for at every enrolment and, when the text has changed, at the next act that has
// such a page and comes through a link: reset, rebinding, unfreezing. Verifying and changing a
// PIN are not held up: they have no such page, or, by evidence alone, one that writes
// nothing into the card; linking by an ID number
// would tell a stranger whether there is a card, and is not asked either. Those holders
// are asked at their next act that can.

// agreement is what the holder agreed to in a ceremony. It is written into the card's row
// when the PIN is right or set: before, nobody knows that it was the holder.
type agreement struct {
	Version string    `json:"version"`
	Text    []byte    `json:"text"` // its hash
	At      time.Time `json:"at"`
}

// shownConsent is the text that the page of a ceremony has to show, by its hash; nil
// where none has to be.
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

// consented notes that the holder agreed to the text that the page showed. A page that
// showed another text, or none where one has to be shown, agrees to nothing
// (CodeCeremonyMoved): the holder gets the page as it is now.
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

// nativeConsent refuses an enrolment at the native door whose holder has not agreed to
// the present text on the channel's page: where that is demanded, and wherever another
// version is named, which nobody could show later on.
func (s *Ceremonies) nativeConsent(q asking) error {
	named := q.request.ConsentVersion
	if q.hosted() || named == s.consent.Version || named == "" && !s.demandConsent {
		return nil
	}
	return liuma.FailField(liuma.CodeConsentRequired, "consent_version", nil)
}

// agreedInApp is what a card that gets its first PIN has on record before: what its
// holder agreed to on the channel's own page, which the channel says and evidence about
// the same person came with. What an enrolment that broke off left is dropped.
func (s *Ceremonies) agreedInApp(q asking) []store.Consent {
	if q.hosted() || q.request.ConsentVersion == "" {
		return nil // a page's is kept by keepConsent
	}
	return []store.Consent{{Version: s.consent.Version, Text: s.consent.Hash(), At: s.now(), Channel: q.caller.Channel()}}
}

// NativeConsent is the present text, and whether an enrolment at the native door has to
// name its version.
func (s *Ceremonies) NativeConsent() (text consent.Text, demanded bool) {
	return s.consent, s.demandConsent
}

// keepConsent writes what the holder agreed to into the card, in the transaction of the
// right PIN, or of the first one that is set. A crash before the commit leaves it in the
// ceremony, and whoever carries the PIN through keeps it (I-7).
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

// keepAgreed writes into a card what its holder agreed to, if that is news.
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
