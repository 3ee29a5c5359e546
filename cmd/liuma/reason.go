package main

import "github.com/liuma-pin/liuma/internal/audit"

// reasonFlag is the reason that a recorded act of an operator is asked for with.
type reasonFlag struct {
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the audit record; no personal data."`
}

// reason is the reason, or the usage error of the command.
func (f reasonFlag) reason(command string) (audit.Reason, error) {
	r, err := audit.ParseReason(f.Reason)
	if err != nil {
		return "", badUsage(command, "--reason: %v", err)
	}
	return r, nil
}
