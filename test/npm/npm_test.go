package npm

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhole: a directory is whole with each package that npm left on its list.
func TestWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(t *testing.T, dir string)
		whole  bool
	}{
		"whole":             {func(*testing.T, string) {}, true},
		"not installed":     {func(t *testing.T, dir string) { remove(t, dir, "node_modules") }, false},
		"emptied":           {func(t *testing.T, dir string) { remove(t, dir, "node_modules/one") }, false},
		"a part is missing": {func(t *testing.T, dir string) { remove(t, dir, "node_modules/@of/two/package.json") }, false},
		"list is not JSON":  {func(t *testing.T, dir string) { write(t, dir, "node_modules/.package-lock.json", "{") }, false},
		"no list of wanted": {func(t *testing.T, dir string) { remove(t, dir, "package-lock.json") }, false},
		"another version": {func(t *testing.T, dir string) {
			write(t, dir, "package-lock.json", `{"packages": {"node_modules/one": {"version": "2.0.0"}}}`)
		}, false},
		"one more wanted": {func(t *testing.T, dir string) {
			write(t, dir, "package-lock.json", `{"packages": {"node_modules/four": {"version": "1.0.0"}}}`)
		}, false},
		"for other machines": {func(t *testing.T, dir string) {
			write(t, dir, "package-lock.json", `{"packages": {"node_modules/four": {"version": "1.0.0", "optional": true}}}`)
		}, true},
		"something of one's": {func(t *testing.T, dir string) { write(t, dir, "node_modules/three/package.json", "{}") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			list := `{"packages": {"": {}, "node_modules/one": {"version": "1.0.0"}, "node_modules/@of/two": {"version": "1.1.0"}}}`
			write(t, dir, "package-lock.json", list)
			write(t, dir, "node_modules/one/package.json", "{}")
			write(t, dir, "node_modules/@of/two/package.json", "{}")
			write(t, dir, "node_modules/.package-lock.json", list)
			tt.change(t, dir)
			if err := whole(dir); (err == nil) != tt.whole {
				t.Errorf("%v; want whole: %v", err, tt.whole)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}
