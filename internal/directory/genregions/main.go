// Command genregions makes the list of regions from the revisions of GB/T 2260
// that the npm package gb2260 has. It guarantees that every code of every
// revision is in the list, once, and writes nothing if a revision is malformed.
// It trusts the package for codes and names, names a successor of an
// abolished code only where one new code of the same province bears its name, and
// spells names in Latin letters by the readings that the search of agencies has.
//
// Unpack the package beside the list (npm pack gb2260@0.6.0), and run
// go generate ./internal/directory.
//
// Start here: main.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const out = "regions.txt"

// revision is one list: code to name.
type revision map[string]string

func main() {
	err := errors.New("usage: genregions DIRECTORY of the package's lists")
	if len(os.Args) == 2 {
		err = run(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "genregions:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "[0-9]*.json"))
	if err != nil || len(files) < 2 {
		return errors.Join(err, fmt.Errorf("no revisions in %s", dir))
	}
	slices.Sort(files)
	var dates []string
	var all []revision
	for _, f := range files {
		r, err := read(f)
		if err != nil {
			return err
		}
		dates, all = append(dates, strings.TrimSuffix(filepath.Base(f), ".json")), append(all, r)
	}
	others := revision{"710000": "台湾省"}
	for _, f := range []string{"hongkong-201512.json", "macao-201512.json"} {
		r, err := read(filepath.Join(dir, f))
		if err != nil {
			return err
		}
		maps.Copy(others, r)
	}
	for _, r := range all {
		maps.Copy(r, others)
	}
	return os.WriteFile(out, []byte(list(dates, all)), 0o644)
}

var codePattern = regexp.MustCompile(`^[1-9][0-9]{5}$`)

func read(file string) (revision, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r revision
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for code, name := range r {
		if !codePattern.MatchString(code) || name == "" || strings.ContainsAny(name, ",\n") {
			return nil, fmt.Errorf("%s: %q %q", file, code, name)
		}
	}
	return r, nil
}

// list has a line for each code: the code, its last name, of an abolished one the first
// revision without it and its successor, if that is known, and its name in Latin letters.
func list(dates []string, all []revision) string {
	last := len(all) - 1
	seen := map[string]int{} // the last revision that has a code
	for i, r := range all {
		for code := range r {
			seen[code] = i
		}
	}
	var b strings.Builder
	spell := newSpeller()
	for _, code := range slices.Sorted(maps.Keys(seen)) {
		i := seen[code]
		cells := []string{code, all[i][code], "", "", spell.latin(code, all[i][code])}
		if i < last {
			cells[2], cells[3] = dates[i+1], successor(code, all[i], all[i+1])
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, ","), ",") + "\n")
	}
	return b.String()
}

// successor is the one code of the province that is new in the next revision and
// bears the name, as county, city or district.
func successor(code string, before, after revision) string {
	var found []string
	for next, name := range after {
		if _, old := before[next]; !old && next[:2] == code[:2] && stem(name) == stem(before[code]) {
			found = append(found, next)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

func stem(name string) string {
	for _, end := range []string{"自治县", "自治州", "地区", "市", "区", "县", "盟", "旗"} {
		if s, ok := strings.CutSuffix(name, end); ok && len(s) >= len("东丽") {
			return s
		}
	}
	return name
}
