package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/pin"
	"github.com/liuma-pin/liuma/internal/registry"
)

// The speakers beside the channels.
func holderWho() who    { return who(both(words.WhoHolder)) }
func deviceWho() who    { return who(both(words.WhoDevice)) }
func authorityWho() who { return who(both(words.WhoAuthority)) }
func providerWho() who  { return who(both(words.WhoProvider)) }
func thiefWho() who     { return who(both(words.WhoThief)) }

// channel is a channel's server together with the device of the holder who uses
// it.
type channel struct {
	id, kid string
	keyFile string
	name    who
	client  *client.Client
	serial  int // of business numbers
}

func (ch *channel) businessNo() string {
	ch.serial++
	return fmt.Sprintf("DEMO-%s-%04d", ch.id, ch.serial)
}

// holder is a made-up person with a physical card in use.
type holder struct {
	facts   registry.Facts
	pin     string // the PIN that the holder remembers
	handles map[*channel]string
}

// who names the holder in the form of a page.
func (h *holder) masked() string { return h.facts.MaskedName() }

func (h *holder) subject() client.Subject {
	return client.Subject{IDNumber: h.facts.IDNumber, Name: h.facts.Name, Phone: h.facts.Phone}
}

// birthday is a PIN made of the birthday, in a common order: YYMMDD.
func (h *holder) birthday() string { return h.facts.IDNumber[8:14] }

// phonePart is six digits in a row of the phone number.
func (h *holder) phonePart() string { return h.facts.Phone[5:] }

// cast are the people of the play.
type cast struct {
	first  *holder // enrols, links, is locked out
	second *holder // changes the PIN, gets a receipt, is robbed
}

// choose takes the first two people of the registry with a card in use, an ID
// number and a phone.
func (s *stage) choose() (cast, error) {
	var found []*holder
	for _, f := range s.people {
		if len(f.Phone) != 11 || len(f.IDNumber) != 18 || inSampleRegion(f.Region) {
			continue
		}
		h := &holder{facts: f, handles: map[*channel]string{}}
		var err error
		if h.pin, err = goodPIN(h, uint64(len(found)), ""); err != nil {
			return cast{}, err
		}
		if found = append(found, h); len(found) == 2 {
			return cast{first: found[0], second: found[1]}, nil
		}
	}
	return cast{}, errors.New("fewer than two people with a card in use")
}

// goodPIN draws a random PIN that the rules accept for a holder and that differs from
// other.
func goodPIN(h *holder, seed uint64, other string) (string, error) {
	judge, err := pin.NewJudge(pin.NationalRules())
	if err != nil {
		return "", err
	}
	r := rand.New(rand.NewPCG(seed, 2026))
	facts := pin.Facts{IDNumber: h.facts.IDNumber, Phone: h.facts.Phone, CardNo: h.facts.CardNo}
	for range 1000 {
		digits := fmt.Sprintf("%06d", 100_000+r.IntN(900_000))
		p, err := pin.Parse([]byte(digits), false)
		if err != nil {
			return "", err
		}
		findings := judge.Check(p, facts, nil)
		p.Wipe()
		if len(findings) == 0 && digits != other {
			return digits, nil
		}
	}
	return "", errors.New("no acceptable PIN in 1,000 draws")
}

// application is a prepared enrolment: with a challenge, and evidence that is
// bound to it.
type application struct {
	challenge client.Challenge
	evidence  string
}

func (s *stage) apply(ctx context.Context, ch *channel, h *holder) (application, error) {
	challenge, err := ch.client.Challenge(ctx)
	if err != nil {
		return application{}, err
	}
	token, err := s.world.Evidence(h.facts, challenge.Value)
	return application{challenge: challenge, evidence: token}, err
}

// enroll seals a PIN on the holder's device and asks for the card.
func (ch *channel) enroll(ctx context.Context, h *holder, a application, digits string) (*client.Verification, error) {
	purpose := purposeOf(words.PurposeEnroll)
	d := client.DeviceRequest{
		Channel: ch.id, Action: client.Enroll, Subject: h.subject(), BusinessNo: ch.businessNo(),
		Purpose: purpose, Challenge: a.challenge,
	}
	sealed, err := d.SealPIN([]byte(digits))
	if err != nil {
		return nil, err
	}
	var region string // set only if other rules than the nation's apply
	if inSampleRegion(h.facts.Region) {
		region = string(h.facts.Region)
	}
	return ch.client.Enroll(ctx, client.EnrollRequest{
		BusinessNo: d.BusinessNo, Region: region, Subject: d.Subject, Purpose: purpose,
		Challenge: a.challenge.Value, Evidence: a.evidence, NewPIN: sealed,
	})
}

// link asks for the holder's card in this channel.
func (ch *channel) link(ctx context.Context, h *holder, digits string) (*client.Verification, error) {
	purpose := purposeOf(words.PurposeLink)
	challenge, err := ch.client.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	d := client.DeviceRequest{
		Channel: ch.id, Action: client.Link, BusinessNo: ch.businessNo(), Purpose: purpose, Challenge: challenge,
		Subject: client.Subject{IDNumber: h.facts.IDNumber, Name: h.facts.Name},
	}
	sealed, err := d.SealPIN([]byte(digits))
	if err != nil {
		return nil, err
	}
	return ch.client.Link(ctx, client.LinkRequest{
		BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: challenge.Value, PIN: sealed,
	})
}

// verify asks whether a PIN is right.
func (ch *channel) verify(ctx context.Context, h *holder, digits string, purpose client.Purpose) (*client.Verification, error) {
	challenge, err := ch.client.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	d := client.DeviceRequest{
		Channel: ch.id, Action: client.Verify, Subject: client.Subject{Card: h.handles[ch]},
		BusinessNo: ch.businessNo(), Purpose: purpose, Challenge: challenge,
	}
	sealed, err := d.SealPIN([]byte(digits))
	if err != nil {
		return nil, err
	}
	return ch.client.Verify(ctx, client.VerifyRequest{
		BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: challenge.Value, PIN: sealed,
	})
}

// change asks for a new PIN in place of the old.
func (ch *channel) change(ctx context.Context, h *holder, old, fresh string) (*client.Verification, error) {
	purpose := purposeOf(words.PurposeChange)
	challenge, err := ch.client.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	d := client.DeviceRequest{
		Channel: ch.id, Action: client.Change, Subject: client.Subject{Card: h.handles[ch]},
		BusinessNo: ch.businessNo(), Purpose: purpose, Challenge: challenge,
	}
	oldPIN, newPIN, err := d.SealChange([]byte(old), []byte(fresh))
	if err != nil {
		return nil, err
	}
	return ch.client.Change(ctx, client.ChangeRequest{
		BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: challenge.Value,
		OldPIN: oldPIN, NewPIN: newPIN,
	})
}
