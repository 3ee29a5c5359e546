// Package deployment_test holds the files under deploy against what they are about: alert
// rules and the dashboard against the metrics of the programs and the runbooks, units and
// images against what the documents promise, the Debian package against dpkg. Where an engine
// runs, make images has it build and start the images; elsewhere the files are read alone.
//
// Start here: TestAlerts.
package deployment_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/liuma-pin/liuma/internal/metrics"
)

const root = "../.."

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// known are the authority's metrics; a histogram has three names. Those of a keeper are
// checked where a keeper runs (internal/keeper/host).
func known() map[string]bool {
	out := map[string]bool{}
	for _, m := range metrics.New("x").All() {
		out[m.Name] = true
		if m.Kind == "histogram" {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				out[m.Name+end] = true
			}
		}
	}
	return out
}

// checkNames complains of metrics in an expression that the authority does not have.
func checkNames(t *testing.T, where, expr string) {
	t.Helper()
	names := regexp.MustCompile(`\bliuma_[a-z_]+`).FindAllString(expr, -1)
	if len(names) == 0 && !strings.Contains(expr, "process_") && !strings.Contains(expr, "go_") {
		t.Errorf("%s reads no metric: %s", where, expr)
	}
	have := known()
	for _, n := range names {
		if !have[n] && !strings.HasPrefix(n, "liuma_keeper_") {
			t.Errorf("%s: there is no %s", where, n)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: %s do not pair: %s", where, pair, expr)
		}
	}
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) (out []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(read(t, "deploy/prometheus/alerts.yml"), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

// anchor is what a heading of Markdown is linked by.
func anchor(heading string) string {
	h := strings.ToLower(strings.TrimLeft(heading, "# "))
	h = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(h, "")
	return strings.ReplaceAll(h, " ", "-")
}

// TestAlerts: each reads metrics that there are, says in both languages what is wrong, how
// urgent it is, and which runbook helps; and that runbook is there.
func TestAlerts(t *testing.T) {
	all := rules(t)
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Liuma") {
			t.Errorf("%s stands there twice, or has another beginning", r.Alert)
		}
		seen[r.Alert] = true
		checkNames(t, r.Alert, r.Expr)
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["summary_zh"] == "" {
			t.Errorf("%s does not say what is wrong", r.Alert)
		}
		path, section, ok := strings.Cut(r.Annotations["runbook"], "#")
		if !ok || !strings.HasPrefix(path, "docs/") {
			t.Errorf("%s: runbook %q", r.Alert, r.Annotations["runbook"])
			continue
		}
		found := false
		for line := range strings.Lines(string(read(t, path))) {
			found = found || strings.HasPrefix(line, "#") && anchor(strings.TrimSpace(line)) == section
		}
		if !found {
			t.Errorf("%s: %s has no section %s", r.Alert, path, section)
		}
	}
}

// TestDashboard: Grafana's form, panels that do not lie over one another, and metrics that
// there are.
func TestDashboard(t *testing.T) {
	type place struct{ H, W, X, Y int }
	var d struct {
		UID, Title string
		Panels     []struct {
			ID          int
			Type, Title string
			GridPos     place
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "deploy/grafana/liuma.json"), &d); err != nil || d.UID != "liuma" || len(d.Panels) < 20 {
		t.Fatalf("%v: %s, %d panels", err, d.UID, len(d.Panels))
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: %+v", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", p.Title, q.Title)
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkNames(t, p.Title, target.Expr)
		}
	}
}

// TestUnits: systemd itself takes them where it is here; and each has what keeps a PIN in
// memory from the disk, and the process from everything but its directory.
func TestUnits(t *testing.T) {
	for _, name := range []string{"liuma", "liuma-keeper"} {
		path := filepath.Join("deploy/systemd", name+".service")
		text := string(read(t, path))
		for _, want := range []string{"User=" + name, "LimitCORE=0", "MemorySwapMax=0", "UMask=0077", "NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=/var/lib/" + name,
			"StateDirectoryMode=0700", "CapabilityBoundingSet=", "PrivateDevices=yes", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "Restart=always"} {
			if !slices.Contains(strings.Split(text, "\n"), want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
		// The clock reads there which start of the machine this is, and Go how many connections may wait.
		if strings.Contains(text, "\nProcSubset=pid\n") || strings.Contains(text, "\nInaccessiblePaths=/proc") {
			t.Errorf("%s hides /proc/sys", path)
		}
		analyze, err := exec.LookPath("systemd-analyze")
		if err != nil {
			t.Log("systemd-analyze is not here: the unit was only read")
			continue
		}
		// It looks for the program, which is not installed here.
		copied := filepath.Join(t.TempDir(), name+".service")
		if err := os.WriteFile(copied, []byte(strings.Replace(text, "ExecStart=/usr/bin/"+name, "ExecStart=/bin/true", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(analyze, "verify", "--man=no", copied).CombinedOutput(); err != nil || strings.Contains(string(out), name+".service:") {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
		if out, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", copied).CombinedOutput(); err != nil {
			t.Errorf("%s is exposed more than 2.0 of 10: %v\n%s", path, err, out)
		}
	}
}

// TestContainers: images of one program that runs as nobody in particular, from the Go
// release of go.mod; and a shape in which no keeper reaches the outside.
func TestContainers(t *testing.T) {
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(read(t, "go.mod"))[1]
	for _, name := range []string{"liuma", "liuma-keeper"} {
		text := string(read(t, "deploy/containers/Containerfile."+name))
		for _, want := range []string{"golang:" + string(release) + " AS build", "FROM scratch\n", "CGO_ENABLED=0", "./cmd/" + name + " ", "USER 10001:10001", `ENTRYPOINT ["/usr/bin/` + name + `"]`} {
			if !strings.Contains(text, want) {
				t.Errorf("Containerfile.%s lacks %q", name, want)
			}
		}
		if strings.Contains(text, "ADD ") || strings.Contains(text, ":latest") {
			t.Errorf("Containerfile.%s takes what is not here", name)
		}
	}
	var shape struct {
		Services map[string]struct {
			ReadOnly bool     `yaml:"read_only"`
			CapDrop  []string `yaml:"cap_drop"`
			Networks []string `yaml:"networks"`
			Ports    []string `yaml:"ports"`
			Volumes  []string `yaml:"volumes"`
			Build    struct {
				Dockerfile string `yaml:"dockerfile"`
			} `yaml:"build"`
		} `yaml:"services"`
		Networks map[string]struct {
			Internal bool `yaml:"internal"`
		} `yaml:"networks"`
		Volumes map[string]any `yaml:"volumes"`
	}
	if err := yaml.Unmarshal(read(t, "deploy/containers/compose.yml"), &shape); err != nil {
		t.Fatal(err)
	}
	if len(shape.Services) != 4 {
		t.Fatalf("%d services", len(shape.Services))
	}
	for name, s := range shape.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.Volumes) != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		if _, err := os.Stat(filepath.Join(root, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		volume, _, _ := strings.Cut(s.Volumes[0], ":")
		if _, ok := shape.Volumes[volume]; !ok || volume != name {
			t.Errorf("%s: volume %s", name, volume)
		}
		for _, n := range s.Networks {
			if net, ok := shape.Networks[n]; !ok || name != "authority" && !net.Internal {
				t.Errorf("%s: network %s", name, n)
			}
		}
		if name != "authority" && len(s.Ports) > 0 {
			t.Errorf("%s is reached from outside", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s", name, p)
			}
		}
	}
}

// TestDebianPackage: both packages are made, unpacked by dpkg, and their programs run; made
// again, they are the same.
func TestDebianPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both programs")
	}
	for _, need := range []string{"dpkg-deb", "dpkg"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skip(need + " is not here")
		}
	}
	dir := t.TempDir()
	arch, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"liuma", "liuma-keeper"} {
		program := filepath.Join(dir, name)
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./cmd/"+name)
		build.Dir = root // as the other tests build it: what is tried is the package
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var made [2][]byte
		for i := range made {
			deb := filepath.Join(dir, name+".deb")
			pack := exec.Command(filepath.Join(root, ".ci/debian"), program, name, strings.TrimSpace(string(arch)), "v0.2.0-rc1", deb)
			pack.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1796000000", "DEB_LEVEL=0")
			if out, err := pack.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if made[i], err = os.ReadFile(deb); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(made[0], made[1]) {
			t.Errorf("%s: made again, it is another", name)
		}
		said, err := exec.Command("dpkg-deb", "--field", filepath.Join(dir, name+".deb"), "Package", "Version").Output()
		if err != nil || !strings.Contains(string(said), "Package: "+name+"\n") || !strings.Contains(string(said), "0.2.0~rc1") {
			t.Errorf("%v\n%s", err, said)
		}
		into := filepath.Join(dir, "root-"+name)
		if out, err := exec.Command("dpkg-deb", "--extract", filepath.Join(dir, name+".deb"), into).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, path := range []string{"lib/systemd/system/" + name + ".service", "usr/share/man/man1/" + name + ".1.gz", "usr/share/doc/" + name + "/copyright"} {
			if _, err := os.Stat(filepath.Join(into, path)); err != nil {
				t.Error(err)
			}
		}
		if out, err := exec.Command(filepath.Join(into, "usr/bin", name), "version").CombinedOutput(); err != nil || !strings.Contains(string(out), name) {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestEachAlertIsTried: promtool has series that make it ring and series that do not, with
// the sentences that it has; and docs/RUNBOOKS.md says why its threshold is what it is.
func TestEachAlertIsTried(t *testing.T) {
	var tried struct {
		Tests []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert string `yaml:"alertname"`
				Want  []struct {
					Annotations map[string]string `yaml:"exp_annotations"`
				} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(read(t, "deploy/prometheus/alerts_test.yml"), &tried); err != nil {
		t.Fatal(err)
	}
	rings, quiet := map[string]map[string]string{}, map[string]bool{}
	for _, one := range tried.Tests {
		for _, r := range one.Rules {
			if len(r.Want) == 0 {
				quiet[r.Alert] = true
				continue
			}
			rings[r.Alert] = r.Want[0].Annotations
		}
	}
	reasons := string(read(t, "docs/RUNBOOKS.md"))
	for _, r := range rules(t) {
		if rings[r.Alert] == nil || !quiet[r.Alert] {
			t.Errorf("%s is not tried both ways", r.Alert)
		}
		for _, word := range []string{"runbook", "drill"} {
			if rings[r.Alert][word] != r.Annotations[word] {
				t.Errorf("%s: %s is %q in its trial, want %q", r.Alert, word, rings[r.Alert][word], r.Annotations[word])
			}
		}
		if !regexp.MustCompile("(?m)^\\| `" + r.Alert + "` \\| [^|]+ \\| [^|]{15,} \\|$").MatchString(reasons) {
			t.Errorf("docs/RUNBOOKS.md does not say why %s rings when it does", r.Alert)
		}
	}
}
