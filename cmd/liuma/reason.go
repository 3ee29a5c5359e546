package main

import (
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/locale"
)

// reasonFlag is the reason that a recorded act of an operator is asked for with.
type reasonFlag struct {
	Reason string `required:"" placeholder:"TEXT"`
}

// reason is the reason, or the usage error of the command.
func (f reasonFlag) reason(command string) (audit.Reason, error) {
	r, err := audit.ParseReason(f.Reason)
	if err != nil {
		return "", wrongUseFor(command, err, func(w *locale.Words, why string) string { return w.Refused.Option("--reason", why) })
	}
	return r, nil
}
