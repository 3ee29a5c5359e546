package authority

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// One-time codes. A code belongs to one ceremony and one number; wrong ones
// are counted on the card's holder and sent ones on the number, in the
// transaction that judges or sends, so that any number of ceremonies at once
// have five guesses and ten texts between them.
const (
	codeDigits     = 1_000_000
	phoneCodeLife  = 10 * time.Minute
	codeWindow     = 24 * time.Hour
	wrongCodesMost = 5  // a holder and window
	numberMost     = 10 // codes to a number and window
	cardMost       = 20 // codes for a holder and window, whatever the number
	codeEvery      = time.Minute

	// codedLife is how long a right code shows that somebody reads the texts
	// of a number. It is time to go to the provider and back and to choose a
	// PIN, also for the slow; a phone that was lent, or was left on a table, is
	// back with its owner by then. Later the ceremony asks for another code.
	codedLife = 30 * time.Minute

	tickCodeWrong = "code_wrong" // key: holder
	tickCodeSent  = "code_sent"  // key: number
	tickCodeCard  = "code_card"  // key: holder
)

// addressee is where the codes of a ceremony go.
type addressee struct {
	holder   vault.Index
	card     store.Card // zero ID at an enrolment
	phone    string
	masked   string // name of the holder: a number may serve several cards
	template string
}

// codedParts is a code that was right, as the ceremony keeps it.
type codedParts struct {
	Phone []byte // index of the number that it went to
	At    time.Time
}

// codeHolds reports whether a code was right in this ceremony that counts now:
// to this number, in the browser that goes on, and not long ago.
func (d details) codeHolds(c store.Ceremony, phone vault.Index, now time.Time) bool {
	return d.Coded != nil && bytes.Equal(d.Coded.Phone, phone[:]) && bytes.Equal(d.Prover, c.Browser[:]) &&
		now.Before(d.Coded.At.Add(codedLife))
}

// addresseeOf says where the codes of a ceremony go: to the number that the
// server holds, or to the one being bound; never to one that came with a
// request of somebody who proved nothing.
func (a *Authority) addresseeOf(r store.Reader, c store.Ceremony, d details) (to addressee, err error) {
	switch acting(c, d) {
	case liuma.ActionEnroll:
		return a.enrollee(r, d)
	case liuma.ActionReset:
		to.template = "code_reset"
	case liuma.ActionUnfreeze:
		to.template = "code_unfreeze"
	case liuma.ActionRebind:
		to.template, to.phone = "code_rebind", d.NewPhone
		if to.phone == "" {
			return to, liuma.Fail(liuma.CodePhoneInvalid, nil)
		}
	default:
		to.template = "code_confirm"
	}
	if to.card, err = a.checkedCard(r, c.Card); err != nil {
		return to, err
	}
	to.holder = to.card.Holder
	f, err := a.facts(to.card)
	if err != nil {
		return to, err
	}
	to.masked = f.MaskedName()
	if to.phone == "" {
		_, to.phone, err = a.boundPhone(r, c.Card)
	}
	return to, err
}

// enrollee is who applies for a card, with the number that the registry holds.
// A number that came with the push is the channel's word, and would let a face
// alone bind a phone (I-12). The evidence of the push has confirmed the holder,
// who may so learn what the registry says.
func (a *Authority) enrollee(r store.Reader, d details) (addressee, error) {
	to := addressee{template: "code_bind"}
	id, err := registry.ParseIDNumber(d.Subject.IDNumber)
	if err != nil {
		return to, err
	}
	name, err := registry.ParseName(d.Subject.Name)
	if err != nil {
		return to, err
	}
	person, f, err := a.Registry.Find(r, id)
	if err != nil {
		return to, err
	}
	switch card, err := r.CardByHolder(person.Holder); {
	case f.Name != name:
		return to, liuma.Fail(liuma.CodeNotInRegistry, nil)
	case person.Physical == liuma.PhysicalCancelled:
		return to, liuma.Fail(liuma.CodeCancelled, nil)
	case err == nil && card.Version > 0:
		return to, liuma.Fail(liuma.CodeAlreadyEnrolled, nil)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return to, err
	case f.Phone == "":
		return to, liuma.Fail(liuma.CodePhoneNone, nil)
	}
	to.holder, to.phone, to.masked = person.Holder, f.Phone, f.MaskedName()
	return to, nil
}

// hasCode reports whether codes are sent and taken at a step: at StepCode, and
// after a right PIN to confirm the phone.
func hasCode(c store.Ceremony, d details) bool {
	return Step(c.Step) == StepCode || Step(c.Step) == StepDone && acting(c, d) == liuma.ActionVerify
}

// SendCode sends a code to the number of the ceremony's step. A refusal to
// send is in the page, with the time when it ends. A crash leaves the code and
// its text in the outbox, or neither.
func (a *Authority) SendCode(ctx context.Context, id string, h Hand) (Page, error) {
	code, err := newPhoneCode()
	if err != nil {
		return Page{}, house(err)
	}
	return a.moveAs(ctx, id, h, []Step{StepCode, StepDone},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			step := Step(c.Step)
			e := a.entry("holder", audit.CodeSent, c.Card, c.BusinessNo, "ok")
			if a.Outbox == nil {
				return "", e, liuma.Fail(liuma.CodeOnlineOff, nil)
			}
			if !hasCode(*c, *d) {
				return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
			}
			to, err := a.addresseeOf(tx, *c, *d)
			if err != nil {
				return "", e, err
			}
			d.Code, d.Reason, d.Sentence, d.Until, d.Language = "", "", liuma.Text{}, time.Time{}, languageOf(h.Language)
			why, until, err := a.maySend(tx, to)
			if err != nil {
				return "", e, err
			}
			if why != "" {
				d.Code, d.Until, e.Outcome = string(why), until, string(why)
				return step, e, nil
			}
			return step, e, a.sendCode(tx, *c, *d, to, code)
		})
}

// newPhoneCode draws six digits, each value as likely as any other.
func newPhoneCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(codeDigits))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// maySend says why no code may be sent now, and until when.
func (a *Authority) maySend(r store.Reader, to addressee) (liuma.Code, time.Time, error) {
	now := a.now()
	if left, until, err := a.codesLeft(r, to.holder); err != nil || left == 0 {
		return liuma.CodePhoneCodesSpent, until, err
	}
	sent, err := r.Ticks(tickCodeSent, a.phoneIndex(to.phone), now.Add(-codeWindow))
	if err != nil {
		return "", time.Time{}, err
	}
	if until := spentUntil(sent, numberMost, codeWindow); !until.IsZero() {
		return liuma.CodePhoneCodeLimit, until, nil
	}
	if until := spentUntil(sent, 1, codeEvery); until.After(now) {
		return liuma.CodePhoneCodeSoon, until, nil
	}
	if sent, err = r.Ticks(tickCodeCard, to.holder, now.Add(-codeWindow)); err != nil {
		return "", time.Time{}, err
	}
	if until := spentUntil(sent, cardMost, codeWindow); !until.IsZero() {
		return liuma.CodePhoneCodeLimit, until, nil
	}
	return "", time.Time{}, nil
}

// codesLeft is how many wrong codes a holder's card has left, and, when there
// are none, until when.
func (a *Authority) codesLeft(r store.Reader, holder vault.Index) (left int, until time.Time, err error) {
	wrong, err := r.Ticks(tickCodeWrong, holder, a.now().Add(-codeWindow))
	if err != nil {
		return 0, time.Time{}, err
	}
	if until := spentUntil(wrong, wrongCodesMost, codeWindow); !until.IsZero() {
		return 0, until, nil
	}
	return wrongCodesMost - len(wrong), time.Time{}, nil
}

// sendCode puts a code in place of the ceremony's and queues its text.
func (a *Authority) sendCode(tx store.Tx, c store.Ceremony, d details, to addressee, code string) error {
	now := a.now()
	phone := a.phoneIndex(to.phone)
	err := errors.Join(
		tx.InsertTick(store.Tick{Kind: tickCodeSent, Key: phone, At: now}),
		tx.InsertTick(store.Tick{Kind: tickCodeCard, Key: to.holder, At: now}),
		tx.PutCode(store.Code{Ceremony: c.ID, Card: to.card.ID, Phone: phone, MAC: a.codeMAC(c.ID, phone, code),
			SentAt: now, Expires: now.Add(phoneCodeLife)}))
	if err != nil {
		return err
	}
	return a.Outbox.Queue(tx, Notice{Kind: KindCode, Card: to.card.ID, Phone: to.phone, Template: to.template,
		Language: d.Language, Region: c.Region, Expires: now.Add(phoneCodeLife),
		Params: map[string]string{"code": code, "holder": to.masked}})
}

// codeMAC binds a code to its ceremony and number.
func (a *Authority) codeMAC(ceremony string, phone vault.Index, code string) vault.MAC {
	return a.Vault.RowMAC("code", []byte(ceremony), phone[:], []byte(code))
}

// GiveCode takes the code that the holder typed. Wrong ones count whatever
// happens to the answer: the count and the judgement are one transaction.
func (a *Authority) GiveCode(ctx context.Context, id string, h Hand, typed string) (Page, error) {
	return a.moveAs(ctx, id, h, []Step{StepCode, StepDone},
		func(tx store.Tx, c *store.Ceremony, d *details) (Step, audit.Entry, error) {
			step := Step(c.Step)
			e := a.entry("holder", audit.CodeRight, c.Card, c.BusinessNo, "ok")
			if !hasCode(*c, *d) {
				return "", e, liuma.Fail(liuma.CodeCeremonyMoved, nil)
			}
			to, err := a.addresseeOf(tx, *c, *d)
			if err != nil {
				return "", e, err
			}
			d.Code, d.Reason, d.Sentence, d.Until = "", "", liuma.Text{}, time.Time{}
			code, ok := parseCode(typed)
			why, until := liuma.CodePhoneCodeFormat, time.Time{}
			if ok {
				if why, until, err = a.judgeCode(tx, c.ID, to, code); err != nil {
					return "", e, err
				}
			}
			if why != "" {
				d.Code, d.Until = string(why), until
				e.Event, e.Outcome = audit.CodeWrong, string(why)
				return step, e, nil
			}
			d.Coded, d.Prover = &codedParts{Phone: indexBytes(a.phoneIndex(to.phone)), At: a.now()}, c.Browser[:]
			d.CodeIn = bytes.Clone(c.Browser[:])
			next, err := a.toPad(h, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) { return a.codeRight(tx, c, d, to) })(tx, c, d)
			switch {
			case next != StepDone:
			case acting(*c, *d) == liuma.ActionRebind:
				e.Event = audit.PhoneChanged
			default:
				e.Event = audit.PhoneConfirmed
			}
			return next, e, err
		})
}

func indexBytes(i vault.Index) []byte { return i[:] }

// parseCode reads six digits, also full width and with spaces or hyphens, as
// people copy them.
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

// judgeCode compares a code with the ceremony's open one, counts a wrong one
// and uses up a right one. No code is no refusal.
func (a *Authority) judgeCode(tx store.Tx, ceremony string, to addressee, code string) (liuma.Code, time.Time, error) {
	left, until, err := a.codesLeft(tx, to.holder)
	if err != nil {
		return "", time.Time{}, err
	}
	if left == 0 {
		return liuma.CodePhoneCodesSpent, until, nil
	}
	now := a.now()
	sent, err := tx.Code(ceremony)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	case err != nil:
		return "", time.Time{}, err
	case !sent.Used.IsZero() || !now.Before(sent.Expires) || sent.Phone != a.phoneIndex(to.phone):
		return liuma.CodePhoneCodeExpired, time.Time{}, nil
	}
	if a.codeMAC(ceremony, sent.Phone, code).Equal(sent.MAC) {
		sent.Used = now
		return "", time.Time{}, tx.PutCode(sent)
	}
	if err := tx.InsertTick(store.Tick{Kind: tickCodeWrong, Key: to.holder, At: now}); err != nil {
		return "", time.Time{}, err
	}
	if left == 1 {
		_, until, err := a.codesLeft(tx, to.holder)
		return liuma.CodePhoneCodesSpent, until, err
	}
	return liuma.CodePhoneCodeWrong, time.Time{}, nil
}

// codeRight goes on from a right code. In a reset it confirms nothing yet: if
// it did, a number that went to another owner would renew itself.
func (a *Authority) codeRight(tx store.Tx, c *store.Ceremony, d *details, to addressee) (Step, error) {
	switch acting(*c, *d) {
	case liuma.ActionEnroll:
		d.NewPhone = to.phone
		return StepPIN, nil
	case liuma.ActionUnfreeze:
		return StepPIN, nil
	case liuma.ActionReset:
		return d.resetOnwards(), nil
	case liuma.ActionRebind:
		return a.rebind(tx, c, d, to)
	}
	return StepDone, a.confirmContact(tx, c.Card)
}

// showCode fills in the page's part of a step that takes a code.
func (a *Authority) showCode(r store.Reader, c store.Ceremony, d details, p *Page) error {
	to, err := a.addresseeOf(r, c, d)
	if err != nil {
		if Step(c.Step) == StepDone {
			return nil // nothing to confirm
		}
		return err
	}
	p.PhoneMasked = registry.MaskPhone(to.phone)
	if p.CodesLeft, _, err = a.codesLeft(r, to.holder); err != nil {
		return err
	}
	sent, err := r.Code(c.ID)
	if err == nil && sent.Used.IsZero() && sent.Phone == a.phoneIndex(to.phone) {
		p.CodeSentAt = sent.SentAt
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	why, until, err := a.maySend(r, to)
	if err == nil && why != "" {
		p.ResendAt = until
	}
	return err
}
