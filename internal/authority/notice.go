package authority

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// Outbox queues messages to phones, in the transaction of the change that the message is
// about: both are kept or neither. It sends nothing itself, so that no gateway can delay or
// fail a ceremony.
type Outbox interface {
	// Queue returns the ID of the message's row.
	Queue(tx store.Tx, n Notice) (string, error)
}

// Notice is one message to one phone: a notice or a one-time code. It prints
// redacted.
type Notice struct {
	Kind     string // KindCode or KindNotice: each has a queue of its own
	Card     liuma.CardID
	Phone    string // canonical: eleven digits
	Template string
	Way      liuma.CodeWay // of a one-time code; empty: by text
	Language string        // "zh-CN" or "en"
	Region   liuma.Region  // whose wording applies
	// Params fill the template: "holder" (masked), "channel", "freeze", "at" and
	// "until" (RFC 3339), "phone" (masked), and "code" (one-time code).
	Params  map[string]string
	Expires time.Time // of a one-time code; zero otherwise
	Dedup   string    // names the event, or is empty
}

// The kinds of message.
const (
	KindCode   = "code"
	KindNotice = "notice"
)

// The templates of notices. The acts declare the templates of one-time codes.
const (
	noticePINLocked  = "pin_locked"
	noticePINBlocked = "pin_blocked"
	noticeStrangers  = "strangers_stopped"
	noticeOutside    = "strangers_locked"
	noticeFrozen     = "card_frozen"
	noticeReported   = "loss_reported"
	noticeUnlinked   = "channel_unlinked"
	noticeCorrection = "id_number_correction"
	noticeSooner     = "correction_sooner"
	noticeEveryUse   = "every_use" // package ceremony sends it
	noticeOpened     = "ticket_opened"
	noticeClosing    = "card_closing"
	noticeAgentFroze = "agent_froze"
	noticeAgentClose = "agent_closing"
	noticeNamed      = "notices_named"
	noticeNoLonger   = "notices_ended"

	// Package ceremony sends these; letters know them too.
	noticePINSet   = "pin_set"
	noticePINReset = "pin_reset"
	noticePhoneNew = "phone_changed_new"
	noticeBothNew  = "phone_pin_changed"
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

// languageOf returns one of the two supported languages.
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

// Names, in notices, of places that are not channels.
func officialPage() liuma.Text {
	return locale.Both(func(w *locale.Words) string { return w.Notice.OfficialPage() })
}

// PlaceName is the registered name of a channel, as notices show it.
func PlaceName(r store.Reader, ch liuma.ChannelID) (liuma.Text, error) {
	if ch == store.CounterClient {
		return counterPlace(), nil
	}
	c, err := r.Client(string(ch))
	if errors.Is(err, store.ErrNotFound) {
		return liuma.Text{ZH: string(ch), EN: string(ch)}, nil
	}
	return c.Name, err
}

// Tell queues a notice to every number that gets notices of a card (EachContact). If there
// is none, it goes to the contact for notices, or as a letter.
func (a *Authority) Tell(tx store.Tx, card store.Card, template string, at liuma.Text, params map[string]string) error {
	_, err := a.tell(tx, card, template, at, params)
	return err
}

// tell is Tell. It returns the ID of the first message, which is the bound phone's if that
// was told; empty: nobody was told.
func (a *Authority) tell(tx store.Tx, card store.Card, template string, at liuma.Text, params map[string]string) (first string, err error) {
	return a.tellAll(tx, card, template, at, func(string) map[string]string { return params })
}

// TellIn is Tell for an event in a channel.
func (a *Authority) TellIn(tx store.Tx, card store.Card, template string, ch liuma.ChannelID, params map[string]string) error {
	if a.outbox == nil && a.letters == nil {
		return nil
	}
	at, err := PlaceName(tx, ch)
	if err != nil {
		return err
	}
	return a.Tell(tx, card, template, at, params)
}

// TellAt queues a notice to a given contact, with a fresh freeze code. Only the
// freeze code's MAC is kept.
func (a *Authority) TellAt(tx store.Tx, card store.Card, c store.Contact, phone, template string, at liuma.Text, params map[string]string) error {
	_, err := a.tellAt(tx, card, c, phone, template, at, params)
	return err
}

func (a *Authority) tellAt(tx store.Tx, card store.Card, c store.Contact, phone, template string, at liuma.Text, params map[string]string) (string, error) {
	if a.outbox == nil {
		return "", nil
	}
	if may, err := a.mayTell(tx, card, phone, template); err != nil || !may {
		return "", err
	}
	code := written.NewCode(freezeCodeSize)
	if err := tx.InsertFreezeCode(store.FreezeCode{MAC: a.freezeMAC(code), Card: card.ID, Expires: a.Now().Add(freezeCodeLife)}); err != nil {
		return "", err
	}
	language := languageOf(c.Language)
	all := map[string]string{"holder": a.maskedName(tx, card), "freeze": code, "channel": inLanguage(at, language), "at": a.Wall().Format(time.RFC3339)}
	for k, v := range params {
		all[k] = v
	}
	return a.outbox.Queue(tx, Notice{Kind: KindNotice, Card: card.ID, Phone: phone, Template: template,
		Language: language, Region: card.Region, Params: all})
}

// tellShut notifies the holder that a wrong PIN locked or blocked the PIN, or
// closed the strangers' lane.
func (a *Authority) tellShut(tx store.Tx, card store.Card, at *guess) error {
	if at.row.Verdict != liuma.Wrong {
		return nil
	}
	row := at.row
	switch at.shut {
	case "":
		return nil
	case ledger.Locked:
		template := noticePINLocked
		if _, shut := card.Tally.Check(a.Now(), ledger.Known, at.place.Reserve, at.Policy.Limits); at.place.Reserve > 0 && shut == nil {
			template = noticeOutside // known links can still guess
		}
		return a.TellIn(tx, card, template, row.Channel, map[string]string{"until": a.ToWall(row.Until).Format(time.RFC3339)})
	case ledger.LaneClosed:
		return a.TellIn(tx, card, noticeStrangers, row.Channel, nil)
	}
	return a.TellIn(tx, card, noticePINBlocked, row.Channel, nil)
}
