package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/staff"
)

// ErrRole says that the caller's roles do not allow an act.
var ErrRole = errors.New("your roles do not allow this")

// Origin is the source of a call, as the door or the command sees it.
type Origin struct {
	// Account is the machine's user who calls, as the kernel says; nil: not known.
	Account *uint32
	// Session is the token of a terminal that signed in; it takes precedence over the
	// account.
	Session staff.Token
	// Pages says that the call comes from the staff pages. Session is then a browser's;
	// a call without one is refused, even if there are no members yet.
	Pages bool
}

type originKey struct{}

type callerKey struct{}

// From puts the origin of a call into its context.
func From(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// ActorOf is the actor in audit entries of acts with this context: a member of staff by
// name, or Actor if there are no members yet.
func ActorOf(ctx context.Context) string {
	c, _ := ctx.Value(callerKey{}).(staff.Caller)
	return c.Actor()
}

func callerOf(ctx context.Context) staff.Caller {
	c, _ := ctx.Value(callerKey{}).(staff.Caller)
	return c
}

// Rule says who may call some methods. docs/STAFF.md has the same table; a test compares
// them, and another test checks every rule at the door.
type Rule struct {
	Act   string
	Roles []liuma.StaffRole // one of them is enough
	// Anybody who may open the data directory may, with a name or without.
	Anybody bool
	// Bounded says that the method checks the region and agency that it is about. Every
	// other method is about the whole service, and takes a member without bounds.
	Bounded bool
	Methods []string // of Administration
}

// Rules lists every act of Administration.
func Rules() []Rule {
	operator := []liuma.StaffRole{liuma.RoleOperator}
	officer := []liuma.StaffRole{liuma.RoleOfficer}
	both := []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer}
	audited := []liuma.StaffRole{liuma.RoleOperator, liuma.RoleAuditor}
	three := []liuma.StaffRole{liuma.RoleOperator, liuma.RoleOfficer, liuma.RoleAuditor}
	return []Rule{
		{Act: "status", Anybody: true, Methods: []string{"Status", "Alarms", "Clock", "Keepers"}},
		{Act: "sign-in", Anybody: true, Methods: []string{"BeginStaff", "AcceptInvitation", "SignIn", "SignOut", "WhoAmI"}},
		{Act: "own", Roles: liuma.StaffRoles(), Bounded: true, Methods: []string{"TerminalCode", "SuspendStaff"}},
		{Act: "staff.read", Roles: three, Bounded: true, Methods: []string{"StaffMembers", "Proposals"}},
		{Act: "staff.change", Roles: both, Bounded: true, Methods: []string{"ProposeStaff", "ApproveStaff", "WithdrawProposal"}},
		{Act: "phone", Roles: []liuma.StaffRole{liuma.RoleHotline}, Bounded: true, Methods: []string{"FreezeByPhone", "ReportLossByPhone"}},
		{Act: "counter", Roles: []liuma.StaffRole{liuma.RoleClerk}, Bounded: true, Methods: []string{"LookUpPerson", "LookedUp", "OpenTicket", "Tickets", "Ticket",
			"TicketCode", "WithdrawTicket", "PairPad", "UnpairPad", "Pads", "SendToPad"}},
		{Act: "counter.approve", Roles: []liuma.StaffRole{liuma.RoleSupervisor}, Bounded: true, Methods: []string{"AskedTickets", "AskedTicket", "ApproveTicket", "DeclineTicket"}},
		{Act: "counter.review", Roles: officer, Bounded: true, Methods: []string{"Reviews", "Review", "DecideReview"}},
		{Act: "policy", Anybody: true, Methods: []string{"ExplainPolicy", "PolicyHistory", "PolicyEdition", "CheckPolicy"}},
		{Act: "policy.read", Roles: three, Methods: []string{"ProposedPolicy"}},
		{Act: "policy.change", Roles: both, Methods: []string{"ProposePolicy", "ApprovePolicy"}},
		{Act: "two", Roles: both, Methods: []string{"ProposeAct", "ApproveAct"}},
		{Act: "numbers", Roles: three, Bounded: true, Methods: []string{"Numbers"}},
		{Act: "clients.read", Roles: three, Methods: []string{"Clients"}},
		{Act: "clients.change", Roles: operator, Methods: []string{"AddClient", "ResumeClient", "SetAudience", "AddClientKey"}},
		{Act: "clients.stop", Roles: both, Methods: []string{"StopClient", "RemoveClientKey"}},
		{Act: "registry.read", Roles: audited, Methods: []string{"Conflicts", "Conflict", "Corrections", "Minors"}},
		{Act: "registry.change", Roles: operator, Methods: []string{"ImportRegistry", "KeepConflict", "ReplaceConflict", "CorrectNumber", "CancelCorrection", "GoOnUntold"}},
		{Act: "agency.read", Anybody: true, Methods: []string{"Agencies"}},
		{Act: "agency.change", Roles: operator, Bounded: true, Methods: []string{"ImportAgencies"}},
		{Act: "person", Roles: operator, Methods: []string{"Held", "ErasePerson"}},
		{Act: "texts", Roles: operator, Methods: []string{"Texts", "RetryText", "DropText", "Inbox"}},
		{Act: "letters", Roles: operator, Bounded: true, Methods: []string{"Letters", "PrintLetters", "LettersPrinted", "PostLetters", "LetterBack"}},
		{Act: "keys.sign", Roles: both, Methods: []string{"RotateSigningKey", "DropSigningKey"}},
		{Act: "keys.vault", Roles: officer, Methods: []string{"RotateRootKey", "DropRootKey"}},
		{Act: "keys.read", Roles: three, Methods: []string{"Authorities"}},
		{Act: "keys.members", Roles: officer, Methods: []string{"ConfirmAuthority", "DismissAuthority"}},
		{Act: "record.read", Roles: three, Methods: []string{"ExportRecord", "MakeDigest", "FindEntries", "CheckStream"}},
		{Act: "record.person", Roles: audited, Methods: []string{"SeekCard"}},
		{Act: "record.change", Roles: operator, Methods: []string{"ResumeDigests", "PlanArchive", "KeepArchive"}},
		{Act: "clock", Roles: operator, Methods: []string{"AcceptClock"}},
		{Act: "keepers", Roles: operator, Methods: []string{"RepairKeeper"}},
		{Act: "restore", Roles: operator, Methods: []string{"RaiseHead", "AcceptRestore"}},
	}
}

// Allowed reports whether the rules let a member call a method. Pages use it to hide
// links; the call itself is checked again.
func Allowed(c staff.Caller, method string) bool {
	rule, ok := ruleOf(method)
	return ok && c.ID != "" && (rule.Anybody || c.Is(rule.Roles...) && (rule.Bounded || c.Region == "" && c.Agency == ""))
}

// ruleOf returns the rule of a method. A method without a rule is refused to everybody.
func ruleOf(method string) (Rule, bool) {
	all := Rules()
	i := slices.IndexFunc(all, func(r Rule) bool { return slices.Contains(r.Methods, method) })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}

// may finds out who calls and whether they may, and puts the caller into the context.
// Before there are members of staff, everybody who can open the data directory may,
// without a name.
func (g *Guarded) may(ctx context.Context, method string) (context.Context, error) {
	rule, ok := ruleOf(method)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrRole, method)
	}
	begun, err := g.admin.staff.Begun(ctx)
	if err == nil && !begun && !g.origin(ctx).Pages {
		return ctx, nil
	}
	var caller staff.Caller
	if err == nil {
		caller, err = g.caller(ctx)
	}
	if err != nil && rule.Anybody {
		return ctx, nil // a status must not hang on a database that fails
	}
	if err != nil {
		return nil, err
	}
	if !rule.Anybody && !caller.Is(rule.Roles...) {
		return nil, fmt.Errorf("%w: it takes the role %s, and %s is %s", ErrRole, liuma.JoinStaffRoles(rule.Roles, " or "), caller.ID, liuma.JoinStaffRoles(caller.Roles, " or "))
	}
	if !rule.Anybody && !rule.Bounded && (caller.Region != "" || caller.Agency != "") {
		return nil, fmt.Errorf("%w: it is about the whole service, and %s is bound to a region or an agency", staff.ErrBounds, caller.ID)
	}
	return context.WithValue(ctx, callerKey{}, caller), nil
}

// caller is the calling member: the one of the terminal's session or, without a session,
// of the account.
func (g *Guarded) caller(ctx context.Context) (staff.Caller, error) {
	o := g.origin(ctx)
	switch {
	case o.Session != "" && o.Session.OfPages() != o.Pages:
		return staff.Caller{}, staff.ErrSession
	case o.Session != "":
		return g.admin.staff.Who(ctx, o.Session)
	case o.Account != nil && !o.Pages:
		return g.admin.staff.OfAccount(ctx, *o.Account)
	}
	return staff.Caller{}, staff.ErrNobody
}

func (g *Guarded) origin(ctx context.Context) Origin {
	if g.fixed != nil {
		return *g.fixed
	}
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
