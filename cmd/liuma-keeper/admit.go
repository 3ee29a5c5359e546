package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/locale"
)

// admit admits the caller who made a request.
func admit(f *flags) runner {
	role := f.text("role", "", f.say.FlagRole())
	heard := f.text("heard", "", f.say.FlagHeard())
	lasts := f.text("for", "400d", f.say.FlagFor())
	out := f.text("out", "", f.say.FlagOut())
	return func(ctx context.Context, c *call) error {
		roles, err := rolesOf("admit", *role)
		if err != nil {
			return err
		}
		length, err := term("admit", *lasts)
		if err != nil {
			return err
		}
		d, err := c.open()
		if err != nil {
			return err
		}
		if err := whole(*heard, callerDigits); err != nil {
			return err
		}
		data, err := carried("admit", c.args[0])
		if err != nil {
			return err
		}
		r, err := admission.ParseRequest(data)
		if err != nil {
			return err
		}
		if err := c.line(c.say().SaidAsks(r.Name, strings.Join(r.Wants.Names(), ","))); err != nil {
			return err
		}
		now := time.Now()
		file := orElse(*out, freeName(fmt.Sprintf("%s-at-%s", r.Name, d.Keeper)))
		a, err := toFile(file, func() (*admission.Admission, []byte, error) {
			a, err := d.Admit(r, admission.Grant{Roles: roles, Heard: *heard, Until: now.Add(length)}, now)
			if err != nil {
				return nil, nil, err
			}
			return a, a.Encode(), nil
		})
		if err != nil {
			return err
		}
		said := c.say().SaidAdmitted(a.Name, strings.Join(a.Roles.Names(), ","), moment(a.Until))
		if err := c.line(said + "\n" + c.say().SaidAdmissionFile(file, a.Fingerprint().String())); err != nil {
			return err
		}
		return inForce(ctx, c, d)
	}
}

// toFile makes a new file with the content that make returns; if that fails, no file is
// left. The content is not secret.
func toFile[A any](name string, make func() (A, []byte, error)) (a A, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it is given to somebody else
	if err != nil {
		return a, err
	}
	a, data, err := make()
	if err == nil {
		_, err = f.Write(data)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return a, errors.Join(err, os.Remove(name))
	}
	return a, nil
}

// mostCarried is more than the size of any file that people carry.
const mostCarried = 1 << 20

// readCarried reads a file that somebody brought; its maker may have put anything into it.
// If it is too long or has no end, only enough is read to refuse it.
func readCarried(path string) ([]byte, error) {
	return diskfile.Read(path, mostCarried)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// inForce makes the running keeper apply the changes, and says whether it did.
func inForce(ctx context.Context, c *call, d *host.Dir) error {
	switch err := d.Ask().Reload(ctx); {
	case err == nil:
		return c.line(c.say().SaidInForce())
	case errors.Is(err, host.ErrNotServed):
		return c.line(c.say().SaidAtStart())
	default:
		return notInForce(err)
	}
}

// notInForce is the error that the running keeper did not apply the changes.
func notInForce(err error) error {
	return locale.RefuseFor(err, func(w *locale.Words, why string) string { return w.KeeperCommand.NoNotInForce(why) })
}

// callers lists the callers that the keeper admitted.
func callers(f *flags) runner {
	asJSON := f.yes("json", f.say.FlagJson())
	return func(_ context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		list, err := d.Callers()
		if err != nil {
			return err
		}
		shown := host.CallersOf(list, time.Now())
		if *asJSON {
			return json.NewEncoder(c.out).Encode(shown)
		}
		if len(shown) == 0 {
			return c.line(c.say().SaidNoCallers())
		}
		for _, s := range shown {
			if err := c.line(callerLine(c.say(), s)); err != nil {
				return err
			}
		}
		return nil
	}
}

// callerLine describes one admission.
func callerLine(say locale.KeeperCommand, s host.CallerStatus) string {
	state := map[string]string{host.CallerAdmitted: say.CallerAdmitted(), host.CallerEnded: say.CallerEnded(), host.CallerDismissed: say.CallerDismissed()}[s.State]
	return say.SaidCaller(s.Name, strings.Join(s.Roles, ","), moment(s.Until), state)
}

// dismiss refuses a caller from now on.
func dismiss(*flags) runner {
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		if err := d.Dismiss(c.args[0], time.Now()); err != nil {
			return err
		}
		if err := c.line(c.say().SaidDismissed(c.args[0])); err != nil {
			return err
		}
		return inForce(ctx, c, d)
	}
}

// renew makes a new certificate for the keeper's door.
func renew(*flags) runner {
	return func(ctx context.Context, c *call) error {
		d, err := c.open()
		if err != nil {
			return err
		}
		until, err := d.RenewDoor(time.Now())
		if err != nil {
			return err
		}
		if err := c.line(c.say().SaidRenewed(moment(until))); err != nil {
			return err
		}
		return inForce(ctx, c, d)
	}
}
