package admin

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
)

// The routes of staff and of proposals.
const (
	pathStaff     = "/v1/staff"
	pathBegin     = "/v1/staff/begin"
	pathPropose   = "/v1/staff/propose"
	pathApprove   = "/v1/staff/approve"
	pathSuspend   = "/v1/staff/suspend"
	pathJoin      = "/v1/staff/accept"
	pathCode      = "/v1/staff/code"
	pathSignIn    = "/v1/staff/sign-in"
	pathSignOut   = "/v1/staff/sign-out"
	pathWho       = "/v1/staff/who"
	pathProposals = "/v1/proposals"
	pathWithdraw  = "/v1/proposals/withdraw"
)

// The error codes of these routes, and those of a caller who lacks the right.
const (
	CodeRole        Code = "role_missing"
	CodeNobodyHere  Code = "caller_unnamed"
	CodeSession     Code = "session_ended"
	CodeBounds      Code = "out_of_bounds"
	CodeStaff       Code = "staff_unknown"
	CodeStaffID     Code = "staff_taken"
	CodeMember      Code = "staff_invalid"
	CodeRoles       Code = "roles_invalid"
	CodeState       Code = "staff_state"
	CodeInvite      Code = "code_invalid"
	CodeEarly       Code = "invitation_early"
	CodeAccount     Code = "account_taken"
	CodeLast        Code = "role_last"
	CodeSuspended   Code = "staff_suspended"
	CodeStaffNumber Code = "staff_document_invalid"
	CodeBegun       Code = "staff_begun"
	CodeContest     Code = "staff_contested"
	CodeAlone       Code = "two_needed"
	CodeDecides     Code = "two_roles_needed"
	CodeSame        Code = "two_people_needed"
	CodePair        Code = "other_role_needed"
	CodeProposal    Code = "proposal_unknown"
	CodeEnded       Code = "proposal_ended"
	CodeLate        Code = "proposal_late"
	CodeKind        Code = "proposal_kind"
	CodeBody        Code = "proposal_invalid"
	CodeMany        Code = "proposals_many"
)

// knownOfStaff are those errors of these routes that callers can tell apart over the
// socket.
func knownOfStaff() []knownError {
	return []knownError{
		{admin.ErrRole, CodeRole, http.StatusForbidden},
		{staff.ErrNobody, CodeNobodyHere, http.StatusForbidden},
		{staff.ErrSession, CodeSession, http.StatusForbidden},
		{staff.ErrBounds, CodeBounds, http.StatusForbidden},
		{staff.ErrUnknown, CodeStaff, http.StatusNotFound},
		{staff.ErrTaken, CodeStaffID, http.StatusConflict},
		{staff.ErrFilledIn, CodeMember, http.StatusUnprocessableEntity},
		{staff.ErrRoles, CodeRoles, http.StatusUnprocessableEntity},
		{staff.ErrState, CodeState, http.StatusConflict},
		{staff.ErrCode, CodeInvite, http.StatusForbidden},
		{staff.ErrEarly, CodeEarly, http.StatusConflict},
		{staff.ErrAccount, CodeAccount, http.StatusConflict},
		{staff.ErrLast, CodeLast, http.StatusConflict},
		{staff.ErrSuspended, CodeSuspended, http.StatusForbidden},
		{staff.ErrNumber, CodeStaffNumber, http.StatusUnprocessableEntity},
		{staff.ErrBegun, CodeBegun, http.StatusConflict},
		{staff.ErrContest, CodeContest, http.StatusConflict},
		{proposal.ErrAlone, CodeAlone, http.StatusConflict},
		{proposal.ErrRole, CodeDecides, http.StatusForbidden},
		{proposal.ErrSame, CodeSame, http.StatusForbidden},
		{proposal.ErrPair, CodePair, http.StatusForbidden},
		{proposal.ErrUnknown, CodeProposal, http.StatusNotFound},
		{proposal.ErrEnded, CodeEnded, http.StatusConflict},
		{proposal.ErrLate, CodeLate, http.StatusConflict},
		{proposal.ErrKind, CodeKind, http.StatusConflict},
		{proposal.ErrBody, CodeBody, http.StatusUnprocessableEntity},
		{proposal.ErrTooMany, CodeMany, http.StatusConflict},
	}
}
