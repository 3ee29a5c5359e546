package api

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/store"
)

// Agencies is the directory as the door reads it; *agency.Book implements it.
type Agencies interface{ Listing() *agency.Listing }

// maxOffices is how many offices of a region are returned: as many as a page has room for.
const maxOffices = 5

type agenciesView struct {
	Region   string       `json:"region" doc:"Whose offices these are: the region that was asked about or one around it; 0: the nation"`
	Offices  []agencyView `json:"offices" doc:"At most five"`
	Hotlines []agencyView `json:"hotlines" doc:"The region's own before the nation's"`
}

type agencyView struct {
	Code      string   `json:"code" example:"huzhou-wuxing"`
	Region    string   `json:"region" doc:"GB/T 2260; 0: the nation"`
	Name      textView `json:"name"`
	Address   textView `json:"address"`
	Hours     textView `json:"hours"`
	Telephone string   `json:"telephone"`
	Documents textView `json:"documents" doc:"What to bring"`
	Languages textView `json:"languages"`
	Services  textView `json:"services"`
	Agent     string   `json:"agent,omitempty" enum:"yes,no" doc:"Whether somebody may come in the holder's place, as the agency says; the rules of the region decide"`
	StepFree  string   `json:"step_free,omitempty" enum:"yes,no"`
	Sample    bool     `json:"sample,omitempty" doc:"Made up: show it to nobody"`
}

// textView is a text in both languages; the English one may be empty.
type textView struct {
	ZH string `json:"zh-CN"`
	EN string `json:"en"`
}

// agencies answers by region alone. The answer is the same for every channel, so it may be
// cached.
func (d *Door) agencies(c *call) (any, error) {
	region := liuma.Region("")
	if typed := c.PathValue("region"); typed != "0" {
		var err error
		if region, err = liuma.ParseRegion(typed); err != nil || region == "" {
			return nil, door.Malformed(reasonForm, "region")
		}
	}
	if d.directory == nil {
		return nil, liuma.Fail(liuma.CodeUnavailable, errors.New("no directory"))
	}
	near := d.directory.Listing().Nearest(region, maxOffices)
	out := agenciesView{Region: codeOf(near.Region), Offices: []agencyView{}, Hotlines: []agencyView{}}
	for _, a := range near.Offices {
		out.Offices = append(out.Offices, viewAgency(a))
	}
	for _, a := range near.Hotlines {
		out.Hotlines = append(out.Hotlines, viewAgency(a))
	}
	if v := door.VisitOf(c.Context()); v != nil {
		v.Header().Set("Cache-Control", "private, max-age=300")
	}
	return out, nil
}

func codeOf(r liuma.Region) string {
	if r == "" {
		return "0"
	}
	return string(r)
}

func viewAgency(a store.Agency) agencyView {
	text := func(t liuma.Text) textView { return textView{t.ZH, t.EN} }
	return agencyView{Code: string(a.Code), Region: codeOf(a.Region), Name: text(a.Name), Address: text(a.Address), Hours: text(a.Hours), Telephone: a.Telephone,
		Documents: text(a.Documents), Languages: text(a.Languages), Services: text(a.Services), Agent: string(a.Agent), StepFree: string(a.StepFree), Sample: a.Sample}
}
