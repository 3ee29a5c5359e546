package console

import (
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/proposal"
	"github.com/liuma-pin/liuma/internal/simulate"
)

// policyRoutes are the pages of the policy of regions and channels: the present one,
// earlier ones, and a change by two members.
func (h *console) policyRoutes() []Route {
	return []Route{
		{Pattern: "GET /policy", Method: "ExplainPolicy", do: policyPage},
		{Pattern: "GET /policy/history", Method: "PolicyHistory", do: historyPage},
		{Pattern: "GET /policy/history/{no}", Method: "PolicyEdition", do: editionPage},
		{Pattern: "GET /policy/propose", Method: "ProposePolicy", do: proposePolicyPage},
		{Pattern: "POST /policy/propose", Method: "ProposePolicy", do: proposePolicy, again: proposePolicyPage},
		{Pattern: "GET /policy/proposals/{id}", Method: "ProposedPolicy", do: proposedPolicyPage},
		{Pattern: "GET /policy/proposals/{id}/offer", Method: "ApprovePolicy", do: offerApproval},
		{Pattern: "POST /policy/proposals/{id}/approve", Method: "ApprovePolicy", do: approvePolicy, again: proposedPolicyPage},
	}
}

func policyPage(v *visit) (*view, error) {
	q := v.r.URL.Query()
	page := &view{Title: v.t.NavPolicy(), Lead: v.t.PolicyLead()}
	ask := &form{Post: "/policy", Get: true, Button: v.t.ExplainButton(), Fields: []field{
		{Name: "region", Label: v.t.Region(), Hint: v.t.RegionHint(), Value: q.Get("region"), Mode: "numeric", Most: 6},
		{Name: "channel", Label: v.t.Channel(), Hint: v.t.ChannelHint(), Value: q.Get("channel"), Most: 40, Class: "mono"},
	}}
	page.Blocks = []block{{Form: ask}}
	region, ok := regionOf(q.Get("region"))
	if !ok {
		page.Refusal = &notice{Title: v.t.BadRegion(), Text: v.t.RegionHint()}
		return page, nil
	}
	answer, err := v.admin().ExplainPolicy(v.ctx(), edition.Question{Region: region, Channel: liuma.ChannelID(q.Get("channel"))})
	if err != nil {
		return nil, err
	}
	list := &table{Caption: v.t.PolicyHolds(v.t.region(region)), Head: []string{v.t.PolicyValue(), v.t.PolicyIs(), v.t.PolicyLayer(), v.t.PolicyFile(), v.t.PolicyBy()}}
	for _, x := range answer.Values {
		by := v.t.BuiltIn()
		if x.File != "" {
			by = v.pair(x.By, x.Approver)
		}
		list.Rows = append(list.Rows, []cell{v.policyValue(x.Value), {Text: x.Is, Class: "mono"}, text(v.layer(string(x.Layer), x.Of)), {Text: fileLine(x.File, x.Line), Class: "mono"}, text(by)})
	}
	links := []link{{v.t.HistoryTitle(), "/policy/history"}}
	if v.may("ProposePolicy") {
		links = append(links, link{v.t.ProposePolicyTitle(), "/policy/propose"})
	}
	page.Blocks = append(page.Blocks, block{Links: links}, block{Facts: v.editionFacts(answer.Policy)}, block{Table: list})
	worth, err := v.worth(answer)
	if err != nil {
		return nil, err
	}
	page.Blocks = append(page.Blocks, worth...)
	return page, nil
}

// worth shows what guessing brings a thief under the policy of a place.
func (v *visit) worth(a edition.Answer) ([]block, error) {
	p, err := simulate.PolicyOf(a)
	if err != nil {
		return nil, mustHave("policy", err)
	}
	r, err := v.h.simulator.Run(p, nil)
	if err != nil {
		return nil, mustHave("simulation", err)
	}
	words := v.t.all
	lines := simulate.Table(words, r)
	list := &table{Caption: words.Shown.SimulateChart(), Head: lines[0], Wide: true}
	for _, line := range lines[1:] {
		row := []cell{text(line[0])}
		for _, c := range line[1:] {
			row = append(row, cell{Text: c, Class: "num"})
		}
		list.Rows = append(list.Rows, row)
	}
	drawn := simulate.Chart("worth", words, r)
	locks := words.Shown.SimulateLocks(strconv.Itoa(r.YearAlone), strconv.Itoa(r.YearProved))
	// The chart escapes every text that it is given.
	return []block{{Title: v.t.PolicyWorth(), Text: strings.Join(simulate.Caution(words, r, true), " "), Chart: template.HTML(drawn.Lines())},
		{Title: v.t.PolicyWorthTable(), Folded: true, Text: locks + " " + words.Shown.SimulateModels(), Table: list}}, nil
}

// policyValue names a value of the policy in words, with its name in the files.
func (v *visit) policyValue(name string) cell {
	return cell{Text: v.t.all.Word("policy", name), Under: name}
}

// regionOf reads a region's code.
func regionOf(code string) (liuma.Region, bool) {
	region, err := liuma.ParseRegion(code)
	return region, err == nil
}

// fileLine names a line of a file.
func fileLine(file string, line int) string {
	if file == "" || line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}

func (v *visit) layer(layer, of string) string {
	return strings.TrimSpace(v.t.all.Word("layer", layer) + " " + of)
}

// pair names the two members who put a policy in force.
func (v *visit) pair(by, approver liuma.StaffID) string {
	if by == "" {
		return v.t.FromFiles()
	}
	return v.t.Between(string(by), string(approver))
}

func (v *visit) editionFacts(s edition.State) []fact {
	no := v.t.FromFiles()
	if s.Edition > 0 {
		no = strconv.FormatUint(s.Edition, 10)
	}
	out := []fact{{v.t.Edition(), text(no)}, {v.t.EditionSum(), cell{Text: v.t.orNone(s.Sum), Class: "mono"}}}
	if s.Edition > 0 {
		out = append(out, fact{v.t.PolicyBy(), text(v.pair(s.By, s.Approver))}, fact{v.t.EditionAt(), text(v.moment(s.At))})
	}
	if s.FilesDiffer {
		out = append(out, fact{v.t.FilesDiffer(), cell{Text: v.t.FilesDifferText(), Tag: "warn"}})
	}
	return out
}

func historyPage(v *visit) (*view, error) {
	before, _ := strconv.ParseUint(v.r.URL.Query().Get("before"), 10, 64) // nonsense: from the last one
	all, err := v.admin().PolicyHistory(v.ctx(), before)
	if err != nil {
		return nil, err
	}
	list := &table{Head: []string{v.t.Edition(), v.t.EditionAt(), v.t.PolicyBy(), v.t.Reason(), v.t.EditionLayers()}, None: v.t.HistoryNone()}
	for _, p := range all {
		no := strconv.FormatUint(p.Edition, 10)
		list.Rows = append(list.Rows, []cell{{Text: no, Link: "/policy/history/" + no}, {Text: v.moment(p.At), Class: "nowrap"}, text(v.pair(p.By, p.Approver)), text(p.Reason), text(strconv.Itoa(p.Layers))})
	}
	page := &view{Title: v.t.HistoryTitle(), Blocks: []block{{Table: list}}}
	if len(all) == edition.MaxHistory {
		page.Blocks[0].Links = []link{{v.t.More(), "/policy/history?before=" + strconv.FormatUint(all[len(all)-1].Edition, 10)}}
	}
	return page, nil
}

func editionPage(v *visit) (*view, error) {
	no, err := strconv.ParseUint(v.r.PathValue("no"), 10, 64)
	if err != nil {
		return nil, edition.ErrUnknown
	}
	p, err := v.admin().PolicyEdition(v.ctx(), no)
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.EditionTitle(strconv.FormatUint(p.Edition, 10)), Blocks: []block{{Facts: []fact{{v.t.EditionAt(), text(v.moment(p.At))},
		{v.t.PolicyBy(), text(v.pair(p.By, p.Approver))}, {v.t.Reason(), text(v.t.orNone(p.Reason))}, {v.t.EditionSum(), cell{Text: p.Sum, Class: "mono"}}}}}}
	page.Blocks = append(page.Blocks, files(p.Files)...)
	return page, nil
}

// files are the texts of layers, each folded.
func files(all []edition.Text) (out []block) {
	for _, f := range all {
		out = append(out, block{Title: f.Name, Pre: f.Text, Folded: true})
	}
	return out
}

func proposePolicyPage(v *visit) (*view, error) {
	whole := v.typed("whole") == "yes"
	return &view{Title: v.t.ProposePolicyTitle(), Lead: v.t.ProposePolicyLead(), Blocks: []block{{Form: &form{Post: "/policy/propose", Button: v.t.ProposeButton(), Upload: true, Fields: []field{
		{Name: "file", Type: "file", Label: v.t.PolicyFiles(), Hint: v.t.PolicyFilesHint(), Required: true},
		{Name: "whole", Type: "choices", Label: v.t.PolicyWhole(), Hint: v.t.PolicyWholeHint(), Options: []option{{Value: "yes", Text: v.t.PolicyWholeYes(), On: whole}}},
		v.reason(),
	}}}}}, nil
}

// proposePolicy stores the uploaded files for another member. Files that are no valid
// policy are refused, with each fault and its line.
func proposePolicy(v *visit) (*view, error) {
	d := edition.Draft{Whole: v.typed("whole") == "yes", Reason: audit.Reason(v.typed("reason"))}
	if v.r.MultipartForm == nil {
		return nil, errForm
	}
	for _, part := range v.r.MultipartForm.File["file"] {
		f, err := part.Open()
		if err != nil {
			return nil, mustHave("upload", err)
		}
		raw, err := io.ReadAll(f)
		if err != nil {
			return nil, mustHave("upload", err)
		}
		if err := f.Close(); err != nil {
			return nil, mustHave("upload", err)
		}
		if len(raw) > 0 {
			d.Files = append(d.Files, edition.Text{Name: path.Base(part.Filename), Text: string(raw)})
		}
	}
	made, err := v.admin().ProposePolicy(v.ctx(), d)
	if err != nil {
		return nil, err
	}
	return v.to("/policy/proposals/"+url.PathEscape(string(made.ID)), "proposed")
}

func mustHave(what string, err error) error { return fmt.Errorf("console: %s: %w", what, err) }

// proposedPolicyPage shows everything that the digest covers: what changes, where, and the
// texts.
func proposedPolicyPage(v *visit) (*view, error) {
	p, err := v.admin().ProposedPolicy(v.ctx(), v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.all.Word("proposal", edition.Kind), Blocks: []block{{Facts: []fact{
		{v.t.Reason(), text(string(p.Reason))}, {v.t.ProposalBy(), cell{Text: string(p.By), Class: "mono"}}, {v.t.ProposalAt(), text(v.moment(p.At))},
		{v.t.ProposalUntil(), text(v.moment(p.Until))}, {v.t.State(), text(v.t.all.Word("decision", p.State))}, {v.t.ProposalHash(), cell{Text: p.Digest, Class: "mono"}},
	}}}}
	page.Blocks = append(page.Blocks, v.diff(p.Diff)...)
	page.Blocks = append(page.Blocks, files(p.Files)...)
	if p.Moved {
		page.Blocks = append(page.Blocks, block{Notice: &notice{Kind: "warn", Title: v.t.PolicyMoved(), Text: v.t.PolicyMovedNext()}})
	}
	if p.State != "open" {
		return page, nil
	}
	at := "/policy/proposals/" + url.PathEscape(string(p.ID))
	switch {
	case !v.may("ApprovePolicy"), p.Moved:
	case p.By == v.who.ID:
		page.Blocks = append(page.Blocks, block{Notice: &notice{Title: v.t.OwnProposal(), Text: v.t.OwnProposalNext()}})
	default:
		page.Blocks = append(page.Blocks, block{Title: v.t.ApproveTitle(), Text: v.t.ApproveText(), Form: &form{Post: at + "/approve", Button: v.t.ApproveButton(),
			Passkey: &passkey{Way: "get", Offer: at + "/offer"}, Fields: []field{{Type: "hidden", Name: "digest", Value: p.Digest}}}})
	}
	if v.may("WithdrawProposal") {
		page.Blocks = append(page.Blocks, block{Title: v.t.WithdrawTitle(), Text: v.t.WithdrawText(), Folded: true,
			Form: &form{Post: "/proposals/" + url.PathEscape(string(p.ID)) + "/withdraw", Button: v.t.WithdrawButton(), Kind: "danger"}})
	}
	return page, nil
}

// diff shows what a policy would change: the settings of layers, and the values that apply
// and where.
func (v *visit) diff(d edition.Diff) []block {
	set := &table{Caption: v.t.DiffSet(), Head: []string{v.t.PolicyLayer(), v.t.PolicyValue(), v.t.DiffBefore(), v.t.DiffNow(), v.t.PolicyFile()}, None: v.t.DiffNone()}
	for _, c := range d.Changes {
		name, of, _ := strings.Cut(c.Layer, " ")
		set.Rows = append(set.Rows, []cell{text(v.layer(name, of)), v.policyValue(c.Value), {Text: v.t.orNone(c.Before), Class: "mono"}, {Text: v.t.orNone(c.Now), Class: "mono"}, {Text: fileLine(c.File, c.Line), Class: "mono"}})
	}
	holds := &table{Caption: v.t.DiffHolds(), Head: []string{v.t.PolicyValue(), v.t.DiffBefore(), v.t.DiffNow(), v.t.DiffWhich(), v.t.DiffWhere()}, None: v.t.DiffNone()}
	for _, e := range d.Effects {
		which := cell{Text: v.t.DiffTighter(), Tag: "plain"}
		if e.Looser {
			which = cell{Text: v.t.DiffLooser(), Tag: "warn"}
		}
		var where []string
		for _, at := range e.Places {
			where = append(where, strings.TrimSpace(v.t.region(at.Region)+" "+string(at.Channel)))
		}
		holds.Rows = append(holds.Rows, []cell{v.policyValue(e.Value), {Text: e.Before, Class: "mono"}, {Text: e.Now, Class: "mono"}, which, text(v.t.list(where))})
	}
	out := []block{{Table: set}, {Table: holds}}
	if len(d.Unlisted) > 0 {
		out = append(out, block{Notice: &notice{Kind: "warn", Title: v.t.Unlisted(v.regions(d.Unlisted)), Text: v.t.UnlistedText()}})
	}
	return out
}

func approvePolicy(v *visit) (*view, error) {
	id := v.r.PathValue("id")
	// The record will name the touch's act, so the proposal must exist.
	if _, err := v.admin().ProposedPolicy(v.ctx(), id); err != nil {
		return nil, err
	}
	if err := v.h.c.Staff.Confirm(v.ctx(), v.who, id, []byte(v.r.PostFormValue("answer"))); err != nil {
		return nil, err
	}
	if _, err := v.admin().ApprovePolicy(v.ctx(), edition.Approval{ID: proposal.ID(id), Digest: v.typed("digest")}); err != nil {
		return nil, err
	}
	return v.to("/policy", "approved")
}
