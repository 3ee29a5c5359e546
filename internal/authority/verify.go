package authority

import (
	"context"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Verify asks whether a PIN is right. Any verdict is an answer; an error means
// that nothing was counted, but for a request that then stays undecided.
func (a *Authority) Verify(ctx context.Context, c Caller, q VerifyRequest) (Verification, error) {
	if err := c.permit(liuma.ActionVerify, q.Region); err != nil {
		return Verification{}, err
	}
	row := a.row(c, liuma.ActionVerify, q.BusinessNo, q.Purpose, q.Digest)
	row.Ceremony = q.hosted.id()
	card, err := a.linkedCard(ctx, c, q.Subject.Card, row)
	if errors.Is(err, errUnlinked) {
		return a.refuseUnlinked(ctx, c, row)
	}
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	p := a.policyFor(c, q.Region)
	proof, err := a.proofFor(ctx, c, q.hosted, q.Evidence, q.Challenge, card, p)
	if err != nil {
		return Verification{}, err
	}
	b := binding(c, liuma.ActionVerify, liuma.RoleCurrent, boundSubject(q.hosted, q.Subject), q.BusinessNo, q.Purpose, q.Challenge)
	guess, err := a.openPIN(ctx, b, q.PIN, "pin", p.Passphrase)
	if err != nil {
		return Verification{}, err
	}
	defer guess.Wipe()
	release, err := a.slots.take(ctx, cardSlot(card), busyWait)
	if err != nil {
		return Verification{}, err
	}
	defer release()
	row.Card = card
	done, err := a.attempt(ctx, &attempt{caller: c, row: row, pin: guess, proof: proof, marked: q.hosted != nil, hosted: q.hosted, policy: p})
	if err != nil {
		return a.repeated(ctx, c, a.withChallenge(c, err))
	}
	return a.view(ctx, c, done)
}

// errUnlinked says that the caller has no link to the card that it names, if
// there is such a card.
var errUnlinked = errors.New("authority: no link")

// linkedCard finds the card behind a channel's handle, unless the business
// number was used before.
func (a *Authority) linkedCard(ctx context.Context, c Caller, handle string, row store.Request) (liuma.CardID, error) {
	var link store.Link
	err := a.Store.View(ctx, func(r store.Reader) error {
		if err := lookRequest(r, row.Channel, row.BusinessNo, row.Digest); err != nil {
			return err
		}
		var err error
		link, err = r.LinkByHandle(c.channel(), store.Handle(handle))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return liuma.CardID{}, errUnlinked
	}
	return link.Card, err
}

// refuseUnlinked answers a caller without a link: one refusal whatever the
// reason, at one pace, with nothing counted on any card (DESIGN section 7).
func (a *Authority) refuseUnlinked(ctx context.Context, c Caller, row store.Request) (Verification, error) {
	hold := a.pace(ctx, c)
	v, err := a.refuseNow(ctx, c, row)
	hold()
	return v, err
}

// refuseNow stores the one refusal; the caller paces it.
func (a *Authority) refuseNow(ctx context.Context, c Caller, row store.Request) (Verification, error) {
	err := a.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		r := row
		decide(&r, a.now(), "", liuma.CodeRefused)
		if err := insertRequest(tx, r); err != nil {
			return audit.Entry{}, err
		}
		row = r
		return a.decidedEntry(c, audit.AttemptDecided, r), a.advance(tx, r)
	})
	if err != nil {
		return a.repeated(ctx, c, err)
	}
	return a.view(ctx, c, row)
}

// pace starts the clock of a refusal; the function that it returns waits until
// a whole multiple of the pace has passed, so that the time taken says nothing
// about what was found on the way.
func (a *Authority) pace(ctx context.Context, c Caller) func() {
	start, step := a.Now(), a.policyFor(c, "").RefusalPace
	return func() {
		if step <= 0 {
			return
		}
		took := a.Now().Sub(start)
		if took < 0 {
			took = 0
		}
		a.Wait(ctx, step-took%step)
	}
}

// withChallenge adds a fresh challenge to a demand for evidence, so that the
// caller can ask a provider for it at once.
func (a *Authority) withChallenge(c Caller, err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code != liuma.CodeEvidenceRequired {
		return err
	}
	value, verr := a.Vault.NewChallenge(c.channel(), a.now(), a.policyFor(c, "").ChallengeTTL)
	if verr != nil {
		return house(verr)
	}
	out := *e
	out.Challenge = value
	return &out
}
