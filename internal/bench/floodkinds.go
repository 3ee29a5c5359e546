package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/visitor"
)

// sender sends request i of a flood and says how it was answered.
type sender func(ctx context.Context, i int) string

// kind is one kind of flood.
type kind struct {
	name string
	what string // in a sentence, for the report
	// sender makes it. It may ask the server for what an attacker would ask
	// for before the flood; nil in the row without a flood.
	sender func(context.Context, *flooder) (sender, error)
	// holds says that a request is a connection that is held until the flood
	// ends, so that as many are open at once as were sent.
	holds bool
}

// kinds are all floods. One that changes cards for good stands after those
// that need them as they are, and has a part of the cards for itself.
func kinds() []kind {
	return []kind{
		{name: "wrong-pins", what: "wrong PINs on one card, through a channel's known link", sender: wrongPINs},
		{name: "spray", what: "one PIN on many cards, by link", sender: spray},
		{name: "links", what: "links by strangers, a guess each", sender: links},
		{name: "pushes-one", what: "pushes for one card with a channel's key", sender: pushesForOne},
		{name: "pushes-many", what: "pushes for many cards with a channel's key", sender: pushesForMany},
		{name: "codes", what: "one-time codes through ceremonies of reset", sender: codes},
		{name: "freeze-codes", what: "wrong freeze codes, each from another address", sender: freezeCodes},
		{name: "evidence", what: "the same evidence again and again", sender: replays},
		{name: "reports", what: "delivery reports, signed, about texts that never were", sender: reports},
		{name: "bad-tokens", what: "tokens of a registered client under another key", sender: badTokens},
		{name: "oversized", what: "bodies of 1 MiB with a good token", sender: oversized},
		{name: "garbage", what: "unauthenticated garbage at each door", sender: garbage},
		{name: "idle", what: "connections that send nothing, at the native door", sender: idle, holds: true},
		{name: "slow-headers", what: "headers that come a byte a second, at the hosted door", sender: slowHeaders, holds: true},
		{name: "freezes", what: "freezes with a channel's key", sender: freezes},
		{name: "hotline", what: "freezes with a hotline's key", sender: hotlineFreezes},
		{name: "cancellations", what: "cancellations with a registry client's key", sender: cancellations},
	}
}

// FloodKinds lists the floods by name, in the order in which they run.
func FloodKinds() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

func kindOf(name string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

// share is a part of the cards that floods are about.
type share int

const (
	untouched share = iota // by floods that leave cards as they are
	frozen                 // by a channel
	stopped                // by a hotline
	cancelled
	shares
)

// fewestTargets is the fewest cards that leave some for each share.
const fewestTargets = 10 * int(shares)

// target is card i of a share. When all were used it begins anew.
func (s *stage) target(of share, i int) holder {
	each := len(s.Targets) / int(shares)
	return s.Targets[int(of)*each+i%each]
}

// oneCard is the card that pushes for one card are about.
func (s *stage) oneCard() holder { return s.Targets[0] }

// guess is a PIN of six digits.
func guess() string { return fmt.Sprintf("%06d", mathrand.IntN(1_000_000)) }

// asks makes the senders that guess at PINs at the native door: next says whose
// card and which PIN.
func asks(ctx context.Context, f *flooder, action client.Action, next func(i int) (holder, string)) (sender, error) {
	c, err := f.connect(stolenID)
	if err != nil {
		return nil, err
	}
	ch, err := c.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, i int) string {
		h, pin := next(i)
		d := client.DeviceRequest{Channel: stolenID, Action: action, BusinessNo: rand.Text(), Purpose: purpose, Challenge: ch}
		if d.Subject = (client.Subject{Card: h.Stolen}); action == client.Link {
			d.Subject = client.Subject{IDNumber: h.IDNumber, Name: h.Name}
		}
		sealed, err := d.SealPIN([]byte(pin))
		if err != nil {
			return labelOf(err)
		}
		if action == client.Link {
			return labelOfAsk(c.Link(ctx, client.LinkRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed}))
		}
		return labelOfAsk(c.Verify(ctx, client.VerifyRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, PIN: sealed}))
	}, nil
}

func wrongPINs(ctx context.Context, f *flooder) (sender, error) {
	// A card of its own, since it ends up locked.
	return asks(ctx, f, client.Verify, func(int) (holder, string) { return f.stage.Targets[1], guess() })
}

func spray(ctx context.Context, f *flooder) (sender, error) {
	pin := guess()
	return asks(ctx, f, client.Link, func(i int) (holder, string) { return f.stage.target(untouched, i+2), pin })
}

func links(ctx context.Context, f *flooder) (sender, error) {
	return asks(ctx, f, client.Link, func(i int) (holder, string) { return f.stage.target(untouched, i+2), guess() })
}

func pushesForOne(_ context.Context, f *flooder) (sender, error) {
	return pushes(f, func(int) holder { return f.stage.oneCard() })
}

func pushesForMany(_ context.Context, f *flooder) (sender, error) {
	return pushes(f, func(i int) holder { return f.stage.target(untouched, i) })
}

func pushes(f *flooder, next func(int) holder) (sender, error) {
	return func(ctx context.Context, i int) string {
		_, err := f.stage.push(ctx, f.http, stolenID, pushed{action: liuma.ActionVerify, card: next(i).Stolen})
		if err != nil {
			return labelOf(err)
		}
		return "201"
	}, nil
}

// codes opens a ceremony of reset for each request and has it send a one-time
// code, which is as far as a stolen session gets without the phone.
func codes(_ context.Context, f *flooder) (sender, error) {
	return func(ctx context.Context, i int) string {
		v, err := newBrowser(f.http)
		if err != nil {
			return labelOf(err)
		}
		page, err := openReset(ctx, f.stage, f.http, v, stolenID, f.stage.target(untouched, i).Stolen, rand.Text())
		if err == nil {
			page, err = page.Press(ctx, "send-code", nil)
		}
		if err != nil {
			return labelOf(err)
		}
		return fmt.Sprintf("%d %s", page.Status(), page.Title())
	}, nil
}

// newBrowser is a holder's browser that knows the channel's own site.
func newBrowser(h *http.Client) (*visitor.Visitor, error) {
	return visitor.New(visitor.Config{Transport: home{h.Transport}, Language: "en"})
}

// openReset pushes a reset, opens its page and agrees to it.
func openReset(ctx context.Context, s *stage, h *http.Client, v *visitor.Visitor, channel, card, businessNo string) (*visitor.Page, error) {
	address, err := s.push(ctx, h, channel, pushed{action: liuma.ActionReset, card: card, businessNo: businessNo})
	if err != nil {
		return nil, err
	}
	page, err := v.Enter(ctx, address)
	if err == nil && page.Has("agree") {
		page, err = page.Press(ctx, "agree", nil)
	}
	return page, err
}

// replays sends one provider's word again and again, each time with another
// business number and a wrong PIN.
func replays(ctx context.Context, f *flooder) (sender, error) {
	c, err := f.connect(stolenID)
	if err != nil {
		return nil, err
	}
	ch, err := c.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	h := f.stage.Targets[2]
	word, err := f.stage.evidence(h, ch.Value)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ int) string {
		d := client.DeviceRequest{Channel: stolenID, Action: client.Link, Subject: client.Subject{IDNumber: h.IDNumber, Name: h.Name},
			BusinessNo: rand.Text(), Purpose: purpose, Challenge: ch}
		sealed, err := d.SealPIN([]byte(guess()))
		if err != nil {
			return labelOf(err)
		}
		return labelOfAsk(c.Link(ctx, client.LinkRequest{BusinessNo: d.BusinessNo, Subject: d.Subject, Purpose: purpose, Challenge: ch.Value, Evidence: word, PIN: sealed}))
	}, nil
}

func freezes(_ context.Context, f *flooder) (sender, error) {
	c, err := f.connect(stolenID)
	return func(ctx context.Context, i int) string {
		return labelOfAsk(c.Freeze(ctx, client.FreezeRequest{BusinessNo: rand.Text(), Subject: client.Subject{Card: f.stage.target(frozen, i).Stolen}}))
	}, err
}

func hotlineFreezes(_ context.Context, f *flooder) (sender, error) {
	c, err := f.connect(hotlineID)
	return func(ctx context.Context, i int) string {
		_, err := c.HotlineFreeze(ctx, client.HotlineFreezeRequest{BusinessNo: rand.Text(), IDNumber: f.stage.target(stopped, i).IDNumber})
		return taken(err)
	}, err
}

func cancellations(_ context.Context, f *flooder) (sender, error) {
	c, err := f.connect(registryID)
	return func(ctx context.Context, i int) string {
		h := f.stage.target(cancelled, i)
		_, err := c.PhysicalStatus(ctx, client.PhysicalRequest{BusinessNo: rand.Text(), IDNumber: h.IDNumber, CardNo: h.CardNo, Event: "cancelled"})
		return taken(err)
	}, err
}

func taken(err error) string {
	if err != nil {
		return labelOf(err)
	}
	return "200"
}

// badTokens signs with a key that was never registered.
func badTokens(_ context.Context, f *flooder) (sender, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	forger := &stage{Parties: map[string]party{calmID: {ID: calmID, KeyID: f.stage.Parties[calmID].KeyID, Key: raw}}}
	return func(ctx context.Context, _ int) string {
		token, err := forger.token(calmID, door.NativeType, door.NativeAudience(f.stage.Issuer))
		if err != nil {
			return labelOf(err)
		}
		return f.post(ctx, f.stage.Native+"/v1/verifications", "application/json", token, strings.NewReader("{}"))
	}, nil
}

// oversized sends more than a door takes.
func oversized(_ context.Context, f *flooder) (sender, error) {
	body := strings.Repeat(" ", 1<<20)
	token, err := f.stage.token(stolenID, door.NativeType, door.NativeAudience(f.stage.Issuer))
	return func(ctx context.Context, _ int) string {
		return f.post(ctx, f.stage.Native+"/v1/verifications", "application/json", token, strings.NewReader(body))
	}, err
}
