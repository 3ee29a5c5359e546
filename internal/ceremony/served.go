package ceremony

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// A channel that was stopped is stopped in the ceremonies that it has open,
// too: whoever broke into it holds their addresses, and may stand between the
// holder and the page. Leaving and freezing stay (Leave, FreezeOwn).

// served refuses to go on in a channel that was stopped since, or that may no
// longer do what the ceremony began with. A holder who turned to a reset is
// served wherever what they came for is: that needs no permission of its own.
func (s *Ceremonies) served(r store.Reader, c store.Ceremony) error {
	client, err := r.Client(string(c.Channel))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.Fail(liuma.CodeForbidden, err)
	}
	if err != nil {
		return err
	}
	return authority.Caller{Client: client}.Permit(c.Action, c.Region)
}

// stillServed is served for a try of a ceremony, in the transaction that counts
// or decides it.
func (s *Ceremonies) stillServed(r store.Reader, id string) error {
	c, err := r.Ceremony(id)
	if err != nil {
		return err
	}
	return s.served(r, c)
}

// unserved ends a ceremony that is not served any more. One that is over, or
// done and only on its way back, stays what it is.
func (s *Ceremonies) unserved(tx store.Tx, c *store.Ceremony, d *details, err error) (Step, audit.Entry, error) {
	e := s.engine.Entry("holder", audit.CeremonyStepped, c.Card, c.BusinessNo, string(liuma.CodeForbidden))
	if at := Step(c.Step); at == StepDone || at.over() {
		return at, e, err
	}
	d.clearVerdict()
	to, err := s.refuse(tx, c, d, err)
	return to, e, err
}
