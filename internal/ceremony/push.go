package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// Push takes a channel's request for a ceremony and reserves its business number, so
// that the native door cannot use it as well (I-11). The door has counted the push
// (authority.ActPush), whether it succeeds or not.
func (s *Ceremonies) Push(ctx context.Context, c authority.Caller, q Push) (Pushed, error) {
	act, ok := s.acts[q.Action]
	if !ok || q.Action == liuma.ActionCounter { // only a ticket begins an act at a counter
		return Pushed{}, liuma.FailField(liuma.CodeBadRequest, "action", nil)
	}
	if err := c.Permit(q.Action, q.Region); err != nil {
		return Pushed{}, err
	}
	if err := q.Purpose.Check(); err != nil {
		return Pushed{}, liuma.FailField(liuma.CodeBadRequest, "purpose", err)
	}
	d := details{Subject: subjectParts(q.Subject), Purpose: string(q.Purpose), Replaces: q.Replaces, Return: q.Return, Alone: q.Alone}
	if err := checkSubject(act, q); err != nil {
		return Pushed{}, err
	}
	if err := s.pushEvidence(ctx, c, act, q, &d); err != nil {
		return Pushed{}, s.engine.WithChallenge(c, err)
	}
	begun, spent := s.engine.Take(ctx, c, rationOf(q.Action))
	p := &pushing{caller: c, act: act, push: q, d: d, secret: random(32), expires: s.now().Add(pushedLife)}
	err := s.pushFirst(ctx, p, spent)
	if err == nil {
		err = s.store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			e, err := s.pushed(tx, p)
			if err == nil && !p.again {
				err = spent // refuses a new ceremony; one that is under way goes on
			}
			return e, err
		})
	}
	if err != nil || p.again {
		begun.GiveBack()
	}
	if err != nil {
		return Pushed{}, liuma.Outward(err)
	}
	return Pushed{RequestURI: p.uri, Expires: s.engine.ToWall(p.expires)}, nil
}

// checkSubject checks that the subject names a holder in the form that the act
// needs.
func checkSubject(act Act, q Push) error {
	if q.Replaces != "" && q.Action != liuma.ActionLink {
		return liuma.FailField(liuma.CodeBadRequest, "replaces", nil)
	}
	if act.Linked {
		if q.Subject.Card == "" || q.Subject.IDNumber != "" || q.Subject.Name != "" || q.Subject.Phone != "" {
			return liuma.FailField(liuma.CodeBadRequest, "holder", errors.New("want the card's handle alone"))
		}
		return nil
	}
	if q.Subject.Card != "" {
		return liuma.FailField(liuma.CodeBadRequest, "holder.card", nil)
	}
	if _, err := registry.ParseIDNumber(q.Subject.IDNumber); err != nil {
		return liuma.AtField(liuma.Outward(err), "holder."+liuma.HolderField(q.Subject.IDNumber))
	}
	if _, err := registry.ParseName(q.Subject.Name); err != nil {
		return liuma.AtField(liuma.Outward(err), "holder.name")
	}
	if q.Subject.Phone != "" {
		if _, err := registry.ParsePhone(q.Subject.Phone); err != nil {
			return liuma.AtField(liuma.Outward(err), "holder.phone")
		}
	}
	return nil
}

// pushEvidence checks evidence that came with the push, and keeps it in the ceremony. It
// is burnt before the push is stored (pushFirst).
func (s *Ceremonies) pushEvidence(ctx context.Context, c authority.Caller, act Act, q Push, d *details) error {
	if q.Evidence == "" {
		if !act.EvidenceFirst {
			return nil
		}
		err := s.store.View(ctx, func(r store.Reader) error {
			return s.linkedAlready(r, c, q.Subject.IDNumber, q.Subject.Name)
		})
		if err != nil {
			return s.notYetInWall(err)
		}
		return &liuma.Error{Code: liuma.CodeEvidenceRequired}
	}
	if err := s.vault.CheckChallenge(c.Channel(), q.Challenge, s.now()); err != nil {
		return liuma.AtField(err, "challenge")
	}
	err := s.store.View(ctx, func(r store.Reader) error {
		idNumber, name := q.Subject.IDNumber, q.Subject.Name
		if q.Subject.Card != "" {
			f, err := s.factsByHandle(r, c, q.Subject.Card)
			if err != nil {
				return err
			}
			idNumber, name = f.IDNumber, f.Name
		}
		id, err := registry.ParseIDNumber(idNumber)
		if err != nil {
			return err
		}
		if name, err = registry.ParseName(name); err != nil {
			return err
		}
		proof, err := s.checkEvidence(r, q.Evidence, q.Challenge, id.Canonical(), name, c, s.engine.PolicyFor(c, q.Region))
		if err != nil {
			return err
		}
		d.Proofs.Evidence = &EvidenceProof{Provider: proof.Provider, ID: proof.ID, Method: proof.Method,
			IssuedAt: proof.IssuedAt, Expires: proof.Expires, IDNumber: id.Canonical()}
		return nil
	})
	return liuma.Outward(err)
}

// pushed stores a push: a new ceremony, or one that goes on under a new address (again).
// A crash before the commit leaves only the work of pushFirst.
func (s *Ceremonies) pushed(tx store.Tx, p *pushing) (audit.Entry, error) {
	c, q := p.caller, p.push
	p.again, p.uri = false, ""
	digest := pushDigest(q)
	row := s.engine.NewRow(c, q.Action, authority.Request{BusinessNo: q.BusinessNo, Purpose: q.Purpose, Digest: digest}, s.routed(random(16), p.home))
	there, err := tx.Request(row.Channel, row.BusinessNo)
	e := s.engine.Entry(c.Actor(), audit.CeremonyPushed, s.recordOf(store.Ceremony{ID: row.Ceremony, Action: q.Action}), q.BusinessNo, "ok")
	e.Note = "action=" + string(q.Action)
	switch {
	case errors.Is(err, store.ErrNotFound):
		ended, err := s.pushedNew(tx, p, row)
		e.Note += endedNote(ended)
		return e, err
	case err != nil:
		return e, err
	case there.Digest != digest || there.Ceremony == "":
		return e, liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	p.again = true
	return e, s.pushedAgain(tx, there, p)
}

// pushedNew stores a new ceremony. It returns the business numbers of ceremonies that
// were ended to make room.
func (s *Ceremonies) pushedNew(tx store.Tx, p *pushing, row store.Request) (ended []liuma.BusinessNo, err error) {
	c, q, d := p.caller, p.push, p.d
	if err := p.fresh(0); err != nil {
		return nil, err
	}
	if err := ownHandles(tx, c, q); err != nil {
		return nil, err
	}
	if err := tx.InsertRequest(row); err != nil {
		return nil, err
	}
	if err := s.mayPushAlone(tx, c, q); err != nil {
		return nil, err
	}
	w, err := s.whomOf(tx, c, q)
	if err != nil {
		return nil, err
	}
	if err := s.takeSteps(tx, c, q, &d); err != nil {
		return nil, err
	}
	if ended, err = s.makeRoom(tx, w); err != nil {
		return nil, err
	}
	if firstOf(p.act, d) == StepEvidence {
		d.Code = string(liuma.CodeEvidenceRequired) // the way back brings a challenge
	}
	p.uri = s.addressOf(row.Ceremony, p.secret)
	cer := store.Ceremony{ID: row.Ceremony, Subject: w.subject, Channel: row.Channel, BusinessNo: row.BusinessNo, Action: q.Action,
		Region: q.Region, Step: string(firstOf(p.act, d)), RequestURI: hashed("request-uri", p.uri), At: row.At, Expires: p.expires}
	if err := s.sealDetails(&cer, d); err != nil {
		return nil, err
	}
	return ended, tx.InsertCeremony(cer)
}

// ownHandles refuses a push with a handle that is not one of the channel's: the handle
// of an ended link, or the sub of a receipt, which opens nothing. The refusal tells
// nothing about any card, since a channel knows its own handles.
func ownHandles(r store.Reader, c authority.Caller, q Push) error {
	for field, h := range map[string]store.Handle{"holder.card": store.Handle(q.Subject.Card), "replaces": q.Replaces} {
		if h == "" {
			continue
		}
		_, err := r.LinkByHandle(c.Channel(), h)
		if errors.Is(err, store.ErrNotFound) {
			return liuma.FailField(liuma.CodeRefused, field, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pushDigest covers the members that must be the same when a ceremony is pushed
// again.
func pushDigest(q Push) [32]byte {
	all := []any{q.Action, subjectParts(q.Subject), q.Region, string(q.Purpose), q.Return.RedirectURI, q.Replaces}
	if q.Alone {
		all = append(all, "evidence alone")
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings only
	}
	return sha256.Sum256(b)
}

// pushedAgain lets a ceremony go on: in another browser, perhaps with evidence
// that it lacked. A ceremony whose business number is decided goes on only
// while its holder is resetting the PIN. A ceremony whose time is over does not
// go on, even before the sweep has ended it: its proofs are too old (I-12).
func (s *Ceremonies) pushedAgain(tx store.Tx, row store.Request, p *pushing) error {
	d := p.d
	cer, err := tx.Ceremony(row.Ceremony)
	if errors.Is(err, store.ErrNotFound) { // it ended, and was not kept longer
		return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	if err != nil {
		return err
	}
	if err := p.fresh(cer.Revision + 1); err != nil {
		return err
	}
	kept, err := s.openDetails(cer)
	if err != nil {
		return err
	}
	if expired(cer, s.now()) || row.Decided && row.Code == liuma.CodeCeremonyExpired {
		return liuma.FailField(liuma.CodeCeremonyExpired, "business_no", nil)
	}
	if !cer.Ended.IsZero() || row.Decided && kept.Turned == "" {
		return liuma.FailField(liuma.CodeBusinessNoUsed, "business_no", nil)
	}
	kept.Return = d.Return
	proved := d.Proofs.Evidence != nil
	if proved {
		kept.Proofs.Evidence = d.Proofs.Evidence
	}
	switch at := Step(cer.Step); {
	case at == StepRefused && (proved || kept.Code == string(liuma.CodeSlowDown)): // waiting ends a slow_down too
		kept.Code = ""
		err = s.goTo(&cer, StepPIN)
	case at == StepConfirm && kept.Alone && !proved:
		// Evidence alone stays with the page for which it was given. Otherwise anybody
		// who can push for the channel could take over the page that the holder left
		// (I-12).
		kept.Proofs.Evidence, kept.Code = nil, string(liuma.CodeEvidenceRequired)
		err = s.goTo(&cer, StepEvidence)
	case at == StepEvidence && proved:
		kept.Code = ""
		err = s.goTo(&cer, s.evidencedAt(cer, kept))
	}
	if err != nil {
		return err
	}
	p.uri = s.addressOf(cer.ID, p.secret)
	cer.RequestURI, cer.Browser = hashed("request-uri", p.uri), [32]byte{}
	cer.Expires = within(cer, later(cer.Expires, p.expires))
	if err := s.sealDetails(&cer, kept); err != nil {
		return err
	}
	return tx.UpdateCeremony(cer)
}
