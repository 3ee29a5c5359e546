package admin

import (
	"context"
	"errors"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/store"
)

// Texts is the state of the outbox.
type Texts struct {
	Driver string `json:"driver"`          // as configured
	Voice  bool   `json:"voice,omitempty"` // codes are read out by phone call, too
	// Behind says that messages are sent late or not at all.
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
	Oldest  int64       `json:"oldest_s"` // age of the oldest waiting message, in seconds
	Dead    int         `json:"dead"`     // dead messages that are still kept
	Since   *TextCounts `json:"since_start,omitempty"`
}

// TextCounts counts messages since the server started.
type TextCounts struct {
	Sent      uint64 `json:"sent"`
	Late      uint64 `json:"late"` // sent more than a minute after they were queued
	Retried   uint64 `json:"retried"`
	Delivered uint64 `json:"delivered"`
	Dead      uint64 `json:"dead"`
	Stuck     int    `json:"stuck"` // sends from which the driver never returned
}

func (a *Admin) textsOf(s notify.Stats, served bool) Texts {
	return Texts{Driver: a.c.TextsDriver, Voice: a.c.TextsVoice, Behind: s.Codes.Behind() || s.Notices.Behind(), Partial: s.Partial,
		Codes: queueOf(s.Codes, served), Notices: queueOf(s.Notices, served)}
}

func queueOf(q notify.QueueStats, served bool) TextQueue {
	out := TextQueue{Waiting: q.Waiting, Overdue: q.Overdue, Oldest: int64(q.Oldest / time.Second), Dead: q.Letters}
	if served {
		out.Since = &TextCounts{Sent: q.Sent, Late: q.Late, Retried: q.Retried, Delivered: q.Delivered, Dead: q.Dead, Stuck: q.Stuck}
	}
	return out
}

// ErrNoInbox is returned by Inbox unless a server with the inbox driver runs.
var ErrNoInbox = errors.New("only a running server whose texts.driver is inbox shows texts")

// MaxTexts is the most that Texts lists at a time.
const MaxTexts = 500

// InboxText is a message that an inbox kept, unredacted.
type InboxText struct {
	At       time.Time `json:"at"`
	Phone    string    `json:"phone"`
	Template string    `json:"template"`
	Text     string    `json:"text"`
	// Voice says that the message was read out in a call, not shown.
	Voice bool `json:"voice,omitempty"`
}

// outbox is the server's outbox; nil if no messages are sent.
func (a *Admin) outbox() Outbox {
	if a.c.Server == nil {
		return nil
	}
	return a.c.Server.Outbox
}

func (a *Admin) textsState(ctx context.Context) (Texts, error) {
	if o := a.outbox(); o != nil {
		s, err := o.Stats(ctx)
		return a.textsOf(s, true), err
	}
	s, err := notify.Look(ctx, a.c.Store, a.c.Clock.Now())
	return a.textsOf(s, false), err
}

// Texts lists messages of the outbox; see Administration.
func (a *Admin) Texts(ctx context.Context, state store.MessageState, after string) ([]notify.MessageView, error) {
	return notify.List(ctx, a.c.Store, state, after, MaxTexts)
}

// RetryText sends a dead notice again; see Administration.
func (a *Admin) RetryText(ctx context.Context, id string) (string, error) {
	again, err := notify.Retry(ctx, a.c.Store, a.c.Vault, a.c.Clock.Now(), ActorOf(ctx), id)
	if o := a.outbox(); o != nil && err == nil {
		o.Wake()
	}
	return again, err
}

// DropText deletes a message that was given up; see Administration.
func (a *Admin) DropText(ctx context.Context, id string, reason audit.Reason) error {
	reason, err := audit.ParseReason(string(reason))
	if err != nil {
		return err
	}
	return notify.Drop(ctx, a.c.Store, a.c.Clock.Now(), ActorOf(ctx), id, reason)
}

// Inbox shows the messages that an inbox kept; see Administration.
func (a *Admin) Inbox(context.Context) ([]InboxText, error) {
	if a.c.Server == nil || a.c.Server.Inbox == nil {
		return nil, ErrNoInbox
	}
	out := []InboxText{}
	for _, r := range a.c.Server.Inbox.Texts("") {
		out = append(out, InboxText{At: r.At, Phone: r.Phone, Template: string(r.Template), Text: r.Body, Voice: r.Way == liuma.ByVoice})
	}
	return out, nil
}
