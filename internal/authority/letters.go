package authority

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// Holders who have no phone get letters. A notice that no number can get goes to the
// address in the registry, queued in the transaction of the act like a text. In two cases
// both text and letter go out for a time: after a first phone was bound at a counter,
// because it may belong to an impostor who stood there; and after a ticket without the
// bound phone, which a thief may have. A letter does not count as a contact, because
// it takes days: a PIN that was set meanwhile waits as if nobody could be told.

// Letters is the print queue of letters.
type Letters interface {
	// Knows reports whether a notice of that template goes on paper at all.
	Knows(template string) bool
	// May reports whether a letter could be written to the person of a card.
	May(r store.Reader, card liuma.CardID, to registry.Facts) (bool, error)
	// Write queues one letter in the transaction.
	Write(tx store.Tx, l Letter) error
}

// Letter is a notice on paper, in both languages. It prints redacted.
type Letter struct {
	Card     liuma.CardID
	Template string
	Region   liuma.Region
	ZH, EN   map[string]string // like Notice.Params, but without the holder's name
	Freeze   string
	Until    time.Time // end of the freeze code
}

// Format prints a placeholder under every verb.
func (Letter) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedText) }

// LogValue logs the placeholder.
func (Letter) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (Letter) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

const (
	// LettersKept is the default for how long letters are kept after they were posted or
	// came back. While a returned letter is kept, no more letters go to that address.
	LettersKept = 90 * 24 * time.Hour
	// letterCodeLife is how long the freeze code of a letter works: days in the queue, a
	// week in the post, a month on the table.
	letterCodeLife = 60 * 24 * time.Hour

	// LettersADay is how many letters of one template about a card are written in 24 hours,
	// so that repeating one act cannot fill a letter box.
	LettersADay = 2
	tickLetter  = "letter" // with the template; key: the card

	// TickOnPaper marks a card whose notices go on paper as well, for FormerTold: its first
	// phone was bound at a counter, its holder named a contact there, or the clerk noted
	// there that the bound phone was not with its holder.
	TickOnPaper = "on_paper"
)

// words returns the values of a notice in a language.
type words func(language string) map[string]string

// tellAll tells every number of a card; if it has none, the contact for notices; if there
// is no contact either, it writes a letter. It returns the ID of the first message to a
// number of the holder's own, which is the bound phone's if that was told. A correction,
// which waits until its holder was told, waits for no other message.
func (a *Authority) tellAll(tx store.Tx, card store.Card, template string, at liuma.Text, say words) (first string, err error) {
	reached := false
	if a.outbox != nil {
		err = a.EachContact(tx, card.ID, func(c store.Contact, phone string) error {
			reached = true
			id, err := a.tellAt(tx, card, c, phone, template, at, say(languageOf(c.Language)))
			if first == "" {
				first = id
			}
			return err
		})
		if err != nil {
			return first, err
		}
	}
	if !reached && a.outbox != nil {
		if reached, err = a.tellNamed(tx, card, template, at, say); err != nil {
			return first, err
		}
	}
	if reached {
		lately, err := tx.CardTicks(card.ID, TickOnPaper, a.Now().Add(-FormerTold))
		if err != nil || len(lately) == 0 {
			return first, err
		}
	}
	return first, a.writeLetter(tx, card, template, at, say)
}

// TellFirstPhone writes a letter to a holder who had no contact, about a phone that was
// bound at a counter, and marks the card so that later notices go on paper too. The caller
// has written the contact.
func (a *Authority) TellFirstPhone(tx store.Tx, card store.Card, at liuma.Text, masked string) error {
	if err := tx.InsertCardTick(card.ID, TickOnPaper, a.Now()); err != nil {
		return err
	}
	return a.writeLetter(tx, card, noticePhoneNew, at, func(string) map[string]string { return map[string]string{"phone": masked} })
}

// writeLetter queues a letter in the transaction, with a freeze code of its own, if the
// registry has an address. If a person's row cannot be read, the letter is dropped and the
// act goes on: a freeze must not fail because an address is missing.
func (a *Authority) writeLetter(tx store.Tx, card store.Card, template string, at liuma.Text, say words) error {
	if a.letters == nil || !a.letters.Knows(template) || card.Contested || !card.Retiring.IsZero() {
		return nil
	}
	_, to, err := a.registry.Of(tx, card.Holder)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		a.log.Error("no letter: the person of a card cannot be read", "card", card.ID, "err", err)
		return nil
	}
	if may, err := a.letters.May(tx, card.ID, to); err != nil || !may {
		return err
	}
	if may, err := a.mayWrite(tx, card, template); err != nil || !may {
		return err
	}
	l := Letter{Card: card.ID, Template: template, Region: card.Region, Freeze: written.NewCode(freezeCodeSize), Until: a.Now().Add(letterCodeLife)}
	if err := tx.InsertFreezeCode(store.FreezeCode{MAC: a.freezeMAC(l.Freeze), Card: card.ID, Expires: l.Until}); err != nil {
		return err
	}
	l.ZH, l.EN = a.onPaper(card, template, at.ZH, say(languageZH)), a.onPaper(card, template, at.EN, say(languageEN))
	return a.letters.Write(tx, l)
}

// onPaper returns the values of a letter in one language.
func (a *Authority) onPaper(card store.Card, template, at string, said map[string]string) map[string]string {
	all := map[string]string{"channel": at, "at": a.Wall().Format(time.RFC3339)}
	for k, v := range said {
		all[k] = v
	}
	// If a text was sent, the PIN counts at once; only letters have to say when it begins
	// to count.
	if (template == noticePINSet || template == noticePINReset || template == noticeBothNew) && a.Now().Before(card.PINFrom) {
		all["until"] = a.ToWall(card.PINFrom).Format(time.RFC3339)
	}
	return all
}

// Writes reports whether a letter would go to a card's person. So a clerk sees whether an
// address must be corrected, but never the address.
func (a *Authority) Writes(r store.Reader, card store.Card, to registry.Facts) (bool, error) {
	if a.letters == nil || card.Contested || !card.Retiring.IsZero() {
		return false, nil
	}
	return a.letters.May(r, card.ID, to)
}

// mayWrite counts a letter, or reports that the day's letters of its kind are used up.
func (a *Authority) mayWrite(tx store.Tx, card store.Card, template string) (bool, error) {
	kind, key, now := tickLetter+" "+template, a.vault.Index(vault.IndexPhone, "letter\x00"+card.ID.String()), a.Now()
	lately, err := tx.Ticks(kind, key, now.Add(-day))
	if err != nil {
		return false, err
	}
	if len(lately) >= LettersADay {
		a.log.Warn("a letter was held back: there were as many of the kind today as there may be", "card", card.ID, "template", template)
		return false, nil
	}
	return true, tx.InsertTick(store.Tick{Kind: kind, Key: key, At: now})
}
