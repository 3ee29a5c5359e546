package ceremony

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/internal/written"
)

// One-time codes. A code belongs to one ceremony and one number. coderation.go limits
// how many are sent and how many wrong ones are taken.
const (
	codeDigits    = 1_000_000
	phoneCodeLife = 10 * time.Minute
)

// addressee is the phone that a ceremony's one-time codes go to.
type addressee struct {
	holder   vault.Index
	card     store.Card // zero ID at an enrolment
	phone    string
	masked   string // masked name of the holder: a number may serve several cards
	template string
}

// addresseeOf finds the phone that a ceremony's codes go to: a number that the server
// knows, or the number being bound. It never takes a number from a request whose
// sender has proved nothing.
func (s *Ceremonies) addresseeOf(r store.Reader, c store.Ceremony, d details) (to addressee, err error) {
	act := s.acting(c, d)
	address := (*Ceremonies).boundPhoneOf
	if act.address != nil {
		address = act.address
	}
	to, err = address(s, r, c, d)
	to.template = cmp.Or(to.template, act.CodeText)
	return to, err
}

// boundPhoneOf returns the bound phone of the ceremony's card.
func (s *Ceremonies) boundPhoneOf(r store.Reader, c store.Ceremony, _ details) (addressee, error) {
	to, err := s.cardHolder(r, c)
	if err == nil {
		_, to.phone, err = s.engine.BoundPhone(r, c.Card)
	}
	return to, err
}

// cardHolder returns the holder of the ceremony's card, as an addressee without
// a number.
func (s *Ceremonies) cardHolder(r store.Reader, c store.Ceremony) (to addressee, err error) {
	if to.card, err = s.engine.ReadCard(r, c.Card); err != nil {
		return to, err
	}
	to.holder = to.card.Holder
	f, err := s.engine.Facts(r, to.card)
	to.masked = f.MaskedName()
	return to, err
}

// hasCode reports whether one-time codes are sent and taken at a step: at StepCode,
// after a right PIN to confirm the phone, and while a contact for notices is being
// named.
func (s *Ceremonies) hasCode(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepCode || naming(c, d) || Step(c.Step) == StepDone && s.acting(c, d).ConfirmsPhone && !d.ProvedAlone
}

// SendCode sends a one-time code to the number of the ceremony's step. If
// sending is refused, the page says so, and until when. A crash leaves the code
// and its message in the outbox, or neither.
func (s *Ceremonies) SendCode(ctx context.Context, id string, h Hand, by liuma.CodeWay) (Page, error) {
	if !slices.Contains(s.ways, by) {
		return Page{}, liuma.FailField(liuma.CodeBadRequest, "way", nil)
	}
	code, err := newOneTimeCode()
	if err != nil {
		return Page{}, liuma.Outward(err)
	}
	limited := false // whether this refusal is to be recorded
	p, err := s.moveAs(ctx, id, h, []Step{StepCode, StepDone}, s.once(h, "send "+string(by),
		func(tx store.Tx, c *store.Ceremony, d *details) (step Step, e audit.Entry, err error) {
			step, e, limited, err = s.sendOrRefuse(tx, *c, d, h, code, by)
			return step, e, err
		}))
	if err == nil && limited {
		s.log.ErrorContext(ctx, "ALARM: a channel has used up its one-time codes: is its key, or its app, in other hands?", "channel", p.Channel)
	}
	return p, err
}

// sendOrRefuse is the move of SendCode. limited says that a channel's budget is spent
// and that the audit record must say so.
func (s *Ceremonies) sendOrRefuse(tx store.Tx, c store.Ceremony, d *details, h Hand, code string, way liuma.CodeWay) (step Step, e audit.Entry, limited bool, err error) {
	step = Step(c.Step)
	e = s.engine.Entry("holder", audit.CodeSent, s.recordOf(c), c.BusinessNo, "ok")
	if s.outbox == nil {
		return "", e, false, liuma.Fail(liuma.CodeOnlineOff, nil)
	}
	if !s.hasCode(c, *d) {
		return "", e, false, liuma.Fail(liuma.CodeCeremonyMoved, nil)
	}
	if naming(c, *d) && way != liuma.ByText {
		return "", e, false, liuma.FailField(liuma.CodeBadRequest, "way", nil)
	}
	to, err := s.addresseeOf(tx, c, *d)
	if err != nil {
		return "", e, false, err
	}
	d.Code, d.Reason, d.Sentence, d.Until, d.Language = "", "", liuma.Text{}, time.Time{}, languageOf(h.Language)
	by, err := s.askedThrough(tx, c, *d, to)
	if err != nil {
		return "", e, false, err
	}
	o, err := s.offered(tx, c, to, by, way)
	switch {
	case err != nil:
		return "", e, false, err
	case o.why == "":
		return step, e, false, s.sendCode(tx, c, d, to, code, by, way)
	}
	d.Code, d.Until, e.Outcome = string(o.why), o.ReadyAt, string(o.why)
	if o.why == liuma.CodePhoneCodeChannel {
		if limited, err = s.engine.CodesLimited(tx, c.Channel); limited {
			e.Event, e.Actor = audit.CodesLimited, "channel:"+string(c.Channel)
		}
	}
	return step, e, limited, err
}

// newOneTimeCode draws six digits, each value as likely as any other.
func newOneTimeCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(codeDigits))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// sendCode replaces the ceremony's code by a new one and queues its message.
func (s *Ceremonies) sendCode(tx store.Tx, c store.Ceremony, d *details, to addressee, code string, by asks, way liuma.CodeWay) error {
	now := s.now()
	phone := s.engine.PhoneIndex(to.phone)
	err := errors.Join(s.supersede(tx, c, d), s.codeWasSent(tx, c, to, by, way),
		tx.PutCode(store.Code{Ceremony: c.ID, Card: to.card.ID, Phone: phone, MAC: s.codeMAC(to.codeOf(c), phone, code),
			SentAt: now, Expires: now.Add(phoneCodeLife), Way: way}))
	if err != nil {
		return err
	}
	_, err = s.outbox.Queue(tx, authority.Notice{Kind: authority.KindCode, Card: to.card.ID, Phone: to.phone, Template: to.template, Way: way,
		Language: d.Language, Region: cmp.Or(to.card.Region, c.Region), Expires: now.Add(phoneCodeLife),
		Params: map[string]string{"code": code, "holder": to.masked}})
	return err
}

// codeMAC binds a one-time code to its ceremony and number.
func (s *Ceremonies) codeMAC(ceremony string, phone vault.Index, code string) vault.MAC {
	return s.vault.RowMAC("code", []byte(ceremony), phone[:], []byte(code))
}

// GiveCode takes the one-time code that the holder typed. A wrong one is
// counted even if the answer is lost: counting and judging are one transaction.
func (s *Ceremonies) GiveCode(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return s.moveAs(ctx, id, h, []Step{StepCode, StepDone}, s.once(h, "code "+typed,
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			step := Step(c.Step)
			e := s.engine.Entry("holder", audit.CodeRight, s.recordOf(*c), c.BusinessNo, "ok")
			if !s.hasCode(*c, *d) {
				return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
			}
			to, err := s.addresseeOf(tx, *c, *d)
			if err != nil {
				return "", e, err
			}
			d.Code, d.Reason, d.Sentence, d.Until = "", "", liuma.Text{}, time.Time{}
			code, ok := parseCode(typed)
			why, until := liuma.CodePhoneCodeFormat, time.Time{}
			if ok {
				through, err := s.askedThrough(tx, *c, *d, to)
				if err != nil {
					return "", e, err
				}
				if why, until, err = s.judgeCode(tx, *c, *d, to, through, code); err != nil {
					return "", e, err
				}
			}
			if why != "" {
				d.Code, d.Until = string(why), until
				e.Event, e.Outcome = audit.CodeWrong, string(why)
				return step, e, nil
			}
			if naming(*c, *d) {
				e.Event = audit.NoticesNamed
				return step, e, s.nameContact(tx, *c, d, to)
			}
			phone := s.engine.PhoneIndex(to.phone)
			d.Proofs.Code = CodeProof{In: bytes.Clone(c.Browser[:]), Phone: bytes.Clone(phone[:]), At: s.now()}
			next, err := s.toPad(func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) { return s.codeRight(tx, c, d, to) })(tx, c, d)
			if next == StepDone {
				e.Event = s.acting(*c, *d).CodeEvent
				if d.Kind == liuma.TicketUnfreeze {
					e.Event = audit.CardUnfrozen
				}
			}
			return next, e, err
		}))
}

// parseCode reads six digits. It takes full-width digits, spaces and hyphens
// too, as people copy them.
func parseCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	s = written.Number(s)
	return s, len(s) == 6 && strings.Trim(s, "0123456789") == ""
}

// judgeCode compares a typed code with the ceremony's open one, counts a wrong
// one and uses up a right one. It returns an empty error code if the code was
// right.
func (s *Ceremonies) judgeCode(tx store.Tx, c store.Ceremony, d details, to addressee, by asks, code string) (liuma.Code, time.Time, error) {
	left, until, err := s.codesLeft(tx, to, by)
	if err != nil {
		return "", time.Time{}, err
	}
	if left == 0 {
		return liuma.CodePhoneCodesSpent, until, nil
	}
	now := s.now()
	sent, err := tx.Code(c.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	case err != nil:
		return "", time.Time{}, err
	case !sent.Used.IsZero() || !now.Before(sent.Expires) || sent.Phone != s.engine.PhoneIndex(to.phone):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	}
	if s.codeMAC(to.codeOf(c), sent.Phone, code).Equal(sent.MAC) {
		sent.Used = now
		return "", time.Time{}, errors.Join(tx.PutCode(sent), s.engine.CodeCameBack(tx, c.Channel))
	}
	if s.superseded(to.codeOf(c), d, sent.Phone, code) {
		return liuma.CodePhoneCodeSuperseded, time.Time{}, nil
	}
	if err := s.codeWasWrong(tx, to, by); err != nil {
		return "", time.Time{}, err
	}
	if left == 1 {
		_, until, err := s.codesLeft(tx, to, by)
		return liuma.CodePhoneCodesSpent, until, err
	}
	return liuma.CodePhoneCodeWrong, time.Time{}, nil
}

// codeRight goes on after a right code.
func (s *Ceremonies) codeRight(tx store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
	if coded := s.acting(*c, *d).coded; coded != nil {
		return coded(s, tx, c, d, to)
	}
	return StepPIN, nil
}

// showCode fills in the page's members about one-time codes.
func (s *Ceremonies) showCode(r store.Reader, c store.Ceremony, d details, p *Page) error {
	to, err := s.addresseeOf(r, c, d)
	if err != nil {
		if Step(c.Step) == StepDone {
			return nil // nothing to confirm
		}
		return err
	}
	p.PhoneMasked = registry.MaskPhone(to.phone)
	rebinds := p.Action == liuma.ActionRebind || p.Action == liuma.ActionCounter && bindsPhone(d.Kind) && asksOwn(d.Kind)
	p.CodeToBound = rebinds && to.phone != d.NewPhone
	by, err := s.askedThrough(r, c, d, to)
	if err != nil {
		return err
	}
	if p.CodesLeft, _, err = s.codesLeft(r, to, by); err != nil {
		return err
	}
	sent, err := r.Code(c.ID)
	open := err == nil && sent.Used.IsZero() && sent.Phone == s.engine.PhoneIndex(to.phone)
	if open {
		p.CodeSentAt, p.CodeBy = sent.SentAt, cmp.Or(sent.Way, liuma.ByText)
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	ways := s.ways
	if naming(c, d) {
		ways = []liuma.CodeWay{liuma.ByText} // a call says to tell nobody
	}
	for i, way := range ways {
		o, err := s.offered(r, c, to, by, way)
		if err != nil {
			return err
		}
		p.Ways = append(p.Ways, o.CodeOffer)
		if i > 0 {
			continue
		}
		p.ResendAt = o.ReadyAt
		waiting := open && s.now().Before(sent.Expires)
		if p.Code == "" && o.why != "" && o.why != liuma.CodePhoneCodeSoon && !waiting && (p.Step == StepCode || naming(c, d)) {
			p.Code, p.Until = o.why, o.ReadyAt // so that the holder need not ask in vain
		}
	}
	return nil
}
