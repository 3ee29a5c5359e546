package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/server"
)

// regionCmd is "liuma region".
type regionCmd struct {
	Import regionImportCmd `cmd:"" help:"Add the codes that only later lists have."`
	Show   regionShowCmd   `cmd:"" help:"Say what a code stands for."`
}

// regionImportCmd is "liuma region import".
type regionImportCmd struct {
	File string `arg:"" help:"CSV, UTF-8: code,name, and of an abolished region since when and its successor. It takes the place of the list that was imported before; without lines of its own the published list stands."`
}

// maxRegionFile bounds an operator's list, in bytes.
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
		return fmt.Errorf("list of regions: %w", err)
	}
	defer in.Close() // read only: nothing to lose
	raw, err := io.ReadAll(io.LimitReader(in, maxRegionFile+1))
	if err != nil {
		return fmt.Errorf("list of regions: %w", err)
	}
	if len(raw) > maxRegionFile {
		return fmt.Errorf("list of regions: more than %d bytes", maxRegionFile)
	}
	n, err := directory.Check(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	path := server.RegionsFile(conf)
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, done, err := create(fresh, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err := done(err); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	_, err = fmt.Fprintf(t.out, "Added %d regions to the published list. The next import of the registry and 'liuma channel add' go by them.\n", n)
	return err
}

// regionShowCmd is "liuma region show".
type regionShowCmd struct {
	Code string `arg:"" help:"GB/T 2260 code of 2, 4 or 6 digits."`
}

// Run shows the region.
func (a *regionShowCmd) Run(c *cli, t *terminal) error {
	conf, err := c.load()
	if err != nil {
		return err
	}
	code, err := liuma.ParseRegion(a.Code)
	if err != nil || code == "" {
		return badUsage("liuma region show", "%q: want 2, 4 or 6 digits of GB/T 2260", a.Code)
	}
	all, err := server.Regions(conf)
	if err != nil {
		return err
	}
	e, ok := all.Find(code)
	if !ok {
		return unlistedRegion(all, code)
	}
	_, err = fmt.Fprintln(t.out, describeRegion(all, code, e))
	return err
}

func describeRegion(all *directory.Regions, code liuma.Region, e directory.Entry) string {
	said := fmt.Sprintf("%s %s", code, e.Name)
	if e.Abolished == "" {
		return said
	}
	said += ", not in the lists since " + e.Abolished
	if e.Successor != "" {
		next, _ := all.Find(e.Successor)
		said += fmt.Sprintf("; its successor is %s %s", e.Successor, next.Name)
	}
	return said
}

// unlistedRegion is the error of a code that no list has.
func unlistedRegion(all *directory.Regions, code liuma.Region) error {
	near := ""
	if above := all.Above(code); above != "" {
		e, _ := all.Find(above)
		near = fmt.Sprintf("; the nearest above it is %s %s", above, e.Name)
	}
	return fmt.Errorf("region %s is in no list%s; if a later list of GB/T 2260 has it, add it with 'liuma region import'", code, near)
}
