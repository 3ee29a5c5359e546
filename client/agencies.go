package client

import (
	"cmp"
	"context"
	"net/url"
)

// Agencies are the offices and hotlines that serve a region.
type Agencies struct {
	// Region is the region whose offices these are: the region that was asked about or, if
	// it has none, the nearest one around it that has. "0" is the nation.
	Region   string   `json:"region"`
	Offices  []Agency `json:"offices"` // at most five
	Hotlines []Agency `json:"hotlines"`
}

// Agency is an office, or a number to call.
type Agency struct {
	Code      string     `json:"code"`
	Region    string     `json:"region"`
	Name      AgencyText `json:"name"`
	Address   AgencyText `json:"address"`
	Hours     AgencyText `json:"hours"`
	Telephone string     `json:"telephone"`
	Documents AgencyText `json:"documents"` // what to bring
	Languages AgencyText `json:"languages"`
	Services  AgencyText `json:"services"`
	// Agent says whether an agent may come in the holder's place, and StepFree whether
	// there is an entrance without steps: "yes", "no" or nothing.
	Agent    string `json:"agent,omitempty"`
	StepFree string `json:"step_free,omitempty"`
	Sample   bool   `json:"sample,omitempty"` // made up: show it to nobody
}

// AgencyText is a text in both languages; the English one may be empty.
type AgencyText struct {
	ZH string `json:"zh-CN"`
	EN string `json:"en"`
}

// Agencies gets the offices and hotlines of a region (GB/T 2260; empty: the nation), for a
// page of your own that sends a holder to a counter. Use the region that the holder names,
// never the phone's position. The answer may be kept for five minutes.
func (c *Client) Agencies(ctx context.Context, region string) (*Agencies, error) {
	out := new(Agencies)
	if err := c.get(ctx, "/v1/agencies/"+url.PathEscape(cmp.Or(region, "0")), out); err != nil {
		return nil, err
	}
	return out, nil
}
