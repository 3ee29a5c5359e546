package console

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/staff"
)

// staffRoutes are the pages of members of staff and of proposals.
func (h *console) staffRoutes() []Route {
	return []Route{
		{Pattern: "GET /staff", Method: "StaffMembers", do: staffPage},
		{Pattern: "GET /staff/invite", Method: "ProposeStaff", do: invitePage},
		{Pattern: "POST /staff/invite", Method: "ProposeStaff", do: invite, again: invitePage},
		{Pattern: "GET /staff/member/{id}", Method: "StaffMembers", do: memberPage},
		{Pattern: "POST /staff/member/{id}/role", Method: "ProposeStaff", do: proposeRole, again: memberPage},
		{Pattern: "POST /staff/member/{id}/passkey", Method: "ProposeStaff", do: proposing(staff.KindPasskey), again: memberPage},
		{Pattern: "POST /staff/member/{id}/document", Method: "ProposeStaff", do: proposeDocument, again: memberPage},
		{Pattern: "POST /staff/member/{id}/resume", Method: "ProposeStaff", do: proposing(staff.KindResume), again: memberPage},
		{Pattern: "POST /staff/member/{id}/suspend", Method: "SuspendStaff", do: suspend, again: memberPage},
		{Pattern: "GET /proposals", Method: "Proposals", do: proposalsPage},
		{Pattern: "GET /proposals/{id}", Method: "Proposals", do: proposalPage},
		{Pattern: "GET /proposals/{id}/offer", Method: "ApproveStaff", do: offerApproval},
		{Pattern: "POST /proposals/{id}/approve", Method: "ApproveStaff", do: approve, again: proposalPage},
		{Pattern: "POST /proposals/{id}/withdraw", Method: "WithdrawProposal", do: withdraw, again: proposalPage},
	}
}

func staffPage(v *visit) (*view, error) {
	all, err := v.admin().StaffMembers(v.ctx())
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.Name(), v.t.ID(), v.t.Roles(), v.t.Region(), v.t.Agency(), v.t.State(), v.t.Passkey()}, None: v.t.StaffNone()}
	for _, m := range all {
		list.Rows = append(list.Rows, []cell{{Text: m.Name, Link: "/staff/member/" + url.PathEscape(string(m.ID))}, {Text: string(m.ID), Class: "mono"},
			text(v.t.roles(m.Roles)), text(v.t.region(m.Region)), text(v.t.agency(m.Agency)), v.memberState(m.State), text(v.passkeys(m))})
	}
	page := &view{Title: v.t.NavStaff(), Lead: v.t.StaffLead(), Blocks: []block{{Table: list}}}
	if v.may("ProposeStaff") {
		page.Blocks = append(page.Blocks, block{Links: []link{{v.t.InviteTitle(), "/staff/invite"}}})
	}
	return page, nil
}

func (v *visit) memberState(state string) cell {
	tag := map[string]string{"active": "good", "invited": "warn"}[state]
	if tag == "" {
		tag = "bad"
	}
	return cell{Text: v.t.all.Word("member", state), Tag: tag}
}

func (v *visit) passkeys(m staff.View) string {
	switch {
	case m.Passkeys == 0:
		return v.t.PasskeyNone()
	case m.Software:
		return v.t.PasskeySoftware()
	}
	return v.t.PasskeyThere()
}

// rolesField is the choice of roles. docs/STAFF.md says which roles go together; other
// combinations are refused.
func (v *visit) rolesField(had []liuma.StaffRole) field {
	f := field{Name: "role", Type: "choices", Label: v.t.Roles(), Hint: v.t.RolesHint()}
	on := map[string]bool{}
	for _, r := range had {
		on[string(r)] = true
	}
	if v.r.PostForm != nil {
		on = map[string]bool{}
		for _, r := range v.r.PostForm["role"] {
			on[r] = true
		}
	}
	for _, r := range liuma.StaffRoles() {
		f.Options = append(f.Options, option{Value: string(r), Text: v.t.role(r), On: on[string(r)]})
	}
	return f
}

func (v *visit) typedRoles() []liuma.StaffRole {
	var out []liuma.StaffRole
	for _, r := range v.r.PostForm["role"] {
		out = append(out, liuma.StaffRole(r))
	}
	return out
}

// boundsFields are region and agency, which limit what a member sees.
func (v *visit) boundsFields(region liuma.Region, agency liuma.Agency) []field {
	r, a := string(region), string(agency)
	if v.r.PostForm != nil {
		r, a = v.typed("region"), v.typed("agency")
	}
	return []field{
		{Name: "region", Label: v.t.Region(), Hint: v.t.RegionHint(), Value: r, Mode: "numeric", Most: 6},
		{Name: "agency", Label: v.t.Agency(), Hint: v.t.AgencyHint(), Value: a, Most: 40},
	}
}

func invitePage(v *visit) (*view, error) {
	fields := []field{
		{Name: "name", Label: v.t.Name(), Hint: v.t.NameHint(), Value: v.typed("name"), Required: true, Most: 40},
		{Name: "id", Label: v.t.ID(), Hint: v.t.IDHint(), Value: v.typed("id"), Required: true, Most: 40, Class: "mono"},
		v.rolesField(nil),
	}
	fields = append(append(fields, v.boundsFields("", "")...),
		field{Name: "number", Label: v.t.DocumentTitle(), Hint: v.t.DocumentHint(), Most: 60, Class: "mono"})
	return &view{Title: v.t.InviteTitle(), Lead: v.t.InviteLead(), Blocks: []block{{Form: &form{Post: "/staff/invite", Button: v.t.ProposeButton(), Fields: fields}}}}, nil
}

// changed is the member as the form describes them.
func (v *visit) changed() (staff.NewMember, error) {
	region, err := liuma.ParseRegion(v.typed("region"))
	if err != nil {
		return staff.NewMember{}, staff.ErrFilledIn
	}
	return staff.NewMember{ID: liuma.StaffID(v.typed("id")), Name: v.typed("name"), Roles: v.typedRoles(), Agency: liuma.Agency(v.typed("agency")), Region: region}, nil
}

func invite(v *visit) (*view, error) {
	m, err := v.changed()
	if err != nil {
		return nil, err
	}
	return v.propose(staff.Change{Kind: staff.KindInvite, Member: m, Number: v.typed("number")})
}

// propose proposes a change. The first half of a code is shown once, on this page.
func (v *visit) propose(c staff.Change) (*view, error) {
	made, err := v.admin().ProposeStaff(v.ctx(), c)
	if err != nil {
		return nil, err
	}
	at := "/proposals/" + url.PathEscape(string(made.ID))
	if made.Half == "" {
		return v.to(at, "proposed")
	}
	return &view{Title: v.t.ProposedTitle(), Blocks: []block{
		{Title: v.t.FirstHalf(), Text: v.t.FirstHalfShown(), Code: made.Half},
		{Text: v.t.ProposedNext(), Links: []link{{v.t.ProposalLink(), at}}},
	}}, nil
}

// member is the member of the address, among those that the caller sees.
func (v *visit) member() (staff.View, error) {
	all, err := v.admin().StaffMembers(v.ctx())
	for _, m := range all {
		if string(m.ID) == v.r.PathValue("id") {
			return m, err
		}
	}
	if err == nil {
		err = staff.ErrUnknown
	}
	return staff.View{}, err
}

func memberPage(v *visit) (*view, error) {
	m, err := v.member()
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.ID(), cell{Text: string(m.ID), Class: "mono"}}, {v.t.State(), v.memberState(m.State)}, {v.t.Roles(), text(v.t.roles(m.Roles))},
		{v.t.Region(), text(v.t.region(m.Region))}, {v.t.Agency(), text(v.t.agency(m.Agency))}, {v.t.Passkey(), text(v.passkeys(m))}, {v.t.Since(), text(v.moment(m.At))}}
	if m.InvitedUntil != nil {
		facts = append(facts, fact{v.t.InvitedUntil(), text(v.moment(*m.InvitedUntil))})
	}
	known := v.t.DocumentUnknown()
	if m.Document {
		known = v.t.DocumentKnown()
	}
	facts = append(facts, fact{v.t.DocumentTitle(), text(known)})
	for _, a := range m.Accounts {
		facts = append(facts, fact{v.t.Account(), text(strconv.FormatUint(uint64(a), 10))})
	}
	page := &view{Title: m.Name, Blocks: []block{{Facts: facts}}}
	at := "/staff/member/" + url.PathEscape(string(m.ID))
	if v.may("ProposeStaff") && m.State == "suspended" {
		page.Blocks = append(page.Blocks, block{Title: v.t.ResumeTitle(), Text: v.t.ResumeText(), Form: &form{Post: at + "/resume", Button: v.t.ProposeButton(), Kind: "plain"}})
	}
	if v.may("ProposeStaff") && m.State != "suspended" {
		page.Blocks = append(page.Blocks,
			block{Title: v.t.RoleTitle(), Text: v.t.RoleText(), Folded: true, Form: &form{Post: at + "/role", Button: v.t.ProposeButton(),
				Fields: append([]field{v.rolesField(m.Roles)}, v.boundsFields(m.Region, m.Agency)...)}},
			block{Title: v.t.DocumentTitle(), Text: v.t.DocumentText(), Folded: true, Form: &form{Post: at + "/document", Button: v.t.ProposeButton(), Kind: "plain",
				Fields: []field{{Name: "number", Label: v.t.IDNumber(), Hint: v.t.IDNumberHint(), Required: true, Most: 60, Class: "mono"}}}},
			block{Title: v.t.ReplaceTitle(), Text: v.t.ReplaceText(), Folded: true, Form: &form{Post: at + "/passkey", Button: v.t.ProposeButton(), Kind: "plain"}})
	}
	// All members may suspend themselves; to suspend another takes one of these two roles.
	if m.State != "suspended" && m.ID != v.who.ID && v.who.Is(liuma.RoleOperator, liuma.RoleOfficer) {
		page.Blocks = append(page.Blocks, block{Title: v.t.SuspendTitle(), Text: v.t.SuspendText(), Folded: true,
			Form: &form{Post: at + "/suspend", Button: v.t.SuspendButton(), Kind: "danger", Fields: []field{v.reason()}}})
	}
	return page, nil
}

func proposeRole(v *visit) (*view, error) {
	m, err := v.changed()
	if err != nil {
		return nil, err
	}
	m.ID, m.Name = liuma.StaffID(v.r.PathValue("id")), ""
	return v.propose(staff.Change{Kind: staff.KindRole, Member: m})
}

// proposeDocument asks for the document by which a member is known. What was typed is not
// shown again.
func proposeDocument(v *visit) (*view, error) {
	return v.propose(staff.Change{Kind: staff.KindDocument, Member: staff.NewMember{ID: liuma.StaffID(v.r.PathValue("id"))}, Number: v.typed("number")})
}

// proposing proposes a change that needs nothing but the member.
func proposing(kind string) func(*visit) (*view, error) {
	return func(v *visit) (*view, error) {
		return v.propose(staff.Change{Kind: kind, Member: staff.NewMember{ID: liuma.StaffID(v.r.PathValue("id"))}})
	}
}

func suspend(v *visit) (*view, error) {
	id := liuma.StaffID(v.r.PathValue("id"))
	if err := v.admin().SuspendStaff(v.ctx(), id, audit.Reason(v.typed("reason"))); err != nil {
		return nil, err
	}
	return v.to("/staff/member/"+url.PathEscape(string(id)), "suspended")
}

func proposalsPage(v *visit) (*view, error) {
	open, err := v.admin().Proposals(v.ctx())
	if err != nil {
		return nil, err
	}
	head := []string{v.t.ProposalWhat(), v.t.ProposalAbout(), v.t.ProposalBy(), v.t.ProposalAt(), v.t.ProposalUntil()}
	list, cut := &table{Head: head, None: v.t.ProposalsNone()}, &table{Caption: v.t.AgainList(), Head: head}
	for _, p := range open {
		in := list
		if p.ApprovedAt != nil {
			in = cut
		}
		in.Rows = append(in.Rows, []cell{{Text: v.t.all.Word("proposal", p.Kind), Link: proposalPath(p)}, text(v.aboutWhom(p)),
			{Text: string(p.By), Class: "mono"}, {Text: v.moment(p.At), Class: "nowrap"}, {Text: v.moment(p.Until), Class: "nowrap"}})
	}
	return &view{Title: v.t.NavProposals(), Lead: v.t.ProposalsLead(), Blocks: []block{{Table: list}, {Table: cut}}}, nil
}

// proposal is the proposal of the address, while it waits.
func (v *visit) proposal() (admin.ProposalView, error) {
	open, err := v.admin().Proposals(v.ctx())
	for _, p := range open {
		if p.ID == v.r.PathValue("id") {
			return p, err
		}
	}
	if err == nil {
		err = proposal.ErrUnknown
	}
	return admin.ProposalView{}, err
}

// proposalPath is the page of a proposal, by its kind.
func proposalPath(p admin.ProposalView) string {
	if p.Kind == edition.Kind {
		return "/policy/proposals/" + url.PathEscape(p.ID)
	}
	return "/proposals/" + url.PathEscape(p.ID)
}

// aboutWhom says in one line whom a proposal is about.
func (v *visit) aboutWhom(p admin.ProposalView) string {
	if p.Change == nil {
		return p.About
	}
	if m := p.Change.Member; m.Name != "" {
		return v.t.Between(m.Name, string(m.ID))
	}
	return string(p.Change.Member.ID)
}

// proposed are the parts of a proposal, for the member who approves.
func (v *visit) proposed(p admin.ProposalView) []fact {
	if p.Act != nil && p.Act.Kind == admin.ActConfirm {
		return v.proposedAuthority(p.Act)
	}
	if p.Change == nil {
		return []fact{{v.t.ProposalAbout(), cell{Text: p.About, Class: "mono"}}}
	}
	m := p.Change.Member
	out := []fact{{v.t.ID(), cell{Text: string(m.ID), Class: "mono"}}}
	if m.Name != "" {
		out = append(out, fact{v.t.Name(), text(m.Name)})
	}
	if len(m.Roles) > 0 {
		out = append(out, fact{v.t.Roles(), text(v.t.roles(m.Roles))}, fact{v.t.Region(), text(v.t.region(m.Region))}, fact{v.t.Agency(), text(v.t.agency(m.Agency))})
	}
	if p.Change.Shown != "" {
		out = append(out, fact{v.t.DocumentTitle(), cell{Text: p.Change.Shown, Class: "mono"}})
	}
	if p.Change.Account != nil {
		out = append(out, fact{v.t.Account(), text(strconv.FormatUint(uint64(*p.Change.Account), 10))})
	}
	return out
}

func proposalPage(v *visit) (*view, error) {
	p, err := v.proposal()
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.all.Word("proposal", p.Kind), Blocks: []block{{Facts: append(v.proposed(p), []fact{
		{v.t.ProposalBy(), cell{Text: string(p.By), Class: "mono"}}, {v.t.ProposalAt(), text(v.moment(p.At))},
		{v.t.ProposalUntil(), text(v.moment(p.Until))}, {v.t.ProposalHash(), cell{Text: p.Hash, Class: "mono"}},
	}...)}}}
	page.Blocks = append(page.Blocks, v.deciding(p)...)
	at := "/proposals/" + url.PathEscape(p.ID)
	if p.ApprovedAt == nil && v.may("WithdrawProposal") {
		page.Blocks = append(page.Blocks, block{Title: v.t.WithdrawTitle(), Text: v.t.WithdrawText(), Folded: true,
			Form: &form{Post: at + "/withdraw", Button: v.t.WithdrawButton(), Kind: "danger"}})
	}
	return page, nil
}

// deciding is the form by which the member approves a proposal, or the reason why they
// cannot.
func (v *visit) deciding(p admin.ProposalView) []block {
	at := "/proposals/" + url.PathEscape(p.ID)
	form := &form{Post: at + "/approve", Button: v.t.ApproveButton(), Passkey: &passkey{Way: "get", Offer: at + "/offer"}}
	switch {
	case !v.may("ApproveStaff"):
		return nil
	case p.By == v.who.ID:
		return []block{{Notice: &notice{Title: v.t.OwnProposal(), Text: v.t.OwnProposalNext()}}}
	case p.Kind == admin.ActRestore:
		return []block{{Notice: &notice{Title: v.t.ByCommand(), Text: v.t.ByCommandText()}, Pre: "liuma staff approve " + p.ID}}
	case p.ApprovedAt != nil:
		form.Button = v.t.AgainButton()
		return []block{{Title: v.t.AgainTitle(), Text: v.t.AgainText(v.moment(*p.ApprovedAt)), Form: form}}
	}
	words := v.t.ApproveText()
	if p.Kind == admin.ActConfirm {
		words = v.t.AuthorityApproveText()
	}
	return []block{{Title: v.t.ApproveTitle(), Text: words, Form: form}}
}

// offerApproval returns the values with which the browser asks for the fresh touch that an
// approval needs.
func offerApproval(v *visit) (*view, error) { return v.offer(v.r.PathValue("id")) }

// offer asks for a touch of the passkey for one act.
func (v *visit) offer(act string) (*view, error) {
	options, err := v.h.c.Staff.OfferConfirm(v.ctx(), v.who, act)
	if err != nil {
		return nil, err
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(options) // the browser may have gone
	return nil, nil
}

// approve carries out a change that another member proposed, after a touch of the member's
// passkey for this proposal. So a session that was left open on a desk or stolen cannot
// approve. A crash between the two leaves the proposal open.
func approve(v *visit) (*view, error) {
	p, err := v.proposal()
	if err != nil {
		return nil, err
	}
	id := v.r.PathValue("id")
	if err := v.h.c.Staff.Confirm(v.ctx(), v.who, id, []byte(v.r.PostFormValue("answer"))); err != nil {
		return nil, err
	}
	if slices.Contains([]string{admin.ActHasten, admin.ActResume, admin.ActHead, admin.ActConfirm}, p.Kind) {
		if _, err := v.admin().ApproveAct(v.ctx(), admin.ActStep{ID: proposal.ID(id)}); err != nil {
			return nil, err
		}
		return v.to("/proposals", "approved")
	}
	done, err := v.admin().ApproveStaff(v.ctx(), id)
	if err != nil {
		return nil, err
	}
	if done.Half == "" {
		return v.to("/proposals", "approved")
	}
	return &view{Title: v.t.ApprovedTitle(), Blocks: []block{
		{Title: v.t.SecondHalf(), Text: v.t.SecondHalfShown(v.moment(done.Until)), Code: done.Half, Links: []link{{v.t.GoBack(), "/proposals"}}},
	}}, nil
}

func withdraw(v *visit) (*view, error) {
	if err := v.admin().WithdrawProposal(v.ctx(), v.r.PathValue("id")); err != nil {
		return nil, err
	}
	return v.to("/proposals", "withdrawn")
}
