package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/locale"
)

// MaxCorrections is how many corrections are listed at once.
const MaxCorrections = registry.MaxCorrections

// NumberCorrection is the form that an operator fills in: the old and the new number, and
// the number of the person's present card, which shows that the right person is meant.
type NumberCorrection struct {
	Former string `json:"former_id_number"`
	Number string `json:"id_number"`
	CardNo string `json:"card_no"`
}

// ErrCorrection says that a correction was not taken; the error says why, and what to do.
var ErrCorrection = errors.New("the number was not corrected")

// CorrectedNumber is the result of a correction.
type CorrectedNumber struct {
	// State is done, or one of registry.CorrectionView's.
	State string `json:"state"`
	// Waiting is the correction that waits; nil if it need not wait.
	Waiting *registry.CorrectionView `json:"waiting,omitempty"`
}

// CorrectNumber takes an operator's report that a number was corrected to another.
func (a *Admin) CorrectNumber(ctx context.Context, q NumberCorrection, reason audit.Reason) (CorrectedNumber, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return CorrectedNumber{}, err
	}
	ask := registry.Correction{Actor: ActorOf(ctx)}
	if ask.Former, err = registry.ParseIDNumber(q.Former); err != nil {
		return CorrectedNumber{}, notCorrected(liuma.AtField(err, "former_id_number"))
	}
	if ask.Number, err = registry.ParseIDNumber(q.Number); err != nil {
		return CorrectedNumber{}, notCorrected(liuma.AtField(err, "id_number"))
	}
	if ask.CardNo, err = registry.ParseCardNo(q.CardNo); err != nil {
		return CorrectedNumber{}, notCorrected(liuma.AtField(err, "card_no"))
	}
	out, err := a.c.Registry.CorrectNumber(ctx, ask, reason)
	if err != nil {
		return CorrectedNumber{}, notCorrected(err)
	}
	if out.Correction.ID == "" {
		return CorrectedNumber{State: "done"}, nil
	}
	return a.goOn(ctx, out.Correction.ID)
}

// goOn lets a running server continue a correction at once.
func (a *Admin) goOn(ctx context.Context, id string) (CorrectedNumber, error) {
	if s := a.c.Server; s != nil {
		// If this fails, the next round of maintenance continues it.
		if err := s.Authority.GoOnCorrecting(ctx, id); err != nil {
			a.c.Logger.WarnContext(ctx, "a correction goes on later", "correction", id, "err", err)
		}
	}
	return a.corrected(ctx, id)
}

// notCorrected turns a refusal into the sentences of its code.
func notCorrected(err error) error {
	e, ok := errors.AsType[*liuma.Error](err)
	if !ok || e.Code == liuma.CodeUnavailable {
		return err
	}
	why, at := locale.In(locale.English).Explanation(e.Code, ""), e.Field
	if at != "" {
		at = " (" + at + ")"
	}
	return notTaken{fmt.Errorf("%w: %s%s %s", ErrCorrection, why.What, at, why.Next), e}
}

// notTaken is the error of a refused correction, in words for a command. A caller with
// words of its own finds the code in it.
type notTaken struct {
	error
	code *liuma.Error
}

// Unwrap returns both errors.
func (n notTaken) Unwrap() []error { return []error{n.error, n.code} }

// corrected is the present state of a correction.
func (a *Admin) corrected(ctx context.Context, id string) (CorrectedNumber, error) {
	all, err := a.c.Registry.Corrections(ctx, before(id))
	if err != nil {
		return CorrectedNumber{}, err
	}
	if i := slices.IndexFunc(all, func(v registry.CorrectionView) bool { return v.ID == id }); i >= 0 {
		return CorrectedNumber{State: all[i].State, Waiting: &all[i]}, nil
	}
	return CorrectedNumber{State: "done"}, nil
}

// before is the largest ID below the given one, so that a list after it begins with the
// given ID.
func before(id string) string {
	if id == "" {
		return ""
	}
	return id[:len(id)-1]
}

// Corrections lists corrections that wait or were stopped.
func (a *Admin) Corrections(ctx context.Context, after string) ([]registry.CorrectionView, error) {
	return a.c.Registry.Corrections(ctx, after)
}

// CancelCorrection cancels a correction that does not count yet.
func (a *Admin) CancelCorrection(ctx context.Context, id string, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	return a.c.Registry.CancelCorrection(ctx, ActorOf(ctx), id, reason)
}

// GoOnUntold continues a correction whose holder could not be told.
func (a *Admin) GoOnUntold(ctx context.Context, id string, reason audit.Reason) (CorrectedNumber, error) {
	if err := a.alone(ctx); err != nil {
		return CorrectedNumber{}, err
	}
	return a.resume(ctx, id, reason)
}

func (a *Admin) resume(ctx context.Context, id string, reason audit.Reason) (CorrectedNumber, error) {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return CorrectedNumber{}, err
	}
	if err := a.c.Registry.GoOn(ctx, ActorOf(ctx), id, reason); err != nil {
		return CorrectedNumber{}, err
	}
	return a.goOn(ctx, id)
}
