package edition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// MaxSet bounds the total size of a policy's texts, in bytes.
const MaxSet = 512 << 10

// Text is one layer's file as it is proposed.
type Text struct {
	Name string `json:"name"` // without a directory; errors and explanations name it
	Text string `json:"text"`
}

// Draft asks for a policy.
type Draft struct {
	Files []Text `json:"files"`
	// Whole means that the files are the whole policy. Otherwise each file replaces or
	// adds its own layer, and the other layers stay.
	Whole  bool         `json:"whole"`
	Reason audit.Reason `json:"reason"` // of Propose; it is recorded
}

// Diff shows what a proposed policy would change.
type Diff struct {
	// Base is the edition that it was compared with (0: the files of the
	// configuration), and BaseSum its sum.
	Base    uint64 `json:"base"`
	BaseSum string `json:"base_sum"`
	Sum     string `json:"sum"` // of the policy that is proposed
	// Changes are the values that layers set differently. Effects are the values that
	// apply differently, and where.
	Changes []Change `json:"changes"`
	Effects []Effect `json:"effects"`
	// Unlisted are the regions of layers that are not in the list of regions: nobody
	// lives there.
	Unlisted []liuma.Region `json:"unlisted,omitempty"`
}

// Change is a value that a layer sets differently.
type Change struct {
	Layer  string `json:"layer"`
	Value  string `json:"value"`
	Before string `json:"before,omitempty"` // empty: the layer did not set it
	Now    string `json:"now,omitempty"`    // empty: the layer no longer sets it
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

// Effect is a value that will apply differently.
type Effect struct {
	Value  string `json:"value"`
	Before string `json:"before"`
	Now    string `json:"now"`
	Looser bool   `json:"looser,omitempty"` // looser than before
	// Layer is the layer that sets it now.
	Layer  string  `json:"layer"`
	Places []Place `json:"places"`
}

// Place is a region, with all regions in it that are not listed separately, and a
// channel; empty: the nation, and every channel.
type Place struct {
	Region  liuma.Region    `json:"region,omitempty"`
	Channel liuma.ChannelID `json:"channel,omitempty"`
}

// plan is the body of a proposal: everything that the approver sees and that its digest
// covers.
type plan struct {
	Files  []Text       `json:"files"` // the whole policy
	Reason audit.Reason `json:"reason"`
	Diff   Diff         `json:"diff"`
}

// Proposed is a policy that waits, or waited, for an approval.
type Proposed struct {
	ID     proposal.ID   `json:"id"`
	Digest string        `json:"digest"` // of everything that is proposed, hex
	By     liuma.StaffID `json:"by"`
	At     time.Time     `json:"at"`
	Until  time.Time     `json:"until"`
	State  string        `json:"state"` // open, late, approved or withdrawn
	// Approver approved or withdrew it.
	Approver liuma.StaffID `json:"approver,omitempty"`
	Reason   audit.Reason  `json:"reason"`
	Files    []Text        `json:"files"`
	Diff     Diff          `json:"diff"`
	// Moved means that another policy runs now, so that this one can no longer be
	// approved.
	Moved bool `json:"moved,omitempty"`
}

// Check returns what a policy would change, and saves nothing. It may return ErrSet.
func (e *Editions) Check(ctx context.Context, d Draft) (Diff, error) {
	p, err := e.plan(ctx, d)
	return p.Diff, err
}

// Propose saves a policy for another member of staff to approve. Errors: ErrSame, the
// errors of Check and of proposal.Propose, audit.ErrReason.
func (e *Editions) Propose(ctx context.Context, by liuma.StaffID, d Draft) (Proposed, error) {
	reason, err := audit.ParseReason(string(d.Reason))
	if err != nil {
		return Proposed{}, err
	}
	d.Reason = reason
	p, err := e.plan(ctx, d)
	if err != nil {
		return Proposed{}, err
	}
	if len(p.Diff.Changes) == 0 && len(p.Diff.Effects) == 0 && p.Diff.Sum == p.Diff.BaseSum {
		return Proposed{}, ErrSame
	}
	body, err := json.Marshal(p)
	if err != nil {
		return Proposed{}, fmt.Errorf("edition: %w", err)
	}
	id, err := e.c.Proposals.Propose(ctx, Kind, body, by)
	if err != nil {
		return Proposed{}, err
	}
	return e.Of(ctx, id)
}

// plan reads a draft, applies it to the running policy and compares the two.
func (e *Editions) plan(ctx context.Context, d Draft) (plan, error) {
	on, err := e.base(ctx)
	if err != nil {
		return plan{}, err
	}
	files, err := whole(on.layers, d)
	if err != nil {
		return plan{}, fmt.Errorf("%w: %w", ErrSet, err)
	}
	diff, err := e.diff(on, files)
	if err != nil {
		return plan{}, err
	}
	return plan{Files: files, Reason: d.Reason, Diff: diff}, nil
}

// base is the policy with which a change is compared.
type base struct {
	layers *policy.Layers
	no     uint64 // 0: the files of the configuration
	sum    string // as the database has it
}

// base returns the policy that applies, according to the database. If this release
// cannot read it, the national rule replaces it, because somebody must be able to
// approve another policy. Reading and checking layers takes long, so it is done outside
// of transactions; last reports whether another policy applies by now.
func (e *Editions) base(ctx context.Context) (base, error) {
	var row store.Edition
	err := e.c.Store.View(ctx, func(r store.Reader) (err error) {
		row, err = r.LastEdition()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		first, err := e.first()
		if err != nil {
			return base{}, fmt.Errorf("%w: the files of the configuration: %w", ErrSet, err)
		}
		return base{first, 0, ""}, nil
	}
	if err != nil {
		return base{}, err
	}
	layers, err := e.layers(row)
	if err != nil {
		layers, err = policy.NewLayers(e.c.National)
	}
	return base{layers, row.No, row.Sum}, err
}

// last reports whether the policy in a transaction is still the one that was read
// before.
func (b base) last(r store.Reader) (bool, error) {
	row, err := r.LastEdition()
	if errors.Is(err, store.ErrNotFound) {
		return b.no == 0, nil
	}
	return row.No == b.no && row.Sum == b.sum, err
}

// whole returns the whole policy of a draft, sorted by name. A draft that is too large
// is not read.
func whole(base *policy.Layers, d Draft) ([]Text, error) {
	if err := fits(d.Files); err != nil {
		return nil, err
	}
	set := slices.Clone(d.Files)
	var errs []error
	if !d.Whole {
		replaced := map[policy.Scope]bool{}
		for _, f := range d.Files {
			file, err := policy.ParseFile(f.Name, []byte(f.Text))
			replaced[file.Scope], errs = true, append(errs, err)
		}
		for _, f := range base.Files() {
			if !replaced[f.Scope] {
				set = append(set, Text{f.Name, string(f.Text)})
			}
		}
		errs = append(errs, fits(set))
	}
	slices.SortFunc(set, func(a, b Text) int { return strings.Compare(a.Name, b.Name) })
	for i, f := range set {
		if i > 0 && set[i-1].Name == f.Name {
			errs = append(errs, fmt.Errorf("%s: two files have this name", f.Name))
		}
		if f.Name == "" || len(f.Name) > 200 || strings.ContainsAny(f.Name, "/\\\n") {
			errs = append(errs, fmt.Errorf("%q: want the name of a file, without a directory", f.Name[:min(len(f.Name), 200)]))
		}
	}
	return set, policy.Gather(errs...)
}

// fits checks the size of a policy's files.
func fits(set []Text) error {
	size := 0
	for _, f := range set {
		size += len(f.Name) + len(f.Text)
	}
	switch {
	case len(set) > policy.MaxFiles:
		return fmt.Errorf("%d files, at most %d are taken", len(set), policy.MaxFiles)
	case size > MaxSet:
		return fmt.Errorf("the files have %d bytes together, at most %d are taken", size, MaxSet)
	}
	return nil
}

// diff reads a whole policy and compares it with the running one.
func (e *Editions) diff(on base, set []Text) (Diff, error) {
	var files []policy.File
	var errs []error
	for _, f := range set {
		file, err := policy.ParseFile(f.Name, []byte(f.Text))
		files, errs = append(files, file), append(errs, err)
	}
	if err := policy.Gather(errs...); err != nil {
		return Diff{}, fmt.Errorf("%w: %w", ErrSet, err)
	}
	next, err := policy.NewLayers(e.c.National, files...)
	if err != nil {
		return Diff{}, fmt.Errorf("%w: %w", ErrSet, err)
	}
	d := Diff{Base: on.no, BaseSum: on.layers.Sum(), Sum: next.Sum(), Changes: []Change{}, Effects: []Effect{}}
	for _, c := range policy.Diff(on.layers, next) {
		d.Changes = append(d.Changes, Change{Layer: c.Scope.String(), Value: c.Value, Before: c.Before, Now: c.Now, File: c.File, Line: c.Line})
	}
	effects, err := policy.Effects(on.layers, next)
	if err != nil {
		return Diff{}, fmt.Errorf("%w: %w", ErrSet, err)
	}
	for _, x := range effects {
		out := Effect{Value: x.Value, Before: x.Before, Now: x.Now, Looser: x.Looser, Layer: policy.Scope{Layer: x.By.Layer, Of: x.By.Of}.String()}
		for _, at := range x.Places {
			out.Places = append(out.Places, Place{at.Region, at.Channel})
		}
		d.Effects = append(d.Effects, out)
	}
	d.Unlisted, err = e.unlisted(next)
	return d, err
}

// unlisted returns the regions of layers that are in no list.
func (e *Editions) unlisted(l *policy.Layers) ([]liuma.Region, error) {
	if e.c.Regions == nil || len(l.Regions()) == 0 {
		return nil, nil
	}
	all, err := e.c.Regions()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(l.Regions(), func(r liuma.Region) bool {
		_, known := all.Find(r)
		return known
	}), nil
}

// Of returns a proposal, even one that has ended. Errors: proposal.ErrUnknown,
// proposal.ErrKind.
func (e *Editions) Of(ctx context.Context, id proposal.ID) (out Proposed, err error) {
	p, row, err := e.proposal(ctx, id)
	if err != nil {
		return out, err
	}
	if out = e.shown(row, p); out.State == stateOpen {
		on, err := e.base(ctx)
		out.Moved = err != nil || on.no != p.Diff.Base || on.layers.Sum() != p.Diff.BaseSum
	}
	return out, nil
}

// proposal reads a proposal and its body.
func (e *Editions) proposal(ctx context.Context, id proposal.ID) (p plan, row store.Proposal, err error) {
	err = e.c.Store.View(ctx, func(r store.Reader) (err error) {
		row, err = r.Proposal(string(id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = proposal.ErrUnknown
	}
	if err == nil {
		p, err = planOf(row)
	}
	return p, row, err
}

// States of a proposal, as lists show them.
const (
	stateOpen      = "open"
	stateLate      = "late"
	stateApproved  = "approved"
	stateWithdrawn = "withdrawn"
)

func (e *Editions) shown(row store.Proposal, p plan) Proposed {
	out := Proposed{ID: proposal.ID(row.ID), Digest: fmt.Sprintf("%x", row.Hash), By: row.By, At: row.At.UTC(), Until: row.Until.UTC(), State: stateOpen,
		Approver: row.Approver, Reason: p.Reason, Files: p.Files, Diff: p.Diff}
	switch {
	case row.State == store.ProposalApproved:
		out.State = stateApproved
	case row.State == store.ProposalWithdrawn:
		out.State = stateWithdrawn
	case !e.c.Now().Before(row.Until):
		out.State = stateLate
	}
	return out
}

func planOf(row store.Proposal) (plan, error) {
	if row.Kind != Kind {
		return plan{}, proposal.ErrKind
	}
	p, err := strictjson.Canonical[plan](row.Body)
	if err != nil {
		return plan{}, proposal.ErrKind
	}
	return p, nil
}

// About describes in one line what is proposed, for lists of all kinds of proposals.
func About(row store.Proposal) string {
	p, err := planOf(row)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("policy=%s values=%d", p.Diff.Sum[:min(16, len(p.Diff.Sum))], len(p.Diff.Changes))
}

// Approved is an edition that was just approved.
type Approved struct {
	Edition uint64    `json:"edition"`
	Sum     string    `json:"sum"`
	At      time.Time `json:"at"`
	// Runs means that this process uses it.
	Runs bool `json:"runs"`
}

// Approval names the approved proposal, and the digest of what the approver was shown.
type Approval struct {
	ID     proposal.ID `json:"id"`
	Digest string      `json:"digest"`
}

// Approve puts a proposed policy into force. Approval, entry and edition are one
// transaction; the rules of this process change after it. The proposal is read and
// compared with the running policy before that transaction. The transaction then only
// checks that neither has changed, so it holds the writer only briefly. Errors: the errors
// of proposal.Together, ErrDigest, ErrMoved, ErrSet, ErrBounds.
//
// A crash before the commit leaves the earlier policy and an open proposal. After the
// commit the new policy applies, at the latest from the next start on.
func (e *Editions) Approve(ctx context.Context, by liuma.StaffID, a Approval) (Approved, error) {
	p, seen, err := e.proposal(ctx, a.ID)
	if err != nil {
		return Approved{}, err
	}
	var on base
	var moved error // shown only to a member who may approve and who names the digest
	if strings.EqualFold(a.Digest, fmt.Sprintf("%x", seen.Hash)) {
		on, moved = e.stillSo(ctx, p)
	}
	var out Approved
	err = e.c.Proposals.Together(ctx, a.ID, Kind, by, func(tx store.Tx, row store.Proposal) (string, error) {
		out = Approved{}
		if !strings.EqualFold(a.Digest, fmt.Sprintf("%x", row.Hash)) || row.Hash != seen.Hash {
			return "", ErrDigest
		}
		proposer, err := tx.Member(row.By)
		if err != nil {
			return "", err
		}
		if proposer.Region != "" || proposer.Agency != "" {
			return "", ErrBounds
		}
		if moved != nil {
			return "", moved
		}
		if same, err := on.last(tx); err != nil {
			return "", err
		} else if !same {
			return "", ErrMoved
		}
		next, err := e.insert(tx, row, p, on, by)
		out = Approved{Edition: next.No, Sum: next.Sum, At: next.At.UTC()}
		return p.Reason.Note(fmt.Sprintf("edition=%d policy=%s was=%s", next.No, next.Sum, p.Diff.BaseSum)), err
	})
	if err != nil {
		return Approved{}, err
	}
	if err := e.Look(ctx); err != nil {
		e.c.Logger.ErrorContext(ctx, "an approved policy does not run yet", "edition", out.Edition, "err", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out.Runs = e.no >= out.Edition
	return out, nil
}

// stillSo compares the diff that was shown with the present one, and returns the policy
// that it is compared with.
func (e *Editions) stillSo(ctx context.Context, p plan) (base, error) {
	on, err := e.base(ctx)
	if err != nil {
		return on, err
	}
	if on.no != p.Diff.Base || on.layers.Sum() != p.Diff.BaseSum {
		return on, ErrMoved
	}
	now, err := e.diff(on, p.Files)
	if err != nil {
		return on, err
	}
	now.Unlisted = p.Diff.Unlisted // only a warning: the list of regions changes nothing
	was, errWas := json.Marshal(p.Diff)
	is, errIs := json.Marshal(now)
	if err := errors.Join(errWas, errIs); err != nil {
		return on, fmt.Errorf("edition: %w", err)
	}
	if string(was) != string(is) {
		return on, ErrMoved // the program's own national rule has changed
	}
	return on, nil
}

// insert adds the edition and, before the first edition, the policy that ran until now.
func (e *Editions) insert(tx store.Tx, row store.Proposal, p plan, on base, by liuma.StaffID) (store.Edition, error) {
	next := store.Edition{No: p.Diff.Base + 1, Sum: p.Diff.Sum, Proposal: row.ID, Reason: string(p.Reason), By: row.By, Approver: by, Proposed: row.At, At: e.c.Now()}
	for _, f := range p.Files {
		next.Files = append(next.Files, store.LayerFile{Name: f.Name, Text: []byte(f.Text)})
	}
	if p.Diff.Base > 0 {
		return next, tx.InsertEdition(next)
	}
	first := store.Edition{No: 1, Sum: on.layers.Sum(), At: next.At}
	for _, f := range on.layers.Files() {
		first.Files = append(first.Files, store.LayerFile{Name: f.Name, Text: f.Text})
	}
	next.No = 2
	return next, errors.Join(tx.InsertEdition(first), tx.InsertEdition(next))
}
