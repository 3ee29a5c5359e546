package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func remoteConfig() Config {
	c := Default()
	c.Keepers = Keepers{Shape: "2/3", Key: KeyFile()}
	return c
}

func entry(id, address string) RemoteKeeper {
	return RemoteKeeper{ID: id, Address: address, Admission: AdmissionFile(id)}
}

func TestKeepersAreHereOrElsewhere(t *testing.T) {
	const one = "{id: k1, address: 'k1.example:7601', admission: a}"
	for _, c := range []struct{ name, yaml, want string }{
		{"here", "keepers: {shape: 2/3}", ""},
		{"elsewhere, none named yet", "keepers: {shape: 2/3, key: a.key}", ""},
		{"elsewhere", "keepers: {shape: 2/3, key: a.key, key_set: 2, remote: [" + one + "]}", ""},
		{"both", "keepers: {shape: 1/1, key: a.key, directories: [a]}", "want one of them"},
		{"no key", "keepers: {shape: 2/3, remote: [" + one + "]}", "keepers.key"},
		{"a key set of those here", "keepers: {shape: 1/1, key_set: 2}", "keepers.key_set"},
		{"too many", "keepers: {shape: 1/1, key: a.key, remote: [" + one + ", {id: k2, address: 'k2.example:1', admission: b}]}", "2 given"},
		{"an id twice", "keepers: {shape: 2/3, key: a.key, remote: [" + one + ", {id: k1, address: 'k2.example:1', admission: b}]}", "twice"},
		{"an address twice", "keepers: {shape: 2/3, key: a.key, remote: [" + one + ", {id: k2, address: 'k1.example:7601', admission: b}]}", "twice"},
		{"no port", "keepers: {shape: 2/3, key: a.key, remote: [{id: k1, address: k1.example, admission: a}]}", "host:port"},
		{"no admission", "keepers: {shape: 2/3, key: a.key, remote: [{id: k1, address: 'k1.example:1'}]}", "admission"},
		{"no name", "keepers: {shape: 2/3, key: a.key, remote: [{id: 'K 1', address: 'k1.example:1', admission: a}]}", "K 1"},
		{"another member", "keepers: {shape: 2/3, key: a.key, remote: [{id: k1, port: 1}]}", "port"},
	} {
		_, err := Parse([]byte(c.yaml))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got, err := Parse([]byte("keepers: {shape: 2/3, key: a.key}")); err != nil || got.Keepers.Directories != nil {
		t.Errorf("%+v, %v", got.Keepers, err)
	}
}

// TestAddKeeper: entries come one by one, in the file that init wrote and in one that a
// person keeps, and nothing else in it changes.
func TestAddKeeper(t *testing.T) {
	written := t.TempDir()
	if err := Write(written, remoteConfig()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(written, FileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as init wrote it":  string(raw),
		"short":             "# ours\nkeepers:\n  shape: 2/3 # three\n  key: keepers/authority.key\nlog: warn\n",
		"an empty list":     "keepers:\n  key: keepers/authority.key\n  remote: []\n  shape: 2/3\n",
		"indented entries":  "keepers:\n    shape: 2/3\n    key: keepers/authority.key\n    remote:\n      - id: k9\n        address: k9.example:1\n        admission: a\n",
		"a comment at hand": "keepers: # there\n  shape: 2/3\n  # remote:\n  key: keepers/authority.key\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		want, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		add := func(k RemoteKeeper, again bool) {
			t.Helper()
			if err := AddKeeper(dir, k); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !again {
				want.Keepers.Remote = append([]RemoteKeeper{k}, want.Keepers.Remote...)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse(got)
			if err != nil || !reflect.DeepEqual(c, want) {
				t.Fatalf("%s: %+v, %v\n%s", name, c.Keepers, err, got)
			}
			for line := range strings.Lines(text) { // remote's own line may change
				if !strings.Contains(line, "remote:") && !strings.Contains(string(got), line) {
					t.Errorf("%s: %q is gone from\n%s", name, line, got)
				}
			}
		}
		add(entry("k1", "k1.example:7601"), false)
		add(entry("k2", "10.0.0.2:7601"), false)
		add(entry("k1", "k1.example:7601"), true)
		want.Keepers.Remote[1].Address = "[::1]:7601"
		if name == "indented entries" {
			continue
		}
		add(entry("k1", "[::1]:7601"), true)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestAddKeeperLeavesWhatItCannotChange(t *testing.T) {
	for name, text := range map[string]string{
		"in one line":   "keepers: {shape: 2/3, key: keepers/authority.key}\n",
		"keepers here":  "keepers:\n  shape: 2/3\n",
		"all are there": "keepers:\n  shape: 1/1\n  key: a\n  remote:\n  - id: k1\n    address: a:1\n    admission: b\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := AddKeeper(dir, entry("k2", "k2.example:1"))
		got, rerr := os.ReadFile(path)
		if err == nil || errors.Is(err, ErrEdit) != (name == "in one line") || rerr != nil || string(got) != text {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}
