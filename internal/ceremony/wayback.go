package ceremony

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// WayBack returns the address to which the holder goes when the ceremony is
// over: the channel's redirect URI with a fresh authorization code, or with an
// error. Called again before the code was redeemed, it makes a new one and the
// first is void.
func (s *Ceremonies) WayBack(ctx context.Context, id string, h Hand) (Way, error) {
	secret, code := newSecret(), ""
	var cer store.Ceremony
	var d details
	err := s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Ceremony(id)
		if errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, liuma.Fail(liuma.CodeRequestURIInvalid, err)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		g, err := s.reach(c, h)
		if err != nil {
			return audit.Entry{}, err
		}
		if g != accessBrowser {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
		}
		if c.Action == liuma.ActionCounter {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyMoved, nil) // no channel pushed it, so none can be returned to
		}
		if d, err = s.openDetails(c); err != nil {
			return audit.Entry{}, err
		}
		stopped, err := s.stopOnWayBack(tx, &c, &d)
		if err != nil {
			return audit.Entry{}, err
		}
		cer = c
		if !s.returns(c, d) && !stopped {
			return audit.Entry{}, nil
		}
		if d.Moves++; d.Moves > movesInAll {
			return audit.Entry{}, liuma.Fail(liuma.CodeTooManyRequests, nil)
		}
		outcome := cmp.Or(d.Code, "stopped")
		if !stopped {
			outcome = "code"
			code = s.routed(secret, s.routeOf(c.ID))
			c.Code, c.CodeUntil = hashed("code", code), s.now().Add(codeLife)
			if c.CodeUntil.After(c.Expires) {
				c.CodeUntil = c.Expires // no code works once the verdict may be recorded as not returned
			}
		}
		if err := s.sealDetails(&c, d); err != nil {
			return audit.Entry{}, err
		}
		cer = c
		return s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(c), c.BusinessNo, outcome), tx.UpdateCeremony(c)
	})
	if err != nil {
		return Way{}, liuma.Outward(err)
	}
	return s.way(cer, d, code)
}

// returns reports whether this browser may take a ceremony's verdict back to the channel:
// it is the browser that gave the PIN (I-14), the time is not over, and no code was
// redeemed.
func (s *Ceremonies) returns(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepDone && isBrowser(d.GivenIn, c) && c.CodeUsed.IsZero() && c.Ended.IsZero() && !expired(c, s.now())
}

// way builds the authorization response (RFC 6749, RFC 9207).
func (s *Ceremonies) way(c store.Ceremony, d details, code string) (Way, error) {
	u, err := url.Parse(d.Return.RedirectURI)
	if err != nil {
		return Way{}, liuma.Outward(err)
	}
	q := u.Query()
	q.Set("iss", s.issuer)
	if d.Return.State != "" {
		q.Set("state", d.Return.State)
	}
	step := Step(c.Step)
	switch {
	case s.returns(c, d):
		q.Set("code", code)
	case step == StepDone && !c.CodeUsed.IsZero():
		q.Set("error", "access_denied")
		q.Set("error_description", string(liuma.CodeCodeInvalid))
	case step == StepDone:
		q.Set("error", "access_denied")
		q.Set("error_description", string(liuma.CodeNotReturned))
	case step.over() || step == StepEvidence || expired(c, s.now()):
		why := liuma.Code(d.Code)
		if why == "" || expired(c, s.now()) {
			why = liuma.CodeCeremonyExpired
		}
		q.Set("error", "access_denied")
		q.Set("error_description", string(why))
		if why == liuma.CodeEvidenceRequired || why == liuma.CodeSlowDown { // evidence helps against both
			q.Set("error", string(liuma.CodeEvidenceRequired))
			challenge, err := s.vault.NewChallenge(c.Channel, s.now(), s.rules(c).ChallengeTTL)
			if err != nil {
				return Way{}, liuma.Outward(err)
			}
			q.Set("challenge", challenge)
		}
	default:
		return Way{}, liuma.Fail(liuma.CodeCeremonyMoved, nil) // the ceremony is open: leave it first
	}
	u.RawQuery = q.Encode()
	return Way{URL: u.String()}, nil
}

// RedeemCode exchanges an authorization code, once, for the claims of an ID token, while
// standing and version are the same as at the verdict (I-10). A code that comes a second
// time, late, or with another redirect URI or verifier is refused, and the refusal is
// recorded.
func (s *Ceremonies) RedeemCode(ctx context.Context, c authority.Caller, code, redirectURI, verifier string) (Grant, error) {
	if err := c.PermitChannel(); err != nil {
		return Grant{}, err
	}
	handle, err := s.claimHandle(ctx, c, code, redirectURI, verifier)
	if err != nil {
		return Grant{}, liuma.Outward(err)
	}
	var g Grant
	var used liuma.CardID
	var refused error
	err = s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		refused = nil
		cer, err := tx.CeremonyByCode(s.routeOf(code), hashed("code", code))
		if errors.Is(err, store.ErrNotFound) || err == nil && cer.Channel != c.Channel() {
			return audit.Entry{}, liuma.FailField(liuma.CodeCodeInvalid, "code", err)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if !cer.CodeUsed.IsZero() {
			refused = liuma.FailField(liuma.CodeCodeInvalid, "code", errors.New("replayed"))
			return s.engine.Entry(c.Actor(), audit.CodeReplayed, s.recordOf(cer), cer.BusinessNo, string(liuma.CodeCodeInvalid)), nil
		}
		var linked bool
		g, linked, err = s.redeemCode(tx, c, &cer, redirectURI, verifier, handle)
		if e, ok := refusal(err); ok {
			refused = e // nothing was changed; the refusal is recorded
			return s.engine.Entry(c.Actor(), audit.CodeRefused, s.recordOf(cer), cer.BusinessNo, string(e.Code)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		used = cer.Card
		e := s.engine.Entry(c.Actor(), audit.CodeRedeemed, s.recordOf(cer), cer.BusinessNo, "ok")
		if linked {
			e.Event = audit.CardLinked
		}
		return e, nil
	})
	if err = errors.Join(err, refused); err == nil {
		err = s.engine.Proved(ctx, used)
	}
	if err != nil {
		return Grant{}, liuma.Outward(err)
	}
	return g, nil
}

// linkReturned makes the link of an enrolment or a link at the hosted door, in the
// transaction that redeems the code. So a verdict that never came back to its log-in makes
// no link (I-14). The holder gets a notice of a link; for an enrolment the notice of the
// PIN is enough. If it refuses, it writes nothing.
func (s *Ceremonies) linkReturned(tx store.Tx, row *store.Request, replaces, handle store.Handle) (told bool, err error) {
	if row.Action != liuma.ActionEnroll && row.Action != liuma.ActionLink {
		return false, nil
	}
	card, err := s.engine.ReadCard(tx, row.Card)
	if err != nil {
		return false, err
	}
	row.Handle = handle
	l, err := s.engine.MakeLink(tx, card, *row, replaces)
	if err != nil {
		return false, err
	}
	row.Handle = l.Handle
	if row.Action != liuma.ActionLink {
		return false, nil
	}
	return true, s.engine.TellIn(tx, card, noticeLinked, row.Channel, nil)
}

// takesCode reports whether a ceremony's code is accepted from this caller: in time, with
// the redirect URI and the verifier of the push.
func (s *Ceremonies) takesCode(c store.Ceremony, d details, redirectURI, verifier string) bool {
	sum := sha256.Sum256([]byte(verifier))
	proved := base64.RawURLEncoding.EncodeToString(sum[:]) == d.Return.CodeChallenge
	return proved && s.returns(c, d) && s.now().Before(c.CodeUntil) && redirectURI == d.Return.RedirectURI
}

// claimHandle claims the handle of the link that redeeming a code will make, so that the
// redeeming transaction itself writes only with the card. Empty: no link will be made, or
// the code will be refused.
func (s *Ceremonies) claimHandle(ctx context.Context, c authority.Caller, code, redirectURI, verifier string) (store.Handle, error) {
	if !s.store.Spreads() {
		return "", nil
	}
	var cer store.Ceremony
	err := s.store.View(ctx, func(r store.Reader) error {
		found, err := r.CeremonyByCode(s.routeOf(code), hashed("code", code))
		if err != nil || found.Channel != c.Channel() || found.Action != liuma.ActionEnroll && found.Action != liuma.ActionLink {
			return absent(err)
		}
		d, err := s.openDetails(found)
		if err == nil && s.takesCode(found, d, redirectURI, verifier) {
			cer = found
		}
		return err
	})
	if err != nil || cer.Card.IsZero() {
		return "", err
	}
	return s.engine.ClaimHandle(ctx, cer.Channel, cer.Card, cer.ID)
}

// redeemCode checks and uses up a code. A crash before the commit leaves the
// code to be redeemed, and no link; a crash after it leaves both done, and the
// channel asks by business number (I-10, I-14).
func (s *Ceremonies) redeemCode(tx store.Tx, c authority.Caller, cer *store.Ceremony, redirectURI, verifier string, handle store.Handle) (g Grant, linked bool, err error) {
	d, err := s.openDetails(*cer)
	if err != nil {
		return g, false, err
	}
	if !s.takesCode(*cer, d, redirectURI, verifier) {
		return g, false, liuma.FailField(liuma.CodeCodeInvalid, "code", errors.New("late, or for another redirect or verifier"))
	}
	row, err := tx.Request(cer.Channel, cer.BusinessNo)
	if err != nil {
		return g, false, err
	}
	if err := s.engine.Redeemable(tx, row, vault.Receipt{ID: row.ReceiptID}); err != nil {
		return g, false, err
	}
	if err := s.engine.Returned(tx, row); err != nil {
		return g, false, err
	}
	// A new link, which has no handle yet: if it is refused, nothing is written, and
	// RedeemCode records the refusal.
	if linked, err = s.linkReturned(tx, &row, d.Replaces, handle); err != nil {
		return g, false, err
	}
	row.RedeemedAt = s.now()
	if err := tx.UpdateRequest(row); err != nil {
		return g, false, err
	}
	cer.CodeUsed, cer.Ended = s.now(), s.now()
	if err := tx.UpdateCeremony(*cer); err != nil {
		return g, false, err
	}
	rc := s.engine.Receipt(c, row)
	g = Grant{Subject: rc.Subject, Card: row.Handle, BusinessNo: row.BusinessNo, Action: row.Action,
		PurposeHash: envelope.PurposeHash(liuma.Purpose(d.Purpose)), ACR: rc.ACR, AMR: rc.AMR, PINAge: rc.PINAge, PhoneAge: rc.PhoneAge, Nonce: d.Return.Nonce,
		At: rc.IssuedAt, Expires: s.engine.Wall().Add(s.rules(*cer).ReceiptTTL)}
	return g, linked, nil
}
