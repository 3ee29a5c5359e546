package api

import (
	"strconv"
	"time"

	"github.com/liuma-pin/liuma/internal/strictjson"
)

// AppendJSON implements door.Appender: a verdict is the answer to nearly every request, and
// most of it is one long text. TestVerdictsAreWrittenAsJSON compares it with encoding/json.
func (v verificationView) AppendJSON(b []byte) ([]byte, error) {
	w := verdictWriter{b: append(b, '{')}
	w.text("business_no", v.BusinessNo)
	w.text("action", v.Action)
	w.text("state", v.State)
	w.some("verdict", v.Verdict)
	w.some("code", v.Code)
	w.some("title_zh", v.TitleZH)
	w.some("title_en", v.TitleEN)
	w.some("next_step_zh", v.NextStepZH)
	w.some("next_step_en", v.NextStepEN)
	w.some("card", v.Card)
	w.number("tries_left", v.TriesLeft)
	w.moment("until", v.Until)
	w.moment("at", &v.At)
	w.some("receipt", v.Receipt)
	w.moment("receipt_expires", v.ReceiptExpires)
	if v.Redeemed {
		w.name("redeemed")
		w.b = append(w.b, "true"...)
	}
	w.some("acr", v.ACR)
	w.number("pin_age", v.PINAge)
	w.number("phone_age", v.PhoneAge)
	return append(w.b, '}'), w.err
}

// verdictWriter writes the members of one object. After an error it writes on, and the error
// is the first one.
type verdictWriter struct {
	b   []byte
	err error
}

// name writes a member's name, which needs no escape, and the comma before it.
func (w *verdictWriter) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}

func (w *verdictWriter) text(name, value string) {
	w.name(name)
	w.keep(strictjson.AppendText(w.b, value))
}

// some writes a text that is left out when it is empty.
func (w *verdictWriter) some(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *verdictWriter) number(name string, value *int) {
	if value != nil {
		w.name(name)
		w.b = strconv.AppendInt(w.b, int64(*value), 10)
	}
}

func (w *verdictWriter) moment(name string, value *time.Time) {
	if value != nil {
		w.name(name)
		w.b = append(w.b, '"')
		w.keep(value.AppendText(w.b))
		w.b = append(w.b, '"')
	}
}

// keep takes what was appended, unless that failed.
func (w *verdictWriter) keep(b []byte, err error) {
	switch {
	case err == nil:
		w.b = b
	case w.err == nil:
		w.err = err
	}
}
