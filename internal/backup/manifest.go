package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/diskfile"
)

// ManifestFile is written last: a directory without it is not a whole backup.
const ManifestFile = "manifest.json"

// The names of a backup's files, whatever their names are in the data directory.
const (
	databaseFile = "liuma.db"
	vaultFile    = "vault.key"
	keeperFile   = "keeper.json"
	ledgerFile   = "ledger.db"
)

const (
	format      = 1
	maxManifest = 64 << 10
	maxFiles    = 64
)

// Manifest says what a backup holds and when it was made. Its checksums find
// damage. They do not stop somebody who can write to the backup; the seals of
// the rows and the chain of the audit record do.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Release string    `json:"release"` // of the program that made it
	Issuer  string    `json:"issuer"`
	Shape   string    `json:"shape"`
	Database
	Files []File `json:"files"`
}

// Database holds a database's facts.
type Database struct {
	Schema  int64     `json:"schema"`
	Clients uint64    `json:"clients"` // version of its clients and seal keys, as in the file of heads
	Digest  uint64    `json:"digest"`  // number of its record's last digest; 0: none
	Time    time.Time `json:"time"`    // the time that it last kept
	Cards   int64     `json:"cards"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Has reports whether the backup has a file.
func (m Manifest) Has(name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// Keepers returns how many keepers the backup has.
func (m Manifest) Keepers() (n int) {
	for m.Has(keeperName(n+1, ledgerFile)) && m.Has(keeperName(n+1, keeperFile)) {
		n++
	}
	return n
}

func keeperName(i int, file string) string { return fmt.Sprintf("keepers/k%d/%s", i, file) }

// known are the names that a manifest may list, so that no name leads outside
// of the directory.
var known = regexp.MustCompile(`^(liuma\.yaml|liuma\.db|vault\.key|keepers/k[1-9]/(keeper\.json|ledger\.db))$`)

// ReadManifest reads a backup's manifest. It returns ErrNotWhole if there is
// none, or if this program did not make it.
func ReadManifest(dir string) (m Manifest, err error) {
	f, err := os.Open(filepath.Join(dir, ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w: %s has no %s", ErrNotWhole, dir, ManifestFile)
	}
	if err != nil {
		return m, err
	}
	defer f.Close() // read only: nothing to lose
	raw, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil || len(raw) > maxManifest {
		return m, fmt.Errorf("%w: %s is damaged", ErrNotWhole, ManifestFile)
	}
	if m.Format != format {
		return m, fmt.Errorf("%w: format %d, this program knows %d", ErrNotWhole, m.Format, format)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if !known.MatchString(f.Name) || seen[f.Name] || len(m.Files) > maxFiles {
			return m, fmt.Errorf("%w: %s lists files that no backup has", ErrNotWhole, ManifestFile)
		}
		seen[f.Name] = true
	}
	if !seen[databaseFile] || !seen[config.FileName] {
		return m, fmt.Errorf("%w: %s lists no database or no configuration", ErrNotWhole, ManifestFile)
	}
	return m, nil
}

// compare refuses files that differ from the manifest.
func (m Manifest) compare(dir string) error {
	var errs []error
	for _, want := range m.Files {
		switch got, err := sum(dir, want.Name); {
		case err != nil:
			errs = append(errs, fmt.Errorf("%w: %w", ErrDamaged, err))
		case got != want:
			errs = append(errs, fmt.Errorf("%w: %s is not what was written", ErrDamaged, want.Name))
		}
	}
	return errors.Join(errs...)
}

// sum describes a file as it is on the disk.
func sum(dir, name string) (File, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return File{}, err
	}
	defer f.Close() // read only: nothing to lose
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return File{Name: name, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// write makes the manifest, as the last file of a backup.
func (m Manifest) write(dir string) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, ManifestFile), append(raw, '\n'))
}

// writeFile makes a file that only its owner can read. The file must not exist
// yet.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close(), diskfile.SyncDir(filepath.Dir(path)))
}

// copyFile copies a file to a new one that only its owner can read.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only: nothing to lose
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close(), diskfile.SyncDir(filepath.Dir(to)))
}
