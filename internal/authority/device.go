package authority

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A known device (常用设备) is a browser in which the holder gave, in one
// ceremony, a right PIN and a code, and then asked for it. Its guesses go in a
// lane of their own, of which strangers can spend nothing (DESIGN section 4,
// "Locks"). That is all that it is good for: no proof, and no part of one
// (I-12).
const (
	// devicesMost are a card's known devices: a phone, its other apps' web
	// views, a computer at home. With one more, that seen longest ago goes.
	devicesMost = 5
	// deviceLife is how long a device stays known without a right PIN from it.
	// Some holders use the card once a year, for the yearly confirmation of a
	// pension: it is that and some weeks. Browsers keep no cookie longer.
	deviceLife = 400 * 24 * time.Hour
	// deviceSecret is the size of a device's secret.
	deviceSecret = 32
)

// deviceMAC is what is kept of a device's secret: bound to the card, so that
// one secret serves several, and under the vault's key, so that whoever can
// write to the database makes no device known.
func (a *Authority) deviceMAC(card liuma.CardID, secret string) (vault.MAC, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != deviceSecret {
		return vault.MAC{}, false
	}
	return a.Vault.RowMAC("device", card[:], raw), true
}

// devicesOf lists a card's known devices that have not been away too long.
func (a *Authority) devicesOf(r store.Reader, card liuma.CardID) ([]store.Device, error) {
	all, err := r.DevicesOf(card)
	unseen := a.now().Add(-deviceLife)
	return slices.DeleteFunc(all, func(d store.Device) bool { return !d.Seen.After(unseen) }), err
}

// knownDevice finds the device with a secret, or nil, among a card's.
func (a *Authority) knownDevice(of []store.Device, card liuma.CardID, secret string) *store.Device {
	mac, ok := a.deviceMAC(card, secret)
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

// place is where a guess on a card is counted.
type place struct {
	lane    ledger.Lane
	reserve int // of the limit, for known devices; 0 on a card without any
}

// placeOf says where a guess is counted that comes with a device's secret, or
// with none. Where policy reserves nothing there is one lane for all.
func (a *Authority) placeOf(r store.Reader, card liuma.CardID, secret string, p policy.Policy) (place, error) {
	known, err := a.devicesOf(r, card)
	if err != nil || len(known) == 0 || p.KnownReserve == 0 {
		return place{}, err
	}
	at := place{reserve: p.KnownReserve}
	if a.knownDevice(known, card, secret) != nil {
		at.lane = ledger.Known
	}
	return at, nil
}

// sawDevice notes that a right PIN came from a known device. One that was
// dropped meanwhile stays so.
func (a *Authority) sawDevice(tx store.Tx, card liuma.CardID, secret string) error {
	known, err := a.devicesOf(tx, card)
	if err != nil {
		return err
	}
	d := a.knownDevice(known, card, secret)
	if d == nil {
		return nil
	}
	d.Seen = a.now()
	return tx.PutDevice(*d)
}

// provedHere reports whether the browser that goes on with a ceremony gave, or
// set, a right PIN in it, and a code.
func provedHere(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepDone && !c.Card.IsZero() && c.Browser != [32]byte{} &&
		bytes.Equal(d.PINIn, c.Browser[:]) && bytes.Equal(d.CodeIn, c.Browser[:])
}

// showDevice says at the end whether this browser is a known device of the
// card, or may become one.
func (a *Authority) showDevice(r store.Reader, c store.Ceremony, d details, h Hand, p *Page) error {
	if p.Step != StepDone || c.Card.IsZero() {
		return nil
	}
	known, err := a.devicesOf(r, c.Card)
	if err != nil {
		return err
	}
	p.DeviceKnown = a.knownDevice(known, c.Card, h.Device) != nil
	p.DeviceOffer = !p.DeviceKnown && provedHere(c, d)
	return nil
}

// KnowDevice makes this browser a known device of the ceremony's card, at its
// holder's wish. Asked again it is the same device: a page that was submitted
// twice, or whose answer was lost, makes one. A crash leaves the device, its
// notice and its audit entry, or none of them.
func (a *Authority) KnowDevice(ctx context.Context, id string, h Hand) (Page, error) {
	fresh, secret := newSecret(), ""
	p, err := a.moveAs(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := a.entry("holder", audit.DeviceKnown, c.Card, c.BusinessNo, "ok")
		if secret = h.Device; secret == "" {
			secret = fresh
		}
		mac, ok := a.deviceMAC(c.Card, secret)
		if !ok { // what this browser has is no secret of ours
			secret = fresh
			mac, _ = a.deviceMAC(c.Card, secret)
		}
		known, err := a.devicesOf(tx, c.Card)
		if err != nil {
			return "", e, err
		}
		if a.knownDevice(known, c.Card, secret) != nil {
			e.Outcome = "known"
			return StepDone, e, nil
		}
		if err := a.mayKnowDevice(tx, *c, *d); err != nil {
			return "", e, err
		}
		again, err := a.makeRoom(tx, known, d.Device)
		if err != nil {
			return "", e, err
		}
		now := a.now()
		d.Device = mac[:]
		if err := tx.PutDevice(store.Device{Card: c.Card, MAC: mac, At: now, Seen: now}); err != nil || again {
			return StepDone, e, err
		}
		card, err := a.checkedCard(tx, c.Card)
		if err != nil {
			return "", e, err
		}
		return StepDone, e, a.tellIn(tx, card, noticeDevice, c.Channel, nil)
	})
	if err != nil {
		return Page{}, err
	}
	p.Device, p.DeviceKnown, p.DeviceOffer = secret, true, false
	return p, nil
}

// mayKnowDevice holds what the ceremony proved against the card as it is now.
func (a *Authority) mayKnowDevice(r store.Reader, c store.Ceremony, d details) error {
	if !provedHere(c, d) {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	card, err := a.checkedCard(r, c.Card)
	switch {
	case err != nil:
		return err
	case card.Version != d.PINOf:
		return liuma.Fail(liuma.CodeCeremonyMoved, errors.New("authority: the PIN was set anew since"))
	case card.Frozen:
		return liuma.Fail(liuma.CodeFrozen, nil)
	case card.Physical == liuma.PhysicalCancelled:
		return liuma.Fail(liuma.CodeCancelled, nil)
	}
	return nil
}

// makeRoom drops the device that the same ceremony made before, and those seen
// longest ago that would be too many. It reports whether there was the former.
func (a *Authority) makeRoom(tx store.Tx, known []store.Device, made []byte) (again bool, err error) {
	known = slices.Clone(known)
	for i, d := range known {
		if bytes.Equal(d.MAC[:], made) {
			known = slices.Delete(known, i, i+1)
			if again, err = true, tx.DeleteDevice(d.Card, d.MAC); err != nil {
				return false, err
			}
			break
		}
	}
	for len(known) >= devicesMost {
		if err := tx.DeleteDevice(known[0].Card, known[0].MAC); err != nil {
			return false, err
		}
		known = known[1:]
	}
	return again, nil
}

// showTries says at the pad how many tries there are, from the authority's own
// record and without spending one, and whether strangers are shut out. Only
// where the channel is linked: anybody else may not know that there is a card.
func (a *Authority) showTries(r store.Reader, c store.Ceremony, d details, h Hand, p *Page) error {
	refused := p.Step == StepRefused && p.Code == liuma.CodeBlocked
	if !refused && p.Step != StepPIN {
		return nil
	}
	card, err := a.linkedCardOf(r, c, d)
	if _, ok := refusal(err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	rules := a.Policy.For(c.Region, c.Channel)
	at, err := a.placeOf(r, card.ID, h.Device, rules)
	if err != nil {
		return err
	}
	_, closed := card.Tally.Check(a.now(), ledger.Stranger, at.reserve, rules.Limits)
	p.LaneClosed = closed != nil && closed.Reason == ledger.LaneClosed && refused == (at.lane != ledger.Known)
	if refused || p.TriesLeft != nil || !asksCurrent(p.Action) {
		return nil
	}
	left, shut := card.Tally.Check(a.now(), at.lane, at.reserve, rules.Limits)
	if shut != nil {
		left, p.Until = 0, shut.Until
	}
	p.TriesLeft = &left
	return nil
}

// asksCurrent reports whether an action's pad asks for the PIN that is set.
func asksCurrent(a liuma.Action) bool {
	switch a {
	case liuma.ActionVerify, liuma.ActionChange, liuma.ActionRebind, liuma.ActionUnfreeze:
		return true
	}
	return false
}
