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
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// One-time codes. A code belongs to one ceremony and one number. Wrong codes
// are counted on the card's holder and sent ones on the number, in the
// transaction that judges or sends. So all ceremonies together have five wrong
// codes and ten messages, also when they run at once.
const (
	codeDigits     = 1_000_000
	phoneCodeLife  = 10 * time.Minute
	codePeriod     = 24 * time.Hour
	wrongCodesMost = 5  // wrong codes for a holder in a period
	numberMost     = 10 // codes to a number in a period
	cardMost       = 20 // codes for a holder in a period, over all numbers
	codeEvery      = time.Minute

	tickCodeWrong = "code_wrong" // of a card
	tickCodeSent  = "code_sent"  // key: number
	tickCodeCard  = "code_card"  // of a card
)

// addressee is the phone that a ceremony's one-time codes go to.
type addressee struct {
	holder   vault.Index
	card     store.Card // zero ID at an enrolment
	phone    string
	masked   string // masked name of the holder: a number may serve several cards
	template string
}

// addresseeOf finds the phone that a ceremony's codes go to: the number that
// the server knows, or the number being bound. It is never a number from a
// request whose sender proved nothing.
func (s *Ceremonies) addresseeOf(r store.Reader, c store.Ceremony, d details) (to addressee, err error) {
	act := s.acting(c, d)
	address := (*Ceremonies).boundPhoneOf
	if act.address != nil {
		address = act.address
	}
	to, err = address(s, r, c, d)
	to.template = act.CodeText
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
	f, err := s.engine.Facts(to.card)
	to.masked = f.MaskedName()
	return to, err
}

// hasCode reports whether one-time codes are sent and taken at a step: at
// StepCode, and after a right PIN to confirm the phone.
func (s *Ceremonies) hasCode(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepCode || Step(c.Step) == StepDone && s.acting(c, d).ConfirmsPhone
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
	return s.moveAs(ctx, id, h, []Step{StepCode, StepDone},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			step := Step(c.Step)
			e := s.engine.Entry("holder", audit.CodeSent, c.Card, c.BusinessNo, "ok")
			if s.outbox == nil {
				return "", e, liuma.Fail(liuma.CodeOnlineOff, nil)
			}
			if !s.hasCode(*c, *d) {
				return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
			}
			to, err := s.addresseeOf(tx, *c, *d)
			if err != nil {
				return "", e, err
			}
			d.Code, d.Reason, d.Sentence, d.Until, d.Language = "", "", liuma.Text{}, time.Time{}, languageOf(h.Language)
			why, until, err := s.maySend(tx, to)
			if err != nil {
				return "", e, err
			}
			if why != "" {
				d.Code, d.Until, e.Outcome = string(why), until, string(why)
				return step, e, nil
			}
			return step, e, s.sendCode(tx, *c, *d, to, code, by)
		})
}

// newOneTimeCode draws six digits, each value as likely as any other.
func newOneTimeCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(codeDigits))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// maySend returns the reason why no code may be sent now, and until when.
func (s *Ceremonies) maySend(r store.Reader, to addressee) (liuma.Code, time.Time, error) {
	now := s.now()
	if left, until, err := s.codesLeft(r, to); err != nil || left == 0 {
		return liuma.CodePhoneCodesSpent, until, err
	}
	sent, err := r.Ticks(tickCodeSent, s.engine.PhoneIndex(to.phone), now.Add(-codePeriod))
	if err != nil {
		return "", time.Time{}, err
	}
	if until := authority.SpentUntil(sent, numberMost, codePeriod); !until.IsZero() {
		return liuma.CodePhoneCodeLimit, until, nil
	}
	if until := authority.SpentUntil(sent, 1, codeEvery); until.After(now) {
		return liuma.CodePhoneCodeSoon, until, nil
	}
	if sent, err = to.marks(r, tickCodeCard, now.Add(-codePeriod)); err != nil {
		return "", time.Time{}, err
	}
	if until := authority.SpentUntil(sent, cardMost, codePeriod); !until.IsZero() {
		return liuma.CodePhoneCodeLimit, until, nil
	}
	return "", time.Time{}, nil
}

// marks are the ration marks of the addressee's card. Before the first enrolment
// has made the card, the holder's stand in for them.
func (to addressee) marks(r store.Reader, kind string, since time.Time) ([]time.Time, error) {
	if to.card.ID.IsZero() {
		return r.Ticks(kind, to.holder, since)
	}
	return r.CardTicks(to.card.ID, kind, since)
}

func (to addressee) mark(tx store.Tx, kind string, at time.Time) error {
	if to.card.ID.IsZero() {
		return tx.InsertTick(store.Tick{Kind: kind, Key: to.holder, At: at})
	}
	return tx.InsertCardTick(to.card.ID, kind, at)
}

// codesLeft is how many wrong codes a card's holder may still give and, if
// none, until when.
func (s *Ceremonies) codesLeft(r store.Reader, to addressee) (left int, until time.Time, err error) {
	wrong, err := to.marks(r, tickCodeWrong, s.now().Add(-codePeriod))
	if err != nil {
		return 0, time.Time{}, err
	}
	if until := authority.SpentUntil(wrong, wrongCodesMost, codePeriod); !until.IsZero() {
		return 0, until, nil
	}
	return wrongCodesMost - len(wrong), time.Time{}, nil
}

// sendCode replaces the ceremony's code by a new one and queues its message.
func (s *Ceremonies) sendCode(tx store.Tx, c store.Ceremony, d details, to addressee, code string, by liuma.CodeWay) error {
	now := s.now()
	phone := s.engine.PhoneIndex(to.phone)
	err := errors.Join(
		tx.InsertTick(store.Tick{Kind: tickCodeSent, Key: phone, At: now}),
		to.mark(tx, tickCodeCard, now),
		tx.PutCode(store.Code{Ceremony: c.ID, Card: to.card.ID, Phone: phone, MAC: s.codeMAC(c.ID, phone, code),
			SentAt: now, Expires: now.Add(phoneCodeLife), Way: by}))
	if err != nil {
		return err
	}
	return s.outbox.Queue(tx, authority.Notice{Kind: authority.KindCode, Card: to.card.ID, Phone: to.phone, Template: to.template, Way: by,
		Language: d.Language, Region: c.Region, Expires: now.Add(phoneCodeLife),
		Params: map[string]string{"code": code, "holder": to.masked}})
}

// codeMAC binds a one-time code to its ceremony and number.
func (s *Ceremonies) codeMAC(ceremony string, phone vault.Index, code string) vault.MAC {
	return s.vault.RowMAC("code", []byte(ceremony), phone[:], []byte(code))
}

// GiveCode takes the one-time code that the holder typed. A wrong one is
// counted even if the answer is lost: counting and judging are one transaction.
func (s *Ceremonies) GiveCode(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return s.moveAs(ctx, id, h, []Step{StepCode, StepDone},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			step := Step(c.Step)
			e := s.engine.Entry("holder", audit.CodeRight, c.Card, c.BusinessNo, "ok")
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
				if why, until, err = s.judgeCode(tx, c.ID, to, code); err != nil {
					return "", e, err
				}
			}
			if why != "" {
				d.Code, d.Until = string(why), until
				e.Event, e.Outcome = audit.CodeWrong, string(why)
				return step, e, nil
			}
			phone := s.engine.PhoneIndex(to.phone)
			d.Proofs.Code = CodeProof{In: bytes.Clone(c.Browser[:]), Phone: bytes.Clone(phone[:]), At: s.now()}
			next, err := s.toPad(func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) { return s.codeRight(tx, c, d, to) })(tx, c, d)
			if next == StepDone {
				e.Event = s.acting(*c, *d).CodeEvent
			}
			return next, e, err
		})
}

// parseCode reads six digits. It takes full-width digits, spaces and hyphens
// too, as people copy them.
func parseCode(s string) (string, bool) {
	if len(s) > 64 {
		return "", false
	}
	var digits []rune
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, r)
		case r >= '０' && r <= '９':
			digits = append(digits, r-'０'+'0')
		case r == ' ' || r == '-' || r == '　' || r == '\t':
		default:
			return "", false
		}
	}
	return string(digits), len(digits) == 6
}

// judgeCode compares a typed code with the ceremony's open one, counts a wrong
// one and uses up a right one. It returns an empty error code if the code was
// right.
func (s *Ceremonies) judgeCode(tx store.Tx, ceremony string, to addressee, code string) (liuma.Code, time.Time, error) {
	left, until, err := s.codesLeft(tx, to)
	if err != nil {
		return "", time.Time{}, err
	}
	if left == 0 {
		return liuma.CodePhoneCodesSpent, until, nil
	}
	now := s.now()
	sent, err := tx.Code(ceremony)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	case err != nil:
		return "", time.Time{}, err
	case !sent.Used.IsZero() || !now.Before(sent.Expires) || sent.Phone != s.engine.PhoneIndex(to.phone):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	}
	if s.codeMAC(ceremony, sent.Phone, code).Equal(sent.MAC) {
		sent.Used = now
		return "", time.Time{}, tx.PutCode(sent)
	}
	if err := to.mark(tx, tickCodeWrong, now); err != nil {
		return "", time.Time{}, err
	}
	if left == 1 {
		_, until, err := s.codesLeft(tx, to)
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
	if p.CodesLeft, _, err = s.codesLeft(r, to); err != nil {
		return err
	}
	sent, err := r.Code(c.ID)
	if err == nil && sent.Used.IsZero() && sent.Phone == s.engine.PhoneIndex(to.phone) {
		p.CodeSentAt, p.CodeBy = sent.SentAt, cmp.Or(sent.Way, liuma.ByText)
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	why, until, err := s.maySend(r, to)
	if err == nil && why != "" {
		p.ResendAt = until
	}
	for _, way := range s.ways {
		o := CodeOffer{Way: way, ReadyAt: p.ResendAt}
		if p.ResendAt.IsZero() {
			o.Left = 1
		}
		p.Ways = append(p.Ways, o)
	}
	return err
}
