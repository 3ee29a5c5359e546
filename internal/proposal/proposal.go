// Package proposal holds acts that take two members of staff (双人操作): one proposes, another
// approves. It guarantees that the approver is not the proposer; that one of the two is an
// operator and the other a security officer, and both are active at the moment of the approval;
// that a proposal is approved unchanged, once, within 72 hours; and that each step is recorded
// under the person's name, in the same transaction (I-8). It trusts its caller to say who acts.
//
// Start here: Proposals, then Together for acts within the database.
package proposal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Lifetime is how long a proposal may be approved.
const Lifetime = 72 * time.Hour

// Bounds. Ended proposals are kept for a month in the database; the audit record keeps
// them for good.
const (
	MaxBody = 2 << 20 // a whole policy, with its effects
	MaxOpen = 100
	kept    = 30 * 24 * time.Hour
)

// Errors that callers handle. With each of them nothing was changed.
var (
	ErrAlone   = errors.New("this takes two members of staff, an operator and a security officer; nobody else who could approve it is active")
	ErrRole    = errors.New("this takes an operator and a security officer; you are neither, or are not active")
	ErrSame    = errors.New("who proposed this cannot approve it: another person must")
	ErrPair    = errors.New("an operator's proposal is approved by a security officer, and the other way round")
	ErrUnknown = errors.New("no such proposal")
	ErrEnded   = errors.New("this proposal was approved or withdrawn already")
	ErrLate    = errors.New("this proposal is older than 72 hours; propose it again")
	ErrKind    = errors.New("this proposal is of another kind")
	ErrBody    = errors.New("this cannot be proposed: it is empty, too long, or its kind has no name")
	ErrTooMany = errors.New("too many proposals are open; approve or withdraw some")
)

// ID names a proposal.
type ID string

// Config is what Proposals need; both members are required.
type Config struct {
	Store store.Store
	Now   func() time.Time // the database's time
}

// Proposals makes and decides proposals. Safe for concurrent use.
type Proposals struct{ c Config }

// New checks the Config.
func New(c Config) (*Proposals, error) {
	if c.Store == nil || c.Now == nil {
		return nil, errors.New("proposal: config: want Store and Now")
	}
	return &Proposals{c}, nil
}

func kindPattern() *regexp.Regexp { return regexp.MustCompile(`^[a-z]+\.[a-z]+$`) }

// Propose saves an act for another member of staff to approve. The kind is a noun.verb
// that the caller defines; body describes the act, and List shows it. Errors: ErrBody,
// ErrRole, ErrAlone, ErrTooMany.
func (p *Proposals) Propose(ctx context.Context, kind string, body []byte, by liuma.StaffID) (ID, error) {
	if len(body) == 0 || len(body) > MaxBody || !kindPattern().MatchString(kind) {
		return "", ErrBody
	}
	made := store.Proposal{ID: strings.ToLower(rand.Text()[:12]), Kind: kind, Body: body, Hash: sha256.Sum256(body), By: by, State: store.ProposalOpen}
	err := p.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row := made
		row.At = p.c.Now()
		row.Until = row.At.Add(Lifetime)
		if err := mayPropose(tx, by); err != nil {
			return audit.Entry{}, err
		}
		if err := room(tx, row.At); err != nil {
			return audit.Entry{}, err
		}
		return entry(row.At, by, audit.ProposalMade, row, ""), tx.InsertProposal(row)
	})
	return ID(made.ID), err
}

// mayPropose requires an active operator or security officer, and another member who
// could approve.
func mayPropose(r store.Reader, by liuma.StaffID) error {
	all, err := r.Members()
	if err != nil {
		return err
	}
	var proposer *store.Member
	for i := range all {
		if all[i].ID == by && decides(all[i]) {
			proposer = &all[i]
		}
	}
	if proposer == nil && !slices.ContainsFunc(all, decides) {
		return ErrAlone
	}
	if proposer == nil {
		return ErrRole
	}
	for _, m := range all {
		if pair(*proposer, m) {
			return nil
		}
	}
	return ErrAlone
}

func decides(m store.Member) bool {
	return m.Active() && (m.Has(liuma.RoleOperator) || m.Has(liuma.RoleOfficer))
}

// pair reports whether the two are different people, one an operator and the other a
// security officer.
func pair(a, b store.Member) bool {
	return a.ID != b.ID && a.Active() && b.Active() &&
		(a.Has(liuma.RoleOperator) && b.Has(liuma.RoleOfficer) || a.Has(liuma.RoleOfficer) && b.Has(liuma.RoleOperator))
}

// room deletes proposals that ended long ago, and refuses a new one if too many are
// open.
func room(tx store.Tx, now time.Time) error {
	all, err := tx.Proposals()
	if err != nil {
		return err
	}
	open := 0
	for _, row := range all {
		switch {
		case now.Sub(row.Until) > kept:
			if err := tx.DeleteProposal(row.ID); err != nil {
				return err
			}
		case row.State == store.ProposalOpen && now.Before(row.Until):
			open++
		}
	}
	if open >= MaxOpen {
		return ErrTooMany
	}
	return nil
}

// Approve approves a proposal and returns its body, for an act outside the database. The approval
// is recorded before the act is done. A crash between the two leaves it approved and not done: if
// the same member calls Approve again before the proposal's time is over, it returns the body
// again. Errors: ErrUnknown, ErrLate, ErrEnded, ErrSame, ErrPair, ErrRole.
func (p *Proposals) Approve(ctx context.Context, id ID, by liuma.StaffID) ([]byte, error) {
	var body []byte
	err := p.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := p.row(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if row.State == store.ProposalApproved && row.Approver == by && p.c.Now().Before(row.Until) {
			if err := mayDecide(tx, by); err != nil {
				return audit.Entry{}, err
			}
			body = row.Body
			return audit.Entry{}, nil
		}
		body = row.Body
		return p.approve(tx, row, by, "")
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Together approves a proposal of a kind and carries it out in the same transaction: a
// crash leaves both done or neither. act returns words for the entry's note. Errors:
// the errors of Approve, ErrKind, and the errors of act.
func (p *Proposals) Together(ctx context.Context, id ID, kind string, by liuma.StaffID, act func(store.Tx, store.Proposal) (note string, err error)) error {
	return p.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := p.row(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if row.Kind != kind {
			return audit.Entry{}, ErrKind
		}
		if err := p.approvable(tx, row, by); err != nil {
			return audit.Entry{}, err
		}
		note, err := act(tx, row)
		if err != nil {
			return audit.Entry{}, err
		}
		return p.approve(tx, row, by, note)
	})
}

// approve ends an open proposal. A crash before the commit leaves it open (I-8).
func (p *Proposals) approve(tx store.Tx, row store.Proposal, by liuma.StaffID, note string) (audit.Entry, error) {
	if err := p.approvable(tx, row, by); err != nil {
		return audit.Entry{}, err
	}
	row.State, row.Approver, row.Ended = store.ProposalApproved, by, p.c.Now()
	return entry(row.Ended, by, audit.ProposalApproved, row, note), tx.UpdateProposal(row)
}

// approvable checks both members as they are now: a proposal of a member who was
// suspended since then does not count.
func (p *Proposals) approvable(tx store.Tx, row store.Proposal, by liuma.StaffID) error {
	switch {
	case row.State != store.ProposalOpen:
		return ErrEnded
	case !p.c.Now().Before(row.Until):
		return ErrLate
	case row.Hash != sha256.Sum256(row.Body):
		return ErrUnknown
	}
	if err := mayDecide(tx, by); err != nil {
		return err
	}
	if by == row.By {
		return ErrSame
	}
	proposer, err := tx.Member(row.By)
	if err != nil {
		return err
	}
	approver, err := tx.Member(by)
	if err != nil {
		return err
	}
	if !pair(proposer, approver) {
		return ErrPair
	}
	return nil
}

func mayDecide(r store.Reader, by liuma.StaffID) error {
	m, err := r.Member(by)
	if errors.Is(err, store.ErrNotFound) || err == nil && !decides(m) {
		return ErrRole
	}
	return err
}

// Withdraw ends an open proposal without carrying it out. Any operator or security
// officer may withdraw it, whoever proposed it. Errors: ErrUnknown, ErrEnded, ErrRole.
func (p *Proposals) Withdraw(ctx context.Context, id ID, by liuma.StaffID) error {
	return p.c.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		row, err := p.row(tx, id)
		if err != nil {
			return audit.Entry{}, err
		}
		if row.State != store.ProposalOpen {
			return audit.Entry{}, ErrEnded
		}
		if err := mayDecide(tx, by); err != nil {
			return audit.Entry{}, err
		}
		row.State, row.Approver, row.Ended = store.ProposalWithdrawn, by, p.c.Now()
		return entry(row.Ended, by, audit.ProposalWithdrawn, row, ""), tx.UpdateProposal(row)
	})
}

func (p *Proposals) row(r store.Reader, id ID) (store.Proposal, error) {
	row, err := r.Proposal(string(id))
	if errors.Is(err, store.ErrNotFound) {
		return row, ErrUnknown
	}
	return row, err
}

// List returns the proposals that wait for an approval, the oldest first.
func (p *Proposals) List(ctx context.Context) ([]store.Proposal, error) {
	var open []store.Proposal
	err := p.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Proposals()
		open = nil
		for _, row := range all {
			if row.State == store.ProposalOpen && p.c.Now().Before(row.Until) {
				open = append(open, row)
			}
		}
		return err
	})
	return open, err
}

// ApprovedBy returns the proposals that a member approved and whose time is not over,
// the oldest first. For acts outside the database, Approve would return their bodies
// again.
func (p *Proposals) ApprovedBy(ctx context.Context, by liuma.StaffID) ([]store.Proposal, error) {
	var approved []store.Proposal
	err := p.c.Store.View(ctx, func(r store.Reader) error {
		all, err := r.Proposals()
		approved = nil
		for _, row := range all {
			if row.State == store.ProposalApproved && row.Approver == by && by != "" && p.c.Now().Before(row.Until) {
				approved = append(approved, row)
			}
		}
		return err
	})
	return approved, err
}

// Of returns one proposal, ended or not. It may return ErrUnknown.
func (p *Proposals) Of(ctx context.Context, id ID) (row store.Proposal, err error) {
	err = p.c.Store.View(ctx, func(r store.Reader) (err error) {
		row, err = p.row(r, id)
		return err
	})
	return row, err
}

func entry(at time.Time, by liuma.StaffID, ev audit.Event, row store.Proposal, more string) audit.Entry {
	note := fmt.Sprintf("proposal=%s kind=%s hash=%s", row.ID, row.Kind, hex.EncodeToString(row.Hash[:8]))
	if ev != audit.ProposalMade {
		note += " proposed_by=" + string(row.By)
	}
	if more != "" {
		note += " " + more
	}
	return audit.Entry{At: at, Actor: by.Actor(), Event: ev, Outcome: "ok", Note: note}
}
