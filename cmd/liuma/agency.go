package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// agencyCmd is "liuma agency".
type agencyCmd struct {
	Import agencyImportCmd `cmd:""`
	List   agencyListCmd   `cmd:""`
	Show   agencyShowCmd   `cmd:""`
	Export agencyExportCmd `cmd:""`
}

// agencyImportCmd is "liuma agency import".
type agencyImportCmd struct{ importFlags }

// Run imports the file.
func (a *agencyImportCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return a.run(ctx, c, t, "liuma agency import", func(adm admin.Administration, in *os.File, how admin.ImportConfig) (brought, error) {
		sum, err := adm.ImportAgencies(ctx, in, how)
		return brought{read: sum.Read, kept: sum.Kept, rejected: sum.Rejected, report: func() {
			a.reportRows(t, sum.Read, sum.Kept, sum.Rejected)
			fmt.Fprintln(t.out, t.shown().AgencyImported(num(sum.Added), num(sum.Changed), num(sum.Telephones), num(sum.Unchanged)))
		}}, err
	})
}

// agencyListCmd is "liuma agency list".
type agencyListCmd struct {
	Text   string `arg:"" optional:"" placeholder:"TEXT"`
	Region string `name:"region" placeholder:"CODE"`
	JSON   bool   `name:"json"`
}

// Run lists the agencies that the holders' page would find.
func (a *agencyListCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	region, err := liuma.ParseRegion(a.Region)
	if err != nil {
		return wrongUse("liuma agency list", func(w *locale.Words) string { return w.Refused.RegionCode(strconv.Quote(a.Region)) })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		found, err := adm.Agencies(ctx, admin.AgencyQuery{Region: region, Text: a.Text})
		if err != nil {
			return err
		}
		for _, one := range found.Agencies {
			if a.JSON {
				err = json.NewEncoder(t.out).Encode(one)
			} else {
				_, err = fmt.Fprintln(t.out, listed(t, one))
			}
			if err != nil {
				return err
			}
		}
		switch {
		case a.JSON:
		case len(found.Agencies) == 0:
			return t.line(t.shown().AgencyNone())
		case found.More:
			return t.line(t.shown().AgencyMore(num(len(found.Agencies))))
		}
		return nil
	})
}

// listed is an agency on one line; one that was made up says so.
func listed(t *terminal, a store.Agency) string {
	line := fmt.Sprintf("%s  %s  %s  %s", a.Code, padded(string(a.Region), 6), a.Name.ZH, a.Telephone)
	if a.Sample {
		line += "  " + t.shown().AgencySample()
	}
	return line
}

// agencyShowCmd is "liuma agency show".
type agencyShowCmd struct {
	Code string `arg:""`
	JSON bool   `name:"json"`
}

// Run shows the agency, a closed one too, column by column.
func (a *agencyShowCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	code, err := liuma.ParseAgency(a.Code)
	if err != nil || code == "" {
		return wrongUse("liuma agency show", func(w *locale.Words) string { return w.Refused.ValueAgency(strconv.Quote(a.Code)) })
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		found, err := adm.Agencies(ctx, admin.AgencyQuery{Code: code})
		if err != nil {
			return err
		}
		for _, one := range found.Agencies {
			if a.JSON {
				return json.NewEncoder(t.out).Encode(one)
			}
			for _, cell := range agency.Cells(one) {
				if cell[1] != "" {
					fmt.Fprintf(t.out, "%s %s\n", padded(cell[0], 14), cell[1])
				}
			}
		}
		return nil
	})
}

// agencyExportCmd is "liuma agency export".
type agencyExportCmd struct {
	Out string `name:"out" placeholder:"FILE"`
}

// Run writes all agencies, closed ones too, as a file that can be imported again
// unchanged.
func (a *agencyExportCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	return c.administer(ctx, t, func(adm admin.Administration) error {
		var all []store.Agency
		for q := (admin.AgencyQuery{All: true}); ; q.After = all[len(all)-1].Code {
			found, err := adm.Agencies(ctx, q)
			if err != nil {
				return err
			}
			if all = append(all, found.Agencies...); !found.More {
				break
			}
		}
		if a.Out == "" {
			return agency.Write(t.out, all)
		}
		f, done, err := create(a.Out, 0o600)
		if err != nil {
			return err
		}
		if err := done(agency.Write(f, all)); err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.err, t.shown().AgencyWrote(num(len(all)), a.Out))
		return err
	})
}
