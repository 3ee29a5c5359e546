package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/staff"
)

// Errors of a freeze by phone. With each of them no card was touched.
var (
	// ErrNoFreeze does not say why: an ID number is no secret, but whether its person
	// has a card is one.
	ErrNoFreeze  = errors.New("no card that could be frozen was found for this number")
	ErrFreezes   = errors.New("you have frozen as many cards as one member may for now; a colleague goes on, and an operator is to look why")
	ErrNoReports = errors.New("the policy of this card's region takes no loss reports by phone: freeze the card")
	ErrRepeated  = errors.New("this request was sent before with another number; begin again")
)

// PhoneFreeze is the form that a member on the hotline fills in for a holder who
// calls.
type PhoneFreeze struct {
	// RequestNo is the member's own number of this request, so that a request that is
	// sent twice stops a card once.
	RequestNo string `json:"request_no"`
	Number    string `json:"id_number"`
}

// PhoneFrozen is the result.
type PhoneFrozen struct {
	// Until is when a loss report ends; a freeze never ends by time.
	Until time.Time `json:"until,omitzero"`
}

// FreezeByPhone freezes the card of a holder who called, for a member of staff. The
// holder's bound phone is told.
func (a *Admin) FreezeByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error) {
	return a.byPhone(ctx, "freeze", q, Authority.FreezeByStaff)
}

// ReportLossByPhone takes a holder's report that the card was lost (口头挂失), where the
// region's policy allows it.
func (a *Admin) ReportLossByPhone(ctx context.Context, q PhoneFreeze) (PhoneFrozen, error) {
	return a.byPhone(ctx, "report", q, Authority.ReportLossByStaff)
}

func (a *Admin) byPhone(ctx context.Context, what string, q PhoneFreeze,
	do func(Authority, context.Context, authority.ByStaff, authority.HotlineFreeze) (authority.Verification, error)) (PhoneFrozen, error) {
	who := callerOf(ctx)
	if who.ID == "" {
		return PhoneFrozen{}, staff.ErrNobody // the record must name the member who freezes
	}
	if a.c.Server == nil {
		return PhoneFrozen{}, ErrNotServing
	}
	no, err := liuma.ParseBusinessNo(q.RequestNo)
	if err != nil {
		return PhoneFrozen{}, ErrRepeated
	}
	v, err := do(a.c.Server.Authority, ctx, authority.ByStaff{Member: who.ID, Region: who.Region},
		authority.HotlineFreeze{BusinessNo: no, IDNumber: q.Number, Digest: sha256.Sum256([]byte(what + "\x00" + q.Number))})
	switch liuma.CodeOf(err) {
	case liuma.CodeNotFound:
		return PhoneFrozen{}, ErrNoFreeze
	case liuma.CodeIDNumberInvalid, liuma.CodeIDNumber15, liuma.CodeDocumentInvalid, liuma.CodeDocumentState:
		return PhoneFrozen{}, ErrNumber // without the typed number
	case liuma.CodeHotlineLimit:
		return PhoneFrozen{}, ErrFreezes
	case liuma.CodeLossReportOff:
		return PhoneFrozen{}, ErrNoReports
	case liuma.CodeBusinessNoUsed:
		return PhoneFrozen{}, ErrRepeated
	}
	if err != nil {
		return PhoneFrozen{}, err
	}
	return PhoneFrozen{Until: v.Until}, nil
}
