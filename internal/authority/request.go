package authority

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func (a *Authority) policyFor(c Caller, region liuma.Region) policy.Policy {
	return a.Policy.For(c.region(region), c.channel())
}

// errRepeated carries the request that already has the business number out of
// a transaction.
type errRepeated struct{ row store.Request }

func (errRepeated) Error() string { return "authority: business number taken" }

// insertRequest takes the business number. If it is taken, the error is an
// errRepeated for the same request and business_no_used for another (I-11).
func insertRequest(tx store.Tx, row store.Request) error {
	err := tx.InsertRequest(row)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	there, err := tx.Request(row.Channel, row.BusinessNo)
	if err != nil {
		return err
	}
	return sameRequest(there, row.Digest)
}

func sameRequest(there store.Request, digest [32]byte) error {
	if there.Digest != digest {
		return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	return errRepeated{there}
}

// lookRequest returns nil if the business number is free, and otherwise what
// insertRequest would.
func lookRequest(r store.Reader, ch liuma.ChannelID, bn liuma.BusinessNo, digest [32]byte) error {
	there, err := r.Request(ch, bn)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return sameRequest(there, digest)
}

// repeated answers a repetition with what the first request came to.
func (a *Authority) repeated(ctx context.Context, c Caller, err error) (Verification, error) {
	rep, ok := errors.AsType[errRepeated](err)
	if !ok {
		return Verification{}, house(err)
	}
	return a.view(ctx, c, rep.row)
}

// Verification answers by business number, for a channel whose answer was
// lost. It tells what the first answer told, and no more.
func (a *Authority) Verification(ctx context.Context, c Caller, bn liuma.BusinessNo) (Verification, error) {
	if c.Client.Kind != store.ClientChannel || c.Client.Stopped {
		return Verification{}, liuma.Fail(liuma.CodeForbidden, nil)
	}
	var row store.Request
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		row, err = r.Request(c.channel(), bn)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Verification{}, liuma.FailField(liuma.CodeNotFound, "business_no", nil)
	}
	if err != nil {
		return Verification{}, house(err)
	}
	return a.view(ctx, c, row)
}

// States of a Verification.
const (
	StateDecided   = "decided"
	StatePending   = "pending"   // taken less than decideTime ago: ask again
	StateUndecided = "undecided" // interrupted; there will be no verdict
)

// view is a request as its channel may see it. A link that did not come about
// shows one refusal, whatever its cause (DESIGN section 7).
func (a *Authority) view(ctx context.Context, c Caller, row store.Request) (Verification, error) {
	v := Verification{BusinessNo: row.BusinessNo, Action: row.Action, At: row.At, State: StateDecided}
	now := a.now()
	if !row.Decided {
		v.State, v.Code = StatePending, liuma.CodeUndecided
		open, err := a.goesOn(ctx, row)
		if err != nil {
			return Verification{}, house(err)
		}
		if !open && now.Sub(row.At) >= decideTime {
			v.State = StateUndecided
		}
		return v, nil
	}
	v.At = row.DecidedAt
	if unlinked(row) {
		v.Code = liuma.CodeRefused
		return v, nil
	}
	v.Verdict, v.Code, v.Until = row.Verdict, row.Code, row.Until
	if !row.Card.IsZero() {
		v.Card = store.Handle(a.Vault.Handle(c.channel(), row.Card))
	}
	if row.Verdict == liuma.Wrong || row.Verdict == liuma.Locked {
		left := row.TriesLeft
		v.TriesLeft = &left
	}
	v.Redeemed = !row.RedeemedAt.IsZero()
	if row.Verdict == liuma.Right && row.ReceiptID != "" && !ofTry(row.BusinessNo) {
		rc := a.receipt(c, row)
		v.ReceiptEnd = rc.Expires
		if now.Before(rc.Expires) && !v.Redeemed {
			token, err := a.Vault.SignReceipt(rc)
			if err != nil {
				return Verification{}, house(err)
			}
			v.Receipt = token
		}
	}
	return v, nil
}

// goesOn reports whether the request is a ceremony that has not ended, or the
// setting of a PIN that is still under way: then keepers decide how it ends,
// however long they are away.
func (a *Authority) goesOn(ctx context.Context, row store.Request) (bool, error) {
	var in store.Intent
	hosted := false
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		if row.Ceremony != "" {
			c, err := r.Ceremony(row.Ceremony)
			hosted = err == nil && c.BusinessNo == row.BusinessNo && c.Ended.IsZero()
			if err != nil || hosted {
				return err
			}
		}
		in, err = r.Intent(row.Card)
		return err
	})
	if hosted {
		return true, nil
	}
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && in.Channel == row.Channel && in.BusinessNo == row.BusinessNo, err
}

// unlinked reports whether the row is a refusal to a caller that had no link.
func unlinked(row store.Request) bool {
	return row.Code == liuma.CodeRefused ||
		row.Action == liuma.ActionLink && row.Verdict != liuma.Right
}

// receipt is the signed verdict of a right attempt; the same row always gives
// the same receipt, so a lost answer can be asked for again.
func (a *Authority) receipt(c Caller, row store.Request) vault.Receipt {
	amr := []string{"pin"}
	if row.Evidence != "" {
		amr = append(amr, row.Evidence)
	}
	return vault.Receipt{
		ID: row.ReceiptID, Issuer: a.Issuer, Channel: row.Channel,
		Handle:     a.Vault.Handle(row.Channel, row.Card),
		BusinessNo: row.BusinessNo, Action: row.Action, PurposeHash: row.Purpose,
		ACR: acr(row), AMR: amr,
		IssuedAt: row.DecidedAt, Expires: row.DecidedAt.Add(a.policyFor(c, "").ReceiptTTL),
	}
}

// acr names how sure the authority is: by PIN alone, or by PIN and evidence.
func acr(row store.Request) string {
	if row.Evidence != "" {
		return "urn:liuma:acr:pin-evidence"
	}
	return "urn:liuma:acr:pin"
}

func newReceiptID() string {
	var b [15]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// row starts a request row for a caller.
func (a *Authority) row(c Caller, action liuma.Action, bn liuma.BusinessNo, purpose string, digest [32]byte) store.Request {
	return store.Request{
		Channel: c.channel(), BusinessNo: bn, Action: action, Digest: digest,
		Purpose: envelope.PurposeHash(purpose), At: a.now(),
	}
}

// binding starts the binding of a request's envelopes; openPIN fills in the key.
func binding(c Caller, action liuma.Action, role liuma.Role, s envelope.Subject, bn liuma.BusinessNo, purpose, challenge string) envelope.Binding {
	return envelope.Binding{
		Channel: c.channel(), Action: action, Role: role, Subject: s,
		BusinessNo: bn, PurposeHash: envelope.PurposeHash(purpose), Challenge: challenge,
	}
}

// decide fills in a row's outcome. Nothing about a request changes later but
// that its receipt is redeemed.
func decide(row *store.Request, now time.Time, verdict liuma.Verdict, code liuma.Code) {
	row.Decided, row.DecidedAt = true, now
	row.Verdict, row.Code = verdict, code
	if verdict == liuma.Right && code == "" {
		row.ReceiptID = newReceiptID()
	}
}

// codeOf is the code that goes with a verdict that is not right.
func codeOf(v liuma.Verdict) liuma.Code {
	switch v {
	case liuma.Right:
		return ""
	case liuma.Wrong:
		return liuma.CodeWrong
	case liuma.Locked:
		return liuma.CodeLocked
	case liuma.Blocked:
		return liuma.CodeBlocked
	}
	return liuma.CodeUnavailable
}

func outcomeOf(row store.Request) string {
	if row.Code != "" {
		return string(row.Code)
	}
	if row.Verdict != "" {
		return string(row.Verdict)
	}
	return "ok"
}

// decidedEntry is the audit entry of a decision.
func (a *Authority) decidedEntry(c Caller, ev audit.Event, row store.Request) audit.Entry {
	return a.entry(c.actor(), ev, row.Card, row.BusinessNo, outcomeOf(row))
}
