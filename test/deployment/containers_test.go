package deployment_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var images = flag.Bool("images", false, "build and start the images where an engine runs; make images does")

// instruction is one of a Containerfile, in the order in which they stand.
type instruction struct{ word, rest string }

// instructions reads a Containerfile: comments are left out, lines that end in a backslash
// go on.
func instructions(t *testing.T, file string) (out []instruction) {
	t.Helper()
	text := regexp.MustCompile(`\\\n`).ReplaceAllString(string(read(t, file)), " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, ok := strings.Cut(line, " ")
		if !ok || word != strings.ToUpper(word) {
			t.Fatalf("%s: no instruction: %q", file, line)
		}
		out = append(out, instruction{word, strings.TrimSpace(rest)})
	}
	return out
}

// faultsOf are what linters of Containerfiles complain of, by the numbers that hadolint has.
func faultsOf(list []instruction) (out []string) {
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}
	stages, user := []string{}, ""
	for _, i := range list {
		bad := func(rule string) { out = append(out, rule+": "+i.word+" "+i.rest) }
		words := strings.Fields(i.rest)
		if !slices.Contains(known, i.word) {
			bad("DL3020, DL3061 or a word that is not needed")
			continue
		}
		switch i.word {
		case "FROM":
			user = ""
			if words[0] != "scratch" && (!regexp.MustCompile(`:[0-9][\w.-]*$`).MatchString(words[0]) || !strings.Contains(words[0], "/")) {
				bad("DL3006, DL3007: want a release and its registry")
			}
			name := ""
			if len(words) == 3 && words[1] == "AS" {
				name = words[2]
			}
			stages = append(stages, name)
		case "WORKDIR":
			if !path.IsAbs(i.rest) {
				bad("DL3000: want an absolute directory")
			}
		case "COPY":
			if m := regexp.MustCompile(`--from=(\S+)`).FindStringSubmatch(i.rest); m != nil && (m[1] == "" || !slices.Contains(stages[:len(stages)-1], m[1])) {
				bad("DL3022: want an earlier stage")
			}
		case "RUN":
			if regexp.MustCompile(`\bsudo\b|\bcd\b|\|`).MatchString(i.rest) {
				bad("DL3003, DL3004, DL4006: no sudo, cd or pipe")
			}
			if regexp.MustCompile(`apt-get|apk |curl |wget `).MatchString(i.rest) {
				bad("DL3008, DL3018: nothing is fetched but the image")
			}
		case "USER":
			user, _, _ = strings.Cut(i.rest, ":")
		case "ENV":
			if regexp.MustCompile(`(?i)password|secret|token|pin=`).MatchString(i.rest) {
				bad("a secret in an image")
			}
		case "ENTRYPOINT", "CMD":
			var list []string
			if json.Unmarshal([]byte(i.rest), &list) != nil {
				bad("DL3025: want the form of JSON, so that signals arrive")
			}
		}
	}
	if n, err := strconv.Atoi(user); err != nil || n == 0 {
		out = append(out, "DL3002: the last stage wants a user by number, and not root: "+user)
	}
	return out
}

// TestContainerfilesAreInOrder: no fault in ours, and each in one that has it.
func TestContainerfilesAreInOrder(t *testing.T) {
	for _, name := range []string{"liuma", "liuma-keeper"} {
		for _, f := range faultsOf(instructions(t, "deploy/containers/Containerfile."+name)) {
			t.Errorf("Containerfile.%s: %s", name, f)
		}
	}
	good := []instruction{{"FROM", "docker.io/library/golang:1.26 AS build"}, {"FROM", "scratch"}, {"USER", "10001:10001"}}
	if f := faultsOf(good); len(f) > 0 {
		t.Fatalf("faults of what is in order: %v", f)
	}
	for _, bad := range []instruction{{"FROM", "docker.io/library/golang:latest"}, {"FROM", "golang"}, {"WORKDIR", "src"}, {"COPY", "--from=other /a /b"}, {"RUN", "sudo make"},
		{"RUN", "curl https://x | sh"}, {"RUN", "cd /src && make"}, {"USER", "root"}, {"USER", "0:0"}, {"ENV", "TOKEN=1"}, {"CMD", "serve"}, {"ADD", "https://x /x"}} {
		list := append(slices.Clone(good), bad)
		if bad.word == "FROM" {
			list = append(list, instruction{"USER", "10001"})
		}
		if len(faultsOf(list)) == 0 {
			t.Errorf("no fault is found in %s %s", bad.word, bad.rest)
		}
	}
}

// TestContainersAreAsTheUnits: image, compose file, unit and documents name one directory, and
// the ports that are published are those of the documents; what the builder copies leaves out
// what no build needs.
func TestContainersAreAsTheUnits(t *testing.T) {
	compose, install := string(read(t, "deploy/containers/compose.yml")), string(read(t, "docs/OPERATIONS.md"))
	for _, name := range []string{"liuma", "liuma-keeper"} {
		home := "/var/lib/" + name
		unit := string(read(t, "deploy/systemd/"+name+".service"))
		var volume, dir string
		for _, i := range instructions(t, "deploy/containers/Containerfile."+name) {
			switch i.word {
			case "VOLUME":
				volume = i.rest
			case "ENV":
				_, dir, _ = strings.Cut(i.rest, "=")
			case "RUN":
				built := regexp.MustCompile(`\./cmd/\S+`).FindString(i.rest)
				if _, err := os.Stat(filepath.Join(root, built)); built == "" || err != nil {
					t.Errorf("Containerfile.%s builds what is not there: %q, %v", name, built, err)
				}
			}
		}
		if volume != home || !strings.HasPrefix(dir, home) || !strings.Contains(unit, "\nStateDirectory="+name+"\n") {
			t.Errorf("%s: volume %s, directory %s, want both in %s as in the unit", name, volume, dir, home)
		}
		if !strings.Contains(unit, " --data "+dir+" ") && !strings.Contains(unit, "="+dir+"\n") {
			t.Errorf("the unit of %s has another directory than %s", name, dir)
		}
		if !strings.Contains(compose, ":"+volume+`"]`) {
			t.Errorf("no service of compose.yml has its volume at %s", volume)
		}
	}
	for _, m := range regexp.MustCompile(`127\.0\.0\.1:(\d+):(\d+)`).FindAllStringSubmatch(compose, -1) {
		if m[1] != m[2] || !strings.Contains(install, "-listen 127.0.0.1:"+m[1]) || !strings.Contains(compose, "-listen 0.0.0.0:"+m[2]) {
			t.Errorf("compose.yml publishes %s as %s, which no door of docs/OPERATIONS.md or of its own first lines listens at", m[2], m[1])
		}
	}
	ignored := string(read(t, ".containerignore"))
	if ignored != string(read(t, ".dockerignore")) || !strings.Contains(ignored, ".git\n") || !strings.Contains(ignored, "web/node_modules") {
		t.Error(".containerignore and .dockerignore differ, or let in what no build needs")
	}
}

// engine is a program that builds images and can: one whose daemon is away is none.
func engine() string {
	for _, name := range []string{"podman", "docker", "buildah"} {
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := exec.CommandContext(ctx, name, "info").Run()
		cancel()
		if err == nil {
			return name
		}
	}
	return ""
}

// TestImages builds both images where an engine runs, and starts their programs.
func TestImages(t *testing.T) {
	if !*images {
		t.Skip("make images builds them")
	}
	with := engine()
	if with == "" {
		t.Skip("neither Podman nor Docker nor Buildah runs here: the files were only read")
	}
	for _, name := range []string{"liuma", "liuma-keeper"} {
		tag := name + ":tried"
		build := exec.CommandContext(t.Context(), with, "build", "-f", "deploy/containers/Containerfile."+name, "-t", tag, ".")
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if with == "buildah" {
			continue // it runs none
		}
		out, err := exec.CommandContext(t.Context(), with, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", tag, "version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), name) {
			t.Errorf("%s version: %v\n%s", name, err, out)
		}
	}
}

// TestHealthIsAsked: what is in front asks whether a door is ready, what restarts asks whether
// it lives, and not the other way round; and the numbers' port is the documents' own.
func TestHealthIsAsked(t *testing.T) {
	front := string(read(t, "examples/haproxy/haproxy.cfg"))
	if !strings.Contains(front, "option httpchk GET /readyz\n") || strings.Contains(front, "/healthz") {
		t.Error("haproxy.cfg does not ask /readyz alone")
	}
	restarts := string(read(t, "deploy/systemd/liuma-alive.service"))
	if !strings.Contains(restarts, "Environment=LIUMA_ALIVE=http://127.0.0.1:8690/healthz\n") || !strings.Contains(restarts, "systemctl restart liuma.service") {
		t.Error("liuma-alive.service does not ask /healthz")
	}
	if haproxy, err := exec.LookPath("haproxy"); err == nil {
		checked := filepath.Join(t.TempDir(), "haproxy.cfg")
		text := strings.ReplaceAll(strings.ReplaceAll(front, "s1.example", "127.0.0.1"), "s2.example", "127.0.0.1")
		text = strings.NewReplacer(" ca-file /etc/haproxy/liuma-ca.pem", "", "verify required", "verify none").Replace(text)
		if err := os.WriteFile(checked, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(haproxy, "-c", "-f", checked).CombinedOutput(); err != nil {
			t.Errorf("haproxy -c: %v\n%s", err, out)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here: the timer was only read")
		return
	}
	for _, unit := range []string{"liuma-alive.service", "liuma-alive.timer"} {
		out, _ := exec.Command(analyze, "verify", "--man=no", filepath.Join(root, "deploy/systemd", unit)).CombinedOutput() // it complains of units that are not installed here
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, unit) && !strings.Contains(line, "liuma.service") {
				t.Errorf("%s", line)
			}
		}
	}
}
