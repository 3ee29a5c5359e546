package main

import (
	"context"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/locale"
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
		file := orElse(*out, freeName("request-of-"+string(d.Keeper)))
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

// accept stores the admission that another keeper gave this one.
func accept(f *flags) runner {
	heard := f.text("heard", "", f.say.FlagHeard())
	return func(_ context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		if err := whole(*heard, callerDigits); err != nil {
			return err
		}
		data, err := carried("accept", c.args[0])
		if err != nil {
			return err
		}
		a, err := admission.ParseAdmission(data)
		if err != nil {
			return err
		}
		if a.Name != string(d.Keeper) {
			return refuse(func(w locale.KeeperCommand) string {
				return w.NoForOther(c.args[0], a.Name, string(a.Keeper), string(d.Keeper))
			})
		}
		if err := d.Accept(a, *heard, time.Now()); err != nil {
			return err
		}
		return c.line(c.say().SaidAccepted(string(a.Keeper), a.Address, strings.Join(a.Roles.Names(), ","), moment(a.Until)))
	}
}
