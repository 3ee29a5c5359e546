package notify

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/liuma-pin/liuma"
)

const redacted = "[text]"

// Message is a message that the authority wants to send, a notice or a one-time
// code. It prints redacted.
type Message struct {
	// Kind is KindCode or KindNotice; it must be the template's, or empty.
	Kind     string
	Card     liuma.CardID
	Phone    string // canonical: eleven digits
	Template Template
	// Way is how a one-time code gets to the phone; empty means by text. Notices
	// are only sent by text.
	Way      liuma.CodeWay
	Language string       // "zh-CN" or "en"; any other is zh-CN
	Region   liuma.Region // the region whose wording is used
	// Params are the values of the template's placeholders; docs/NOTICES.md
	// lists them. "at" and "until" are in the form of Stamp. "at" defaults to
	// now, "minutes" to the time until Expires.
	Params map[string]string
	// Expires is when the message becomes useless; required for one-time codes.
	Expires time.Time
	// Dedup names the event. Of two notices with the same Card, Phone, Template
	// and Dedup the first is kept, and the second is not an error.
	Dedup string
}

// Stamp writes a time in the form of Params; texts show it as Beijing time.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Format prints a placeholder under every verb.
func (n Message) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue logs the placeholder.
func (n Message) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders.
func (n Message) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Text is one text on its way to a gateway, or the words of a call. It prints
// redacted.
type Text struct {
	ID       string // the de-duplication key: 26 characters of a-z and 2-7
	Kind     string
	Way      liuma.CodeWay // ByVoice: call, and read Body out; else empty or ByText
	Phone    string        // canonical: eleven digits
	Body     string        // as the phone shows it, with the sender mark; or the words of the call
	Template Template
	Language string
	Region   liuma.Region
	// SenderMark and Params are parts of Body, for gateways that send by their
	// own registered templates. Params are as Body shows them; in a call the
	// code is plain digits. A call has no sender mark.
	SenderMark string
	Params     map[string]string
	Segments   int       // number of short messages that Body fills in UCS-2; 0 for a call
	Expires    time.Time // not to be delivered after that; zero: no limit
}

// Format prints a placeholder under every verb.
func (t Text) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue logs the placeholder.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes the placeholder, for JSON and other encoders. Drivers
// write their own forms.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
