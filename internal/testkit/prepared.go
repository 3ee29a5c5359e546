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

// Making a data directory takes half of the time to open a small world: keys, and every
// migration of each database, with a sync for each. So worlds of tests begin with copies
// of directories that server.Init made in this process, with no configuration of their
// own. The first world of a test uses the first such directory for its shape of keepers,
// the second another, so that no two worlds of one test share a key.

// prepared are the files of new data directories, by the shape of their keepers.
var prepared struct {
	mu    sync.Mutex
	files map[string][]map[string][]byte // guarded by mu
	begun map[string]int                 // how many worlds a test has; guarded by mu
}

// mostPrepared is the most prepared directories of a shape. Further worlds of a test make
// new ones.
const mostPrepared = 24

// worldsOf is how many worlds the test and those around it had so far.
func worldsOf(t testing.TB) (n int) {
	prepared.mu.Lock()
	defer prepared.mu.Unlock()
	if prepared.begun == nil {
		prepared.begun = map[string]int{}
	}
	name := t.Name()
	for around := name; ; {
		n += prepared.begun[around]
		end := strings.LastIndexByte(around, '/')
		if end < 0 {
			break
		}
		around = around[:end]
	}
	if prepared.begun[name]++; prepared.begun[name] == 1 {
		t.Cleanup(func() { // the same test again begins anew
			prepared.mu.Lock()
			defer prepared.mu.Unlock()
			delete(prepared.begun, name)
		})
	}
	return n
}

// initPrepared does what server.Init does for a configuration whose paths are the
// usual ones, with the keys of the nth prepared directory.
func initPrepared(ctx context.Context, n int, dir string, c config.Config) error {
	files, err := filesOf(ctx, n, c)
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

// filesOf are the files of the nth new data directory but its configuration.
func filesOf(ctx context.Context, n int, c config.Config) (map[string][]byte, error) {
	prepared.mu.Lock()
	defer prepared.mu.Unlock()
	if prepared.files == nil {
		prepared.files = map[string][]map[string][]byte{}
	}
	if prepared.files[c.Keepers.Shape] == nil {
		prepared.files[c.Keepers.Shape] = make([]map[string][]byte, mostPrepared)
	}
	of := prepared.files[c.Keepers.Shape]
	if of[n] != nil {
		return of[n], nil
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
	of[n] = files
	return files, nil
}
