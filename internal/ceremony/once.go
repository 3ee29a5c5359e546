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

// What a holder sends twice without meaning to counts once: a form that a
// double press or a bad connection posted again, and the text of a code that
// arrived after the next one was asked for.

// once makes a change of a posted form, unless it is the form that was taken
// last, posted again: then the page stays, with the first one's answer. Another
// content in the same form is another entry. Form and content are kept as a MAC,
// in the transaction that takes them; a crash before it leaves neither.
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

// moveOnce is move for a form.
func (s *Ceremonies) moveOnce(ctx context.Context, id string, h Hand, from []Step, content string,
	do func(tx store.Tx, c *store.Ceremony, d *details) (Step, error)) (Page, error) {
	return s.moveAs(ctx, id, h, from, s.once(h, content, s.stepped(do)))
}

// oldCode is a one-time code that a newer one took the place of.
type oldCode struct {
	MAC   []byte    `json:"mac"` // binds it to ceremony and number
	Until time.Time `json:"until"`
}

// oldCodesMost bounds them: a link has fewer a day.
const oldCodesMost = 10

// supersede keeps what tells the open code from a wrong one, before the next one
// takes its place. It is never taken as right.
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

// superseded reports a code that was sent to this number in this ceremony and
// would still be fresh, but for the newer one. It says no more than its text does
// to who reads it, and is no try at the newer one.
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
