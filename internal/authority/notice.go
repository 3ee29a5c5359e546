package authority

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Outbox takes texts to phones, in the transaction of the change that they
// tell of: there is the change and its text, or neither. It sends nothing
// itself, so that no gateway can hold up or fail a ceremony.
type Outbox interface {
	Queue(tx store.Tx, n Notice) error
}

// Notice is one text to one phone. It prints redacted.
type Notice struct {
	Kind     string // KindCode or KindNotice: each has a queue of its own
	Card     liuma.CardID
	Phone    string // canonical: eleven digits
	Template string
	Language string       // "zh-CN" or "en"
	Region   liuma.Region // whose wording applies
	// Params fill the template: "holder" (masked), "channel", "freeze", "at"
	// and "until" (RFC 3339), "phone" (masked), and "code" of a code.
	Params  map[string]string
	Expires time.Time // of a code; zero otherwise
	Dedup   string    // names the event, or is empty
}

// The kinds of text.
const (
	KindCode   = "code"
	KindNotice = "notice"
)

// The notices. The codes are in code.go.
const (
	noticePINSet       = "pin_set"
	noticePINChanged   = "pin_changed"
	noticePINReset     = "pin_reset"
	noticePINLocked    = "pin_locked"
	noticePINBlocked   = "pin_blocked"
	noticeStrangers    = "strangers_stopped"
	noticeOutside      = "strangers_locked"
	noticePhoneOld     = "phone_changed_old"
	noticePhoneNew     = "phone_changed_new"
	noticeLinked       = "channel_linked"
	noticeFrozen       = "card_frozen"
	noticeUnfrozen     = "card_unfrozen"
	noticeDevice       = "device_known"
	noticeRemind       = "rotation_reminder"
	noticeEveryUse     = "every_use"
	noticeEveryUseOff  = "every_use_off"
	noticeResetPlanned = "reset_planned"
)

const redactedText = "[text]"

// Format prints a placeholder under every verb.
func (Notice) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedText) }

// LogValue logs the placeholder.
func (Notice) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (Notice) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

const (
	languageZH = "zh-CN"
	languageEN = "en"
)

// languageOf is one of the two languages of the house.
func languageOf(s string) string {
	if s == languageEN {
		return languageEN
	}
	return languageZH
}

func inLanguage(t liuma.Text, language string) string {
	if language == languageEN {
		return t.EN
	}
	return t.ZH
}

// Places that are not channels, as notices name them.
func officialPage() liuma.Text { return liuma.Text{ZH: "官方页面", EN: "the official page"} }

// where is the registered name of a channel, as notices show it.
func where(r store.Reader, ch liuma.ChannelID) (liuma.Text, error) {
	c, err := r.Client(string(ch))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.Text{ZH: string(ch), EN: string(ch)}, nil
	}
	return c.Name, err
}

// tell queues a notice to the bound phone of a card, if there is one.
func (a *Authority) tell(tx store.Tx, card store.Card, template string, at liuma.Text, params map[string]string) error {
	if a.Outbox == nil {
		return nil
	}
	c, phone, err := a.contact(tx, card.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.tellAt(tx, card, c, phone, template, at, params)
}

// tellIn is tell for what happened in a channel.
func (a *Authority) tellIn(tx store.Tx, card store.Card, template string, ch liuma.ChannelID, params map[string]string) error {
	if a.Outbox == nil {
		return nil
	}
	at, err := where(tx, ch)
	if err != nil {
		return err
	}
	return a.tell(tx, card, template, at, params)
}

// tellAt queues a notice to a given contact, with a fresh freeze code. Only
// the code's MAC is kept.
func (a *Authority) tellAt(tx store.Tx, card store.Card, c store.Contact, phone, template string, at liuma.Text, params map[string]string) error {
	if a.Outbox == nil {
		return nil
	}
	f, err := a.facts(card)
	if err != nil {
		return err
	}
	code := newFreezeCode()
	if err := tx.InsertFreezeCode(store.FreezeCode{MAC: a.freezeMAC(code), Card: card.ID, Expires: a.now().Add(freezeCodeLife)}); err != nil {
		return err
	}
	language := languageOf(c.Language)
	all := map[string]string{"holder": f.MaskedName(), "freeze": code, "channel": inLanguage(at, language), "at": a.now().Format(time.RFC3339)}
	for k, v := range params {
		all[k] = v
	}
	return a.Outbox.Queue(tx, Notice{Kind: KindNotice, Card: card.ID, Phone: phone, Template: template,
		Language: language, Region: card.Region, Params: all})
}

// A freeze code has eight characters of an alphabet of 30 without look-alikes
// (no 0 O, 1 I L, U): about 39 bits.
const (
	freezeAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	freezeCodeSize = 8
	freezeCodeLife = 7 * 24 * time.Hour
)

// newFreezeCode draws a code; bytes that would favour a character are dropped.
func newFreezeCode() string {
	code := make([]byte, 0, freezeCodeSize)
	var b [32]byte
	for len(code) < freezeCodeSize {
		rand.Read(b[:])
		for _, v := range b {
			if int(v) < 256/len(freezeAlphabet)*len(freezeAlphabet) && len(code) < freezeCodeSize {
				code = append(code, freezeAlphabet[int(v)%len(freezeAlphabet)])
			}
		}
	}
	return string(code)
}

func (a *Authority) freezeMAC(code string) vault.MAC {
	return a.Vault.RowMAC("freeze-code", []byte(code))
}

// tellVerdict tells of an attempt what the holder should know: that it locked
// the PIN or, where that was asked for, that the PIN was used.
func (a *Authority) tellVerdict(tx store.Tx, card store.Card, at *attempt) error {
	if a.Outbox == nil {
		return nil
	}
	row := at.row
	switch {
	case row.Verdict == liuma.Wrong && at.shut == ledger.Locked:
		template := noticePINLocked
		if _, shut := card.Tally.Check(a.now(), ledger.Known, at.place.reserve, at.policy.Limits); at.place.reserve > 0 && shut == nil {
			template = noticeOutside // what is reserved for known devices is still there
		}
		return a.tellIn(tx, card, template, row.Channel, map[string]string{"until": row.Until.UTC().Format(time.RFC3339)})
	case row.Verdict == liuma.Wrong && at.shut == ledger.LaneClosed:
		return a.tellIn(tx, card, noticeStrangers, row.Channel, nil)
	case row.Verdict == liuma.Wrong && at.shut != "":
		return a.tellIn(tx, card, noticePINBlocked, row.Channel, nil)
	case row.Verdict == liuma.Right && row.Code == "" && row.Action == liuma.ActionVerify:
		c, err := tx.Contact(card.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil && c.EveryUse {
			err = a.tellIn(tx, card, noticeEveryUse, row.Channel, nil)
		}
		return errors.Join(err, a.remind(tx, card, row, at.policy))
	}
	return nil
}

// NoticeEveryUse turns notices of every use on or off, after a right PIN. The
// phone is told that they end: else whoever knows the PIN would turn them off
// and go on unseen. It is told once a ceremony, so that pressing the one and
// the other by turns sends no texts.
func (a *Authority) NoticeEveryUse(ctx context.Context, id string, h Hand, on bool) (Page, error) {
	return a.move(ctx, id, h, []Step{StepDone}, func(tx store.Tx, c *store.Ceremony, d *details) (Step, error) {
		contact, phone, err := a.boundPhone(tx, c.Card)
		if err != nil {
			return "", err
		}
		off := contact.EveryUse && !on
		contact.EveryUse = on
		if err := a.putContact(tx, contact, phone); err != nil || !off || d.ToldOff {
			return StepDone, err
		}
		d.ToldOff = true
		card, err := a.checkedCard(tx, c.Card)
		if err != nil {
			return "", err
		}
		return StepDone, a.tellIn(tx, card, noticeEveryUseOff, c.Channel, nil)
	})
}
