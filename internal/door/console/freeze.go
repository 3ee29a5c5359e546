package console

import (
	"crypto/rand"
	"strings"

	"github.com/liuma-pin/liuma/internal/admin"
)

// freezeRoutes are the pages with which a member on the hotline helps a holder who
// calls.
func (h *console) freezeRoutes() []Route {
	return []Route{
		{Pattern: "GET /freeze", Method: "FreezeByPhone", do: freezePage},
		{Pattern: "POST /freeze", Method: "FreezeByPhone", do: freezeByPhone, again: freezePage},
		{Pattern: "POST /freeze/report", Method: "ReportLossByPhone", do: reportByPhone, again: freezePage},
	}
}

// freezePage asks for a number. The typed number is not shown again, not even after a
// refusal, because the page stays open on a desk.
func freezePage(v *visit) (*view, error) {
	number := field{Name: "number", Label: v.t.IDNumber(), Hint: v.t.IDNumberHint(), Required: true, Most: 60, Class: "mono"}
	no := field{Type: "hidden", Name: "no", Value: "desk-" + strings.ToLower(rand.Text())}
	return &view{Title: v.t.NavFreeze(), Lead: v.t.FreezeLead(), Blocks: []block{
		{Notice: &notice{Kind: "warn", Title: v.t.FreezeAsk(), Text: v.t.FreezeAskText()}},
		{Title: v.t.FreezeTitle(), Text: v.t.FreezeText(), Form: &form{Post: "/freeze", Button: v.t.FreezeButton(), Kind: "danger", Fields: []field{number, no}}},
		{Title: v.t.ReportTitle(), Text: v.t.ReportText(), Form: &form{Post: "/freeze/report", Button: v.t.ReportButton(), Kind: "plain", Fields: []field{number, no}}},
	}}, nil
}

func freezeByPhone(v *visit) (*view, error) {
	asked := admin.PhoneFreeze{RequestNo: v.typed("no"), Number: v.typed("number")}
	if _, err := v.admin().FreezeByPhone(v.ctx(), asked); err != nil {
		return nil, err
	}
	return v.frozen(v.t.FrozenTitle(), v.t.FrozenText(end(asked.Number)))
}

func reportByPhone(v *visit) (*view, error) {
	asked := admin.PhoneFreeze{RequestNo: v.typed("no"), Number: v.typed("number")}
	done, err := v.admin().ReportLossByPhone(v.ctx(), asked)
	if err != nil {
		return nil, err
	}
	return v.frozen(v.t.ReportedTitle(), v.t.ReportedText(end(asked.Number), v.moment(done.Until)))
}

func (v *visit) frozen(title, words string) (*view, error) {
	return &view{Title: title, Blocks: []block{{Text: words}, {Text: v.t.FrozenNext(), Links: []link{{v.t.FreezeAgain(), "/freeze"}}}}}, nil
}

// end is the last four characters of a number, by which caller and member check that
// the right number was typed.
func end(number string) string {
	r := []rune(number)
	return string(r[max(0, len(r)-4):])
}
