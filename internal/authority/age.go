package authority

import (
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// How old a PIN and a phone are is no proof: whoever got hold of both has a right
// verdict. A service that hands out much may want to wait where either is new.

// Aged notes in the row of a right verdict how old PIN and bound phone are, in the
// transaction that decides it, so that its receipt says the same however often it is
// asked for. It does nothing for another verdict.
func (a *Authority) Aged(r store.Reader, card store.Card, row *store.Request) (err error) {
	if row.ReceiptID == "" {
		return nil
	}
	row.PINAge = wholeDays(row.DecidedAt.Sub(card.PINSetAt))
	row.PhoneAge, err = a.PhoneAge(r, card.ID, row.DecidedAt)
	return err
}

// PhoneAge is Request.PhoneAge of a card at a time.
func (a *Authority) PhoneAge(r store.Reader, card liuma.CardID, now time.Time) (int, error) {
	c, err := r.Contact(card)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return wholeDays(now.Sub(c.BoundAt)) + 1, err
}

func wholeDays(d time.Duration) int { return max(0, int(d/day)) }

// agesOf reads the ages of a right verdict; no phone: nil.
func agesOf(row store.Request) (pin int, phone *int) {
	if row.PhoneAge > 0 {
		phone = new(row.PhoneAge - 1)
	}
	return row.PINAge, phone
}
