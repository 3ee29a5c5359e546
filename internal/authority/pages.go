package authority

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// LookAt shows the ceremony of a pushed request. It changes nothing, so a
// reload or a prefetch costs nothing.
func (a *Authority) LookAt(ctx context.Context, clientID, requestURI string, h Hand) (Page, error) {
	var c store.Ceremony
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.CeremonyByRequestURI(hashed("request-uri", requestURI))
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && string(c.Channel) != clientID {
		return Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, err)
	}
	if err != nil {
		return Page{}, house(err)
	}
	h.RequestURI = requestURI
	return a.look(ctx, c, h)
}

// Look shows a ceremony to the browser that goes on with it.
func (a *Authority) Look(ctx context.Context, id string, h Hand) (Page, error) {
	var c store.Ceremony
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = r.Ceremony(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, err)
	}
	if err != nil {
		return Page{}, house(err)
	}
	return a.look(ctx, c, h)
}

func (a *Authority) look(ctx context.Context, c store.Ceremony, h Hand) (Page, error) {
	begun := c.Browser != [32]byte{}
	switch g := grip(c, h); {
	case g == holdsNothing, g == holdsAddress && begun:
		// Nothing personal for a browser that does not go on with it.
		return Page{ID: c.ID, Step: Step(c.Step), Action: c.Action, Elsewhere: true, Code: liuma.CodeCeremonyElsewhere}, nil
	case !begun && expired(c, a.now()):
		return Page{}, liuma.Fail(liuma.CodeRequestURIInvalid, nil)
	}
	return a.page(ctx, c, h)
}

// page is what may be shown of a ceremony to whoever goes on with it.
func (a *Authority) page(ctx context.Context, c store.Ceremony, h Hand) (Page, error) {
	d, err := a.openDetails(c)
	if err != nil {
		return Page{}, house(err)
	}
	client, err := a.Client(ctx, string(c.Channel))
	if err != nil {
		return Page{}, err
	}
	p := Page{
		ID: c.ID, Step: Step(c.Step), Action: acting(c, d), Began: c.Action, Channel: c.Channel, ChannelName: client.Name,
		Purpose: d.Purpose, BusinessNo: c.BusinessNo, Region: c.Region, Expires: c.Expires, Try: c.Tries + 1,
		Verdict: liuma.Verdict(d.Verdict), Code: liuma.Code(d.Code), Reason: d.Reason, Sentence: d.Sentence,
		TriesLeft: d.Left, Until: d.Until,
		ResetRefused: liuma.Code(d.NoReset), ResetRefusedUntil: d.NoResetUntil, WasReset: d.WasReset,
	}
	if expired(c, a.now()) {
		p.Step, p.Code = StepExpired, liuma.CodeCeremonyExpired
		return p, nil
	}
	if err := (Caller{Client: client}).permit(c.Action, c.Region); err != nil && !p.Step.over() {
		if p.Step != StepDone {
			p.Step, p.Code = StepRefused, liuma.CodeForbidden
		}
		return p, nil // nobody is named, and nothing asked for, in a channel that was stopped
	}
	if err := a.showHolder(ctx, Caller{Client: client}, c.Card, d, &p); err != nil {
		return Page{}, err
	}
	if err := a.Store.View(ctx, func(r store.Reader) error { return a.showMoves(r, c, d, h, &p) }); err != nil {
		return Page{}, house(err)
	}
	if p.Step == StepPIN {
		err = a.showPad(ctx, Caller{Client: client}, c, d, &p)
	}
	return p, house(err)
}

// showMoves fills in what the holder may do besides the step itself.
func (a *Authority) showMoves(r store.Reader, c store.Ceremony, d details, h Hand, p *Page) error {
	if d.Doing != "" && (p.Step == StepCode || p.Step == StepEvidence) {
		row, err := r.Request(c.Channel, c.BusinessNo)
		if err != nil {
			return err
		}
		p.CanRemember = !row.Decided
	}
	if err := errors.Join(a.showDevice(r, c, d, h, p), a.showTries(r, c, d, h, p), a.showAge(r, c, p), a.showCardNo(r, c, p)); err != nil {
		return err
	}
	if a.Outbox == nil {
		return nil
	}
	if p.Step == StepDone {
		contact, _, err := a.contact(r, c.Card)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			p.EveryUse = &contact.EveryUse
		}
	}
	if hasCode(c, d) {
		return a.showCode(r, c, d, p)
	}
	return nil
}

// showHolder fills in the masked identity: of the card once the PIN was
// right, of the linked card, or as the channel itself sent it.
func (a *Authority) showHolder(ctx context.Context, c Caller, card liuma.CardID, d details, p *Page) error {
	f := registry.Facts{Name: d.Subject.Name, IDNumber: d.Subject.IDNumber, Phone: d.Subject.Phone}
	switch {
	case p.Step == StepDone:
		var err error
		if f, err = a.factsOf(ctx, card); err != nil {
			return err
		}
	case d.Subject.Card != "":
		var err error
		f, err = a.factsByHandle(ctx, c, d.Subject.Card)
		if liuma.CodeOf(err) == liuma.CodeEvidenceInvalid {
			return nil // no link: the page shows nobody, and the PIN will be refused
		}
		if err != nil {
			return err
		}
	}
	if f.Name != "" {
		p.NameMasked = f.MaskedName()
	}
	if f.IDNumber != "" {
		p.IDMasked = f.MaskedIDNumber()
	}
	if f.Phone != "" {
		p.PhoneMasked = f.MaskedPhone()
	}
	if f.CardNo != "" && p.Step == StepDone {
		p.CardNoMasked = maskCardNo(f.CardNo)
	}
	return nil
}

func (a *Authority) factsOf(ctx context.Context, id liuma.CardID) (registry.Facts, error) {
	var card store.Card
	err := a.Store.View(ctx, func(r store.Reader) (err error) {
		card, err = a.checkedCard(r, id)
		return err
	})
	if err != nil {
		return registry.Facts{}, house(err)
	}
	return a.facts(card)
}

func maskCardNo(s string) string {
	r := []rune(s)
	if len(r) <= 4 {
		return "****"
	}
	return string(r[:1]) + "****" + string(r[len(r)-3:])
}

// tryNo is the business number of one try of a ceremony. No channel can use
// it: '#' is not in the alphabet of business numbers.
func tryNo(bn liuma.BusinessNo, try int) liuma.BusinessNo {
	return liuma.BusinessNo(fmt.Sprintf("%s#%d", bn, try))
}

// ofTry reports whether a number is that of a try. Nobody outside can ask for
// it, so there is no receipt in its name.
func ofTry(bn liuma.BusinessNo) bool { return strings.Contains(string(bn), "#") }

// tryChallenge stands for the server challenge in the binding of a try: the
// ceremony bounds its life.
func tryChallenge(id string, try int) string { return fmt.Sprintf("%s:%d", id, try) }

// roles are the PINs that an action's pad asks for.
func roles(a liuma.Action) []liuma.Role {
	switch a {
	case liuma.ActionEnroll, liuma.ActionReset:
		return []liuma.Role{liuma.RoleNew}
	case liuma.ActionChange:
		return []liuma.Role{liuma.RoleOld, liuma.RoleNew}
	}
	return []liuma.Role{liuma.RoleCurrent}
}

func (a *Authority) showPad(ctx context.Context, c Caller, cer store.Ceremony, d details, p *Page) error {
	key, err := a.currentSealKey(ctx)
	if err != nil {
		return err
	}
	p.SealKeyID, p.SealKey = key.ID, key.Public
	p.Passphrase = a.policyFor(c, cer.Region).Passphrase
	p.AAD = map[liuma.Role][]byte{}
	for _, r := range roles(acting(cer, d)) {
		b := envelope.Binding{Channel: cer.Channel, Action: acting(cer, d), Role: r, Subject: boundSubject(&hosted{ceremony: cer.ID}, d.subject()),
			BusinessNo: tryNo(cer.BusinessNo, p.Try), PurposeHash: envelope.PurposeHash(d.Purpose),
			SealKeyID: key.ID, Challenge: tryChallenge(cer.ID, p.Try)}
		p.AAD[r] = b.AAD()
	}
	return nil
}
