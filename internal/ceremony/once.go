package ceremony

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Things that a holder sends twice by accident count once: a form that a double press
// or a bad connection posted again, and an older code that was typed after a newer
// one had been asked for.

// once makes the change of a posted form, unless the last form was this one with the
// same content: then the page stays, with the first answer. The same form with
// another content is another entry. Form and content are kept as a MAC, in the
// transaction of the change; a crash before the commit leaves neither.
func (s *Ceremonies) once(h Hand, content string, do changeFunc) changeFunc {
	if h.Form == "" {
		return do
	}
	return func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
		mac := s.vault.RowMAC("form", []byte(c.ID), c.Browser[:], []byte(h.Form), []byte(content))
		if bytes.Equal(mac[:], d.LastForm) {
			return Step(c.Step), s.engine.Entry("holder", audit.CeremonyStepped, s.recordOf(*c), c.BusinessNo, "again"), nil
		}
		to, e, err := do(tx, c, d)
		d.Forms++
		d.LastForm = mac[:]
		return to, e, err
	}
}

// moveOnce is move for a posted form.
func (s *Ceremonies) moveOnce(ctx context.Context, id string, h Hand, from []Step, content string,
	do func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	return s.moveAs(ctx, id, h, from, s.once(h, content, s.stepped(do)))
}

// oldCode is a one-time code that a newer code replaced.
type oldCode struct {
	MAC   []byte    `json:"mac"` // binds it to ceremony and number
	Until time.Time `json:"until"`
}

// oldCodesMost is how many old codes a ceremony keeps; a link gets fewer codes a day.
const oldCodesMost = 10

// supersede keeps the MAC of the open code before the next code replaces it, so that
// the old code can be told from a wrong one. The old code is never taken as right.
func (s *Ceremonies) supersede(r store.Reader, c store.Ceremony, d *details) error {
	sent, err := r.Code(c.ID)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	if sent.Used.IsZero() && s.now().Before(sent.Expires) && len(d.OldCodes) < oldCodesMost {
		d.OldCodes = append(d.OldCodes, oldCode{bytes.Clone(sent.MAC[:]), sent.Expires})
	}
	return nil
}

// superseded reports whether a typed code is an older code of this ceremony, sent to
// this number, that would still be good without the newer one. The answer tells a
// reader of that text nothing new, and does not count as a try at the newer code.
func (s *Ceremonies) superseded(sentIn string, d details, phone vault.Index, code string) bool {
	mac := s.codeMAC(sentIn, phone, code)
	for _, old := range d.OldCodes {
		var was vault.MAC
		if copy(was[:], old.MAC); mac.Equal(was) && s.now().Before(old.Until) {
			return true
		}
	}
	return false
}
