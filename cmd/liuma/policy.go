package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/locale"
)

// policyCmd is "liuma policy".
type policyCmd struct {
	Explain   policyExplainCmd   `cmd:""`
	Check     policyCheckCmd     `cmd:""`
	Propose   policyProposeCmd   `cmd:""`
	Proposals policyProposalsCmd `cmd:""`
	Show      policyShowCmd      `cmd:""`
	Approve   policyApproveCmd   `cmd:""`
	Withdraw  policyWithdrawCmd  `cmd:""`
	History   policyHistoryCmd   `cmd:""`
	Simulate  policySimulateCmd  `cmd:""`
}

// policyExplainCmd is "liuma policy explain".
type policyExplainCmd struct {
	Region  string `name:"region" placeholder:"CODE"`
	Channel string `name:"channel" placeholder:"ID"`
	Changed bool   `name:"changed"`
	JSON    bool   `name:"json"`
}

// Run explains the policy of the running server, or of a server that would start now.
func (a *policyExplainCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	q := edition.Question{}
	if q.Region, err = liuma.ParseRegion(a.Region); err != nil {
		return wrongUseFor("liuma policy explain", err, func(w *locale.Words, why string) string { return w.Refused.PolicyOption("--region", why) })
	}
	if err := listedRegion(conf, q.Region); err != nil {
		return err
	}
	if a.Channel != "" {
		if q.Channel, err = liuma.ParseChannelID(a.Channel); err != nil {
			return wrongUseFor("liuma policy explain", err, func(w *locale.Words, why string) string { return w.Refused.PolicyOption("--channel", why) })
		}
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		out, err := adm.ExplainPolicy(ctx, q)
		if err != nil {
			return err
		}
		return a.print(t, out)
	})
}

func (a *policyExplainCmd) print(t *terminal, out edition.Answer) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	enc := json.NewEncoder(t.out)
	alone := !a.JSON
	for _, v := range out.Values {
		if a.Changed && v.File == "" {
			continue
		}
		alone = false
		if !a.JSON {
			fmt.Fprintf(w, "%s\t%s\t%s\n", v.Value, orUnset(t.shown(), v.Is), advised(t.shown(), v)) // the writer keeps its error
		} else if err := enc.Encode(v); err != nil {
			return err
		}
	}
	if alone {
		_, err := fmt.Fprintln(t.err, t.shown().PolicyNationalAlone())
		return err
	}
	return w.Flush()
}

// listedRegion refuses an unlisted region: nobody lives there, and the nation's rules
// would be explained as its own.
func listedRegion(conf config.Config, region liuma.Region) error {
	if region == "" {
		return nil
	}
	all, err := server.Regions(conf)
	if err != nil {
		return err
	}
	if _, listed := all.Find(region); !listed {
		return unlistedRegion(all, region)
	}
	return nil
}

// advised is the origin of a value, and known objections to it.
func advised(say locale.Shown, v edition.Value) string {
	if v.Value == "force_after" && v.Is != "never" {
		return say.PolicyNotRecommended(origin(say, v))
	}
	return origin(say, v)
}

// origin is the layer that sets a value, and who put it in force.
func origin(say locale.Shown, v edition.Value) string {
	scope := policy.Scope{Layer: v.Layer, Of: v.Of}.String()
	switch {
	case v.File == "":
		return say.PolicyNational()
	case v.Approver == "":
		return say.PolicyFromFiles(scope, v.File, num(v.Line))
	}
	return say.PolicyFromEdition(scope, v.File, num(v.Line), string(v.By), v.At.Format(time.DateOnly), string(v.Approver), num(v.Edition))
}

// policyCheckCmd is "liuma policy check".
type policyCheckCmd struct {
	Layers []string `arg:"" name:"layers"`
}

// Run shows what the layers would change, and stores nothing.
func (a *policyCheckCmd) Run(ctx context.Context, c *cli, t *terminal) error {
	draft, err := readLayers("liuma policy check", a.Layers)
	if err != nil {
		return err
	}
	return c.administer(ctx, t, func(adm admin.Administration) error {
		diff, err := adm.CheckPolicy(ctx, draft)
		if err != nil {
			return err
		}
		return errors.Join(t.line(t.shown().PolicyChecked(num(len(draft.Files)), num(len(diff.Changes)))), printDiff(t, diff))
	})
}

// readLayers reads a directory or single files.
func readLayers(command string, paths []string) (d edition.Draft, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return d, err
		}
		if info.IsDir() && len(paths) > 1 {
			return d, wrongUse(command, func(w *locale.Words) string { return w.Refused.PolicyDirectory(path) })
		}
		var files []policy.File
		if info.IsDir() {
			d.Whole = true
			files, err = policy.ReadDirectory(path)
		} else {
			var f policy.File
			f, err = policy.ReadFile(path)
			files = []policy.File{f}
		}
		if err != nil {
			return d, err
		}
		for _, f := range files {
			d.Files = append(d.Files, edition.Text{Name: f.Name, Text: string(f.Text)})
		}
	}
	return d, nil
}

// printDiff prints the changed settings of layers, and the values that change and
// where.
func printDiff(t *terminal, d edition.Diff) error {
	say := t.shown()
	var out strings.Builder
	for _, c := range d.Changes {
		at := ""
		if c.File != "" {
			at = fmt.Sprintf("  (%s:%d)", c.File, c.Line)
		}
		fmt.Fprintf(&out, "  %s: %s: %s -> %s%s\n", c.Layer, c.Value, orUnset(say, c.Before), orUnset(say, c.Now), at)
	}
	if len(d.Effects) > 0 {
		out.WriteString(say.PolicyHoldsThen() + "\n")
	}
	for _, x := range d.Effects {
		now := x.Now
		if x.Looser {
			now += "  " + say.PolicyLooser()
		}
		what := fmt.Sprintf("%s: %s -> %s", x.Value, orUnset(say, x.Before), now)
		fmt.Fprintf(&out, "  %s\n", say.PolicyEffect(what, x.Layer, places(say, x.Places)))
	}
	_, err := io.WriteString(t.out, out.String())
	if len(d.Unlisted) > 0 {
		codes := make([]string, len(d.Unlisted))
		for i, r := range d.Unlisted {
			codes[i] = string(r)
		}
		_, werr := fmt.Fprintln(t.err, say.PolicyUnlisted(parted(say, codes)))
		err = errors.Join(err, werr)
	}
	return err
}

// places names the places where a value applies.
func places(say locale.Shown, all []edition.Place) string {
	var out []string
	for _, p := range all {
		name := say.PolicyNation()
		if p.Region != "" {
			name = say.PolicyRegion(string(p.Region))
		}
		if p.Channel != "" {
			name = say.PolicyChannelIn(string(p.Channel), name)
		}
		out = append(out, name)
	}
	return parted(say, out)
}

// parted separates the members of a list as the language does.
func parted(say locale.Shown, words []string) string {
	return strings.Join(words, say.PolicyBetween("", ""))
}

func orUnset(say locale.Shown, is string) string {
	if is == "" {
		return say.PolicyNotSet()
	}
	return is
}
