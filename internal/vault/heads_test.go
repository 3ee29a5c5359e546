package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// headsOf opens the heads that a test has in a directory.
func headsOf(t *testing.T, v *Vault, dir string) *Heads {
	t.Helper()
	h, err := OpenHeads(v, dir)
	must(t, err)
	return h
}

func TestHeadsOnlyRise(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	if _, err := OpenHeads(v, dir); !errors.Is(err, ErrNoHeads) {
		t.Errorf("no file: %v, want %v", err, ErrNoHeads)
	}
	h, err := CreateHeads(v, dir)
	must(t, err)
	if got := h.Get("shared"); got != 0 {
		t.Errorf("a new head is %d", got)
	}
	for _, step := range []struct{ raise, want uint64 }{{3, 3}, {2, 3}, {3, 3}, {9, 9}, {0, 9}} {
		must(t, h.Raise("shared", step.raise))
		if got := h.Get("shared"); got != step.want {
			t.Errorf("raised to %d: %d, want %d", step.raise, got, step.want)
		}
		if got := headsOf(t, v, dir).Get("shared"); got != step.want {
			t.Errorf("raised to %d, read again: %d, want %d", step.raise, got, step.want)
		}
	}
	must(t, h.Raise("other", 1<<63))
	if again := headsOf(t, v, dir); again.Get("other") != 1<<63 || again.Get("shared") != 9 {
		t.Errorf("two heads: %d and %d", again.Get("other"), again.Get("shared"))
	}
	one := h.Of("shared")
	must(t, one.Raise(11))
	if got := headsOf(t, v, dir).Of("shared").Number(); got != 11 {
		t.Errorf("raised to 11 by its name: %d", got)
	}
	if info, err := os.Stat(filepath.Join(dir, HeadsFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCreateHeadsReplacesNothing(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 7))
	if _, err := CreateHeads(v, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want %v", err, fs.ErrExist)
	}
	if got := headsOf(t, v, dir).Get("shared"); got != 7 {
		t.Errorf("the refused creation left %d", got)
	}
}

// Who writes to the file, without the vault's key, lowers no head: each change
// of each byte is refused, and so is the file of another vault.
func TestHeadsAltered(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 41))
	must(t, h.Raise("other", 5))
	path := filepath.Join(dir, HeadsFile)
	good, err := os.ReadFile(path)
	must(t, err)
	refused := func(name string, content []byte) {
		t.Helper()
		must(t, os.WriteFile(path, content, 0o600))
		if _, err := OpenHeads(v, dir); !errors.Is(err, ErrHeads) {
			t.Errorf("%s: %v, want %v", name, err, ErrHeads)
		}
	}
	for i := range good {
		damaged := bytes.Clone(good)
		damaged[i] ^= 1
		refused(fmt.Sprintf("byte %d", i), damaged)
		refused(fmt.Sprintf("cut to %d", i), good[:i])
	}
	text := string(good)
	for name, content := range map[string]string{
		"lower":         strings.Replace(text, "41", "40", 1),
		"line gone":     strings.Replace(text, "shared 41\n", "", 1),
		"line twice":    strings.Replace(text, "shared 41\n", "shared 41\nshared 41\n", 1),
		"leading zero":  strings.Replace(text, "41", "041", 1),
		"sign":          strings.Replace(text, "41", "+41", 1),
		"too high":      strings.Replace(text, "41", "18446744073709551616", 1),
		"blank line":    strings.Replace(text, "shared", "\nshared", 1),
		"windows lines": strings.ReplaceAll(text, "\n", "\r\n"),
		"more after":    text + "shared 99\n",
		"huge":          text + strings.Repeat("x", maxHeadsFile),
		"other version": strings.Replace(text, "heads 1", "heads 2", 1),
	} {
		refused(name, []byte(content))
	}
	must(t, os.WriteFile(path, good, 0o600))
	if _, err := OpenHeads(newTestVault(t), dir); !errors.Is(err, ErrHeads) {
		t.Errorf("another vault: %v, want %v", err, ErrHeads)
	}
	must(t, os.Chmod(path, 0o620))
	if _, err := OpenHeads(v, dir); !errors.Is(err, ErrHeadsMode) {
		t.Errorf("mode 0620: %v, want %v", err, ErrHeadsMode)
	}
	must(t, os.Chmod(path, 0o600))
	if got := headsOf(t, v, dir).Get("shared"); got != 41 {
		t.Errorf("the file as it was: %d", got)
	}
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o700))
	if _, err := OpenHeads(v, dir); err == nil {
		t.Error("opened a directory")
	}
}

// A crash between writing and renaming leaves the old file in force and a half
// one beside it, which stops no later raise.
func TestHeadsAfterACrash(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 7))
	must(t, os.WriteFile(filepath.Join(dir, HeadsFile+".new"), []byte("liuma-heads 1\nsha"), 0o600))
	again := headsOf(t, v, dir)
	if got := again.Get("shared"); got != 7 {
		t.Errorf("after the crash: %d", got)
	}
	must(t, again.Raise("shared", 8))
	if got := headsOf(t, v, dir).Get("shared"); got != 8 {
		t.Errorf("raised after the crash: %d", got)
	}
}

// A raise that cannot be written says so, and the head is what it was.
func TestHeadsThatCannotBeWritten(t *testing.T) {
	v, dir := newTestVault(t), filepath.Join(t.TempDir(), "vault")
	must(t, os.Mkdir(dir, 0o700))
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 7))
	moved := dir + ".moved"
	must(t, os.Rename(dir, moved))
	if err := h.Raise("shared", 8); err == nil {
		t.Error("raised in a directory that is gone")
	}
	if got := h.Get("shared"); got != 7 {
		t.Errorf("head %d after a failed raise", got)
	}
	must(t, os.Rename(moved, dir))
	must(t, h.Raise("shared", 8))
	if got := headsOf(t, v, dir).Get("shared"); got != 8 {
		t.Errorf("raised again: %d", got)
	}
}

func TestHeadNames(t *testing.T) {
	v := newTestVault(t)
	h, err := CreateHeads(v, t.TempDir())
	must(t, err)
	for _, name := range []Head{"", "mac", "A", "a b", "a\nb", "ä", Head(strings.Repeat("a", maxHeadName+1))} {
		if err := h.Raise(name, 1); !errors.Is(err, ErrHeadName) {
			t.Errorf("%q: %v, want %v", name, err, ErrHeadName)
		}
	}
	for i := range maxHeads {
		must(t, h.Raise(Head(fmt.Sprintf("%s-%03d", strings.Repeat("a", maxHeadName-4), i)), 1<<64-1))
	}
	if err := h.Raise("one-more", 1); !errors.Is(err, ErrHeadName) {
		t.Errorf("one too many: %v", err)
	}
	if got := headsOf(t, v, filepath.Dir(h.path)).Get(Head(strings.Repeat("a", maxHeadName-4) + "-999")); got != 1<<64-1 {
		t.Errorf("a full file: %d", got)
	}
}

// Raises at the same time, out of order, leave the highest.
func TestHeadsRaisedAtTheSameTime(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	h, err := CreateHeads(v, dir)
	must(t, err)
	var wg sync.WaitGroup
	for i := range uint64(20) {
		wg.Go(func() {
			if err := h.Raise("shared", i+1); err != nil {
				t.Errorf("raise to %d: %v", i+1, err)
			}
			if got := h.Get("shared"); got < i+1 {
				t.Errorf("raised to %d and reads %d", i+1, got)
			}
		})
	}
	wg.Wait()
	if got := headsOf(t, v, dir).Get("shared"); got != 20 {
		t.Errorf("head %d, want 20", got)
	}
}

func TestHeadsOfAClosedVault(t *testing.T) {
	v, dir := newTestVault(t), t.TempDir()
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 7))
	must(t, v.Close())
	if err := h.Raise("shared", 8); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
}

// After a rotation of the root key the file is read as before.
func TestHeadsOutliveARotation(t *testing.T) {
	path := newFile(t)
	v := open(t, path)
	dir := filepath.Dir(path)
	h, err := CreateHeads(v, dir)
	must(t, err)
	must(t, h.Raise("shared", 7))
	_, err = At(path).RotateRootKey(now())
	must(t, err)
	must(t, v.Reload())
	must(t, h.Raise("shared", 8))
	if got := headsOf(t, open(t, path), dir).Get("shared"); got != 8 {
		t.Errorf("head %d, want 8", got)
	}
}
