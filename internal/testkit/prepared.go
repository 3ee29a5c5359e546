package testkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/server"
)

// Making a data directory is half of what opening a small world costs: keys, and
// every migration of each database, with a sync for each. The first world of a test
// therefore begins with a copy of a directory that server.Init made in this process,
// one for each shape of keepers, with no configuration of its own. All further ones
// of the same test are made anew, so that no two worlds of one test share a key.

// prepared are the files of new data directories, by the shape of their keepers.
var prepared struct {
	mu    sync.Mutex
	files map[string]map[string][]byte // guarded by mu
	begun map[string]bool              // tests that have a world; guarded by mu
}

// firstOf reports whether neither the test nor one around it has a world yet.
func firstOf(t testing.TB) bool {
	prepared.mu.Lock()
	defer prepared.mu.Unlock()
	if prepared.begun == nil {
		prepared.begun = map[string]bool{}
	}
	name := t.Name()
	for around := name; ; {
		if prepared.begun[around] {
			return false
		}
		end := strings.LastIndexByte(around, '/')
		if end < 0 {
			break
		}
		around = around[:end]
	}
	prepared.begun[name] = true
	t.Cleanup(func() { // the same test again begins anew
		prepared.mu.Lock()
		defer prepared.mu.Unlock()
		delete(prepared.begun, name)
	})
	return true
}

// initPrepared does what server.Init does for a configuration whose paths are the
// usual ones.
func initPrepared(ctx context.Context, dir string, c config.Config) error {
	files, err := filesOf(ctx, c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("testkit: %s is not empty", dir)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return err
		}
	}
	return config.Write(dir, c)
}

// filesOf are the files of a new data directory but its configuration.
func filesOf(ctx context.Context, c config.Config) (map[string][]byte, error) {
	prepared.mu.Lock()
	defer prepared.mu.Unlock()
	if files := prepared.files[c.Keepers.Shape]; files != nil {
		return files, nil
	}
	dir, err := os.MkdirTemp("", "liuma-prepared-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := server.Init(ctx, dir, c); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == config.FileName {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if prepared.files == nil {
		prepared.files = map[string]map[string][]byte{}
	}
	prepared.files[c.Keepers.Shape] = files
	return files, nil
}
