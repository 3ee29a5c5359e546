//go:build !linux

package process

// KeepPrivate does nothing on this system, which is only for trying Liuma out.
func KeepPrivate() error { return nil }
