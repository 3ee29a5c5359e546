//go:build !linux

package bench

import "errors"

// evict refuses: only Linux has a call that drops a file from the page cache.
func evict(...string) error { return errors.New("bench: cold measurements need Linux") }
