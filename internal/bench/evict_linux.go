package bench

import (
	"errors"

	"golang.org/x/sys/unix"
)

// evict drops files from the page cache, as a restart of the machine would.
func evict(paths ...string) error {
	for _, p := range paths {
		fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = errors.Join(unix.Fdatasync(fd), unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED), unix.Close(fd))
		if err != nil {
			return err
		}
	}
	return nil
}
