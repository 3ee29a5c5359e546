package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/admission"
)

// request asks another keeper to admit this one.
func request(f *flags) runner {
	role := f.text("role", "peer", f.say.FlagRole())
	out := f.text("out", "", f.say.FlagOut())
	return func(_ context.Context, c *call) error {
		roles, err := rolesOf("request", *role)
		if err != nil {
			return err
		}
		d, err := c.open()
		if err != nil {
			return err
		}
		file := orElse(*out, fmt.Sprintf("request-of-%s.json", d.Keeper))
		r, err := toFile(file, func() (*admission.Request, []byte, error) {
			r, err := d.Request(roles)
			if err != nil {
				return nil, nil, err
			}
			return r, r.Encode(), nil
		})
		if err != nil {
			return err
		}
		return c.line(c.say().SaidRequested(file, r.Fingerprint().String()))
	}
}

// accept keeps the admission that another keeper gave this one.
func accept(f *flags) runner {
	heard := f.text("heard", "", f.say.FlagHeard())
	return func(_ context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		data, err := readCarried(c.args[0])
		if err != nil {
			return err
		}
		a, err := admission.ParseAdmission(data)
		if err != nil {
			return err
		}
		if err := d.Accept(a, *heard, time.Now()); err != nil {
			return err
		}
		return c.line(c.say().SaidAccepted(string(a.Keeper), a.Address, strings.Join(a.Roles.Names(), ","), moment(a.Until)))
	}
}
