package admin

import (
	"context"
	"errors"
	"os"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/store"
)

// AgencyQuery asks for agencies: for one by its code, for those of a region that match a
// text, or for all after a code.
type AgencyQuery struct {
	Code   liuma.Agency `json:"code,omitempty"`
	Region liuma.Region `json:"region,omitempty"`
	Text   string       `json:"text,omitempty"`
	// All lists every agency of the region by its code, closed ones too, at most MaxAgencies
	// after a code.
	All   bool         `json:"all,omitempty"`
	After liuma.Agency `json:"after,omitempty"`
}

// MaxAgencies is how many agencies are listed at once.
const MaxAgencies = agency.MaxFound

// maxAgencyFile is the longest file of agencies, in bytes: several hundred thousand.
const maxAgencyFile = 256 << 20

// AgenciesFound is the answer; More says that there are others.
type AgenciesFound struct {
	Agencies []store.Agency `json:"agencies"`
	More     bool           `json:"more,omitempty"`
}

// Agencies lists agencies.
func (a *Admin) Agencies(ctx context.Context, q AgencyQuery) (out AgenciesFound, err error) {
	if q.Code == "" && !q.All {
		out.Agencies, out.More = a.c.Agencies.Listing().Search(agency.Query{Region: q.Region, Text: q.Text})
		return out, nil
	}
	err = a.c.Store.View(ctx, func(r store.Reader) error {
		if q.Code != "" {
			one, err := r.Agency(q.Code)
			out.Agencies = []store.Agency{one}
			return err
		}
		out.Agencies, err = r.Agencies(q.After, MaxAgencies)
		out.More = len(out.Agencies) == MaxAgencies
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return AgenciesFound{}, agency.ErrUnknown
	}
	return out, err
}

// ImportAgencies imports a file of agencies.
func (a *Admin) ImportAgencies(ctx context.Context, file *os.File, c ImportConfig) (agency.Summary, error) {
	if !a.importing.TryLock() {
		return agency.Summary{}, ErrImporting
	}
	defer a.importing.Unlock()
	in, err := openSnapshot(file, maxAgencyFile)
	if err != nil {
		return agency.Summary{}, err
	}
	into := agency.ImportConfig{Actor: ActorOf(ctx), Encoding: c.Encoding, DryRun: c.DryRun, Progress: c.Progress, Reject: c.Reject}
	if by := callerOf(ctx); by.ID != "" {
		into.Sees = by.Sees
	}
	return a.c.Agencies.Import(ctx, in, into)
}
