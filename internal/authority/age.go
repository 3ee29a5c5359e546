package authority

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// The age of a PIN and of a phone is no proof: a thief who got hold of both gets a
// right verdict. But a service that pays out much may want to wait while either is
// new.

// Aged writes the ages of PIN and bound phone into the row of a right verdict, in the
// transaction that decides it, so that its receipt says the same however often it is
// asked for. It does nothing for other verdicts.
func (a *Authority) Aged(r store.Reader, card store.Card, row *store.Request) (err error) {
	if row.ReceiptID == "" {
		return nil
	}
	row.PINAge = wholeDays(row.DecidedAt.Sub(card.PINSetAt))
	row.PhoneAge, err = a.PhoneAge(r, card.ID, row.DecidedAt)
	return err
}

// PhoneAge is the value of Request.PhoneAge for a card at a given time.
func (a *Authority) PhoneAge(r store.Reader, card liuma.CardID, now time.Time) (int, error) {
	c, err := r.Contact(card)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return wholeDays(now.Sub(c.BoundAt)) + 1, err
}

func wholeDays(d time.Duration) int { return max(0, int(d/day)) }

// agesOf reads the ages of a right verdict; phone is nil if no phone was bound.
func agesOf(row store.Request) (pin int, phone *int) {
	if row.PhoneAge > 0 {
		phone = new(row.PhoneAge - 1)
	}
	return row.PINAge, phone
}
