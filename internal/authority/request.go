package authority

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Repeated carries the request that already has the business number out of a
// transaction; Repeat turns it into the answer.
type Repeated struct{ Row store.Request }

func (Repeated) Error() string { return "authority: business number taken" }

// TakeNumber writes a request and so takes its business number. If the number is
// taken already, the error is Repeated for the same request, and business_no_used for
// another (I-11).
func TakeNumber(tx store.Tx, row store.Request) error {
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
	return Repeated{there}
}

// LookNumber returns nil if a request's business number is free, and otherwise
// the error that TakeNumber would return.
func LookNumber(r store.Reader, row store.Request) error {
	there, err := r.Request(row.Channel, row.BusinessNo)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return sameRequest(there, row.Digest)
}

// Repeat answers a repetition with the outcome of the first request. It returns any
// other error in the form that may be shown outside.
func (a *Authority) Repeat(ctx context.Context, c Caller, err error) (Verification, error) {
	rep, ok := errors.AsType[Repeated](err)
	if !ok {
		return Verification{}, liuma.Outward(err)
	}
	v, err := a.Answer(ctx, c, rep.Row)
	v.Repeated = true
	return v, err
}

// Verification answers by business number, for a channel whose answer was lost.
// It shows the same as the first answer.
func (a *Authority) Verification(ctx context.Context, c Caller, bn liuma.BusinessNo) (Verification, error) {
	if err := c.PermitChannel(); err != nil {
		return Verification{}, err
	}
	var row store.Request
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		row, err = r.Request(c.Channel(), bn)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Verification{}, liuma.FailField(liuma.CodeNotFound, "business_no", nil)
	}
	if err != nil {
		return Verification{}, liuma.Outward(err)
	}
	return a.Answer(ctx, c, row)
}

// States of a Verification.
const (
	StateDecided   = "decided"
	StatePending   = "pending"   // taken less than decideTime ago: ask again
	StateUndecided = "undecided" // interrupted; there will be no verdict
	// StateReturning and StateDone are told of a hosted request in place of a right
	// verdict until its authorization code is redeemed (I-14). Returning: a verify or
	// link, whose verdict comes only with that code. Done: any other act, which is
	// carried out even if the code is never redeemed.
	StateReturning = "returning"
	StateDone      = "done"
)

// Answer is a request as its channel may see it. A link that failed shows one
// refusal for every cause: a channel without a link must not learn whether
// there is a card.
func (a *Authority) Answer(ctx context.Context, c Caller, row store.Request) (Verification, error) {
	at := a.clock.Read()
	v := Verification{BusinessNo: row.BusinessNo, Action: row.Action, At: at.ToWall(row.At), State: StateDecided}
	now := at.High
	if !row.Decided {
		v.State, v.Code = StatePending, liuma.CodeUndecided
		open, err := a.goesOn(ctx, row)
		if err != nil {
			return Verification{}, liuma.Outward(err)
		}
		if !open && now.Sub(row.At) >= decideTime {
			v.State = StateUndecided
		}
		return v, nil
	}
	v.At = at.ToWall(row.DecidedAt)
	if awaitsBrowser(row) {
		return a.awaited(ctx, row, v)
	}
	if Unlinked(row) {
		v.Code = liuma.CodeRefused
		return v, nil
	}
	if !row.ResetAt.IsZero() { // the old verdict is about a PIN that was replaced
		v.At, v.Code = at.ToWall(row.ResetAt), liuma.CodePINReset
		return v, nil
	}
	v.Verdict, v.Code, v.Until = row.Verdict, row.Code, at.ToWall(row.Until)
	if !row.Card.IsZero() {
		v.Card = row.Handle
	}
	if row.Verdict == liuma.Wrong || row.Verdict == liuma.Locked {
		left := row.TriesLeft
		v.TriesLeft = &left
	}
	v.Redeemed = !row.RedeemedAt.IsZero()
	if row.Verdict == liuma.Right && row.Code == "" {
		pin, phone := agesOf(row)
		v.ACR, v.PINAge, v.PhoneAge = acr(row), &pin, phone
	}
	if row.Verdict == liuma.Right && row.ReceiptID != "" && !ofTry(row.BusinessNo) {
		rc := a.Receipt(c, row)
		v.ReceiptEnd = rc.Expires
		if at.Wall.Before(rc.Expires) && !v.Redeemed {
			token, err := a.vault.SignReceipt(rc)
			if err != nil {
				return Verification{}, liuma.Outward(err)
			}
			v.Receipt = token
		}
	}
	return v, nil
}

// awaitsBrowser reports whether a request has a right verdict that its channel may
// not know yet: it was given on a hosted page, and the code that the browser takes to
// the channel was not redeemed (I-14). Otherwise an attacker could make the channel
// push a request, relay the page's address to the card's owner, and then get the
// verdict by business number.
func awaitsBrowser(row store.Request) bool {
	return row.Ceremony != "" && !ofTry(row.BusinessNo) && row.Verdict == liuma.Right && row.RedeemedAt.IsZero()
}

// awaited answers for such a request: it says only that the act is done, or that the
// verdict is on its way or lost.
func (a *Authority) awaited(ctx context.Context, row store.Request, v Verification) (Verification, error) {
	if row.Action != liuma.ActionVerify && row.Action != liuma.ActionLink {
		v.State = StateDone
		return v, nil
	}
	v.State = StateReturning
	err := a.store.View(ctx, func(r store.Reader) error {
		c, err := r.Ceremony(row.Ceremony)
		if errors.Is(err, store.ErrNotFound) || err == nil && (!c.Ended.IsZero() || !a.Now().Before(c.Expires)) {
			v.State, v.Code = StateDecided, liuma.CodeNotReturned
			return nil
		}
		return err
	})
	if err != nil {
		return Verification{}, liuma.Outward(err)
	}
	return v, nil
}

// goesOn reports whether an undecided request may still be decided, however old it
// is. The request of a ceremony is decided when the ceremony ends, and the request of
// an open intent when the keepers have answered, however long that takes.
func (a *Authority) goesOn(ctx context.Context, row store.Request) (bool, error) {
	if row.Ceremony != "" && !ofTry(row.BusinessNo) {
		return true, nil
	}
	var in store.Intent
	err := a.store.View(ctx, func(r store.Reader) (err error) {
		in, err = r.Intent(row.Card)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && in.Channel == row.Channel && in.BusinessNo == row.BusinessNo, err
}

// TryNo is the business number of one try of a ceremony. No channel can use it:
// '#' is not in the alphabet of business numbers.
func TryNo(bn liuma.BusinessNo, try int) liuma.BusinessNo {
	return liuma.BusinessNo(fmt.Sprintf("%s#%d", bn, try))
}

// Setting reports whether the last try of a ceremony is setting a PIN that the
// keepers may hold already. Until that is settled, no page may say that nothing
// changed.
func (a *Authority) Setting(r store.Reader, c store.Ceremony) (bool, error) {
	row, err := r.Request(c.Channel, TryNo(c.BusinessNo, c.Tries))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	in, err := r.Intent(row.Card)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && in.Channel == row.Channel && in.BusinessNo == row.BusinessNo && in.State != store.IntentFlipped, err
}

// ofTry reports whether a business number belongs to a try. No channel can ask
// for such a number, so it gets no receipt.
func ofTry(bn liuma.BusinessNo) bool { return strings.Contains(string(bn), "#") }

// Unlinked reports whether the row is a refusal to a channel that had no link.
func Unlinked(row store.Request) bool {
	if row.Code == liuma.CodeLinkLimit || row.Code == liuma.CodeLinksFull {
		return false // the PIN was right: the holder may learn why there is no link
	}
	return row.Code == liuma.CodeRefused ||
		row.Action == liuma.ActionLink && row.Verdict != liuma.Right
}

// Receipt is the signed verdict of a right attempt. The same row always gives
// the same receipt, so a channel that lost the answer can ask again.
func (a *Authority) Receipt(c Caller, row store.Request) vault.Receipt {
	amr, at := []string{"pin"}, a.ToWall(row.DecidedAt) // read and checked elsewhere
	if row.Alone {
		amr = nil
	}
	if row.Evidence != "" {
		amr = append(amr, row.Evidence)
	}
	pinAge, phoneAge := agesOf(row)
	return vault.Receipt{
		ID: row.ReceiptID, Issuer: a.issuer, Channel: row.Channel,
		Subject: a.vault.Handle(row.Channel, row.Card), Card: string(row.Handle),
		BusinessNo: row.BusinessNo, Action: row.Action, PurposeHash: row.Purpose,
		ACR: acr(row), AMR: amr, PINAge: pinAge, PhoneAge: phoneAge,
		IssuedAt: at, Expires: at.Add(a.PolicyFor(c, "").ReceiptTTL),
	}
}

// acr is the authentication level of a receipt: PIN alone, PIN and evidence, or
// evidence alone.
func acr(row store.Request) string {
	if row.Alone {
		return "urn:liuma:acr:evidence"
	}
	if evidenced(row) {
		return "urn:liuma:acr:pin-evidence"
	}
	return "urn:liuma:acr:pin"
}

// MethodCounter stands in a request for the method of evidence when a counter's
// ticket replaced evidence. It is reported in amr, and is no evidence.
const MethodCounter = "counter"

// evidenced reports whether evidence came with a request.
func evidenced(row store.Request) bool { return row.Evidence != "" && row.Evidence != MethodCounter }

func newReceiptID() string {
	var b [15]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// NewRow starts the row of a request. ceremony is the ID of the ceremony that
// it belongs to, or empty.
func (a *Authority) NewRow(c Caller, action liuma.Action, q Request, ceremony string) store.Request {
	return store.Request{
		Channel: c.Channel(), BusinessNo: q.BusinessNo, Action: action, Digest: q.Digest,
		Purpose: envelope.PurposeHash(q.Purpose), Ceremony: ceremony, At: a.Now(),
	}
}

// Binding starts the binding of an envelope in a request; OpenPIN fills in the key.
// subject is the subject that the device bound the envelope to.
func Binding(c Caller, action liuma.Action, role liuma.Role, subject envelope.Subject, q Request) envelope.Binding {
	return envelope.Binding{
		Channel: c.Channel(), Action: action, Role: role, Subject: subject,
		BusinessNo: q.BusinessNo, PurposeHash: envelope.PurposeHash(q.Purpose), Challenge: q.Challenge,
	}
}

// Decide fills in a row's outcome. After it, only RedeemedAt or ResetAt of a
// request changes.
func Decide(row *store.Request, now time.Time, verdict liuma.Verdict, code liuma.Code) {
	row.Decided, row.DecidedAt = true, now
	row.Verdict, row.Code = verdict, code
	if verdict == liuma.Right && code == "" {
		row.ReceiptID = newReceiptID()
	}
}

// codeOf is the error code of a verdict that is not right.
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

// DecidedEntry is the audit entry of a decision.
func (a *Authority) DecidedEntry(c Caller, ev audit.Event, row store.Request) audit.Entry {
	return a.Entry(c.Actor(), ev, row.Card, row.BusinessNo, outcomeOf(row))
}
