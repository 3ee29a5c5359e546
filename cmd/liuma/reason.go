package main

import (
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/locale"
)

// reasonFlag is the flag for the reason of an operator's recorded act.
type reasonFlag struct {
	Reason string `required:"" placeholder:"TEXT"`
}

// reason is the reason, or a usage error if it is missing.
func (f reasonFlag) reason(command string) (audit.Reason, error) {
	r, err := audit.ParseReason(f.Reason)
	if err != nil {
		return "", wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--reason", why) })
	}
	return r, nil
}
