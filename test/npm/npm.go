// Package npm installs the packages of npm that tests need: those of one directory, as its
// package-lock.json lists them. It trusts npm and the checksums in that list, and runs no
// script of a package.
//
// Start here: Install.
package npm

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Install sees to it that every listed package is in dir's node_modules. What is there and
// whole is not installed again; what has another version, or was copied in part, is. The packages of one directory are for one process at a time.
func Install(dir string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	err := whole(dir)
	if err == nil {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, failed := cmd.CombinedOutput(); failed != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", dir, failed, out)
	}
	return whole(dir)
}

// list is a package-lock.json, or the list that npm leaves in node_modules: by path.
type list struct {
	Packages map[string]struct {
		Version  string `json:"version"`
		Optional bool   `json:"optional"` // for other machines, mostly
	} `json:"packages"`
}

func read(path string) (l list, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// whole says what is missing in node_modules, or is of another version than wanted.
func whole(dir string) error {
	wanted, err := read(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	installed, err := read(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err != nil {
		return err
	}
	for name, want := range wanted.Packages {
		have, ok := installed.Packages[name]
		if name == "" || !ok && want.Optional {
			continue // the directory itself
		}
		if have.Version != want.Version {
			return fmt.Errorf("npm: %s: have version %q, want %q", name, have.Version, want.Version)
		}
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name), "package.json")); err != nil {
			return err
		}
	}
	return nil
}
