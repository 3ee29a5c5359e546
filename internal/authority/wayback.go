package authority

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// WayBack says where the holder goes when the ceremony is over: to the
// channel's redirect URI with a fresh code, or with why there is none. Asked
// again before the code was redeemed, it mints another and the first is void.
func (a *Authority) WayBack(ctx context.Context, id string, h Hand) (Way, error) {
	code := newSecret()
	var cer store.Ceremony
	var d details
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		c, err := tx.Ceremony(id)
		if errors.Is(err, store.ErrNotFound) {
			return audit.Entry{}, liuma.Fail(liuma.CodeRequestURIInvalid, err)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if grip(c, h) != holdsBrowser {
			return audit.Entry{}, liuma.Fail(liuma.CodeCeremonyElsewhere, nil)
		}
		if d, err = a.openDetails(c); err != nil {
			return audit.Entry{}, err
		}
		cer = c
		if Step(c.Step) != StepDone || !c.CodeUsed.IsZero() || expired(c, a.now()) {
			return audit.Entry{}, nil
		}
		c.Code, c.CodeUntil = hashed("code", code), a.now().Add(codeLife)
		cer = c
		return a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, "code"), tx.UpdateCeremony(c)
	})
	if err != nil {
		return Way{}, house(err)
	}
	return a.way(cer, d, code)
}

// way builds the authorization response (RFC 6749, RFC 9207).
func (a *Authority) way(c store.Ceremony, d details, code string) (Way, error) {
	u, err := url.Parse(d.Return.RedirectURI)
	if err != nil {
		return Way{}, house(err)
	}
	q := u.Query()
	q.Set("iss", a.Issuer)
	if d.Return.State != "" {
		q.Set("state", d.Return.State)
	}
	step := Step(c.Step)
	switch {
	case step == StepDone && c.CodeUsed.IsZero() && !expired(c, a.now()):
		q.Set("code", code)
	case step == StepDone:
		q.Set("error", "access_denied")
		q.Set("error_description", string(liuma.CodeCodeInvalid))
	case step.over() || step == StepEvidence || expired(c, a.now()):
		why := liuma.Code(d.Code)
		if why == "" || expired(c, a.now()) {
			why = liuma.CodeCeremonyExpired
		}
		q.Set("error", "access_denied")
		q.Set("error_description", string(why))
		if why == liuma.CodeEvidenceRequired {
			q.Set("error", string(why))
			challenge, err := a.Vault.NewChallenge(c.Channel, a.now(), a.Policy.For(c.Region, c.Channel).ChallengeTTL)
			if err != nil {
				return Way{}, house(err)
			}
			q.Set("challenge", challenge)
		}
	default:
		return Way{}, liuma.Fail(liuma.CodeCeremonyMoved, nil) // not over: leave it first
	}
	u.RawQuery = q.Encode()
	return Way{URL: u.String()}, nil
}

// RedeemCode exchanges a code, once, for the claims of an ID token, while
// standing and version are what they were at the verdict (I-10). A code that
// comes a second time, late, or with another redirect or verifier is refused
// and recorded.
func (a *Authority) RedeemCode(ctx context.Context, c Caller, code, redirectURI, verifier string) (Grant, error) {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return Grant{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	var g Grant
	var refused error
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		refused = nil
		cer, err := tx.CeremonyByCode(hashed("code", code))
		if errors.Is(err, store.ErrNotFound) || err == nil && cer.Channel != c.channel() {
			return audit.Entry{}, liuma.FailField(liuma.CodeCodeInvalid, "code", err)
		}
		if err != nil {
			return audit.Entry{}, err
		}
		if !cer.CodeUsed.IsZero() {
			refused = liuma.FailField(liuma.CodeCodeInvalid, "code", errors.New("replayed"))
			return a.entry(c.actor(), audit.CodeReplayed, cer.Card, cer.BusinessNo, string(liuma.CodeCodeInvalid)), nil
		}
		g, err = a.redeemCode(tx, c, &cer, redirectURI, verifier)
		if e, ok := refusal(err); ok {
			refused = e // nothing was changed; that somebody tried is recorded
			return a.entry(c.actor(), audit.CodeRefused, cer.Card, cer.BusinessNo, string(e.Code)), nil
		}
		if err != nil {
			return audit.Entry{}, err
		}
		return a.entry(c.actor(), audit.CodeRedeemed, cer.Card, cer.BusinessNo, "ok"), nil
	})
	if err = errors.Join(err, refused); err != nil {
		return Grant{}, house(err)
	}
	return g, nil
}

func (a *Authority) redeemCode(tx store.Tx, c Caller, cer *store.Ceremony, redirectURI, verifier string) (Grant, error) {
	d, err := a.openDetails(*cer)
	if err != nil {
		return Grant{}, err
	}
	sum := sha256.Sum256([]byte(verifier))
	proved := base64.RawURLEncoding.EncodeToString(sum[:]) == d.Return.CodeChallenge
	if !a.now().Before(cer.CodeUntil) || redirectURI != d.Return.RedirectURI || !proved {
		return Grant{}, liuma.FailField(liuma.CodeCodeInvalid, "code", errors.New("late, or for another redirect or verifier"))
	}
	row, err := tx.Request(cer.Channel, cer.BusinessNo)
	if err != nil {
		return Grant{}, err
	}
	if err := a.redeemable(tx, row, vault.Receipt{ID: row.ReceiptID}); err != nil {
		return Grant{}, err
	}
	row.RedeemedAt = a.now()
	if err := tx.UpdateRequest(row); err != nil {
		return Grant{}, err
	}
	cer.CodeUsed, cer.Ended = a.now(), a.now()
	if err := tx.UpdateCeremony(*cer); err != nil {
		return Grant{}, err
	}
	rc := a.receipt(c, row)
	return Grant{Handle: store.Handle(rc.Handle), BusinessNo: row.BusinessNo, Action: row.Action,
		PurposeHash: envelope.PurposeHash(d.Purpose), ACR: rc.ACR, AMR: rc.AMR, Nonce: d.Return.Nonce,
		At: row.DecidedAt, Expires: a.now().Add(a.policyFor(c, cer.Region).ReceiptTTL)}, nil
}
