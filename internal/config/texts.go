package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/locale"
)

// The drivers of messages.
const (
	DriverNone    = "none"    // no messages are sent; acts that need a one-time code lead to the counter
	DriverInbox   = "inbox"   // messages stay in memory: for trying things out
	DriverWebhook = "webhook" // signed HTTP requests to a gateway or an adapter
	DriverKannel  = "kannel"  // HTTP to a Kannel gateway
)

// Texts says how one-time codes and notices get to phones.
type Texts struct {
	// Driver is which way they take: none (nobody is told; enrolling binds no phone; what needs a code leads to the
	// counter), webhook, kannel, or inbox, which sends nothing and shows messages to 'liuma
	// texts inbox': for trying things out. Default none. inbox is refused
	// without allow_stand_in_evidence, because everyone who may run commands
	// can read one-time codes there.
	Driver string `yaml:"driver"`
	// SignatureZH is the sender mark that opens every Chinese text. Default 【电子社保卡】.
	SignatureZH string `yaml:"signature_zh"`
	// SignatureEN opens every English one. Default "[Electronic card] ".
	SignatureEN string `yaml:"signature_en"`
	// Senders are the numbers that texts come from, as phones show them, for the page
	// on which holders ask whether a text is genuine. Default: none, and that page says
	// that it knows no numbers.
	Senders []string `yaml:"senders,omitempty"`
	// Wordings is a YAML file of regions' own wordings. Default: none.
	Wordings string `yaml:"wordings"`
	// Codes is the share of the gateway that the queue of one-time codes may use.
	Codes Quota `yaml:"codes"`
	// Notices is the share that notices may use; the two take nothing from one another.
	Notices Quota `yaml:"notices"`
	// Webhook has the settings of driver webhook.
	Webhook Webhook `yaml:"webhook"`
	// Kannel has the settings of driver kannel.
	Kannel Kannel `yaml:"kannel"`
}

// Quota is the share of the gateway that one queue of messages may use.
type Quota struct {
	// PerSecond is how many messages are sent a second; after a pause, so many
	// at once: 0.1 to 10000. Default 50.
	PerSecond float64 `yaml:"per_second"`
	// Concurrent is how many sends are under way at once: 1 to 256. Default 16.
	Concurrent int `yaml:"concurrent"`
}

// Webhook holds the settings of driver webhook.
type Webhook struct {
	// URL receives the texts: https, or http to a loopback address.
	URL string `yaml:"url"`
	// SecretFile holds the secret that texts and delivery reports are signed
	// with, 32 bytes at least, in a file that only the server's account can
	// read.
	SecretFile string `yaml:"secret_file"`
	// PreviousFile holds the previous secret, with which delivery reports may
	// still be signed. Default: none.
	PreviousFile string `yaml:"previous_secret_file"`
	// Voice says that the adapter also places calls, in which a one-time code is
	// read out. Default false: codes go by text alone.
	Voice bool `yaml:"voice"`
}

// Kannel holds the settings of driver kannel.
type Kannel struct {
	// URL is the sendsms address of smsbox: https, or http to a loopback
	// address.
	URL string `yaml:"url"`
	// Username is the user of smsbox's group sendsms-user.
	Username string `yaml:"username"`
	// PasswordFile holds that user's password, in a file that only the server's
	// account can read.
	PasswordFile string `yaml:"password_file"`
	// From is the sender's number or name. Default: smsbox's own.
	From string `yaml:"from"`
	// ReceiptURL is the address at which smsbox reaches the gateway door, with
	// /receipts: https, or http to a loopback address.
	ReceiptURL string `yaml:"receipt_url"`
}

// ReceiptPath is where the gateway door takes delivery reports.
const ReceiptPath = "/receipts"

// Bounds of a quota.
const (
	maxPerSecond  = 10_000
	maxConcurrent = 256
)

func defaultTexts() Texts {
	q := Quota{PerSecond: 50, Concurrent: 16}
	mark := notify.DefaultSenderMark()
	return Texts{Driver: DriverNone, SignatureZH: mark.ZH, SignatureEN: mark.EN, Codes: q, Notices: q}
}

// Voice reports whether one-time codes may be read out in a phone call.
func (t Texts) Voice() bool {
	return t.Driver == DriverInbox || t.Driver == DriverWebhook && t.Webhook.Voice
}

// SenderMark returns the sender mark, by language.
func (t Texts) SenderMark() liuma.Text { return liuma.Text{ZH: t.SignatureZH, EN: t.SignatureEN} }

// validate reports everything that is wrong with the message settings of c.
func (t Texts) validate(c Config) error {
	var errs []error
	bad := func(err error) { errs = append(errs, err) }
	for _, s := range []struct{ name, text string }{{"signature_zh", t.SignatureZH}, {"signature_en", t.SignatureEN}} {
		if strings.TrimSpace(s.text) == "" {
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextSignature(s.name) }))
		}
	}
	for _, number := range t.Senders {
		if n := strings.Trim(number, "0123456789-+ "); n != "" || len(number) < 3 || len(number) > 20 {
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextSender(strconv.Quote(number)) }))
		}
	}
	if t.SenderMark() != notify.DefaultSenderMark() || c.Hotline != "" { // otherwise the program's own wordings, which a test checks
		if _, err := notify.NewTemplates(t.SenderMark(), c.Hotline, nil); err != nil {
			bad(locale.RefuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ConfigTextMarks(why) }))
		}
	}
	for _, q := range []struct {
		name string
		Quota
	}{{"codes", t.Codes}, {"notices", t.Notices}} {
		if !(q.PerSecond >= 0.1 && q.PerSecond <= maxPerSecond) { // refuses NaN as well
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextRate(q.name, fmt.Sprint(maxPerSecond)) }))
		}
		if q.Concurrent < 1 || q.Concurrent > maxConcurrent {
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextConcurrent(q.name, fmt.Sprint(maxConcurrent)) }))
		}
	}
	if t.Driver != DriverWebhook && t.Webhook != (Webhook{}) {
		bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextNoWebhook(strconv.Quote(t.Driver)) }))
	}
	if t.Driver != DriverKannel && t.Kannel != (Kannel{}) {
		bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextNoKannel(strconv.Quote(t.Driver)) }))
	}
	receipts := c.Gateway.Listen != ""
	switch t.Driver {
	case DriverNone:
		if t.Wordings != "" {
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextNoWordings() }))
		}
	case DriverInbox:
		if !c.AllowStandIn {
			bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextInbox() }))
		}
	case DriverWebhook:
		errs = append(errs, t.Webhook.validate())
	case DriverKannel:
		errs = append(errs, t.Kannel.validate(receipts))
	default:
		bad(locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextDriver(strconv.Quote(t.Driver)) }))
	}
	if receipts && t.Driver != DriverWebhook && t.Driver != DriverKannel {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextGateway() }))
	}
	return errors.Join(errs...)
}

func (w Webhook) validate() error {
	var errs []error
	if err := notify.CheckAddress(w.URL); err != nil {
		errs = append(errs, locale.RefuseFor(err, func(words *locale.Words, why string) string {
			return words.Refused.ConfigTextWebhookURL(strconv.Quote(w.URL), why)
		}))
	}
	if w.SecretFile == "" {
		errs = append(errs, locale.Refuse(func(words *locale.Words) string { return words.Refused.ConfigTextSecret() }))
	}
	return errors.Join(errs...)
}

func (k Kannel) validate(receipts bool) error {
	var errs []error
	plain := func(name, address string) {
		if err := notify.CheckAddress(address); err != nil {
			errs = append(errs, locale.RefuseFor(err, func(w *locale.Words, why string) string {
				return w.Refused.ConfigTextKannelURL(name, strconv.Quote(address), why)
			}))
		} else if strings.ContainsAny(address, "?%") {
			errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextKannelPlain(name, strconv.Quote(address)) }))
		}
	}
	plain("url", k.URL)
	plain("receipt_url", k.ReceiptURL)
	if k.ReceiptURL != "" && !strings.HasSuffix(k.ReceiptURL, ReceiptPath) {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string {
			return w.Refused.ConfigTextReceiptURL(strconv.Quote(k.ReceiptURL), ReceiptPath)
		}))
	}
	if k.Username == "" || k.PasswordFile == "" {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextKannel() }))
	}
	if !receipts {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigTextKannelGateway() }))
	}
	return errors.Join(errs...)
}
