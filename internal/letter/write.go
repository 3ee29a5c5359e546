package letter

import (
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Message is the content of a letter. It prints redacted: a log gets its template at
// most.
type Message struct {
	Card     liuma.CardID
	Template string
	Region   liuma.Region
	ZH, EN   map[string]string // like those of notices, in both languages
	Freeze   string            // the freeze code, whose MAC the caller keeps until Until
	Until    time.Time
}

// May reports whether a letter to a person can be written: the registry has an address,
// and no letter came back from it.
func (b *Letters) May(r store.Reader, card liuma.CardID, to registry.Facts) (bool, error) {
	if to.Address == "" {
		return false, nil
	}
	all, err := r.LettersOf(card)
	if err != nil {
		return false, err
	}
	there := b.addressMAC(card, to)
	for _, l := range all {
		if l.State == store.LetterBack && l.Why == store.LetterReturned && l.Address == there {
			return false, nil
		}
	}
	return true, nil
}

// Write puts a letter into the caller's transaction; the caller also writes the audit
// entry. It is printed after the commit; without a commit there is no letter (I-8, R-45).
func (b *Letters) Write(tx store.Tx, m Message) (err error) {
	l := store.Letter{ID: newID(), Card: m.Card, Template: m.Template, Region: m.Region, State: store.LetterWaiting, At: b.now()}
	if l.Sealed, err = b.seal(l, sealedPart{ZH: m.ZH, EN: m.EN, Freeze: m.Freeze, Until: m.Until}); err != nil {
		return err
	}
	return tx.InsertLetter(l)
}
