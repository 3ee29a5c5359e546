//go:build !unix

package process

import "errors"

// Files is how many files, and so connections, the process may have open at
// once; zero means that nothing says how many.
func Files() (uint64, error) { return 0, nil }

// CoreLimit is not known here.
func CoreLimit() (uint64, error) { return 0, errors.ErrUnsupported }

// Space is not known here.
func Space(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }
