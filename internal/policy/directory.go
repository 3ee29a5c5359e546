package policy

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MaxFiles bounds the number of layers: the nation has some 3,500 regions.
const MaxFiles = 5000

// ReadDirectory reads every file in a directory whose name ends in .yaml, in the order of
// their names. It ignores other files, such as a README. If one file cannot be read, all are
// refused; the error names every fault up to MaxFaults.
func ReadDirectory(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	var files []File
	var errs []error
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		if len(files) == MaxFiles {
			return nil, fmt.Errorf("%w: more than %d in %s", ErrFile, MaxFiles, dir)
		}
		f, err := ReadFile(filepath.Join(dir, e.Name()))
		errs = append(errs, err)
		files = append(files, f)
	}
	if err := Gather(errs...); err != nil {
		return nil, err
	}
	return files, nil
}

// ReadFile reads one layer; its name is the file's name without the directory.
func ReadFile(path string) (File, error) {
	text, err := readBounded(path)
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return ParseFile(filepath.Base(path), text)
}

// readBounded reads a file, up to one byte more than a layer may have.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing to lose
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
