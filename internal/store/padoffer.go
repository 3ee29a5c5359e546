package store

import (
	"time"

	"github.com/liuma-pin/liuma/internal/vault"
)

// PadOffer is a device that waits for a clerk to type its number, which makes it a desk
// pad. Anybody can have one offered; it decides nothing by itself.
type PadOffer struct {
	Number vault.Index // of the number
	Pad    string      // the device's id
	Key    []byte      // its public key
	Until  time.Time
}

// PadOfferReader reads offers of pads.
type PadOfferReader interface {
	PadOffer(number vault.Index) (PadOffer, error)
	PadOfferOf(pad string) (PadOffer, error)
}

// PadOfferWriter writes offers of pads. It needs no audit entry: what is recorded is the
// pairing, which somebody with a name makes.
type PadOfferWriter interface {
	// PutPadOffer takes the place of another offer of the same pad. ErrExists: the number is
	// another pad's.
	PutPadOffer(PadOffer) error
	DeletePadOffer(number vault.Index) error
	// PrunePadOffers drops offers that ended before a time, and returns how many.
	PrunePadOffers(before time.Time) (int64, error)
}
