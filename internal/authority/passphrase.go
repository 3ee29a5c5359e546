package authority

import "github.com/liuma-pin/liuma/internal/store"

// A card's PIN may be six digits or a passphrase. No refusal shows which: an entry is
// opened, counted and answered in the same way. Only a page that is reached through a
// known link, which has been in use for days, begins with the field that its holder
// needs.

// Passphrases reports whether passphrases may be set anywhere. It tells nothing about
// any card.
func (a *Authority) Passphrases() bool { return a.policy.passphrases() }

// HasPassphrase reports, to a page that came through link l, whether its card's PIN is a
// passphrase. It is false through a link that is not known.
func (a *Authority) HasPassphrase(card store.Card, l store.Link) bool {
	return card.PINForm.Passphrase() && a.KnownLink(card, l)
}

// PassphraseEnded reports whether a card's PIN is a passphrase that its region no longer
// allows: the PIN stays right, and its holder should choose six digits.
func (a *Authority) PassphraseEnded(card store.Card) bool {
	return card.PINForm.Passphrase() && !a.policy.For(card.Region, "").Passphrase
}
