//go:build unix

package keeper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// TestAPlantedDirectory: where another account could put something before a keeper's
// directory is made, nothing of it is taken over, and no mode is changed through a link.
func TestAPlantedDirectory(t *testing.T) {
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	full := func(name string) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "keys.lock"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	planted, other := full("keeper"), full("other")
	link := filepath.Join(t.TempDir(), "keeper")
	if err := os.Symlink(other, link); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"files in it": planted, "a link": link} {
		if err := MakePrivate(dir); !errors.Is(err, ErrMode) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := MakeKeyFile(diskfile.Disk{}, dir, "k1", nil); !errors.Is(err, ErrMode) {
			t.Errorf("%s: a key file is made: %v", what, err)
		}
		if m := mode(dir); m != 0o755 {
			t.Errorf("%s: its mode is %o", what, m)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := errors.Join(os.Mkdir(empty, 0o755), os.Chmod(empty, 0o777)); err != nil { //nolint:gosec // it is a trial
		t.Fatal(err)
	}
	if err := errors.Join(MakePrivate(empty), MakePrivate(empty)); err != nil || mode(empty) != 0o700 {
		t.Errorf("an empty one: %v, mode %o", err, mode(empty))
	}
	if os.Geteuid() != 0 {
		return
	}
	theirs := full("theirs")
	if err := errors.Join(os.Chmod(theirs, 0o700), os.Chown(theirs, 61001, 61001)); err != nil {
		t.Fatal(err)
	}
	if err := MakePrivate(theirs); !errors.Is(err, ErrOwner) {
		t.Errorf("another account's: %v", err)
	}
}
