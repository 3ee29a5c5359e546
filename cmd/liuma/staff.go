package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// staffCmd is "liuma staff".
type staffCmd struct {
	Begin     staffBeginCmd     `cmd:""`
	List      staffListCmd      `cmd:""`
	Who       staffWhoCmd       `cmd:""`
	Invite    staffInviteCmd    `cmd:""`
	Role      staffRoleCmd      `cmd:""`
	Passkey   staffPasskeyCmd   `cmd:""`
	Document  staffDocumentCmd  `cmd:""`
	Map       staffMapCmd       `cmd:""`
	Resume    staffResumeCmd    `cmd:""`
	Proposals staffProposalsCmd `cmd:""`
	Approve   staffApproveCmd   `cmd:""`
	Withdraw  staffWithdrawCmd  `cmd:""`
	Suspend   staffSuspendCmd   `cmd:""`
	Accept    staffAcceptCmd    `cmd:""`
	Code      staffCodeCmd      `cmd:""`
	SignIn    staffSignInCmd    `cmd:"" name:"sign-in"`
	SignOut   staffSignOutCmd   `cmd:"" name:"sign-out"`
}

// sessionVariable holds the secret of a terminal's sign-in. It is not a file, because
// all who share an account of the machine would share it.
const sessionVariable = "LIUMA_SESSION"

// from is the origin of this command's calls.
func from() admin.Origin {
	o := admin.Origin{Session: staff.Token(os.Getenv(sessionVariable))}
	if uid := os.Getuid(); uid >= 0 {
		account := uint32(uid)
		o.Account = &account
	}
	return o
}

// memberFlags say which roles and bounds a member has.
type memberFlags struct {
	Roles  []string `name:"role" required:"" placeholder:"ROLE"`
	Region string   `name:"region" placeholder:"CODE"`
	Agency string   `name:"agency" placeholder:"ID"`
}

// fill copies them into a member.
func (f memberFlags) fill(command string, n *staff.NewMember) (err error) {
	for _, name := range f.Roles {
		role, err := liuma.ParseStaffRole(name)
		if err != nil {
			return wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--role", why) })
		}
		n.Roles = append(n.Roles, role)
	}
	if err := liuma.CheckStaffRoles(n.Roles); err != nil {
		return wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--role", why) })
	}
	if n.Region, err = liuma.ParseRegion(f.Region); err != nil {
		return wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--region", why) })
	}
	if n.Agency, err = liuma.ParseAgency(f.Agency); err != nil {
		return wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--agency", why) })
	}
	return nil
}

// firstFlags name the first two members.
type firstFlags struct {
	Operator     string `name:"operator" placeholder:"ID"`
	OperatorName string `name:"operator-name" placeholder:"NAME"`
	Officer      string `name:"officer" placeholder:"ID"`
	OfficerName  string `name:"officer-name" placeholder:"NAME"`
}

// beginning is the Beginning that the flags describe.
func (f firstFlags) beginning(command string) (b staff.Beginning, err error) {
	one := func(id, name string, role liuma.StaffRole) (*staff.NewMember, error) {
		if id == "" && name == "" {
			return nil, nil
		}
		parsed, err := liuma.ParseStaffID(id)
		if err != nil {
			return nil, wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--"+string(role), why) })
		}
		if name == "" {
			return nil, wrongUse(command, func(w *locale.Words) string { return w.Refused.StaffName(string(role), id) })
		}
		return &staff.NewMember{ID: parsed, Name: written.Name(name), Roles: []liuma.StaffRole{role}}, nil
	}
	if b.Operator, err = one(f.Operator, f.OperatorName, liuma.RoleOperator); err != nil {
		return b, err
	}
	b.Officer, err = one(f.Officer, f.OfficerName, liuma.RoleOfficer)
	return b, err
}

// staffBeginCmd is "liuma staff begin".
type staffBeginCmd struct {
	firstFlags
	NoAccount bool   `name:"no-account"`
	Reason    string `name:"reason" placeholder:"TEXT"`
}

// Run invites, and prints the codes.
func (a *staffBeginCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	b, err := a.beginning("liuma staff begin")
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		reason, mapped := a.reasoned(), b.Operator != nil && !a.NoAccount
		b.Reason = reason
		if mapped {
			b.Account = new(uint32) // the door sets the calling account
		}
		invited, err := adm.BeginStaff(ctx, b)
		if err != nil {
			return err
		}
		return printInvited(t, invited)
	})
}

// printInvited prints invitations for the people who get them. They are shown once.
func printInvited(t *terminal, all []staff.Invited) error {
	say := t.shown()
	for _, in := range all {
		until := in.Until.UTC().Format(time.RFC3339)
		said := say.StaffInvitation(in.Name, string(in.ID), until)
		if in.From != nil {
			said = say.StaffInvitationFrom(in.Name, string(in.ID), in.From.UTC().Format(time.RFC3339), until)
		}
		if err := t.line(said + "\n  " + in.Code); err != nil {
			return err
		}
	}
	return t.line(say.StaffGive())
}

// staffListCmd is "liuma staff list".
type staffListCmd struct {
	JSON bool `name:"json"`
}

// Run lists.
func (a *staffListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		all, err := adm.StaffMembers(ctx)
		if err != nil {
			return err
		}
		for _, v := range all {
			if err := a.print(t, v); err != nil {
				return err
			}
		}
		if len(all) > 0 || a.JSON {
			return nil
		}
		return t.line(t.shown().StaffNone())
	})
}

func (a *staffListCmd) print(t *terminal, v staff.View) error {
	if a.JSON {
		return json.NewEncoder(t.out).Encode(v)
	}
	say := t.shown()
	where := say.StaffNation()
	if v.Region != "" {
		where = string(v.Region)
	}
	if v.Agency != "" {
		where += " " + string(v.Agency)
	}
	more := say.StaffPasskeys(num(v.Passkeys))
	if v.Software {
		more = say.StaffSoftware(more)
	}
	for _, a := range v.Accounts {
		more = say.StaffAccount(more, num(a))
	}
	if v.InvitedFrom != nil {
		more = say.StaffWithoutApproval(more, v.InvitedFrom.UTC().Format(time.RFC3339))
	}
	if v.InvitedUntil != nil {
		more = say.StaffInvited(more, v.InvitedUntil.UTC().Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(t.out, "%s  %s  %s  %s  %s  %s\n", v.ID, v.State, liuma.JoinStaffRoles(v.Roles, ","), where, v.Name, more)
	return err
}

// staffWhoCmd is "liuma staff who".
type staffWhoCmd struct{}

// Run prints which member the caller acts as.
func (a *staffWhoCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		who, err := adm.WhoAmI(ctx)
		if err != nil {
			return err
		}
		if who.ID == "" {
			return t.line(t.shown().StaffNone())
		}
		_, err = fmt.Fprintf(t.out, "%s  %s  %s\n", who.ID, liuma.JoinStaffRoles(who.Roles, ","), who.Name)
		return err
	})
}

// codeArg is a code that a person types.
type codeArg struct {
	Code string `arg:"" optional:""`
}

// read asks for a code that was not given.
func (a codeArg) read(t *terminal) (string, error) {
	if a.Code != "" {
		return a.Code, nil
	}
	fmt.Fprint(t.err, t.shown().StaffCode()+" ")
	line, err := bufio.NewReader(io.LimitReader(t.in, 200)).ReadString('\n')
	if err != nil && line == "" {
		return "", refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.StaffNoCode(why) })
	}
	return strings.TrimSpace(line), nil
}

// staffAcceptCmd is "liuma staff accept".
type staffAcceptCmd struct{ codeArg }

// Run accepts an invitation.
func (a *staffAcceptCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	code, err := a.read(t)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		who, err := adm.AcceptInvitation(ctx, code)
		if err != nil {
			return err
		}
		return t.line(t.shown().StaffAccepted(string(who.ID), liuma.JoinStaffRoles(who.Roles, ",")))
	})
}

// staffCodeCmd is "liuma staff code".
type staffCodeCmd struct{}

// Run prints a code.
func (a *staffCodeCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		code, until, err := adm.TerminalCode(ctx)
		if err != nil {
			return err
		}
		return t.line(code + "\n" + t.shown().StaffOnce(until.UTC().Format(time.RFC3339)))
	})
}

// staffSignInCmd is "liuma staff sign-in".
type staffSignInCmd struct{ codeArg }

// Run signs in. Standard output is for the shell, so that one line does all:
// eval "$(liuma staff sign-in)".
func (a *staffSignInCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	code, err := a.read(t)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		in, err := adm.SignIn(ctx, code)
		if err != nil {
			return err
		}
		fmt.Fprintln(t.err, t.shown().StaffSignedIn(string(in.ID), in.Until.UTC().Format(time.RFC3339), `eval "$(liuma staff sign-in)"`))
		_, err = fmt.Fprintf(t.out, "export %s=%s\n", sessionVariable, in.Session)
		return err
	})
}

// staffSignOutCmd is "liuma staff sign-out".
type staffSignOutCmd struct{}

// Run signs out.
func (a *staffSignOutCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		if err := adm.SignOut(ctx); err != nil {
			return err
		}
		fmt.Fprintln(t.err, t.shown().StaffSignedOut())
		_, err := fmt.Fprintf(t.out, "unset %s\n", sessionVariable)
		return err
	})
}
