package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/edition"
)

// The routes of the policy, and of other acts that take two.
const (
	pathExplain       = "/v1/policy"
	pathHistory       = "/v1/policy/history"
	pathEdition       = "/v1/policy/edition"
	pathCheckPolicy   = "/v1/policy/check"
	pathProposePolicy = "/v1/policy/propose"
	pathProposed      = "/v1/policy/proposed"
	pathApprovePolicy = "/v1/policy/approve"
	pathProposeAct    = "/v1/acts/propose"
	pathApproveAct    = "/v1/acts/approve"
)

// The error codes of these routes.
const (
	CodePolicySet     Code = "policy_invalid"
	CodePolicySame    Code = "policy_unchanged"
	CodePolicyMoved   Code = "policy_moved"
	CodePolicyDigest  Code = "digest_other"
	CodePolicyBounds  Code = "proposer_bound"
	CodePolicyEdition Code = "edition_unknown"
	CodeTakesTwo      Code = "takes_two"
	CodeAct           Code = "act_unknown"
	CodeNotHastened   Code = "correction_not_hastened"
)

// knownOfPolicy are those errors of these routes that callers can tell apart over the
// socket.
func knownOfPolicy() []knownError {
	return []knownError{
		{edition.ErrSet, CodePolicySet, http.StatusUnprocessableEntity},
		{edition.ErrSame, CodePolicySame, http.StatusConflict},
		{edition.ErrMoved, CodePolicyMoved, http.StatusConflict},
		{edition.ErrDigest, CodePolicyDigest, http.StatusConflict},
		{edition.ErrBounds, CodePolicyBounds, http.StatusForbidden},
		{edition.ErrUnknown, CodePolicyEdition, http.StatusNotFound},
		{admin.ErrTakesTwo, CodeTakesTwo, http.StatusConflict},
		{admin.ErrAct, CodeAct, http.StatusUnprocessableEntity},
		{authority.ErrNotHastened, CodeNotHastened, http.StatusConflict},
	}
}

// maxSet is the largest body of a request with a whole policy: its texts, each as a
// JSON string.
const maxSet = 4 * edition.MaxSet

type historyListed struct {
	Editions []edition.Past `json:"editions"`
}

// policyRoutes are the routes of the policy.
func (d *Door) policyRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathExplain, d.answer(func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return d.admin.ExplainPolicy(r.Context(), edition.Question{Region: liuma.Region(q.Get("region")), Channel: liuma.ChannelID(q.Get("channel"))})
	}))
	mux.HandleFunc("GET "+pathHistory, d.answer(func(r *http.Request) (any, error) {
		before, err := number(r, "before")
		if err != nil {
			return nil, err
		}
		found, err := d.admin.PolicyHistory(r.Context(), before)
		return historyListed{found}, err
	}))
	mux.HandleFunc("GET "+pathEdition, d.answer(func(r *http.Request) (any, error) {
		no, err := number(r, "no")
		if err != nil {
			return nil, err
		}
		return d.admin.PolicyEdition(r.Context(), no)
	}))
	mux.HandleFunc("POST "+pathCheckPolicy, d.within(maxSet, asked(d.admin.CheckPolicy)))
	mux.HandleFunc("POST "+pathProposePolicy, d.within(maxSet, asked(d.admin.ProposePolicy)))
	mux.HandleFunc("GET "+pathProposed, d.answer(func(r *http.Request) (any, error) {
		return d.admin.ProposedPolicy(r.Context(), r.URL.Query().Get("id"))
	}))
	mux.HandleFunc("POST "+pathProposeAct, d.answer(asked(d.admin.ProposeAct)))
	mux.HandleFunc("POST "+pathApproveAct, d.answer(asked(func(ctx context.Context, q admin.ActStep) (admin.ActDone, error) {
		out, err := d.admin.ApproveAct(ctx, q)
		if err == nil {
			d.logger.InfoContext(ctx, "operator door: an act of two", "kind", out.Kind, "proposal", string(q.ID))
		}
		return out, err
	})))
	mux.HandleFunc("POST "+pathApprovePolicy, d.answer(asked(func(ctx context.Context, q edition.Approval) (edition.Approved, error) {
		out, err := d.admin.ApprovePolicy(ctx, q)
		if err == nil {
			d.logger.InfoContext(ctx, "operator door: a policy was approved", "edition", out.Edition, "policy", out.Sum)
		}
		return out, err
	})))
}

// number reads a number of a request's query.
func number(r *http.Request, name string) (uint64, error) {
	n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return 0, errRequest
	}
	return n, nil
}

// ExplainPolicy returns the policy of a region and a channel.
func (r *Remote) ExplainPolicy(ctx context.Context, q edition.Question) (out edition.Answer, err error) {
	query := url.Values{"region": {string(q.Region)}, "channel": {string(q.Channel)}}
	err = r.call(ctx, http.MethodGet, pathExplain+"?"+query.Encode(), nil, &out)
	return out, err
}

// PolicyHistory lists the editions of the policy.
func (r *Remote) PolicyHistory(ctx context.Context, before uint64) ([]edition.Past, error) {
	var out historyListed
	err := r.call(ctx, http.MethodGet, pathHistory+"?before="+strconv.FormatUint(before, 10), nil, &out)
	return out.Editions, err
}

// PolicyEdition shows one edition.
func (r *Remote) PolicyEdition(ctx context.Context, no uint64) (out edition.Past, err error) {
	err = r.call(ctx, http.MethodGet, pathEdition+"?no="+strconv.FormatUint(no, 10), nil, &out)
	return out, err
}

// CheckPolicy says what a policy would change.
func (r *Remote) CheckPolicy(ctx context.Context, d edition.Draft) (out edition.Diff, err error) {
	err = r.call(ctx, http.MethodPost, pathCheckPolicy, d, &out)
	return out, err
}

// ProposePolicy stores a policy for another member of staff to approve.
func (r *Remote) ProposePolicy(ctx context.Context, d edition.Draft) (out edition.Proposed, err error) {
	err = r.call(ctx, http.MethodPost, pathProposePolicy, d, &out)
	return out, err
}

// ProposedPolicy shows a proposal.
func (r *Remote) ProposedPolicy(ctx context.Context, id string) (out edition.Proposed, err error) {
	err = r.call(ctx, http.MethodGet, pathProposed+"?"+url.Values{"id": {id}}.Encode(), nil, &out)
	return out, err
}

// ApprovePolicy puts a proposed policy in force.
func (r *Remote) ApprovePolicy(ctx context.Context, q edition.Approval) (out edition.Approved, err error) {
	err = r.call(ctx, http.MethodPost, pathApprovePolicy, q, &out)
	return out, err
}

// ProposeAct stores an act for another member to approve.
func (r *Remote) ProposeAct(ctx context.Context, q admin.Act) (out admin.ProposedAct, err error) {
	err = r.call(ctx, http.MethodPost, pathProposeAct, q, &out)
	return out, err
}

// ApproveAct carries out a proposed act.
func (r *Remote) ApproveAct(ctx context.Context, q admin.ActStep) (out admin.ActDone, err error) {
	err = r.call(ctx, http.MethodPost, pathApproveAct, q, &out)
	return out, err
}
