package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/locale"
)

// regionCmd is "liuma region".
type regionCmd struct {
	Import regionImportCmd `cmd:""`
	Show   regionShowCmd   `cmd:""`
}

// regionImportCmd is "liuma region import".
type regionImportCmd struct {
	File string `arg:""`
}

// maxRegionFile is the largest operator's list, in bytes.
const maxRegionFile = 4 << 20

// Run checks the file and puts it in the data directory. A server reads it with
// the next import of the registry. A crash leaves the old list or the new one.
func (a *regionImportCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	in, err := os.Open(a.File)
	if err != nil {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.RegionList(why) })
	}
	defer in.Close() // read only: nothing to lose
	raw, err := io.ReadAll(io.LimitReader(in, maxRegionFile+1))
	if err != nil {
		return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.RegionList(why) })
	}
	if len(raw) > maxRegionFile {
		return refuse(func(w *locale.Words) string { return w.Refused.RegionTooLong(num(maxRegionFile)) })
	}
	n, err := directory.Check(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	path := server.RegionsFile(conf)
	if err := (diskfile.Disk{}).Write(filepath.Dir(path), filepath.Base(path), raw); err != nil {
		return err
	}
	return t.line(t.shown().RegionAdded(num(n)))
}

// regionShowCmd is "liuma region show".
type regionShowCmd struct {
	Code string `arg:""`
}

// Run shows the region.
func (a *regionShowCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	code, err := liuma.ParseRegion(a.Code)
	if err != nil || code == "" {
		return wrongUse("liuma region show", func(w *locale.Words) string { return w.Refused.RegionCode(strconv.Quote(a.Code)) })
	}
	all, err := server.Regions(conf)
	if err != nil {
		return err
	}
	e, ok := all.Find(code)
	if !ok {
		return unlistedRegion(all, code)
	}
	return t.line(describeRegion(t.shown(), all, code, e))
}

func describeRegion(say locale.Shown, all *directory.Regions, code liuma.Region, e directory.Entry) string {
	said := fmt.Sprintf("%s %s", code, e.Name)
	switch {
	case e.Abolished == "":
		return said
	case e.Successor == "":
		return say.RegionAbolished(said, e.Abolished)
	}
	next, _ := all.Find(e.Successor)
	return say.RegionSuccessor(said, e.Abolished, fmt.Sprintf("%s %s", e.Successor, next.Name))
}

// unlistedRegion is the error of a code that is in no list.
func unlistedRegion(all *directory.Regions, code liuma.Region) error {
	above := all.Above(code)
	if above == "" {
		return refuse(func(w *locale.Words) string { return w.Refused.RegionUnlisted(string(code)) })
	}
	e, _ := all.Find(above)
	near := fmt.Sprintf("%s %s", above, e.Name)
	return refuse(func(w *locale.Words) string { return w.Refused.RegionUnlistedNear(string(code), near) })
}
