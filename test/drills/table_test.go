package drills

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// rule is an alert as deploy/prometheus/alerts.yml has it.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts() (out []rule, err error) {
	raw, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/alerts.yml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out, nil
}

// row is one of docs/RUNBOOKS.md.
type row struct {
	runbook string   // docs/INCIDENTS.md#a-seal-key
	alerts  []string // that lead there
	drills  []string // scripts, or tests as test/faults.TestEachFault
}

// table reads docs/RUNBOOKS.md: runbook, how it shows, alerts, drill.
func table(t *testing.T) (out []row) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs/RUNBOOKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	link, code := regexp.MustCompile(`\]\(([^)]+)\)`), regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(line, "|") // an empty one before the first bar
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " [") {
			continue
		}
		r := row{runbook: "docs/" + link.FindStringSubmatch(cells[1])[1]}
		for _, m := range code.FindAllStringSubmatch(cells[3], -1) {
			r.alerts = append(r.alerts, m[1])
		}
		for _, m := range code.FindAllStringSubmatch(cells[4], -1) {
			r.drills = append(r.drills, m[1])
		}
		out = append(out, r)
	}
	if len(out) < 30 {
		t.Fatalf("%d runbooks", len(out))
	}
	return out
}

// TestTable holds docs/RUNBOOKS.md against the documents, the alerts and the drills: each of
// them is there, and nothing is left out.
func TestTable(t *testing.T) {
	rows := table(t)
	rules, err := alerts()
	if err != nil {
		t.Fatal(err)
	}
	led := map[string]string{} // alert to its runbook
	played := map[string]bool{}
	for _, r := range rows {
		if _, err := readRunbook(r.runbook); err != nil {
			t.Error(err)
		}
		if len(r.drills) == 0 {
			t.Errorf("%s has no drill", r.runbook)
		}
		for _, a := range r.alerts {
			if led[a] != "" {
				t.Errorf("%s stands at %s and at %s", a, led[a], r.runbook)
			}
			led[a] = r.runbook
		}
		for _, d := range r.drills {
			if !exists(d) {
				t.Errorf("%s: there is no drill %s", r.runbook, d)
			}
			played[d] = true
		}
	}
	for _, rule := range rules {
		if led[rule.Alert] != rule.Annotations["runbook"] {
			t.Errorf("%s leads to %s, and the table has it at %q", rule.Alert, rule.Annotations["runbook"], led[rule.Alert])
		}
		delete(led, rule.Alert)
		i := slices.IndexFunc(rows, func(r row) bool { return slices.Contains(r.alerts, rule.Alert) })
		if i >= 0 && !slices.Contains(rows[i].drills, rule.Annotations["drill"]) {
			t.Errorf("%s names the drill %q, its runbook %q", rule.Alert, rule.Annotations["drill"], rows[i].drills)
		}
	}
	for a, r := range led {
		t.Errorf("%s: there is no alert %s", r, a)
	}
	for _, s := range scripts(t) {
		if name := strings.TrimSuffix(filepath.Base(s), ".txtar"); !played[name] {
			t.Errorf("no runbook names the drill %s", name)
		}
	}
}

// exists says whether a drill is a script, or a test of another package.
func exists(drill string) bool {
	dir, test, ok := strings.Cut(drill, ".Test")
	if !ok {
		_, err := os.Stat(filepath.Join("scripts", drill+".txtar"))
		return err == nil
	}
	var script string
	if test, script, ok = strings.Cut(test, "/"); ok {
		found, _ := filepath.Glob(filepath.Join(root, dir, "testdata/*", script+".txtar"))
		if len(found) == 0 {
			return false
		}
	}
	files, _ := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	for _, f := range files {
		if raw, err := os.ReadFile(f); err == nil && strings.Contains(string(raw), "\nfunc Test"+test+"(") {
			return true
		}
	}
	return false
}

// TestRunbooksAreListed: a section that is a runbook by its document or its heading has a
// row: all of INCIDENTS, and whatever is called a runbook elsewhere.
func TestRunbooksAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range table(t) {
		listed[r.runbook] = true
	}
	for _, doc := range []string{"OPERATIONS.md", "KEEPERS.md", "POSTGRES.md", "HSM.md", "INCIDENTS.md"} {
		raw, err := os.ReadFile(filepath.Join(root, "docs", doc))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if !strings.HasPrefix(line, "## ") && !strings.HasPrefix(line, "### ") {
				continue
			}
			h := strings.ToLower(line)
			is := doc == "INCIDENTS.md" || strings.Contains(h, "runbook") || strings.Contains(h, "lost") || strings.Contains(h, "stolen") || strings.Contains(h, "when ") || strings.Contains(h, " gone")
			if is && !listed["docs/"+doc+"#"+anchor(line)] {
				t.Errorf("docs/RUNBOOKS.md has no row for %q of %s", strings.TrimSpace(line), doc)
			}
		}
	}
}

// TestScriptsType: what a script types and where is in the documents, also of drills that
// are not played now.
func TestScriptsType(t *testing.T) {
	quoted := regexp.MustCompile(`^(!? ?types|leaves) '((?:[^']|'')*)'`)
	at := map[string][]string{}
	for _, r := range table(t) {
		for _, d := range r.drills {
			at[d] = append(at[d], r.runbook)
		}
	}
	for _, file := range scripts(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		var open []runbook
		did := map[string]bool{}
		for line := range strings.Lines(string(raw)) {
			if link, ok := strings.CutPrefix(strings.TrimSpace(line), "runbook "); ok {
				link = strings.Trim(link, "'") // a # begins a comment
				b, err := readRunbook(link)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if !slices.Contains(at[name], link) {
					t.Errorf("%s opens %s, whose row does not name it", name, link)
				}
				open = append(open, b)
			}
			m := quoted.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			command := strings.ReplaceAll(m[2], "''", "'")
			if len(open) == 0 || !slices.Contains(open[len(open)-1].commands, command) {
				t.Errorf("%s: %q is not printed in its runbook", name, command)
				continue
			}
			did[open[len(open)-1].name+command] = true
		}
		if len(open) == 0 {
			t.Errorf("%s opens no runbook", name)
		}
		for _, b := range open {
			for _, c := range b.commands {
				if !did[b.name+c] {
					t.Errorf("%s: %s prints %q, which the drill neither types nor leaves with a reason", name, b.name, c)
				}
			}
		}
	}
}
