package ceremony

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// mostOpen is how many ceremonies of one link may be open in one channel, or of one person who is
// named without a link. It limits how many ceremonies a reset must end in one transaction,
// and how many an endlessly pushing channel can leave.
const mostOpen = 10

// whom says whom a push is about. Three kinds are counted apart, so that none uses up another's
// room: a link (by its handle, since another account of the channel may be linked to the same
// card), a person with evidence, and a person who was only named, which needs no proof.
type whom struct {
	subject vault.Index  // index of kind, channel and handle or person
	card    liuma.CardID // zero if the person has no card
	linked  bool         // named by a handle: all these ceremonies are stored with the card
}

func (s *Ceremonies) whomOf(r store.Reader, c authority.Caller, q Push) (whom, error) {
	of := func(kind string, who []byte) vault.Index {
		return s.vault.Index(vault.IndexIDNumber, "open\x00"+kind+"\x00"+string(c.Channel())+"\x00"+string(who))
	}
	if q.Subject.Card != "" {
		link, err := r.LinkByHandle(c.Channel(), store.Handle(q.Subject.Card))
		return whom{of("linked", []byte(q.Subject.Card)), link.Card, true}, err
	}
	id, err := registry.ParseIDNumber(q.Subject.IDNumber)
	if err != nil {
		return whom{}, err
	}
	holder, kind := s.vault.Index(vault.IndexIDNumber, id.Canonical()), "named"
	if q.Evidence != "" {
		kind = "proved"
	}
	card, err := r.CardByHolder(holder)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return whom{of(kind, holder[:]), card.ID, false}, err
}

// makeRoom lets one more ceremony open. If mostOpen are open, the oldest that no browser has begun
// expires, and its business number is decided: so a holder who opens the app again and again is
// never kept out. If browsers have begun all of them, the new one is refused until the first
// expires. It returns the business numbers of the ceremonies that it ended.
//
// A crash before the commit leaves all of them open and the new one unknown.
func (s *Ceremonies) makeRoom(tx store.Tx, w whom) (ended []liuma.BusinessNo, err error) {
	open, err := s.openAbout(tx, w)
	if err != nil {
		return nil, err
	}
	for len(open) >= mostOpen {
		i := slices.IndexFunc(open, s.unbegun)
		if i < 0 {
			return nil, &liuma.Error{Code: liuma.CodeTooManyOpen, Until: s.engine.ToWall(earliest(open))}
		}
		c := open[i]
		err := errors.Join(s.goTo(&c, StepExpired), s.endRequest(tx, &c, liuma.CodeCeremonyExpired))
		if err != nil {
			return nil, err
		}
		if err := tx.UpdateCeremony(c); err != nil {
			return nil, err
		}
		ended, open = append(ended, c.BusinessNo), slices.Delete(open, i, i+1)
	}
	return ended, nil
}

// openAbout lists the open ceremonies about w, oldest first. Those whose time is over are left to
// the sweep.
func (s *Ceremonies) openAbout(r store.Reader, w whom) ([]store.Ceremony, error) {
	open, err := allAbout(r, w)
	if err != nil {
		return nil, err
	}
	now := s.now()
	open = slices.DeleteFunc(open, func(c store.Ceremony) bool {
		return c.Subject != w.subject || expired(c, now)
	})
	slices.SortFunc(open, func(a, b store.Ceremony) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return open, nil
}

func allAbout(r store.Reader, w whom) ([]store.Ceremony, error) {
	if w.linked {
		return r.CeremoniesAt(w.card, w.subject)
	}
	named, err1 := r.CeremoniesFor(w.subject)
	known, err2 := r.CeremoniesOf(w.card)
	return append(named, known...), errors.Join(err1, err2)
}

// unbegun reports whether no browser has begun a ceremony, so that nothing was given or proved in
// it.
func (s *Ceremonies) unbegun(c store.Ceremony) bool {
	return c.Browser == [32]byte{} && c.Tries == 0 && Step(c.Step) == s.acts[c.Action].First
}

// endedNote names the ceremonies that a push ended, for its audit entry.
func endedNote(ended []liuma.BusinessNo) (note string) {
	for _, bn := range ended {
		note += fmt.Sprintf(";expired=%s", bn)
	}
	return note
}

// mayReopen refuses to take up an ended ceremony again while mostOpen others are open.
func (s *Ceremonies) mayReopen(r store.Reader, c store.Ceremony, card liuma.CardID) error {
	if c.Ended.IsZero() || c.Subject == (vault.Index{}) { // of 0.1.0: it has an hour at most
		return nil
	}
	open, err := s.openAbout(r, whom{c.Subject, card, s.acts[c.Action].Linked})
	if err != nil || len(open) < mostOpen {
		return err
	}
	return &liuma.Error{Code: liuma.CodeTooManyOpen, Until: earliest(open)}
}

func earliest(open []store.Ceremony) (t time.Time) {
	for _, c := range open {
		if t.IsZero() || c.Expires.Before(t) {
			t = c.Expires
		}
	}
	return t
}
