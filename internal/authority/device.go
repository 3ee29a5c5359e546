package authority

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A known device (常用设备) is a browser in which the holder gave, in one ceremony,
// a right PIN and a one-time code, and then chose to make it known. Its guesses
// are counted in a lane of their own, which strangers cannot use up. It gives
// nothing else: it is no proof, and no part of one (I-12).
const (
	// deviceLife is how long a device stays known without a right PIN from it: a
	// year, because some holders use the card only for the yearly confirmation of
	// a pension, and some weeks more. Browsers keep no cookie longer.
	deviceLife = 400 * 24 * time.Hour
	// deviceSecret is the size of a device's secret.
	deviceSecret = 32
)

// DeviceMAC is the stored form of a device's secret. It is bound to the card,
// so that one secret serves several cards, and made with the vault's key, so
// that writing to the database makes no device known.
func (a *Authority) DeviceMAC(card liuma.CardID, secret string) (vault.MAC, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != deviceSecret {
		return vault.MAC{}, false
	}
	return a.vault.RowMAC("device", card[:], raw), true
}

// KnownDevices lists a card's known devices that were seen within deviceLife.
func (a *Authority) KnownDevices(r store.Reader, card liuma.CardID) ([]store.Device, error) {
	all, err := r.DevicesOf(card)
	unseen := a.Now().Add(-deviceLife)
	return slices.DeleteFunc(all, func(d store.Device) bool { return !d.Seen.After(unseen) }), err
}

// FindDevice finds the device with a secret among a card's devices, or nil.
func (a *Authority) FindDevice(of []store.Device, card liuma.CardID, secret string) *store.Device {
	mac, ok := a.DeviceMAC(card, secret)
	if !ok {
		return nil
	}
	for i := range of {
		if of[i].MAC.Equal(mac) {
			return &of[i]
		}
	}
	return nil
}

// Place is the lane that a guess is counted in, with the reserve of known
// devices.
type Place struct {
	Lane    ledger.Lane
	Reserve int // of the limit, for known devices; 0 on a card without any
}

// PlaceOf returns the lane of a guess that comes with a device's secret, or
// with an empty one. Where policy reserves nothing there is one lane for all.
func (a *Authority) PlaceOf(r store.Reader, card liuma.CardID, secret string, p policy.Policy) (Place, error) {
	known, err := a.KnownDevices(r, card)
	if err != nil || len(known) == 0 || p.KnownReserve == 0 {
		return Place{}, err
	}
	at := Place{Reserve: p.KnownReserve}
	if a.FindDevice(known, card, secret) != nil {
		at.Lane = ledger.Known
	}
	return at, nil
}

// sawDevice records that a right PIN came from a known device. If the device
// was dropped meanwhile, it stays dropped.
func (a *Authority) sawDevice(tx store.Tx, card liuma.CardID, secret string) error {
	known, err := a.KnownDevices(tx, card)
	if err != nil {
		return err
	}
	d := a.FindDevice(known, card, secret)
	if d == nil {
		return nil
	}
	d.Seen = a.Now()
	return tx.PutDevice(*d)
}
