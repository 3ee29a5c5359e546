package ceremony

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// LookAt shows the ceremony of a pushed request. It changes nothing, so reloads
// and prefetches do no harm.
func (s *Ceremonies) LookAt(ctx context.Context, clientID, requestURI string, h Hand) (Page, error) {
	h.RequestURI = requestURI
	return s.show(ctx, h, func(r store.Reader) (store.Ceremony, error) {
		c, err := r.CeremonyByRequestURI(s.routeOf(requestURI), hashed("request-uri", requestURI))
		if err == nil && string(c.Channel) != clientID {
			err = store.ErrNotFound
		}
		return c, err
	})
}

// Look shows a ceremony to the browser that goes on with it.
func (s *Ceremonies) Look(ctx context.Context, id string, h Hand) (Page, error) {
	return s.show(ctx, h, func(r store.Reader) (store.Ceremony, error) { return r.Ceremony(id) })
}

// show finds a ceremony and builds its page, in one view.
func (s *Ceremonies) show(ctx context.Context, h Hand, find func(store.Reader) (store.Ceremony, error)) (Page, error) {
	key, keyErr := s.engine.SealKey(ctx)
	var p Page
	err := s.store.View(ctx, func(r store.Reader) error {
		c, err := find(r)
		if errors.Is(err, store.ErrNotFound) {
			return liuma.Fail(liuma.CodeRequestURIInvalid, err)
		}
		if err != nil {
			return err
		}
		begun := c.Browser != [32]byte{}
		g, err := s.reach(c, h)
		switch {
		case err != nil:
			return err
		case g == accessNone, g == accessAddress && begun:
			// Nothing personal is shown to a browser that may not go on with it.
			p = Page{ID: c.ID, Action: c.Action, Elsewhere: true, Code: liuma.CodeCeremonyElsewhere}
			return nil
		}
		p, err = s.page(r, c, key, keyErr)
		if !begun && Step(c.Step) == StepDone {
			// The ceremony was pushed again while the keepers worked. Begin will find
			// out whose browser this is; until then the page says nothing of the
			// verdict (I-14).
			p = Page{ID: p.ID, Action: p.Action, Began: p.Began, Channel: p.Channel, ChannelName: p.ChannelName,
				BusinessNo: p.BusinessNo, Region: p.Region, Purpose: p.Purpose, Expires: p.Expires}
		}
		return err
	})
	if err != nil {
		return Page{}, liuma.Outward(err)
	}
	return s.inWall(p), nil
}

// pageOf builds the page of a ceremony that was just moved, in one view.
func (s *Ceremonies) pageOf(ctx context.Context, c store.Ceremony) (p Page, err error) {
	key, keyErr := s.engine.SealKey(ctx)
	err = s.store.View(ctx, func(r store.Reader) error {
		p, err = s.page(r, c, key, keyErr)
		return err
	})
	return s.inWall(p), liuma.Outward(err)
}

// inWall turns the times of a page into the time of the holder's clock.
func (s *Ceremonies) inWall(p Page) Page {
	for _, at := range []*time.Time{&p.Expires, &p.Until, &p.CodeSentAt, &p.ResendAt, &p.ResetRefusedUntil, p.countsFrom()} {
		*at = s.engine.ToWall(*at)
	}
	for i, o := range p.Ways {
		p.Ways[i].ReadyAt = s.engine.ToWall(o.ReadyAt)
	}
	return p
}

// countsFrom is when a PIN that was set at a counter begins to count.
func (p *Page) countsFrom() *time.Time {
	if p.Counter == nil {
		return new(time.Time)
	}
	return &p.Counter.PINFrom
}

// page fills in what may be shown of a ceremony to the browser that goes on
// with it. key is the seal key for the pad, or keyErr the reason why there is
// none.
func (s *Ceremonies) page(r store.Reader, c store.Ceremony, key store.SealKey, keyErr error) (Page, error) {
	d, err := s.openDetails(c)
	if err != nil {
		return Page{}, err
	}
	client, err := r.Client(string(c.Channel))
	if errors.Is(err, store.ErrNotFound) {
		return Page{}, liuma.Fail(liuma.CodeUnauthenticated, err)
	}
	if err != nil {
		return Page{}, err
	}
	caller := authority.Caller{Client: client}
	rules := s.rules(c)
	p := Page{
		ID: c.ID, Step: Step(c.Step), Action: s.acting(c, d).Action, Began: c.Action, Channel: c.Channel, ChannelName: client.Name,
		Purpose: liuma.Purpose(d.Purpose), BusinessNo: c.BusinessNo, Region: c.Region, Expires: c.Expires, Try: c.Tries + 1,
		Verdict: liuma.Verdict(d.Verdict), Code: liuma.Code(d.Code), Reason: d.Reason, Sentence: d.Sentence,
		TriesLeft: d.Left, Until: d.Until,
		WasReset: d.WasReset, Form: strconv.Itoa(d.Forms), Alone: d.Alone || d.ProvedAlone, Hotline: rules.Hotline, Texts: rules.Texts, Steps: d.Steps,
	}
	if expired(c, s.now()) {
		p.Step, p.Code = StepExpired, liuma.CodeCeremonyExpired
		return p, nil
	}
	if err := s.showCounter(r, c, d, &p); err != nil || p.Counter != nil && p.Step.over() {
		return p, err // it names no person
	}
	if err := caller.Permit(c.Action, c.Region); err != nil && !p.Step.over() {
		if p.Step != StepDone {
			p.Step, p.Code = StepRefused, liuma.CodeForbidden
		}
		return p, nil // a stopped channel's page names no person and asks for nothing
	}
	if err := s.showHolder(r, caller, c.Card, d, &p); err != nil {
		return Page{}, err
	}
	if err := s.showMoves(r, c, d, &p); err != nil {
		return Page{}, err
	}
	if p.Consent, err = s.shownConsent(r, c, d); err != nil {
		return Page{}, err
	}
	if p.Consent != nil {
		hash := p.Consent.Hash()
		p.ConsentHash = hex.EncodeToString(hash[:])
	}
	if p.Step == StepPIN {
		if keyErr != nil {
			return Page{}, keyErr
		}
		if err := s.showPad(r, caller, c, d, key, &p); err != nil {
			return Page{}, err
		}
	}
	return p, nil
}

// showMoves fills in the other moves that the holder may make from this page.
func (s *Ceremonies) showMoves(r store.Reader, c store.Ceremony, d details, p *Page) error {
	if d.Turned != "" && (p.Step == StepCode || p.Step == StepEvidence) {
		row, err := r.Request(c.Channel, c.BusinessNo)
		if err != nil {
			return err
		}
		p.CanRemember = !row.Decided
	}
	if err := errors.Join(s.showReset(r, c, d, p), s.showTries(r, c, d, p), s.showAge(r, c, d, p), s.showCardNo(r, c, d, p), s.showTicket(r, c, d, p)); err != nil {
		return err
	}
	if s.outbox == nil {
		return nil
	}
	if p.Step == StepDone && !d.ProvedAlone && p.Counter == nil {
		contact, _, err := s.engine.Contact(r, c.Card)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			p.EveryUse = &contact.EveryUse
		}
	}
	if s.hasCode(c, d) {
		return s.showCode(r, c, d, p)
	}
	return nil
}

// showHolder fills in the masked identity: from the card after a right PIN or
// where the channel is linked, else as the channel sent it.
func (s *Ceremonies) showHolder(r store.Reader, c authority.Caller, card liuma.CardID, d details, p *Page) (err error) {
	if p.Counter != nil && p.Step != StepDone {
		t, err := s.counter.Ticket(r, p.Counter.Ticket)
		if err != nil {
			return err
		}
		_, f, err := s.registry.Of(r, t.Holder)
		p.NameMasked, p.IDMasked, p.Document = f.MaskedName(), f.MaskedIDNumber(), registry.DocumentOf(f.IDNumber).Type
		return err
	}
	// A number as sent may be written in any way; only a canonical one is masked right.
	id, err := registry.ParseIDNumber(d.Subject.IDNumber)
	if err != nil && d.Subject.Card == "" && p.Counter == nil {
		return err
	}
	f := registry.Facts{Name: d.Subject.Name, IDNumber: id.Canonical(), Phone: d.Subject.Phone}
	switch {
	case p.Step == StepDone:
		if f, err = s.factsOf(r, card); err != nil {
			return err
		}
	case d.Subject.Card != "":
		f, err = s.factsByHandle(r, c, d.Subject.Card)
		if liuma.CodeOf(err) == liuma.CodeEvidenceInvalid {
			return nil // without a link the page shows no name, and the PIN will be refused
		}
		if err != nil {
			return err
		}
	}
	p.Home = f.Region // the registry's facts have a region; the values that were typed have none
	if f.Name != "" {
		p.NameMasked = f.MaskedName()
	}
	if f.IDNumber != "" {
		p.IDMasked = f.MaskedIDNumber()
		p.Document = registry.DocumentOf(f.IDNumber).Type
	}
	if f.Phone != "" {
		p.PhoneMasked = f.MaskedPhone()
	}
	if f.CardNo != "" && p.Step == StepDone {
		p.CardNoMasked = maskCardNo(f.CardNo)
	}
	return nil
}

func maskCardNo(s string) string {
	r := []rune(s)
	if len(r) <= 4 {
		return "****"
	}
	return string(r[:1]) + "****" + string(r[len(r)-3:])
}

// showPad fills in the page's members for the pad: the key to seal to, and the
// bytes that each envelope is bound to.
func (s *Ceremonies) showPad(r store.Reader, c authority.Caller, cer store.Ceremony, d details, key store.SealKey, p *Page) error {
	act := s.acting(cer, d)
	p.SealKeyID, p.SealKey = key.ID, key.Public
	rules, has, err := s.padRules(r, c, cer, d)
	if err != nil {
		return err
	}
	p.Words, p.List = s.words(act, d.Pad, rules, has), rules.PIN.List
	p.AAD = map[liuma.Role][]byte{}
	roles := act.Roles
	if act.setsPIN() {
		roles = append(slices.Clone(roles), liuma.RoleCheck)
	}
	for _, r := range roles {
		b := envelope.Binding{Channel: cer.Channel, Action: act.Action, Role: r, Subject: boundSubject(cer.ID),
			BusinessNo: authority.TryNo(cer.BusinessNo, p.Try), PurposeHash: envelope.PurposeHash(liuma.Purpose(d.Purpose)),
			SealKeyID: key.ID, Challenge: tryChallenge(cer.ID, p.Try)}
		p.AAD[r] = b.AAD()
	}
	return nil
}
