package config

import (
	"path/filepath"

	"github.com/liuma-pin/liuma/locale"
)

// HSM says which hardware security module the vault's key file is sealed to.
type HSM struct {
	// Module is the vendor's PKCS#11 library, an absolute path; the program must be built
	// with -tags pkcs11. Default: none.
	Module string `yaml:"module"`
	// Token is the token's label.
	Token string `yaml:"token"`
	// PINFile is a file of one line, mode 0600, with the PIN of the token's user.
	PINFile string `yaml:"pin_file"`
}

// Used reports whether a hardware security module is configured.
func (h HSM) Used() bool { return h.Module != "" }

func (h HSM) validate() error {
	if h == (HSM{}) || filepath.IsAbs(h.Module) && h.Token != "" && h.PINFile != "" {
		return nil
	}
	return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigHsm() })
}
