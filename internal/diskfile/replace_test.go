package diskfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteFileReplacesWhole: a failed write leaves the old file as it was, and
// no temporary file beside it.
func TestWriteFileReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []string{"one", "two"} {
		if err := (Disk{}).Write(dir, "f", []byte(s)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != s {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (Disk{}).Write(dir, "d", []byte("three")); err == nil {
		t.Error("a file took a directory's place")
	}
	if err := (Disk{}).Write(filepath.Join(dir, "none"), "f", nil); err == nil {
		t.Error("a file in no directory")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v, want f and d alone", entries, err)
	}
}

// TestAMode: a file gets the mode that is asked for, in the place of one with another, and
// others cannot read it where none is asked for.
func TestAMode(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []fs.FileMode{0o644, 0o600, 0o640} {
		if err := (Disk{}).WriteMode(dir, "f", nil, want); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "f")); err != nil || info.Mode().Perm() != want {
			t.Errorf("%v, %v, want mode %o", info.Mode(), err, want)
		}
	}
	if err := (Disk{}).Write(dir, "g", nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "g")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 600", info.Mode(), err)
	}
}

// TestWhereAWriteIsCutOff: a write that ends at any moment leaves the old file or the new
// one whole, and what Sweep removes.
func TestWhereAWriteIsCutOff(t *testing.T) {
	var moments []string
	record := Disk{At: func(_, moment string) error { moments = append(moments, moment); return nil }}
	if err := record.Write(t.TempDir(), "f", []byte("new")); err != nil || len(moments) != 4 {
		t.Fatalf("%v, moments %q", err, moments)
	}
	for _, last := range moments {
		t.Run(last, func(t *testing.T) {
			dir := t.TempDir()
			if err := (Disk{}).Write(dir, "f", []byte("old")); err != nil {
				t.Fatal(err)
			}
			type crash struct{}
			func() {
				defer func() { _ = recover().(crash) }()
				cut := Disk{At: func(_, moment string) error {
					if moment == last {
						panic(crash{})
					}
					return nil
				}}
				_ = cut.Write(dir, "f", []byte("new"))
			}()
			want := "old"
			if last == "after rename" {
				want = "new"
			}
			if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != want {
				t.Errorf("%q, %v, want %q", b, err, want)
			}
			if err := (Disk{}).Sweep(dir, "f"); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
				t.Errorf("%v, %v, want f alone", left, err)
			}
		})
	}
}
