package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// The acts on the service that take two members of staff. Changes of members and of the
// policy take two as well; they are kinds of their own.
const (
	ActHasten  = "correction.hasten" // shortens the 72 hours of a correction
	ActResume  = "correction.resume" // lets one go on whose holder could not be told
	ActHead    = "card.head"
	ActRestore = "restore.accept"
	ActConfirm = "authority.confirm" // another authority's identity, to which keys are handed
)

func isAct(kind string) bool {
	return slices.Contains([]string{ActHasten, ActResume, ActHead, ActRestore, ActConfirm}, kind)
}

// Errors of acts that take two.
var (
	// ErrTakesTwo refuses such an act to a member who asks for it alone, once there are
	// members of staff.
	ErrTakesTwo = errors.New("this takes two members of staff, an operator and a security officer: propose it, and let the other approve it")
	ErrAct      = errors.New("there is no such act")
	// ErrElsewhereConfirmed refuses to approve at one authority an act that was proposed
	// for another.
	ErrElsewhereConfirmed = errors.New("this is the word of another authority: approve it on that machine, or in its console")
)

// Act is an act that two members decide. Its JSON is the body of the proposal.
type Act struct {
	Kind   string       `json:"kind"`
	ID     string       `json:"id,omitempty"` // of the correction or the card
	Reason audit.Reason `json:"reason"`
	// No and Until are the correction's number and end of wait when its shortening was
	// proposed; ProposeAct sets them.
	No    uint64    `json:"no,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// For ActConfirm, whose ID is the other authority's name: the digits that it shows, and
	// the authority that is to trust it. ProposeAct sets both.
	Digits string `json:"digits,omitempty"`
	At     string `json:"at,omitempty"`
}

// ProposedAct is an act that waits for its approval.
type ProposedAct struct {
	ID    proposal.ID `json:"id"`
	Until time.Time   `json:"until"`
}

// ActStep approves an act. ActRestore goes step by step: After is the last card of the step
// before.
type ActStep struct {
	ID    proposal.ID `json:"id"`
	After string      `json:"after,omitempty"`
}

// ActDone is the result of an approved act. Beside Kind one member is set; for ActConfirm
// none.
type ActDone struct {
	Kind       string              `json:"kind"`
	Correction *CorrectedNumber    `json:"correction,omitempty"`
	Raised     *authority.Raised   `json:"raised,omitempty"`
	Accepted   *authority.Accepted `json:"accepted,omitempty"`
}

// ProposeAct stores an act for another member to approve. It refuses an act that could not
// be done now. Errors: audit.ErrReason, ErrAct, ErrNotServing, those of the acts and of
// package proposal.
func (a *Admin) ProposeAct(ctx context.Context, q Act) (ProposedAct, error) {
	reason, err := audit.ParseReason(string(q.Reason))
	if err != nil {
		return ProposedAct{}, err
	}
	q.Reason, q.No, q.Until, q.At = reason, 0, time.Time{}, ""
	if q.Kind == ActConfirm {
		q.At = a.c.Store.Self().Name
	}
	if q.No, q.Until, err = a.judgeAct(ctx, q); err != nil {
		return ProposedAct{}, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return ProposedAct{}, fmt.Errorf("admin: %w", err)
	}
	id, err := a.staff.Proposals().Propose(ctx, q.Kind, body, callerOf(ctx).ID)
	if err != nil {
		return ProposedAct{}, err
	}
	row, err := a.staff.Proposals().Of(ctx, id)
	return ProposedAct{ID: id, Until: row.Until.UTC()}, err
}

// judgeAct refuses an act that cannot be done now.
func (a *Admin) judgeAct(ctx context.Context, q Act) (no uint64, until time.Time, err error) {
	if !isAct(q.Kind) {
		return 0, time.Time{}, ErrAct
	}
	if a.c.Server == nil && q.Kind != ActResume {
		return 0, time.Time{}, ErrNotServing
	}
	switch q.Kind {
	case ActHasten:
		no, until, err = a.c.Server.Authority.Hastenable(ctx, q.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = registry.ErrUnknownCorrection
		}
	case ActResume:
		err = a.c.Store.View(ctx, func(r store.Reader) error {
			c, err := r.Correction(q.ID)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return registry.ErrUnknownCorrection
			case err == nil && (c.State != store.CorrectionStopped || c.Why != store.WhyUntold):
				return registry.ErrNotUntold
			}
			return err
		})
	case ActHead:
		if _, err = liuma.ParseCardID(q.ID); err != nil {
			err = ErrNoCard
		}
	case ActConfirm:
		err = a.confirmable(ctx, q)
	}
	return no, until.UTC(), err
}

// ApproveAct carries out an act that another member proposed. The approval is recorded
// before the act is done. Errors: those of ProposeAct and of proposal.Proposals.Approve.
//
// A crash in between leaves the act approved and not done: the same member approves it
// again, within the proposal's time.
func (a *Admin) ApproveAct(ctx context.Context, q ActStep) (ActDone, error) {
	row, err := a.staff.Proposals().Of(ctx, q.ID)
	if err != nil {
		return ActDone{}, err
	}
	act, err := actOf(row)
	if err != nil {
		return ActDone{}, err
	}
	if a.c.Server == nil && act.Kind != ActResume {
		return ActDone{}, ErrNotServing
	}
	if row.State == store.ProposalOpen {
		no, until, err := a.judgeAct(ctx, act)
		if err == nil && (no != act.No || !until.Equal(act.Until)) {
			err = authority.ErrNotHastened // its state has changed since the proposal
		}
		if err != nil {
			return ActDone{}, err
		}
	}
	if _, err := a.staff.Proposals().Approve(ctx, q.ID, callerOf(ctx).ID); err != nil {
		return ActDone{}, err
	}
	return a.doAct(ctx, act, q.After)
}

// cutShort lists the acts that the caller approved and that may not have been carried out.
// An act that was done is left out, except acts on restored cards, which may be done twice
// without harm.
func (a *Admin) cutShort(ctx context.Context) ([]ProposalView, error) {
	approved, err := a.staff.Proposals().ApprovedBy(ctx, callerOf(ctx).ID)
	var out []ProposalView
	for _, row := range approved {
		act, err := actOf(row)
		if err != nil {
			continue // other kinds are done in the transaction of their approval
		}
		if no, until, err := a.judgeAct(ctx, act); err != nil || no != act.No || !until.Equal(act.Until) {
			continue
		}
		v, at := viewed(row), row.Ended.UTC()
		v.ApprovedAt = &at
		out = append(out, v)
	}
	return out, err
}

// actOf reads the act of a proposal. proposal.ErrKind.
func actOf(row store.Proposal) (Act, error) {
	if !isAct(row.Kind) {
		return Act{}, proposal.ErrKind
	}
	act, err := strictjson.Canonical[Act](row.Body)
	if err != nil || act.Kind != row.Kind {
		return Act{}, proposal.ErrKind
	}
	return act, nil
}

func (a *Admin) doAct(ctx context.Context, act Act, after string) (ActDone, error) {
	done := ActDone{Kind: act.Kind}
	switch act.Kind {
	case ActHasten:
		if err := a.c.Server.Authority.Hasten(ctx, ActorOf(ctx), act.ID, act.No, act.Until, act.Reason); err != nil {
			return ActDone{}, err
		}
		out, err := a.goOn(ctx, act.ID)
		done.Correction = &out
		return done, err
	case ActResume:
		out, err := a.resume(ctx, act.ID, act.Reason)
		done.Correction = &out
		return done, err
	case ActHead:
		card, err := liuma.ParseCardID(act.ID)
		if err != nil {
			return ActDone{}, ErrNoCard
		}
		out, err := a.raiseHead(ctx, card, act.Reason)
		done.Raised = &out
		return done, err
	case ActConfirm:
		return done, a.confirm(ctx, act.ID, act.Digits, act.Reason)
	}
	var from liuma.CardID
	if after != "" {
		var err error
		if from, err = liuma.ParseCardID(after); err != nil {
			return ActDone{}, ErrNoCard
		}
	}
	out, err := a.acceptRestore(ctx, from, act.Reason)
	done.Accepted = &out
	return done, err
}

// alone refuses an act that takes two, once there are members of staff. Before that no
// second member exists.
func (a *Admin) alone(ctx context.Context) error {
	begun, err := a.staff.Begun(ctx)
	if err == nil && begun {
		err = ErrTakesTwo
	}
	return err
}

// aboutAct describes a proposed act in one line.
func aboutAct(row store.Proposal) string {
	act, err := actOf(row)
	if err != nil {
		return ""
	}
	about := ""
	if act.ID != "" {
		about = "id=" + act.ID + " "
	}
	if act.Digits != "" {
		about += "digits=" + act.Digits + " at=" + act.At + " "
	}
	return about + "reason=" + string(act.Reason)
}
