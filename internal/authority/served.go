package authority

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// A channel that was stopped is stopped in the ceremonies that it has open,
// too: whoever broke into it holds their addresses, and may stand between the
// holder and the page. Leaving and freezing stay (Leave, FreezeOwn).

// served refuses to go on in a channel that was stopped since, or that may no
// longer do what the ceremony began with. A holder who turned to a reset is
// served wherever what they came for is: that needs no permission of its own.
func (a *Authority) served(r store.Reader, c store.Ceremony) error {
	client, err := r.Client(string(c.Channel))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.Fail(liuma.CodeForbidden, err)
	}
	if err != nil {
		return err
	}
	return Caller{Client: client}.permit(c.Action, c.Region)
}

// stillServed is served for a request that may be a try of a ceremony, in the
// transaction that counts or decides it.
func (a *Authority) stillServed(r store.Reader, h *hosted) error {
	if h == nil {
		return nil
	}
	c, err := r.Ceremony(h.ceremony)
	if err != nil {
		return err
	}
	return a.served(r, c)
}

// unserved ends a ceremony that is not served any more. One that is over, or
// done and only on its way back, stays what it is.
func (a *Authority) unserved(tx store.Tx, c *store.Ceremony, d *details, err error) (Step, audit.Entry, error) {
	e := a.entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, string(liuma.CodeForbidden))
	if s := Step(c.Step); s == StepDone || s.over() {
		return s, e, err
	}
	d.clearVerdict()
	to, err := a.refuse(tx, c, d, err)
	return to, e, err
}
