package operator

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// Texts is how the outbox stands.
type Texts struct {
	Driver string `json:"driver"` // as configured
	// Behind says that texts are not going out as they should.
	Behind  bool      `json:"behind"`
	Codes   TextQueue `json:"codes"`
	Notices TextQueue `json:"notices"`
	// Partial says that there are more messages than were counted.
	Partial bool `json:"partial,omitempty"`
}

// TextQueue is the state of one queue.
type TextQueue struct {
	Waiting int         `json:"waiting"`
	Overdue int         `json:"overdue"`  // of these, queued more than a minute ago
	Oldest  int64       `json:"oldest_s"` // age of the oldest that waits, in seconds
	Dead    int         `json:"dead"`     // dead letters on record
	Since   *TextCounts `json:"since_start,omitempty"`
}

// TextCounts are what the server at work has done.
type TextCounts struct {
	Sent      uint64 `json:"sent"`
	Late      uint64 `json:"late"` // sent more than a minute after they were queued
	Retried   uint64 `json:"retried"`
	Delivered uint64 `json:"delivered"`
	Dead      uint64 `json:"dead"`
	Stuck     int    `json:"stuck"` // sends that the driver never came back from
}

func textsOf(driver string, s notify.Stats, served bool) Texts {
	return Texts{Driver: driver, Behind: s.Codes.Behind() || s.Notices.Behind(), Partial: s.Partial,
		Codes: queueOf(s.Codes, served), Notices: queueOf(s.Notices, served)}
}

func queueOf(q notify.QueueStats, served bool) TextQueue {
	out := TextQueue{Waiting: q.Waiting, Overdue: q.Overdue, Oldest: int64(q.Oldest / time.Second), Dead: q.Letters}
	if served {
		out.Since = &TextCounts{Sent: q.Sent, Late: q.Late, Retried: q.Retried, Delivered: q.Delivered, Dead: q.Dead, Stuck: q.Stuck}
	}
	return out
}

// ErrNoInbox is returned by Inbox where no server runs with driver inbox.
var ErrNoInbox = errors.New("only a running server whose texts.driver is inbox shows texts")

// MaxTexts is the most that Texts lists at a time.
const MaxTexts = 500

// InboxText is a text that an inbox took, whole.
type InboxText struct {
	At       time.Time `json:"at"`
	Phone    string    `json:"phone"`
	Template string    `json:"template"`
	Text     string    `json:"text"`
}

func (l *local) outbox() *notify.Outbox {
	if l.server == nil {
		return nil
	}
	return l.server.system.Outbox
}

func (l *local) textsState(ctx context.Context) (Texts, error) {
	if o := l.outbox(); o != nil {
		s, err := o.Stats(ctx)
		return textsOf(l.office.Config.Texts.Driver, s, true), err
	}
	s, err := notify.Look(ctx, l.office.Store, l.now())
	return textsOf(l.office.Config.Texts.Driver, s, false), err
}

func (l *local) Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error) {
	return notify.List(ctx, l.office.Store, state, after, MaxTexts)
}

func (l *local) RetryText(ctx context.Context, id string) (string, error) {
	again, err := notify.Retry(ctx, l.office.Store, l.office.Vault, l.now(), Actor, id)
	if o := l.outbox(); o != nil && err == nil {
		o.Wake()
	}
	return again, err
}

func (l *local) Inbox(context.Context) ([]InboxText, error) {
	if l.server == nil || l.server.system.Inbox == nil {
		return nil, ErrNoInbox
	}
	out := []InboxText{}
	for _, r := range l.server.system.Inbox.Texts("") {
		out = append(out, InboxText{At: r.At, Phone: r.Phone, Template: string(r.Template), Text: r.Body})
	}
	return out, nil
}

// textsListed and inboxListed are answers.
type textsListed struct {
	Texts []notify.MessageView `json:"texts"`
}

type inboxListed struct {
	Texts []InboxText `json:"texts"`
}

// retryText asks for, and retried answers, another try.
type retryText struct {
	ID string `json:"id"`
}

type retried struct {
	ID string `json:"id"` // that it goes by now
}

func (d *Door) textRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathTexts, d.answer(func(r *http.Request) (any, error) {
		q := r.URL.Query()
		found, err := d.office.Texts(r.Context(), store.MessageState(q.Get("state")), q.Get("after"))
		return textsListed{Texts: found}, err
	}))
	mux.HandleFunc("GET "+pathInbox, d.answer(func(r *http.Request) (any, error) {
		found, err := d.office.Inbox(r.Context())
		return inboxListed{Texts: found}, err
	}))
	mux.HandleFunc("POST "+pathRetry, d.answer(func(r *http.Request) (any, error) {
		q, err := decode[retryText](r.Body)
		if err != nil {
			return nil, err
		}
		again, err := d.office.RetryText(r.Context(), q.ID)
		if err != nil {
			return nil, err
		}
		d.logger.Info("operator door: text tried again", "message", q.ID, "as", again)
		return retried{ID: again}, nil
	}))
}

func (r *remote) Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error) {
	var l textsListed
	q := url.Values{"state": {string(state)}, "after": {after}}
	err := r.call(ctx, http.MethodGet, pathTexts+"?"+q.Encode(), nil, &l)
	return l.Texts, err
}

func (r *remote) RetryText(ctx context.Context, id string) (string, error) {
	var again retried
	err := r.call(ctx, http.MethodPost, pathRetry, retryText{ID: id}, &again)
	return again.ID, err
}

func (r *remote) Inbox(ctx context.Context) ([]InboxText, error) {
	var l inboxListed
	err := r.call(ctx, http.MethodGet, pathInbox, nil, &l)
	return l.Texts, err
}
