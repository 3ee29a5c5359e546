package ceremony

import (
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/store"
)

// Stopping a channel also stops the ceremonies that it has open: a thief who
// broke into the channel knows their addresses, and may stand between the
// holder and the page. Leaving and freezing stay possible (Leave, FreezeOwn).

// served refuses to go on if the channel was stopped, or may no longer request the
// act that the ceremony began with. A reset that the holder turned to needs no
// permission of its own.
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

// stillServed calls served for a try of a ceremony, in the transaction that
// counts or decides the try.
func (s *Ceremonies) stillServed(r store.Reader, id string) error {
	c, err := r.Ceremony(id)
	if err != nil {
		return err
	}
	return s.served(r, c)
}

// unserved ends a ceremony whose channel is not served any more. A ceremony
// that is over, or done and on its way back, does not change.
func (s *Ceremonies) unserved(tx store.Tx, c *store.Ceremony, d *details, err error) (Step, audit.Entry, error) {
	e := s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, string(liuma.CodeForbidden))
	if at := Step(c.Step); at == StepDone || at.over() {
		return at, e, err
	}
	d.clearVerdict()
	to, err := s.refuse(tx, c, d, err)
	return to, e, err
}
