//go:build !linux

package process

// KeepPrivate does nothing: this system is for trying Liuma out.
func KeepPrivate() error { return nil }
