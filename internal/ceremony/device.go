package ceremony

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

// devicesMost is the most known devices of a card: a phone, web views of its
// other apps, a computer at home. One more replaces the device seen longest
// ago.
const devicesMost = 5

// provedHere reports whether the browser that goes on with a ceremony gave, or
// set, a right PIN in it, and a code.
func provedHere(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepDone && !c.Card.IsZero() && d.Proofs.PIN.given(c) && d.Proofs.Code.given(c)
}

// showDevice says on the last page whether this browser is a known device of
// the card, or may become one.
func (s *Ceremonies) showDevice(r store.Reader, c store.Ceremony, d details, h Hand, p *Page) error {
	if p.Step != StepDone || c.Card.IsZero() {
		return nil
	}
	known, err := s.engine.KnownDevices(r, c.Card)
	if err != nil {
		return err
	}
	p.DeviceKnown = s.engine.FindDevice(known, c.Card, h.Device) != nil
	p.DeviceOffer = !p.DeviceKnown && provedHere(c, d)
	return nil
}

// KnowDevice makes this browser a known device of the ceremony's card, when its
// holder chose so. Called again it changes the same device, so that a page that
// was submitted twice, or whose answer was lost, makes one. A crash leaves the
// device, its notice and its audit entry, or none of them.
func (s *Ceremonies) KnowDevice(ctx context.Context, id string, h Hand) (Page, error) {
	fresh, secret := newSecret(), ""
	p, err := s.moveAs(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		e := s.engine.Entry("holder", audit.DeviceKnown, c.Card, c.BusinessNo, "ok")
		if secret = h.Device; secret == "" {
			secret = fresh
		}
		mac, ok := s.engine.DeviceMAC(c.Card, secret)
		if !ok { // the browser's secret was not made by this program
			secret = fresh
			mac, _ = s.engine.DeviceMAC(c.Card, secret)
		}
		known, err := s.engine.KnownDevices(tx, c.Card)
		if err != nil {
			return "", e, err
		}
		if s.engine.FindDevice(known, c.Card, secret) != nil {
			e.Outcome = "known"
			return StepDone, e, nil
		}
		if err := s.mayKnowDevice(tx, *c, *d); err != nil {
			return "", e, err
		}
		again, err := s.makeRoom(tx, known, d.Device)
		if err != nil {
			return "", e, err
		}
		now := s.now()
		d.Device = mac[:]
		if err := tx.PutDevice(store.Device{Card: c.Card, MAC: mac, At: now, Seen: now}); err != nil || again {
			return StepDone, e, err
		}
		card, err := s.engine.ReadCard(tx, c.Card)
		if err != nil {
			return "", e, err
		}
		return StepDone, e, s.engine.TellIn(tx, card, noticeDevice, c.Channel, nil)
	})
	if err != nil {
		return Page{}, err
	}
	p.Device, p.DeviceKnown, p.DeviceOffer = secret, true, false
	return p, nil
}

// mayKnowDevice compares what the ceremony proved with the card as it is now.
func (s *Ceremonies) mayKnowDevice(r store.Reader, c store.Ceremony, d details) error {
	if !provedHere(c, d) {
		return liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	card, err := s.engine.ReadCard(r, c.Card)
	switch {
	case err != nil:
		return err
	case !d.Proofs.PIN.holds(c, card.Version):
		return liuma.Fail(liuma.CodeCeremonyMoved, errors.New("ceremony: the PIN was set anew since"))
	case card.Frozen:
		return liuma.Fail(liuma.CodeFrozen, nil)
	case card.Physical == liuma.PhysicalCancelled:
		return liuma.Fail(liuma.CodeCancelled, nil)
	}
	return nil
}

// makeRoom drops the device that the same ceremony made before, and the devices
// seen longest ago if there would be too many. It reports whether the ceremony
// had made one.
func (s *Ceremonies) makeRoom(tx store.Tx, known []store.Device, made []byte) (again bool, err error) {
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

// showTries says at the pad how many tries are left, from the authority's own
// tally and without spending one, and whether the strangers' lane is closed. It
// does so only where the channel is linked: another channel must not learn that
// there is a card.
func (s *Ceremonies) showTries(r store.Reader, c store.Ceremony, d details, h Hand, p *Page) error {
	refused := p.Step == StepRefused && p.Code == liuma.CodeBlocked
	if !refused && p.Step != StepPIN {
		return nil
	}
	card, err := s.linkedCardOf(r, c, d)
	if _, ok := refusal(err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	rules := s.policy.For(c.Region, c.Channel)
	at, err := s.engine.PlaceOf(r, card.ID, h.Device, rules)
	if err != nil {
		return err
	}
	_, closed := card.Tally.Check(s.now(), ledger.Stranger, at.Reserve, rules.Limits)
	p.LaneClosed = closed != nil && closed.Reason == ledger.LaneClosed && refused == (at.Lane != ledger.Known)
	if refused || p.TriesLeft != nil || !s.acts[p.Action].asksCurrent() {
		return nil
	}
	left, shut := card.Tally.Check(s.now(), at.Lane, at.Reserve, rules.Limits)
	if shut != nil {
		left, p.Until = 0, shut.Until
	}
	p.TriesLeft = &left
	return nil
}
