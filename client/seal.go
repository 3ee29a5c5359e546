package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/written"
	"github.com/liuma-pin/liuma/locale"
)

// Action is what a request is for.
type Action string

// The actions. A PIN is sealed for the first four; the hosted door's page takes
// place for all.
const (
	Enroll   Action = "enroll"
	Link     Action = "link"
	Verify   Action = "verify"
	Change   Action = "change"
	Reset    Action = "reset"
	Rebind   Action = "rebind"
	Unfreeze Action = "unfreeze"
)

// Subject names the holder: by Card where the channel has a handle, else by ID number and
// name (link), and phone (enroll). An envelope is bound to these bytes, so device and
// request must use exactly the same. It prints redacted.
type Subject struct {
	Card     string         `json:"card,omitempty"`
	IDNumber string         `json:"id_number,omitempty"` // of 18 characters; or Document
	Document liuma.Document `json:"document,omitzero"`
	Name     string         `json:"name,omitempty"`
	Phone    string         `json:"phone,omitempty"`
}

// Format prints a placeholder under every verb.
func (Subject) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[subject]") }

// LogValue logs the placeholder.
func (Subject) LogValue() slog.Value { return slog.StringValue("[subject]") }

// Purpose is the purpose as the holder reads it: a string; or, made by [PurposeIn], in
// Chinese and English, so that every reader gets it in the language of the page.
type Purpose = liuma.Purpose

// PurposeIn makes a purpose with a Chinese and an English text, 1 to 60 characters
// each.
func PurposeIn(zh, en string) Purpose { return liuma.PurposeIn(zh, en) }

// DeviceRequest holds the values that a device needs to seal a PIN. The
// channel's server fills it, keeps the same values for the request, and sends
// it to the device as JSON.
type DeviceRequest struct {
	Channel    string    `json:"channel"` // the channel's registered id
	Action     Action    `json:"action"`
	Subject    Subject   `json:"subject"`
	BusinessNo string    `json:"business_no"`
	Purpose    Purpose   `json:"purpose"` // as shown to the holder
	Challenge  Challenge `json:"challenge"`
}

// Envelope is a sealed PIN, as requests carry it.
type Envelope struct {
	KID string `json:"kid"`
	Enc string `json:"enc"`
	CT  string `json:"ct"`
}

// SealPIN seals the only PIN of a request: the new PIN of an enrollment, the
// current one of a link or a verification. pin is as it was typed. SealPIN neither
// keeps nor wipes it; the caller wipes it.
//
// A passphrase that no envelope holds is refused with a [*Problem] of CodePINFormat
// and the reason and sentence that the authority would give.
func (d DeviceRequest) SealPIN(pin []byte) (Envelope, error) {
	switch d.Action {
	case Enroll:
		return d.seal(liuma.RoleNew, pin)
	case Link, Verify:
		return d.seal(liuma.RoleCurrent, pin)
	}
	return Envelope{}, fmt.Errorf("client: action %q does not have one PIN", d.Action)
}

// SealChange seals the old and the new PIN of a change, as SealPIN does. It neither
// keeps nor wipes them; the caller wipes both.
func (d DeviceRequest) SealChange(old, fresh []byte) (oldPIN, newPIN Envelope, err error) {
	if d.Action != Change {
		return Envelope{}, Envelope{}, fmt.Errorf("client: action %q does not have two PINs", d.Action)
	}
	if oldPIN, err = d.seal(liuma.RoleOld, old); err != nil {
		return Envelope{}, Envelope{}, err
	}
	if newPIN, err = d.seal(liuma.RoleNew, fresh); err != nil {
		return Envelope{}, Envelope{}, err
	}
	return oldPIN, newPIN, nil
}

func (d DeviceRequest) seal(role liuma.Role, pin []byte) (Envelope, error) {
	if d.Channel == "" || d.BusinessNo == "" || d.Purpose == "" || d.Challenge.Value == "" || d.Subject == (Subject{}) {
		return Envelope{}, errors.New("client: device request is not filled in")
	}
	public, err := base64.RawURLEncoding.DecodeString(d.Challenge.SealKey.Public)
	if err != nil {
		return Envelope{}, errors.New("client: seal key is not base64url")
	}
	number, err := liuma.HolderText(d.Subject.IDNumber, d.Subject.Document)
	if err != nil {
		return Envelope{}, errors.New("client: want IDNumber, of 18 characters, or Document, and not both")
	}
	secret, err := fitting(pin)
	if err != nil {
		return Envelope{}, err
	}
	defer clear(secret)
	sealed, err := envelope.Seal(public, envelope.Binding{
		Channel: liuma.ChannelID(d.Channel),
		Action:  liuma.Action(d.Action),
		Role:    role,
		Subject: envelope.Subject{
			Card: d.Subject.Card, IDNumber: number, Name: d.Subject.Name, Phone: d.Subject.Phone,
		},
		BusinessNo:  liuma.BusinessNo(d.BusinessNo),
		PurposeHash: envelope.PurposeHash(d.Purpose),
		SealKeyID:   d.Challenge.SealKey.ID,
		Challenge:   d.Challenge.Value,
	}, secret)
	if err != nil {
		return Envelope{}, fmt.Errorf("client: %w", err)
	}
	kid, enc, ct := sealed.Encode()
	return Envelope{KID: kid, Enc: enc, CT: ct}, nil
}

// The limits of a passphrase: its characters in NFC, and the bytes that are looked at. No
// longer text can have so few characters.
const (
	mostCharacters = 64
	mostTyped      = 1024
)

// fitting returns a copy of the typed PIN. It is changed only where an envelope could not
// hold it: then it is composed, and put into the one spelling of docs/PINS.md if it is
// still too long, since characters of four bytes may get shorter there. Shorter text
// stays as typed, so that a passphrase set before there was one spelling is still right.
// The pad of our own pages does the same.
func fitting(typed []byte) ([]byte, error) {
	if len(typed) <= envelope.MaxSecret {
		return bytes.Clone(typed), nil
	}
	if len(typed) > mostTyped {
		return nil, tooLong("passphrase_too_long")
	}
	composed := written.PassphraseNFC(typed)
	if len(composed) <= envelope.MaxSecret {
		return composed, nil
	}
	clear(composed)
	one := written.Passphrase(typed)
	if len(one) <= envelope.MaxSecret {
		return one, nil
	}
	defer clear(one)
	if utf8.RuneCount(one) > mostCharacters {
		return nil, tooLong("passphrase_too_long")
	}
	return nil, tooLong("passphrase_too_wide")
}

// tooLong is the authority's refusal of a PIN that cannot be sealed.
func tooLong(reason string) *Problem {
	why := locale.Both(func(w *locale.Words) string { return w.PINFormat(reason) })
	next := locale.Both(func(w *locale.Words) string { return w.PINFormatNext(reason) })
	what := locale.Explain(liuma.CodePINFormat, "")
	return &Problem{Code: CodePINFormat, Reason: reason, TitleZH: what.What.ZH, TitleEN: what.What.EN,
		DetailZH: why.ZH, DetailEN: why.EN, NextStepZH: next.ZH, NextStepEN: next.EN}
}
