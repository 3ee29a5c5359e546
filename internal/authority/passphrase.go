package authority

import "github.com/liuma-pin/liuma/internal/store"

// A card's PIN may be six digits or a passphrase. Which of them it is nobody learns from
// a refusal: an entry is opened, counted and answered alike. Only a page that is reached
// through a known link begins with the field that its holder needs, since such a link
// was in use for days.

// Passphrases reports whether passphrases may be set anywhere. It says nothing of any
// card.
func (a *Authority) Passphrases() bool { return a.policy.passphrases() }

// HasPassphrase reports, to a page that came through link l, that its card's PIN is a
// passphrase. It is false through a link that is not known.
func (a *Authority) HasPassphrase(card store.Card, l store.Link) bool {
	return card.PINForm.Passphrase() && a.KnownLink(card, l)
}

// PassphraseEnded reports that a card's PIN is a passphrase and that its region allows
// none any more: the PIN stays right, and its holder is to choose six digits.
func (a *Authority) PassphraseEnded(card store.Card) bool {
	return card.PINForm.Passphrase() && !a.policy.For(card.Region, "").Passphrase
}
