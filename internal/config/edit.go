package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// ErrEdit: the program cannot change the file itself, because of how the file is
// written.
var ErrEdit = errors.New("config: the file cannot be changed by the program as it is written")

// AddKeeper adds a keeper on another machine to the file in dir, or changes the address of
// one that is already there. Everything else stays the same, including comments. If it
// returns ErrEdit, nothing was changed.
func AddKeeper(dir string, k RemoteKeeper) error {
	return rewrite(dir, ErrEdit, func(old []byte, want *Config) ([]byte, error) {
		text := string(old)
		switch at := slices.IndexFunc(want.Keepers.Remote, func(r RemoteKeeper) bool { return r.ID == k.ID }); {
		case at < 0:
			want.Keepers.Remote = append([]RemoteKeeper{k}, want.Keepers.Remote...)
			text = withKeeper(text, k)
		case want.Keepers.Remote[at] != k:
			there := want.Keepers.Remote[at]
			want.Keepers.Remote[at] = k
			text = movedKeeper(text, there, k)
		}
		return []byte(text), want.Validate()
	})
}

// rewrite changes the file in dir. change makes the new text, and changes the old
// configuration to the one that the new text must have; if the new text has any other, it
// is refused with wrong.
//
// The file is replaced in one step, and keeps its mode: a crash in here leaves the old
// file or the new one, and at worst a partial file beside it.
func rewrite(dir string, wrong error, change func(old []byte, want *Config) ([]byte, error)) error {
	path, err := filepath.EvalSymlinks(filepath.Join(dir, FileName))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	want, err := Parse(old)
	if err != nil {
		return err
	}
	text, err := change(old, &want)
	if err != nil {
		return err
	}
	if got, err := Parse(text); err != nil || !reflect.DeepEqual(got, want) {
		return wrong
	}
	if bytes.Equal(text, old) {
		return nil
	}
	return replace(path, text)
}

// replace replaces a file's text and keeps its mode.
func replace(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := (diskfile.Disk{}).WriteMode(filepath.Dir(path), filepath.Base(path), text, info.Mode().Perm()); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// The lines of the file that matter here, as Write writes them and as people usually
// leave them.
var (
	keepersLine = regexp.MustCompile(`(?m)^keepers:[ \t]*(#.*)?$`)
	remoteLine  = regexp.MustCompile(`(?m)^( +)(# )?remote:[ \t]*(\[\])?[ \t]*(#.*)?$`)
)

// withKeeper adds an entry at the beginning of the list.
func withKeeper(text string, k RemoteKeeper) string {
	group := keepersLine.FindStringIndex(text)
	if group == nil {
		return ""
	}
	entry := func(indent string) string {
		return fmt.Sprintf("\n%[1]s- id: %[2]s\n%[1]s  address: %[3]q\n%[1]s  admission: %[4]s", indent, k.ID, k.Address, k.Admission)
	}
	before, after := text[:group[1]], text[group[1]:]
	at := remoteLine.FindStringSubmatchIndex(after)
	if at == nil {
		return before + "\n  remote:" + entry("  ") + after
	}
	indent := after[at[2]:at[3]]
	return before + after[:at[0]] + indent + "remote:" + entry(itemIndent(after[at[1]:], indent)) + after[at[1]:]
}

// itemIndent returns the indentation of the existing entries.
func itemIndent(after, indent string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(after, "\n"), "\n")
	if bare := strings.TrimLeft(first, " "); strings.HasPrefix(bare, "- ") {
		return first[:len(first)-len(bare)]
	}
	return indent
}

// movedKeeper changes the address of an entry.
func movedKeeper(text string, old, k RemoteKeeper) string {
	entry := regexp.MustCompile(`(?m)^( *- id: +"?` + regexp.QuoteMeta(old.ID) + `"?\n +address: +)"?` + regexp.QuoteMeta(old.Address) + `"?$`)
	return entry.ReplaceAllString(text, "${1}"+strconv.Quote(k.Address))
}
