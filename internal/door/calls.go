package door

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/locale"
)

// CallsConfig holds the settings of Calls. All members but Challenge and
// InFlight are required.
type CallsConfig struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Status is the door's table from error codes to HTTP statuses; false for
	// an unknown error code, which is shown as an internal error.
	Status func(liuma.Code) (int, bool)
	// Reasons are the reasons of the door's errors.
	Reasons Reasons
	// Type is the media type of an error.
	Type string
	// Challenge is the WWW-Authenticate header of an answer with status 401, unless
	// the handler set another; empty for none.
	Challenge string
	// Document makes the body of an error in the door's own form.
	Document func(*http.Request, Refusal) any
	// InFlight limits the requests in work; nil: no limit.
	InFlight *InFlight
	// Hotline is the help line that errors name; empty for the national one.
	Hotline string
}

// Calls is the base of every door that programs call. Answers must not be cached
// unless the handler allows it. Every error is shown, logged and dated in one way. It
// is immutable and safe for concurrent use.
type Calls struct {
	config CallsConfig
	visits *Log
}

// NewCalls checks the configuration.
func NewCalls(c CallsConfig) (*Calls, error) {
	if c.Status == nil || c.Reasons == nil || c.Type == "" || c.Document == nil {
		return nil, errors.New("door: statuses, reasons, type and document are required")
	}
	calls := &Calls{config: c}
	var err error
	calls.visits, err = NewLog(LogConfig{Now: c.Now, Logger: c.Logger, InFlight: c.InFlight, Fault: func(v *Visit, r *http.Request) {
		calls.Fail(v, r, liuma.Fail(liuma.CodeInternal, errors.New("panic")))
	}, Refuse: func(v *Visit, r *http.Request, err error) {
		setCallHeaders(v.Header())
		calls.Fail(v, r, err)
	}})
	if err != nil {
		return nil, err
	}
	return calls, nil
}

// Serve is the door's outermost layer: request id, panic, log, headers. It answers
// the error that handle returns.
func (c *Calls) Serve(w http.ResponseWriter, r *http.Request, handle func(*Visit, *http.Request) error) {
	c.visits.Serve(w, r, func(v *Visit, r *http.Request) {
		setCallHeaders(v.Header())
		if err := handle(v, r); err != nil {
			c.Fail(v, r, err)
		}
	})
}

func setCallHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// Refusal holds an error in the form in which a door shows it to programs.
type Refusal struct {
	*liuma.Error
	Status     int
	What       liuma.Text // meaning of the error code
	Detail     liuma.Text // this case in particular
	Next       liuma.Text // next step
	Lang       Lang       // the language that the client asked for
	Instance   string
	BusinessNo string
}

// Fail answers with an error and logs the cause.
func (c *Calls) Fail(v *Visit, r *http.Request, err error) {
	f := c.refusal(r, Shown(r, err, func(code liuma.Code) bool { _, ok := c.config.Status(code); return ok }))
	f.Instance, f.BusinessNo = v.Instance(), string(v.BusinessNo)
	c.visits.Failed(v, r, f.Status, f.Code, err)
	h := v.Header()
	h.Add("Vary", "Accept-Language")
	if f.Status == http.StatusUnauthorized && c.config.Challenge != "" && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", c.config.Challenge)
	}
	if s := RetryAfter(f.Error, c.config.Now()); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	if err := Answer(v, f.Status, c.config.Type, c.config.Document(r, f)); err != nil {
		v.WriteHeader(http.StatusInternalServerError)
		c.config.Logger.ErrorContext(r.Context(), "error document", "request", v.ID(), "error", err)
	}
}

// refusal turns an error into a Refusal.
func (c *Calls) refusal(r *http.Request, e *liuma.Error) Refusal {
	status, _ := c.config.Status(e.Code)
	switch Reason(e.Reason) {
	case ReasonMethod:
		status = http.StatusMethodNotAllowed
	case ReasonContentType, ReasonContentEncoding:
		status = http.StatusUnsupportedMediaType
	}
	x := locale.Explain(e.Code, c.config.Hotline)
	f := Refusal{Error: e, Status: status, What: x.What, Detail: x.What, Next: x.Next, Lang: Accepted(r.Header.Get("Accept-Language"))}
	if s, ok := c.config.Reasons.Text(Reason(e.Reason)); ok {
		f.Detail = s
		if next := locale.Both(func(w *locale.Words) string { return w.ReasonNext(e.Reason) }); next.EN != "" {
			f.Next = next
		}
	}
	if e.Code == liuma.CodePINFormat {
		if next := locale.Both(func(w *locale.Words) string { return w.PINFormatNext(e.Reason) }); next.EN != "" {
			f.Detail, f.Next = locale.Both(func(w *locale.Words) string { return w.PINFormat(e.Reason) }), next
		}
	}
	if e.Sentence != (liuma.Text{}) {
		f.Detail = e.Sentence
	}
	return f
}

// In returns a text in the language that the client asked for.
func (f Refusal) In(t liuma.Text) string {
	if f.Lang == English {
		return t.EN
	}
	return t.ZH
}

// Appender is an answer that writes itself, as json.Marshal would, byte for byte. It is for
// those that are given often.
type Appender interface {
	AppendJSON([]byte) ([]byte, error)
}

// written is the body as JSON.
func written(body any) ([]byte, error) {
	if a, ok := body.(Appender); ok {
		return a.AppendJSON(make([]byte, 0, usualAnswer))
	}
	return json.Marshal(body)
}

// usualAnswer is enough for a verdict with its receipt.
const usualAnswer = 2 << 10

// Answer writes a JSON answer.
func Answer(v *Visit, status int, kind string, body any) error {
	b, err := written(body)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	v.Header().Set("Content-Type", kind)
	v.WriteHeader(status)
	_, _ = v.Write(append(b, '\n')) // the client has disconnected
	return nil
}
