//go:build !unix

package process

import "errors"

// Files returns how many files, and so connections, the process may have open
// at once; zero means that the number is not known.
func Files() (uint64, error) { return 0, nil }

// CoreLimit is not known on this system.
func CoreLimit() (uint64, error) { return 0, errors.ErrUnsupported }

// Space is not known on this system.
func Space(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }
